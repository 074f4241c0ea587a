"""Where conversion does not give what the peer gives for the same arguments, and why.

Either the conversion refuses the arguments, with a message that says what to do, or the peer is
wrong, and the values are those of its formula in float64, with lengths as the decimals they are
written as.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

Arguments = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Difference:
    """A rule for some cases of some schedulers; `expected` is None where they are refused."""

    peer: str
    schedulers: tuple[str, ...]
    reason: str
    applies: Callable[[Arguments], bool]
    expected: Callable[[str, Arguments, int], float] | None = None


def decimal(number: float) -> Fraction:
    return Fraction(repr(number))


# PyTorch


def is_truncated_cycle(arguments: Arguments) -> bool:
    total = arguments.get("total_steps")
    total = arguments["epochs"] * arguments["steps_per_epoch"] if total is None else total
    top = arguments["pct_start"] * total
    falls_late = arguments["three_phase"] and 2 * top - 2 > total - 1
    return total == 1 or top < 1 or (falls_late and top < total)


def torch_cosine(_: str, arguments: Arguments, step: int) -> float:
    lr, low = arguments["lr"], arguments["eta_min"]
    angle = math.pi * float(Fraction(step) / decimal(arguments["T_max"]) % 2)
    return low + (lr - low) * math.cos(angle / 2) ** 2


# timm


def warmed_up(
    arguments: Arguments, step: int, after: Callable[[int], float], target: float, prefix: bool
) -> float:
    warm = arguments.get("warmup_t", 0)
    if step < warm:
        first = arguments["warmup_lr_init"]
        return first + step * (target - first) / warm
    return after(step - warm if prefix else step)


def cycle_of(step: int, first: Fraction, growth: Fraction, limit: int) -> tuple[int, float] | None:
    """The cycle that a step is in, and how much of it is over; None after the last."""
    begin, length = Fraction(0), first
    for cycle in range(limit):
        if step < begin + length:
            return cycle, float((step - begin) / length)
        begin, length = begin + length, length * growth
    return None


def timm_cycles(name: str, arguments: Arguments, step: int) -> float:
    lr, low, k = arguments["lr"], arguments["lr_min"], arguments.get("k_decay", 1)
    first, growth = decimal(arguments["t_initial"]), decimal(arguments.get("cycle_mul", 1))

    def at(step: int) -> float:
        found = cycle_of(step, first, growth, arguments.get("cycle_limit", 1))
        if found is None:
            return low
        cycle, over = found
        height = lr * arguments.get("cycle_decay", 1) ** cycle - low
        if name == "TanhLRScheduler":
            lower, upper = arguments.get("lb", -7.0), arguments.get("ub", 3.0)
            return low + height / 2 * (1 - math.tanh(lower * (1 - over) + upper * over))
        if name == "PolyLRScheduler":
            return low + height * (1 - over**k) ** arguments["power"]
        return low + height * math.cos(math.pi / 2 * over**k) ** 2

    prefix, warm = arguments.get("warmup_prefix", False), arguments.get("warmup_t", 0)
    if step == warm == 0:
        return lr  # nothing has set the rate yet
    target = at(warm) if name == "TanhLRScheduler" and not prefix else lr
    return warmed_up(arguments, step, at, target, prefix)


def is_rounded_cycle(arguments: Arguments) -> bool:
    """Whether a restart is where a logarithm rounds down, as log(9, 3) or log(1000, 10) may."""
    return arguments.get("cycle_mul", 1) > 2 and arguments.get("cycle_limit", 1) > 2


def timm_stairs(_: str, arguments: Arguments, step: int) -> float:
    lr, length = arguments["lr"], decimal(arguments["decay_t"])

    def at(step: int) -> float:
        return lr * arguments["decay_rate"] ** (step // length)

    return warmed_up(arguments, step, at, lr, arguments.get("warmup_prefix", True))


def timm_stairs_of_factory(_: str, arguments: Arguments, step: int) -> float:
    unit = arguments.get("updates_per_epoch", 1)
    given = {
        "lr": arguments["lr"],
        "decay_t": arguments["decay_epochs"] * unit,
        "decay_rate": arguments["decay_rate"],
        "warmup_t": arguments["warmup_epochs"] * unit,
        "warmup_lr_init": 1e-5,
        "warmup_prefix": arguments["warmup_prefix"],
    }
    return timm_stairs("", given, step)


def between_steps(length: float) -> bool:
    return not float(length).is_integer()


# Keras


def keras_cosine(_: str, arguments: Arguments, step: int) -> float:
    first, target = arguments["initial_learning_rate"], arguments.get("warmup_target")
    warm = 0 if target is None else arguments["warmup_steps"]
    peak = first if target is None else target
    if step < warm:
        return first + (peak - first) * step / warm
    over = min(float(Fraction(step - warm) / decimal(arguments["decay_steps"])), 1.0)
    alpha = arguments["alpha"]
    return peak * ((1 - alpha) * math.cos(math.pi / 2 * over) ** 2 + alpha)


def keras_restarts(_: str, arguments: Arguments, step: int) -> float:
    first, growth = decimal(arguments["first_decay_steps"]), decimal(arguments["t_mul"])
    found = cycle_of(step, first, growth, 2 * step + 2)
    assert found is not None
    cycle, over = found
    wave = arguments["m_mul"] ** cycle * math.cos(math.pi / 2 * over) ** 2
    return arguments["initial_learning_rate"] * (
        (1 - arguments["alpha"]) * wave + arguments["alpha"]
    )


# Optax


def drops_a_phase(arguments: Arguments) -> bool:
    total = arguments["transition_steps"]
    ends = [int(arguments["pct_start"] * total), total]
    if "pct_final" in arguments:
        ends.insert(1, int(arguments["pct_final"] * total))
    return bool(np.any(np.diff(ends) <= 0))


def always(_: Arguments) -> bool:
    return True


CYCLES = ("CosineLRScheduler", "TanhLRScheduler", "PolyLRScheduler")

DIFFERENCES = [
    Difference(
        "torch",
        ("OneCycleLR",),
        "PyTorch starts in the middle of the fall, or never comes to its end",
        is_truncated_cycle,
    ),
    Difference(
        "torch",
        ("CosineAnnealingLR",),
        "PyTorch divides by 0 below one step, and steps through zeros of a cosine",
        lambda arguments: arguments["T_max"] < 1,
        torch_cosine,
    ),
    Difference(
        "transformers",
        ("cosine_warmup_with_min_lr",),
        "transformers leaves out the first step of the decay",
        lambda arguments: (
            arguments["num_warmup_steps"] < (2 if "warmup_lr_rate" in arguments else 1)
        ),
    ),
    Difference(
        "timm",
        CYCLES,
        "timm takes the logarithm of a number below 0 after all cycles that grow shorter",
        lambda arguments: arguments.get("cycle_mul", 1) < 1,
        timm_cycles,
    ),
    Difference(
        "timm",
        CYCLES,
        "timm takes a logarithm to find the cycle, which rounds down at some restarts",
        is_rounded_cycle,
        timm_cycles,
    ),
    Difference(
        "timm",
        ("StepLRScheduler",),
        "timm's t // 1.1 is 9 at step 11: a double is not the decimal that it is written as",
        lambda arguments: between_steps(arguments["decay_t"]),
        timm_stairs,
    ),
    Difference(
        "timm",
        ("step",),
        "the same by the factory",
        lambda arguments: between_steps(
            arguments["decay_epochs"] * arguments.get("updates_per_epoch", 1)
        ),
        timm_stairs_of_factory,
    ),
    Difference(
        "keras",
        ("CosineDecay",),
        "Keras takes the cosine in float32, also in float64",
        always,
        keras_cosine,
    ),
    Difference(
        "keras",
        ("CosineDecayRestarts",),
        "Keras takes the cosine, and the logarithm that finds the cycle, in float32",
        always,
        keras_restarts,
    ),
    Difference(
        "optax",
        ("linear_onecycle_schedule", "cosine_onecycle_schedule"),
        "Optax rounds the ends of phases to steps, and leaves out phases that share one",
        drops_a_phase,
    ),
    Difference(
        "optax",
        ("warmup_constant_schedule",),
        "Optax never leaves the first value in a warm-up of no steps",
        lambda arguments: arguments["warmup_steps"] == 0,
    ),
]

NOT_CONVERTED = {
    "torch": {
        "LambdaLR": "a function of Python numbers; from_torch says to use from_function",
        "MultiplicativeLR": "the same, and each rate needs all before",
    },
    "transformers": {
        "AdafactorSchedule": "shows the rate that Adafactor finds for itself",
        "GreedyLR": "the class behind the name greedy",
    },
    "timm": {},
    "optax": {
        "Schedule": "a type",
        "StatefulSchedule": "a type",
        "WrappedSchedule": "a schedule as a stateful one",
        "InjectHyperparamsState": "a state",
        "InjectStatefulHyperparamsState": "a state",
        "inject_hyperparams": "takes schedules and is none",
        "inject_stateful_hyperparams": "takes schedules and is none",
    },
    "keras": {
        "LearningRateSchedule": "the base class",
        "LearningRateScheduler": "calls a function of Python numbers",
    },
}
"""What peers have beside the schedulers that are converted, and why it is not."""
