"""Converts schedulers of Hugging Face Transformers to schedules of this package."""

from __future__ import annotations

import math
from typing import Any, Literal

from jaxdecay.adaptive import greedy
from jaxdecay.adaptive.greedy_scale import LARGEST_WINDOW
from jaxdecay.compose import cooldown, join, warmup
from jaxdecay.compounds import warmup_linear, warmup_stable_decay
from jaxdecay.decays import (
    constant,
    cosine_restarts,
    inverse_sqrt,
    piecewise_constant,
    polynomial,
)
from jaxdecay.migration.peer import Peer, in_sequence, ramp_to, warmed_up, wave, whole
from jaxdecay.migration.torch import reduce_lr_on_plateau
from jaxdecay.schedule import Schedule

TRANSFORMERS = Peer(
    "transformers",
    {
        "last_epoch": "is where to resume, but a schedule takes its step as an argument; leave it "
        "out, and call the schedule with the step",
        **dict.fromkeys(
            ("scheduler_specific_kwargs", "lr_scheduler_kwargs"),
            "is a dictionary of further arguments; pass them one by one",
        ),
        "learning_rate": "is called lr here",
        "warmup_ratio": "is called warmup_steps since transformers 5; pass it under that name",
        "max_steps": "is called num_training_steps here",
    },
)

SHAPES: dict[str, Literal["linear", "cosine", "sqrt"]] = {
    "linear": "linear",
    "cosine": "cosine",
    "1-sqrt": "sqrt",
}


def from_transformers(name: str, **arguments: Any) -> Schedule:
    """Converts a `SchedulerType` of Hugging Face Transformers to a schedule with the same values.

    Its conventions apply: `num_training_steps` include the warm-up, which starts at 0; "cosine"
    and "cosine_with_min_lr" rise again after `num_training_steps`, unless you use
    `jaxdecay.hold(schedule, num_training_steps)`. Transformers need not be installed.

    Args:
        name: the name of the scheduler, as in `TrainingArguments(lr_scheduler_type=...)`, such as
            "cosine_with_min_lr".
        **arguments: `lr`, the optimizer's rate; `num_warmup_steps` and `num_training_steps`; and
            the arguments in `lr_scheduler_kwargs`. Instead of `num_warmup_steps` you can pass
            `warmup_steps` of `TrainingArguments`: a count, or below 1 a share of
            `num_training_steps`.

    Returns:
        A `Schedule`; for "reduce_lr_on_plateau" and "greedy" one with state.

    Raises:
        ValueError: a name or argument is unknown, or a value has no equivalent here. The message
            names what works.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.from_transformers("linear", lr=0.1, num_warmup_steps=5, num_training_steps=50)
        warmup_linear(peak_value=0.1, warmup_steps=5, transition_steps=45)

    Source:
        transformers 5.23.0, `optimization.py`.
    """
    name = getattr(name, "value", name)
    if "warmup_steps" in arguments:
        with TRANSFORMERS.reported(name, arguments):
            arguments = _with_warmup(**arguments)
    with TRANSFORMERS.reported(name, arguments):
        for count in _COUNTS:
            _check_count(count, arguments.get(count))
    return TRANSFORMERS.convert(name, arguments)


_COUNTS = {
    "num_warmup_steps": "; for a share of the run pass warmup_steps",
    "num_training_steps": "; if max_steps is -1, pass num_train_epochs times the updates per epoch",
    "num_decay_steps": "",
    "num_stable_steps": "",
}
"""Numbers of steps, which transformers does not check, with hints for the error message."""


def _check_count(name: str, value: Any) -> None:
    """ValueError for a number that is not a count, although transformers accepts it."""
    if isinstance(value, int | float) and not (value >= 0 and float(value).is_integer()):
        raise ValueError(f"{name} must be a whole number of steps, at least 0{_COUNTS[name]}")


def _with_warmup(warmup_steps: float, **others: Any) -> dict[str, Any]:
    """Replaces `warmup_steps` of `TrainingArguments`, a share if below 1, by a count."""
    if "num_warmup_steps" in others:
        raise ValueError("expected either num_warmup_steps or warmup_steps, got both")
    if not 0 <= warmup_steps < math.inf:
        raise ValueError(
            "warmup_steps must be ≥ 0; expected a count, or a share of the run below 1"
        )
    total = others.get("num_training_steps")
    if 0 < warmup_steps < 1 and total is None:
        raise ValueError("warmup_steps below 1 is a share of the run; pass num_training_steps too")
    share = math.ceil((total or 0) * warmup_steps)
    return {**others, "num_warmup_steps": int(warmup_steps) if warmup_steps >= 1 else share}


def _left(num_warmup_steps: int, num_training_steps: int) -> int:
    return max(1, num_training_steps - num_warmup_steps)


@TRANSFORMERS.named("constant")
def constant_schedule(
    lr: float, num_warmup_steps: int | None = None, num_training_steps: int | None = None
) -> Schedule:
    """A constant; `get_scheduler` ignores the numbers of steps."""
    return constant(lr)


@TRANSFORMERS.named("constant_with_warmup")
def constant_with_warmup(
    lr: float, num_warmup_steps: int, num_training_steps: int | None = None
) -> Schedule:
    """A line up, then a constant."""
    return warmed_up(constant(lr), num_warmup_steps)


@TRANSFORMERS.named("linear")
def linear_with_warmup(lr: float, num_warmup_steps: int, num_training_steps: int) -> Schedule:
    """A line up, then a line down to 0."""
    if num_training_steps <= num_warmup_steps:  # no steps left for the way down
        return ramp_to(constant(0.0), num_warmup_steps, 0.0, lr)
    return warmup_linear(
        lr, warmup_steps=num_warmup_steps, transition_steps=num_training_steps - num_warmup_steps
    )


def _cosine(lr: float, end_value: float, length: int, num_cycles: float) -> Schedule:
    if num_cycles == 0:
        return constant(lr)
    return wave(lr, end_value, length / (2 * num_cycles))


@TRANSFORMERS.named("cosine")
def cosine_with_warmup(
    lr: float, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5
) -> Schedule:
    """A line up, then a cosine wave that continues after the end."""
    left = _left(num_warmup_steps, num_training_steps)
    return warmed_up(_cosine(lr, 0.0, left, num_cycles), num_warmup_steps)


@TRANSFORMERS.named("cosine_with_restarts")
def cosine_with_restarts(
    lr: float, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 1
) -> Schedule:
    """Cycles of equal length, then 0; without a cycle, the rate until the end, then 0."""
    left = _left(num_warmup_steps, num_training_steps)
    cycles = cosine_restarts(lr, period=whole(left / num_cycles)) if num_cycles else lr
    return warmed_up(join([cycles, 0.0], lengths=[left]), num_warmup_steps)


@TRANSFORMERS.named("polynomial")
def polynomial_with_warmup(
    lr: float,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
) -> Schedule:
    """A line up, then a power of the remaining share of steps down to `lr_end`."""
    if not lr > lr_end:
        raise ValueError("lr_end must be below lr; pass a smaller one")
    if num_training_steps <= num_warmup_steps:
        raise ValueError(
            "num_training_steps must be above num_warmup_steps, which it includes (transformers "
            f"divides by the difference); expected at least {num_warmup_steps + 1}"
        )
    left = num_training_steps - num_warmup_steps
    if power == 0:  # the rate is lr through the last step, then lr_end
        decay = piecewise_constant([lr, lr_end], boundaries=[left + 1])
    else:
        decay = polynomial(lr, end_value=lr_end, power=power, transition_steps=left)
    return warmed_up(decay, num_warmup_steps)


@TRANSFORMERS.named("inverse_sqrt")
def inverse_sqrt_with_warmup(
    lr: float,
    num_warmup_steps: int,
    timescale: int | None = None,
    num_training_steps: int | None = None,
) -> Schedule:
    """A line up, then lr/√(1 + t/timescale)."""
    decay = inverse_sqrt(lr, transition_steps=timescale or num_warmup_steps or 10_000)
    return warmed_up(decay, num_warmup_steps)


def _floor(lr: float, min_lr: float | None, min_lr_rate: float | None) -> float:
    if (min_lr is None) == (min_lr_rate is None):
        raise ValueError("expected either min_lr (a rate) or min_lr_rate (a share of lr)")
    return lr * min_lr_rate if min_lr is None and min_lr_rate is not None else min_lr or 0.0


@TRANSFORMERS.named("cosine_with_min_lr")
def cosine_with_min_lr(
    lr: float,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> Schedule:
    """A line up from 0, then a cosine wave down to a floor, which continues after the end."""
    left = _left(num_warmup_steps, num_training_steps)
    decay = _cosine(lr, _floor(lr, min_lr, min_lr_rate), left, num_cycles)
    return warmed_up(decay, num_warmup_steps)


@TRANSFORMERS.named("cosine_warmup_with_min_lr")
def cosine_warmup_with_min_lr(
    lr: float,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> Schedule:
    """Like `cosine_with_min_lr`, but at the peak one step earlier, in the last warm-up step."""
    if num_warmup_steps < (1 if warmup_lr_rate is None else 2):
        raise ValueError(
            "num_warmup_steps must be at least 1, or 2 with warmup_lr_rate: with a shorter warm-up "
            "transformers skips the first step of the decay; pass more, or use "
            '"cosine_with_min_lr"'
        )
    left = _left(num_warmup_steps, num_training_steps)
    decay = _cosine(lr, _floor(lr, min_lr, min_lr_rate), left, num_cycles)
    first = lr / num_warmup_steps if warmup_lr_rate is None else lr * warmup_lr_rate
    return warmed_up(decay, num_warmup_steps - 1, first)


@TRANSFORMERS.named("warmup_stable_decay")
def warmup_stable_and_decay(
    lr: float,
    num_warmup_steps: int,
    num_decay_steps: int,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    """Up from the floor, constant, and down to the floor, with a shape for each way."""
    for argument, value in {"warmup_type": warmup_type, "decay_type": decay_type}.items():
        if value not in SHAPES:
            raise ValueError(f"{argument} must be one of {', '.join(map(repr, SHAPES))}")
    if num_stable_steps is None:
        if num_training_steps is None:
            raise ValueError("expected num_training_steps or num_stable_steps")
        num_stable_steps = num_training_steps - num_warmup_steps - num_decay_steps
    if num_stable_steps < 0:
        raise ValueError(
            f"the stable phase would have {num_stable_steps} steps; expected "
            "num_training_steps of at least num_warmup_steps + num_decay_steps"
        )
    floor, fall = lr * min_lr_ratio, SHAPES[decay_type]
    if num_stable_steps + num_decay_steps == 0:  # the floor follows the warm-up directly
        shape = SHAPES[warmup_type]
        rise = warmup(lr, warmup_steps=num_warmup_steps, init_value=floor, shape=shape)
        return in_sequence([rise, floor], [num_warmup_steps])
    if decay_type == "cosine" and num_cycles != 0.5:
        fluctuation = _cosine(lr, floor, max(1, num_decay_steps), num_cycles)
        boundaries = [num_stable_steps, num_stable_steps + num_decay_steps]
        decay = in_sequence([lr, fluctuation, floor], boundaries)
    elif warmup_type == "linear":
        return warmup_stable_decay(
            lr,
            warmup_steps=num_warmup_steps,
            stable_steps=num_stable_steps,
            transition_steps=num_decay_steps,
            init_value=floor,
            end_value=floor,
            shape=fall,
        )
    else:
        decay = cooldown(
            lr,
            begin=num_stable_steps,
            transition_steps=num_decay_steps,
            end_value=floor,
            shape=fall,
        )
    return warmup(decay, warmup_steps=num_warmup_steps, init_value=floor, shape=SHAPES[warmup_type])


TRANSFORMERS.named("reduce_lr_on_plateau")(reduce_lr_on_plateau)


@TRANSFORMERS.named("greedy")
def greedy_lr(
    lr: float,
    mode: str = "min",
    factor: float = 0.95,
    patience: int = 10,
    threshold: float = 1e-6,
    threshold_mode: str = "abs",
    cooldown: int = 0,
    warmup: int = 0,
    min_lr: float = 1e-3,
    max_lr: float = 1.0,
    eps: float = 1e-8,
    smooth: bool = False,
    window_size: int = 50,
    reset_start: int = 500,
) -> Schedule:
    """Up while the metric improves, down while it does not."""
    if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
        raise ValueError("expected mode 'min' or 'max', and threshold_mode 'rel' or 'abs'")
    if not 0 <= eps <= 1e-8:
        raise ValueError(
            "eps above 1e-8 has no equivalent: jaxdecay makes every change, however small; "
            "expected the default"
        )
    if smooth and window_size > LARGEST_WINDOW:
        raise ValueError(f"window_size must be at most {LARGEST_WINDOW}")
    return greedy(
        constant(lr),
        factor=factor,
        patience=patience,
        threshold=threshold,
        cooldown=cooldown,
        warmup=warmup,
        min_scale=min_lr / lr,
        max_scale=max_lr / lr,
        reset_after=reset_start,
        window=window_size if smooth else 1,
        mode="min" if mode == "min" else "max",
        threshold_mode="relative" if threshold_mode == "rel" else "absolute",
    )
