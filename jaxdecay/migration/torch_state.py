"""Arguments of PyTorch's schedulers from their `state_dict()`, which holds them under other names.

A state holds what the scheduler itself keeps: not what it has put into the optimizer, such as the
rates of `OneCycleLR`, and no function. What is missing is given beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jaxdecay.migration.peer import Peer, whole

Arguments = dict[str, Any]


def arguments_of(
    peer: Peer, name: str, state: Mapping[str, Any], given: Mapping[str, Any]
) -> Arguments:
    """The arguments of a scheduler from its state and from what is given beside it."""
    takes = peer.parameters(name)
    if not isinstance(state, Mapping):
        raise ValueError(
            "state must be what scheduler.state_dict() gives; the arguments of the class go by "
            "name, as in lr=0.1"
        )
    found = {each: value for each, value in state.items() if each in takes}
    if "lr" in takes and "base_lrs" in state:
        found["lr"] = _single(name, "base_lrs", state["base_lrs"])
    missing = [each for each in _NOT_HELD.get(name, ()) if each not in given]
    if missing:
        example = ", ".join(f"{each}=..." for each in _NOT_HELD[name])
        raise ValueError(
            f"PyTorch's {name}: its state does not hold {' and '.join(missing)}; give what is "
            f'missing beside the state, as in from_torch("{name}", state, {example})'
        )
    if "_schedulers" in state:
        derived = _several(peer, state, given.get("schedulers", ()))
    else:
        derived = _DERIVED[name](state, given) if name in _DERIVED else {}
    return {**found, **given, **derived}


def _single(name: str, what: str, values: Iterable[float]) -> float:
    """The one value of all groups of the optimizer."""
    found = sorted({float(value) for value in values})
    if len(found) != 1:
        raise ValueError(
            f"PyTorch's {name}: {what}={found} holds several groups; convert each by itself, with "
            f"{what}=[rate of the group]"
        )
    return found[0]


_NOT_HELD = {
    "OneCycleLR": ("max_lr", "final_div_factor"),
    "SWALR": ("swa_lr",),
    "ReduceLROnPlateau": ("lr",),
}
"""Arguments that PyTorch keeps in the optimizer, or not at all."""


def _milestones(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
    counts = state["milestones"]  # how often each occurs
    return {"milestones": [step for step, count in counts.items() for _ in range(count)]}


BUILT_IN_SCALES = {"triangular": "cycle", "triangular2": "cycle", "exp_range": "iterations"}


def _cycle(state: Mapping[str, Any], _: Mapping[str, Any]) -> Arguments:
    if state.get("_scale_fn_custom") is not None:
        raise ValueError(
            "PyTorch's CyclicLR: its state is that of a scheduler with a scale_fn, of which it "
            "holds attributes but no code; write the schedule with jaxdecay.from_function"
        )
    if state["scale_mode"] != BUILT_IN_SCALES.get(state["mode"]):
        raise ValueError(
            f"PyTorch's CyclicLR: its state has scale_mode={state['scale_mode']!r}, which mode="
            f"{state['mode']!r} has only with a scale_fn, and states leave functions out; write "
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
    """A length without the rounding errors of its way through a ratio."""
    return whole(round(length, 9))


def _one_cycle(state: Mapping[str, Any], given: Mapping[str, Any]) -> Arguments:
    first = _single("OneCycleLR", "base_lrs", state["base_lrs"])
    phases = state["_schedule_phases"]
    return {
        "div_factor": given["max_lr"] / first,
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
            f"PyTorch's {name}: a state does not hold the functions of its scheduler (lr_lambdas="
            f"{state.get('lr_lambdas')!r}); write the factor with jax.numpy and give "
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
    """The arguments of schedulers inside another, whose state holds theirs without their names."""
    states = state["_schedulers"]
    if len(names) != len(states):
        raise ValueError(
            f"PyTorch's state of {len(states)} schedulers does not hold their names; give them "
            'beside the state, as in from_torch("SequentialLR", state, schedulers=["LinearLR", '
            '"CosineAnnealingLR"]), with what a state lacks as in ("SWALR", {"swa_lr": 0.05})'
        )
    pairs = []
    for each, part in zip(names, states, strict=True):
        name, beside = (each, {}) if isinstance(each, str) else each
        pairs.append((name, arguments_of(peer, name, part, beside)))
    rates = [
        _single(name, "base_lrs", part["base_lrs"])
        for (name, _), part in zip(pairs, states, strict=True)
    ]
    inside = [(name, {k: v for k, v in part.items() if k != "lr"}) for name, part in pairs]
    milestones = {"milestones": state["_milestones"]} if "_milestones" in state else {}
    return {"lr": rates[0], "schedulers": inside, **milestones}
