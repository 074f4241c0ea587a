"""Reads the arguments of PyTorch's schedulers from their `state_dict()`, which renames some.

A state contains the scheduler's own attributes, but no functions, and not what the scheduler wrote
into the optimizer, such as the rates of `OneCycleLR`. The caller passes missing arguments along
with the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jaxdecay.migration.peer import Peer, whole

Arguments = dict[str, Any]


def arguments_of(
    peer: Peer, name: str, state: Mapping[str, Any], given: Mapping[str, Any]
) -> Arguments:
    """The arguments of a scheduler from its state and from those in `given`."""
    takes = peer.parameters(name)
    if not isinstance(state, Mapping):
        raise ValueError(
            "state must be the result of scheduler.state_dict(); pass arguments of the class by "
            "name, such as lr=0.1"
        )
    stored = {key: value for key, value in state.items() if key in takes}
    if "lr" in takes and "base_lrs" in state:
        stored["lr"] = _single(name, "base_lrs", state["base_lrs"])
    missing = [key for key in _NOT_STORED.get(name, ()) if key not in given]
    if missing:
        example = ", ".join(f"{key}=..." for key in _NOT_STORED[name])
        raise ValueError(
            f"PyTorch's {name}: its state does not contain {' and '.join(missing)}; pass the "
            f'missing arguments with the state: from_torch("{name}", state, {example})'
        )
    if "_schedulers" in state:
        derived = _several(peer, state, given.get("schedulers", ()))
    else:
        derived = _DERIVED[name](state, given) if name in _DERIVED else {}
    return {**stored, **given, **derived}


def _single(name: str, what: str, values: Iterable[float]) -> float:
    """The value that all groups of the optimizer share."""
    distinct = sorted({float(value) for value in values})
    if len(distinct) != 1:
        raise ValueError(
            f"PyTorch's {name}: {what}={distinct} has several groups; convert each group "
            f"separately, with {what}=[rate of the group]"
        )
    return distinct[0]


_NOT_STORED = {
    "OneCycleLR": ("max_lr", "final_div_factor"),
    "SWALR": ("swa_lr",),
    "ReduceLROnPlateau": ("lr",),
}
"""Arguments that PyTorch stores in the optimizer, or not at all."""


def _milestones(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
    counts = state["milestones"]  # how often each occurs
    return {"milestones": [step for step, count in counts.items() for _ in range(count)]}


BUILT_IN_SCALES = {"triangular": "cycle", "triangular2": "cycle", "exp_range": "iterations"}


def _cycle(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
    if state.get("_scale_fn_custom") is not None:
        raise ValueError(
            "PyTorch's CyclicLR: the state belongs to a scheduler with a scale_fn, and contains "
            "its attributes but no code; write the schedule with jaxdecay.from_function"
        )
    if state["scale_mode"] != BUILT_IN_SCALES.get(state["mode"]):
        raise ValueError(
            f"PyTorch's CyclicLR: its state has scale_mode={state['scale_mode']!r}, which mode="
            f"{state['mode']!r} has only with a scale_fn, and states contain no functions; write "
            "the schedule with jaxdecay.from_function"
        )
    up = _rounded(state["total_size"] * state["step_ratio"])
    return {
        "base_lr": _single("CyclicLR", "base_lrs", state["base_lrs"]),
        "max_lr": _single("CyclicLR", "max_lrs", state["max_lrs"]),
        "step_size_up": up,
        "step_size_down": _rounded(state["total_size"] - up),
        "cycle_momentum": False,
    }


def _rounded(length: float) -> float:
    """A length without the rounding error from PyTorch's ratio."""
    return whole(round(length, 9))


def _one_cycle(state: Mapping[str, Any], given: Mapping[str, Any]) -> Arguments:
    initial = _single("OneCycleLR", "base_lrs", state["base_lrs"])
    phases = state["_schedule_phases"]
    return {
        "div_factor": given["max_lr"] / initial,
        "pct_start": (phases[0]["end_step"] + 1) / state["total_steps"],
        "anneal_strategy": state["_anneal_func_type"],
        "three_phase": len(phases) == 3,
        "cycle_momentum": False,
    }


def _averaged(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
    return {"anneal_strategy": state["_anneal_strategy"]}


def _plateau(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
    return {"min_lr": _single("ReduceLROnPlateau", "min_lrs", state["min_lrs"])}


def _function(name: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Arguments]:
    def refused(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
        raise ValueError(
            f"PyTorch's {name}: a state does not contain the functions of its scheduler "
            f"(lr_lambdas={state.get('lr_lambdas')!r}); write the factor with jax.numpy and use "
            "jaxdecay.from_function(lambda step: rate * factor(step))"
        )

    return refused


_DERIVED: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Arguments]] = {
    "MultiStepLR": _milestones,
    "CyclicLR": _cycle,
    "OneCycleLR": _one_cycle,
    "SWALR": _averaged,
    "ReduceLROnPlateau": _plateau,
    "LambdaLR": _function("LambdaLR"),
    "MultiplicativeLR": _function("MultiplicativeLR"),
}


def _several(peer: Peer, state: Mapping[str, Any], names: Sequence[Any]) -> Arguments:
    """The arguments of schedulers inside another, whose state contains theirs without names."""
    states = state["_schedulers"]
    if len(names) != len(states):
        raise ValueError(
            f"PyTorch's state of {len(states)} schedulers does not contain their names; pass them "
            'with the state: from_torch("SequentialLR", state, schedulers=["LinearLR", '
            '"CosineAnnealingLR"]), or ("SWALR", {"swa_lr": 0.05}) if a state lacks an argument'
        )
    pairs = []
    for entry, part in zip(names, states, strict=True):
        name, given = (entry, {}) if isinstance(entry, str) else entry
        pairs.append((name, arguments_of(peer, name, part, given)))
    rates = [
        _single(name, "base_lrs", part["base_lrs"])
        for (name, _), part in zip(pairs, states, strict=True)
    ]
    inside = [(name, {k: v for k, v in part.items() if k != "lr"}) for name, part in pairs]
    milestones = {"milestones": state["_milestones"]} if "_milestones" in state else {}
    return {"lr": rates[0], "schedulers": inside, **milestones}
