"""Faults of the conversion that were found by replaying what people report, and their kinds.

States of PyTorch are real ones, of every scheduler, recorded by `recorded/record_states.py`.
PyTorch itself is not installed here: a stand-in for its base class shows that what `to_torch` makes
can be pickled.
"""

from __future__ import annotations

import copy
import functools
import json
import pickle
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay import Schedule, from_timm, from_torch, from_transformers

RECORDED = Path(__file__).parent / "recorded" / "states_torch.json"
RTOL = 1e-6


def values(schedule: Schedule, steps: list[int]) -> np.ndarray:
    return np.asarray(schedule(jnp.asarray(steps)), np.float64)


# States of PyTorch


@functools.cache
def states() -> list[dict[str, Any]]:
    return json.loads(RECORDED.read_text())["cases"]


NAMES = sorted({case["scheduler"] for case in states()})
BESIDE = {
    "OneCycleLR": ("max_lr", "final_div_factor"),
    "SWALR": ("swa_lr",),
    "ReduceLROnPlateau": ("lr",),
}
"""What PyTorch leaves out of a state."""


def as_in_torch(state: dict[str, Any]) -> dict[str, Any]:
    """A state with the counter of milestones that JSON made text of."""
    state = dict(state)
    if isinstance(state.get("milestones"), dict):
        state["milestones"] = Counter({int(k): n for k, n in state["milestones"].items()})
    if "_schedulers" in state:
        state["_schedulers"] = [as_in_torch(part) for part in state["_schedulers"]]
    return state


def beside(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What has to be given beside the state of a scheduler."""
    given = {each: arguments[each] for each in BESIDE.get(name, ())}
    if "schedulers" in arguments:
        given["schedulers"] = [(part, beside(part, own)) for part, own in arguments["schedulers"]]
    return given


def same(one: Schedule, other: Schedule) -> bool:
    """Equal but for the last digits of what a state holds as a sum or a ratio."""
    (ours, rebuild), (theirs, _) = one.partition(), other.partition()
    close = all(np.allclose(ours[name], theirs[name], rtol=1e-9, atol=0) for name in theirs)
    return ours.keys() == theirs.keys() and close and rebuild(theirs) == other


@pytest.mark.parametrize("name", NAMES)
def test_a_state_gives_what_its_arguments_give(name: str) -> None:
    compared = 0
    for case in states():
        if case["scheduler"] != name:
            continue
        arguments, state = case["arguments"], as_in_torch(case["state"])
        given = beside(name, arguments)
        try:
            expected = from_torch(name, **arguments)
        except ValueError:
            with pytest.raises(ValueError, match="PyTorch's"):
                from_torch(name, state, **given)
            continue
        made = from_torch(name, state, **given)
        assert same(made, expected), f"{made}\n{expected}\n{arguments}"
        compared += 1
    assert compared >= 2


def test_states_of_every_scheduler_are_recorded() -> None:
    functions = {"LambdaLR", "MultiplicativeLR"}
    found = json.loads(RECORDED.with_name("random_torch.json").read_text())["found"]
    assert set(found) - functions == set(NAMES)


@pytest.mark.parametrize(("name", "missing"), BESIDE.items())
def test_what_a_state_lacks_is_named(name: str, missing: tuple[str, ...]) -> None:
    state = next(case["state"] for case in states() if case["scheduler"] == name)
    with pytest.raises(ValueError, match=f"does not contain {' and '.join(missing)}; pass"):
        from_torch(name, state)


def test_a_linear_swalr_is_no_cosine() -> None:
    state = {"anneal_epochs": 10, "_anneal_strategy": "linear", "base_lrs": [0.1], "last_epoch": 3}
    schedule = from_torch("SWALR", state, swa_lr=0.05)
    np.testing.assert_allclose(values(schedule, [0, 3, 10]), [0.1, 0.085, 0.05], rtol=RTOL)


COMMON = {"base_lrs": [0.1], "last_epoch": 0, "_step_count": 1, "_last_lr": [0.05]}
CYCLIC = {
    **COMMON,
    "max_lrs": [1.0],
    "total_size": 4000.0,
    "step_ratio": 0.5,
    "mode": "triangular",
    "gamma": 1.0,
    "cycle_momentum": False,
}


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("LambdaLR", {**COMMON, "lr_lambdas": [None]}, "a state does not contain the functions"),
        ("MultiplicativeLR", {**COMMON, "lr_lambdas": [None]}, "does not contain the functions"),
        (
            "CyclicLR",
            {**CYCLIC, "scale_mode": "iterations", "_scale_fn_custom": None},
            "scale_mode='iterations', which mode='triangular' has only with a scale_fn",
        ),
        (
            "CyclicLR",
            {**CYCLIC, "scale_mode": "cycle", "_scale_fn_custom": {"a": 2}},
            "its attributes but no code",
        ),
    ],
)
def test_a_state_without_its_function(name: str, state: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"PyTorch's {name}") as caught:
        from_torch(name, state)
    assert message in str(caught.value)
    assert "jaxdecay.from_function" in str(caught.value)


# PyTorch's schedulers of schedulers


def test_one_cycle_inside_a_sequence_sets_the_first_rate() -> None:
    """PyTorch: 0.1·0.1 → 0.02 in five steps from OneCycleLR's 0.5/25, not from 0.16."""
    warm = ("LinearLR", {"start_factor": 0.1, "total_iters": 5})
    cycle = ("OneCycleLR", {"max_lr": 0.5, "total_steps": 50})
    schedule = from_torch("SequentialLR", lr=0.16, schedulers=[warm, cycle], milestones=[5])
    np.testing.assert_allclose(values(schedule, [0, 4, 5]), [0.002, 0.0164, 0.02], rtol=RTOL)


def test_a_cycle_that_is_made_first_sets_the_rate_of_all() -> None:
    cycle = ("CyclicLR", {"base_lr": 0.02, "max_lr": 0.5, "step_size_up": 10})
    decay = ("ExponentialLR", {"gamma": 0.5})
    schedule = from_torch("SequentialLR", lr=0.16, schedulers=[cycle, decay], milestones=[5])
    np.testing.assert_allclose(values(schedule, [0, 4, 5, 6]), [0.02, 0.212, 0.02, 0.01], rtol=RTOL)


def test_swalr_inside_a_sequence_starts_from_the_rate_it_finds() -> None:
    parts = [("ExponentialLR", {"gamma": 0.5}), ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 5})]
    schedule = from_torch("SequentialLR", lr=0.8, schedulers=parts, milestones=[4])
    np.testing.assert_allclose(values(schedule, [3, 4, 9]), [0.1, 0.1, 0.05], rtol=RTOL)


@pytest.mark.parametrize("name", ["SequentialLR", "ChainedScheduler", "ReduceLROnPlateau"])
def test_what_pytorch_cannot_put_into_a_sequence(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} inside SequentialLR has no equivalent"):
        from_torch("SequentialLR", lr=0.1, schedulers=[(name, {})], milestones=[])


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_that_only_rises(strategy: str, three_phase: bool) -> None:
    schedule = from_torch(
        "OneCycleLR",
        max_lr=0.1,
        total_steps=11,
        pct_start=1.0,
        anneal_strategy=strategy,
        three_phase=three_phase,
    )
    middle = (0.1 + 0.004) / 2
    np.testing.assert_allclose(values(schedule, [0, 5, 10]), [0.004, middle, 0.1], rtol=RTOL)


# timm at the first step, whose rate nothing sets: timm's training calls step(epoch) from 1 on


def test_the_warmup_of_timm_leads_to_the_rate_though_a_fall_is_over_at_once() -> None:
    schedule = jaxdecay.from_timm(
        "WSDLRScheduler",
        lr=1.0,
        t_initial=10,
        decay_t=10,
        lr_min=0.25,
        decay_fn="power",
        decay_power=0.0,
        warmup_t=4,
    )
    # In timm a power of 0 is 1 from the first step of the decay on.
    assert [float(schedule(step)) for step in (0, 2, 3, 4, 9)] == [0.0, 0.5, 0.75, 0.25, 0.25]


def test_the_first_step_of_timm_is_at_the_optimizers_rate() -> None:
    schedule = from_timm("TanhLRScheduler", lr=0.3, t_initial=10, lb=-2.0, ub=3.0)
    second = 0.15 * (1 - np.tanh(-2 * 0.9 + 3 * 0.1))
    np.testing.assert_allclose(values(schedule, [0, 1, 10]), [0.3, second, 0.0], rtol=RTOL)
    for milestones, expected in [
        ([1, 4], [0.1, 0.05, 0.05, 0.025]),
        ([0], [0.1, 0.05, 0.05, 0.05]),
    ]:
        schedule = from_timm("MultiStepLRScheduler", lr=0.1, decay_t=milestones, decay_rate=0.5)
        np.testing.assert_allclose(values(schedule, [0, 1, 2, 3]), expected, rtol=RTOL)


# transformers: counts and shares


@pytest.mark.parametrize(
    ("warmup_steps", "total", "count"), [(0.1, 1_001, 101), (0, 50, 0), (7, 50, 7), (7.9, 50, 7)]
)
def test_warmup_steps_of_training_arguments(warmup_steps: float, total: int, count: int) -> None:
    """`TrainingArguments.get_warmup_steps`: rounded up from a share, down from a count."""
    made = from_transformers("linear", lr=0.1, warmup_steps=warmup_steps, num_training_steps=total)
    assert made == from_transformers(
        "linear", lr=0.1, num_warmup_steps=count, num_training_steps=total
    )


RUN: dict[str, Any] = {"lr": 0.1, "num_warmup_steps": 5, "num_training_steps": 50}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_warmup_steps": 0.1}, "num_warmup_steps must be a whole number of steps, at least 0"),
        ({"num_warmup_steps": 0.1}, "for a share of the run pass warmup_steps"),
        ({"num_warmup_steps": -1}, "num_warmup_steps must be a whole number of steps, at least 0"),
        ({"num_training_steps": -1}, "if max_steps is -1, pass num_train_epochs times"),
        ({"num_training_steps": 99.5}, "num_training_steps must be a whole number of steps"),
        ({"warmup_steps": 0.1}, "expected either num_warmup_steps or"),
    ],
)
def test_counts_of_transformers_that_are_none(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="transformers's linear") as caught:
        from_transformers("linear", **{**RUN, **changed})
    assert message in str(caught.value)


def test_a_share_of_no_run() -> None:
    with pytest.raises(ValueError, match="pass num_training_steps too"):
        from_transformers("constant_with_warmup", lr=0.1, warmup_steps=0.1)


def test_a_warmup_with_nothing_after_it() -> None:
    made = from_transformers(
        "warmup_stable_decay",
        lr=0.1,
        num_warmup_steps=4,
        num_stable_steps=0,
        num_decay_steps=0,
        warmup_type="1-sqrt",
        min_lr_ratio=0.5,
    )
    third = 0.05 + 0.05 * (1 - np.sqrt(1 - 3 / 4))
    np.testing.assert_allclose(values(made, [0, 3, 4, 9]), [0.05, third, 0.05, 0.05], rtol=RTOL)


# To PyTorch


class StandIn:
    """What `JaxdecayLR` needs of `torch.optim.lr_scheduler.LRScheduler`."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.last_epoch = -1
        self.step()

    def step(self) -> None:
        self.last_epoch += 1
        self._last_lr = self.get_lr()

    def get_lr(self) -> list[float]:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "optimizer"}


class Optimizer:
    param_groups = ({"lr": 1.0},)


@pytest.fixture
def torch_stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("torch.optim.lr_scheduler")
    module.LRScheduler = StandIn  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("torch", "torch.optim"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "jaxdecay.migration.torch_scheduler", raising=False)
    yield
    sys.modules.pop("jaxdecay.migration.torch_scheduler", None)  # it is made of the stand-in


@pytest.mark.usefixtures("torch_stand_in")
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_a_scheduler_for_torch_can_be_pickled(protocol: int) -> None:
    schedule = jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=20), warmup_steps=5)
    scheduler = jaxdecay.to_torch(schedule, Optimizer())
    for _ in range(7):
        scheduler.step()
    read = pickle.loads(pickle.dumps(scheduler, protocol))
    for each in (read, copy.deepcopy(scheduler)):
        assert type(each) is type(scheduler)
        assert each.schedule == schedule
        each.step()
        assert each._last_lr == [float(schedule(8))]


def test_torch_is_imported_for_to_torch_alone() -> None:
    program = (
        "import sys, jaxdecay; jaxdecay.from_torch('StepLR', lr=0.1, step_size=3);"
        "print('jaxdecay.migration.torch_scheduler' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False"]


def test_one_scheduler_of_a_population() -> None:
    population = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2])
    message = (
        "to_torch: expected one jaxdecay schedule, got a population of 2; convert its schedules"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        jaxdecay.to_torch(population, None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"to_keras: .* such as population"):
        jaxdecay.to_keras(population)  # pyright: ignore[reportArgumentType]
