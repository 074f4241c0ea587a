"""PyTorch's schedulers of schedulers: `SequentialLR` and `ChainedScheduler`.

A scheduler inside `SequentialLR` starts from the optimizer's rate, which other schedulers may
change when they are created: `OneCycleLR` replaces the optimizer's initial rate by its own, and
`CyclicLR`, if it is the first, replaces the rate that later schedulers start from. Schedulers are
assumed to be created in the order of the list.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from jaxdecay.compose import advance, multiply, scale
from jaxdecay.decays import constant
from jaxdecay.migration.peer import in_sequence, wave
from jaxdecay.migration.torch import TORCH
from jaxdecay.schedule import Schedule

Part = tuple[str, Mapping[str, Any]]

FACTORS = (
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "StepLR",
    "MultiStepLR",
    "PolynomialLR",
)
"""Schedulers that multiply the current rate, so that a chain of them is a product."""

FROM_THE_RATE = (*FACTORS, "CosineAnnealingLR", "SWALR")
"""Schedulers that start from the optimizer's rate if they are the first of a sequence."""


@TORCH.named("SequentialLR")
def sequential_lr(lr: float, schedulers: Sequence[Part], milestones: Sequence[int]) -> Schedule:
    """One scheduler after another, each counting from its milestone."""
    _check_pairs(schedulers)
    if len(milestones) != len(schedulers) - 1:
        raise ValueError(
            f"{len(schedulers)} schedulers need {len(schedulers) - 1} milestones, got "
            f"{len(milestones)}"
        )
    for name, _ in schedulers:
        if name in ("SequentialLR", "ChainedScheduler", "ReduceLROnPlateau"):
            raise ValueError(
                f"{name} inside SequentialLR has no equivalent: PyTorch raises an error at its "
                "milestone, or counts its steps from 1; put its schedulers into the sequence"
            )
    rates, start = _first_rates(lr, schedulers)
    first = bisect.bisect_right(milestones, 0)
    parts: list[Schedule] = []
    begins = [0, *milestones]
    for index, (name, arguments) in enumerate(_of_one_optimizer(schedulers)):
        if index == first and name in FROM_THE_RATE:
            part = _opening(start, rates[index], name, arguments)
        elif index > first and name == "SWALR":  # which starts from the current rate
            before = bisect.bisect_left(milestones, milestones[index - 1])
            last = begins[index] - begins[before] - 1
            part = _part(float(parts[before](last)), name, arguments)
        else:
            part = _part(rates[index], name, arguments)
        parts.append(part)
    return in_sequence(parts, list(milestones), called="milestones")


def _first_rates(lr: float, schedulers: Sequence[Part]) -> tuple[list[float], float]:
    """The initial rate that each scheduler reads from the optimizer, and the one after all."""
    rates, current = [], lr
    for index, (name, arguments) in enumerate(schedulers):
        if name == "OneCycleLR":
            current = arguments["max_lr"] / arguments.get("div_factor", 25.0)
        elif name == "CyclicLR" and index == 0:
            current = arguments["base_lr"]
        rates.append(current)
    return rates, current


def _of_one_optimizer(schedulers: Sequence[Part]) -> list[Part]:
    """The schedulers, with the rates of the last `OneCycleLR` in all: they share one optimizer."""
    cycles = [arguments for name, arguments in schedulers if name == "OneCycleLR"]
    shared = ("max_lr", "div_factor", "final_div_factor")

    def with_shared(arguments: Mapping[str, Any]) -> dict[str, Any]:
        own = {key: value for key, value in arguments.items() if key not in shared}
        return own | {key: cycles[-1][key] for key in shared if key in cycles[-1]}

    return [
        (name, with_shared(arguments) if name == "OneCycleLR" else arguments)
        for name, arguments in schedulers
    ]


def _opening(start: float, rate: float, name: str, arguments: Mapping[str, Any]) -> Schedule:
    """The first scheduler, from the optimizer's rate, which may differ from its stored rate."""
    part = _part(start, name, arguments)
    length = arguments.get("T_max", 0)
    if name != "CosineAnnealingLR" or start == rate or not float(length).is_integer():
        return part
    again = wave(rate, arguments.get("eta_min", 0.0), length)  # rises to the stored rate
    return in_sequence([part, advance(again, advance_steps=length)], [length])


@TORCH.named("ChainedScheduler")
def chained_scheduler(lr: float, schedulers: Sequence[Part]) -> Schedule:
    """All schedulers at once: the product of their factors."""
    _check_pairs(schedulers)
    for name, _ in schedulers:
        if name not in FACTORS:
            raise ValueError(
                f"{name} in a chain has no equivalent, because it sets the rate instead of "
                f"multiplying it; expected some of {', '.join(FACTORS)}, or use SequentialLR"
            )
    if not schedulers:
        raise ValueError("schedulers must contain at least one scheduler")
    first, *others = (_part(lr, *scheduler) for scheduler in schedulers)
    return functools.reduce(
        lambda product, part: multiply(product, second=scale(part, factor=1 / lr)), others, first
    )


def _check_pairs(schedulers: Sequence[Any]) -> None:
    for index, pair in enumerate(schedulers):
        if not (isinstance(pair, Sequence) and len(pair) == 2 and isinstance(pair[1], Mapping)):
            raise ValueError(
                f"schedulers[{index}] must be a pair of a name and a dictionary of arguments, such "
                f'as ("StepLR", {{"step_size": 30}}), got {pair!r}'
            )


def _part(lr: float, name: str, arguments: Mapping[str, Any]) -> Schedule:
    takes_lr = "lr" in TORCH.parameters(name)
    if lr == 0 and name in FACTORS:
        return constant(0.0)
    return TORCH.convert(name, {"lr": lr, **arguments} if takes_lr else arguments)
