"""PyTorch's schedulers of schedulers: `SequentialLR` and `ChainedScheduler`.

A scheduler inside `SequentialLR` starts from what it finds in the optimizer, and others change
that. `OneCycleLR` sets the optimizer's first rate to its own, `CyclicLR` the rate that the first
scheduler takes for it; both when they are made, which is taken to be in the order of the list.
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
"""Schedulers that multiply the rate they find, so that a chain of them is a product."""

FROM_THE_RATE = (*FACTORS, "CosineAnnealingLR", "SWALR")
"""Schedulers that, as the first of a sequence, start from the optimizer's rate."""


@TORCH.named("SequentialLR")
def sequential_lr(lr: float, schedulers: Sequence[Part], milestones: Sequence[int]) -> Schedule:
    """One scheduler after another, each counting from its milestone."""
    _check_pairs(schedulers)
    if len(milestones) != len(schedulers) - 1:
        raise ValueError(f"{len(schedulers)} schedulers need {len(schedulers) - 1} milestones")
    for name, _ in schedulers:
        if name in ("SequentialLR", "ChainedScheduler", "ReduceLROnPlateau"):
            raise ValueError(
                f"{name} inside SequentialLR has no equal: PyTorch raises at its milestone, or "
                "counts its steps from 1; expected the schedulers themselves"
            )
    rates, start = _first_rates(lr, schedulers)
    first = bisect.bisect_right(milestones, 0)
    parts: list[Schedule] = []
    begins = [0, *milestones]
    for index, (name, arguments) in enumerate(_of_one_optimizer(schedulers)):
        if index == first and name in FROM_THE_RATE:
            part = _opening(start, rates[index], name, arguments)
        elif index > first and name == "SWALR":  # from the rate that it finds
            before = bisect.bisect_left(milestones, milestones[index - 1])
            last = begins[index] - begins[before] - 1
            part = _part(float(parts[before](last)), name, arguments)
        else:
            part = _part(rates[index], name, arguments)
        parts.append(part)
    return in_sequence(parts, list(milestones), called="milestones")


def _first_rates(lr: float, schedulers: Sequence[Part]) -> tuple[list[float], float]:
    """What each scheduler takes for the optimizer's first rate, and that rate after all."""
    rates, current = [], lr
    for index, (name, arguments) in enumerate(schedulers):
        if name == "OneCycleLR":
            current = arguments["max_lr"] / arguments.get("div_factor", 25.0)
        elif name == "CyclicLR" and index == 0:
            current = arguments["base_lr"]
        rates.append(current)
    return rates, current


def _of_one_optimizer(schedulers: Sequence[Part]) -> list[Part]:
    """The schedulers, each `OneCycleLR` between the rates of the last one: they share them."""
    cycles = [arguments for name, arguments in schedulers if name == "OneCycleLR"]
    shared = ("max_lr", "div_factor", "final_div_factor")

    def of_last(arguments: Mapping[str, Any]) -> dict[str, Any]:
        own = {each: value for each, value in arguments.items() if each not in shared}
        return own | {each: cycles[-1][each] for each in shared if each in cycles[-1]}

    return [
        (name, of_last(arguments) if name == "OneCycleLR" else arguments)
        for name, arguments in schedulers
    ]


def _opening(start: float, rate: float, name: str, arguments: Mapping[str, Any]) -> Schedule:
    """The first scheduler, from the optimizer's rate, which may not be the one it remembers."""
    part = _part(start, name, arguments)
    length = arguments.get("T_max", 0)
    if name != "CosineAnnealingLR" or start == rate or not float(length).is_integer():
        return part
    again = wave(rate, arguments.get("eta_min", 0.0), length)  # it rises to the one remembered
    return in_sequence([part, advance(again, advance_steps=length)], [length])


@TORCH.named("ChainedScheduler")
def chained_scheduler(lr: float, schedulers: Sequence[Part]) -> Schedule:
    """All at once: the product of their factors."""
    _check_pairs(schedulers)
    for name, _ in schedulers:
        if name not in FACTORS:
            raise ValueError(
                f"{name} in a chain has no equal, because it sets the rate and does not multiply "
                f"it; expected some of {', '.join(FACTORS)}, or SequentialLR"
            )
    if not schedulers:
        raise ValueError("schedulers must hold at least one")
    first, *others = (_part(lr, *each) for each in schedulers)
    return functools.reduce(
        lambda all, one: multiply(all, second=scale(one, factor=1 / lr)), others, first
    )


def _check_pairs(schedulers: Sequence[Any]) -> None:
    for index, each in enumerate(schedulers):
        if not (isinstance(each, Sequence) and len(each) == 2 and isinstance(each[1], Mapping)):
            raise ValueError(
                f"schedulers[{index}] must be a pair of a name and a dictionary of arguments, such "
                f'as ("StepLR", {{"step_size": 30}}), got {each!r}'
            )


def _part(lr: float, name: str, arguments: Mapping[str, Any]) -> Schedule:
    takes_lr = "lr" in TORCH.parameters(name)
    if lr == 0 and name in FACTORS:
        return constant(0.0)
    return TORCH.convert(name, {"lr": lr, **arguments} if takes_lr else arguments)
