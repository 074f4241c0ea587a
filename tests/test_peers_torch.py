"""Against PyTorch's epochs, recorded in `recorded/torch.json` by `recorded/record_torch.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from live_peers import RTOL, assert_equal
from parity import claim, equal, wrong
from rows import called

import jaxdecay
from jaxdecay import Schedule

pytestmark = pytest.mark.usefixtures("on_cpu")

RECORD = json.loads((Path(__file__).parent / "recorded" / "torch.json").read_text())
CASES = RECORD["cases"]


def warmup_cosine(
    lr: float, start_factor: float, warmup: int, t_max: int, eta_min: float
) -> Schedule:
    return jaxdecay.warmup_cosine(
        lr,
        warmup_steps=warmup,
        transition_steps=t_max,
        init_value=lr * start_factor,
        end_value=eta_min,
    )


TORCH: dict[str, Callable[..., Schedule]] = {
    "ConstantLR": lambda lr, factor, total_iters: jaxdecay.piecewise_constant(
        [lr * factor, lr], boundaries=[total_iters]
    ),
    "ExponentialLR": partial(jaxdecay.from_torch, "ExponentialLR"),
    "StepLR": lambda lr, step_size, gamma: jaxdecay.step_decay(
        lr, decay_rate=gamma, transition_steps=step_size
    ),
    "MultiStepLR": lambda lr, milestones, gamma: jaxdecay.piecewise_constant(
        [lr * gamma**passed for passed in range(len(milestones) + 1)], boundaries=milestones
    ),
    "PolynomialLR": lambda lr, total_iters, power: jaxdecay.polynomial(
        lr, end_value=0.0, power=power, transition_steps=total_iters
    ),
    "LinearLR": lambda lr, start_factor, end_factor, total_iters: jaxdecay.linear(
        lr * start_factor, end_value=lr * end_factor, transition_steps=total_iters
    ),
    "CosineAnnealingLR": lambda lr, t_max, eta_min: jaxdecay.cosine(
        lr, transition_steps=t_max, end_value=eta_min
    ),
    "SequentialLR": warmup_cosine,
    "LambdaLR 1/(1+kt)": lambda lr, k: jaxdecay.inverse_time(lr, decay_rate=k),
    "LambdaLR k/sqrt(epoch)": lambda lr, k: jaxdecay.inverse_sqrt(lr, scale=k),
    "LambdaLR exp(-kt)": lambda lr, k: jaxdecay.natural_exponential(lr, decay_rate=k),
}


def torch_id(case: dict[str, Any]) -> str:
    return f"{case['scheduler']} {case['steps_per_epoch']} steps an epoch"


def recorded(case: dict[str, Any]) -> tuple[Schedule, int, np.ndarray]:
    """Our schedule of epochs, the last epoch for which PyTorch's is right, and all its rates."""
    arguments = {name.lower(): value for name, value in case["arguments"].items()}
    schedule = TORCH[case["scheduler"]](lr=case["lr"], **arguments)
    rates = np.array(case["rates"])
    epochs = len(rates) // case["steps_per_epoch"]
    last = epochs - 1
    if "t_max" in arguments:  # after which PyTorch's cosine rises again
        last = min(last, arguments["t_max"] + arguments.get("warmup", 0))
    return schedule, last, rates


def test_every_recorded_scheduler_is_compared() -> None:
    assert {case["scheduler"] for case in CASES} == set(TORCH)


@pytest.mark.parametrize("case", CASES, ids=torch_id)
def test_equals_torch(case: dict[str, Any]) -> None:
    schedule, last, rates = recorded(case)
    steps_per_epoch = case["steps_per_epoch"]
    if steps_per_epoch > 1:
        schedule = jaxdecay.per_epoch(schedule, steps_per_epoch=steps_per_epoch)
    steps = np.arange((last + 1) * steps_per_epoch)
    assert_equal(schedule, steps, rates[: len(steps)])


equal("PyTorch", [claim("exponential per_epoch")], "test_equals_torch")
equal(
    "PyTorch",
    [claim("warmup warmup_cosine", "`LinearLR` before another in `SequentialLR`")],
    "test_equals_torch",
)


STAIRS = [
    case
    for case in CASES
    if case["steps_per_epoch"] > 1 and case["scheduler"].startswith(("LambdaLR", "ExponentialLR"))
]


@pytest.mark.parametrize("case", STAIRS, ids=torch_id)
def test_stairs_of_one_epoch_equal_torch(case: dict[str, Any]) -> None:
    """Rates per epoch without `per_epoch`: stairs, with the steps of an epoch as their unit."""
    schedule, _, rates = recorded(case)
    schedule = schedule.replace(transition_steps=case["steps_per_epoch"], staircase=True)
    assert_equal(schedule, np.arange(len(rates)), rates)


COSINES = [case for case in CASES if case["scheduler"] == "CosineAnnealingLR"]


@wrong("PyTorch", "cosine")
@pytest.mark.parametrize("case", COSINES, ids=torch_id)
def test_torch_cosine_rises_after_its_end(case: dict[str, Any]) -> None:
    schedule, end, rates = recorded(case)
    floor = case["arguments"]["eta_min"]
    each_epoch = rates[:: case["steps_per_epoch"]]
    after = each_epoch[end + 1 : 2 * end]
    assert len(after) > 5
    assert np.all(np.diff(after) > 0)
    steps = jnp.minimum(jnp.arange(end, end + 180), len(each_epoch) - 1)
    held = np.asarray(called(schedule, steps), np.float64)
    np.testing.assert_allclose(held, floor, rtol=RTOL, atol=0)
