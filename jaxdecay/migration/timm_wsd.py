"""timm's `WSDLRScheduler`: a warm-up, a stable phase and a decay."""

from __future__ import annotations

from typing import Literal

import numpy as np

from jaxdecay.compose import clip, cooldown, join, multiply
from jaxdecay.compounds import warmup_stable_decay
from jaxdecay.decays import (
    interpolate,
    inverse_sqrt,
    inverse_time,
)
from jaxdecay.migration.timm import TIMM, with_warmup
from jaxdecay.schedule import Schedule

SHAPES: dict[str, Literal["linear", "sqrt", "cosine"]] = {
    "linear": "linear",
    "1-sqrt": "sqrt",
    "cosine": "cosine",
}


@TIMM.named("WSDLRScheduler")
def wsd_lr(
    lr: float,
    t_initial: int,
    decay_t: int,
    lr_min: float = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
) -> Schedule:
    """A warm-up, a stable phase, and a decay to `lr_min` in the last `decay_t` steps."""
    if not 0 < decay_t <= t_initial:
        raise ValueError("decay_t must be above 0 and at most t_initial, which includes it")
    if decay_fn not in (*SHAPES, "power", "exp"):
        raise ValueError(
            f"decay_fn must be one of {', '.join(map(repr, [*SHAPES, 'power', 'exp']))}; for a "
            "function of your own use jaxdecay.from_function"
        )
    if decay_fn == "exp" and not 0 < decay_ratio < 1:
        raise ValueError(
            "decay_ratio must be > 0 and < 1: timm divides by 1 − decay_ratio, and jaxdecay takes "
            "its logarithm"
        )
    if lr < lr_min:
        raise ValueError("lr_min must be at most lr")
    stable = _stable(lr, lr_min, stable_fn, stable_timescale or warmup_t, stable_power)
    begin = t_initial - decay_t
    if stable is None and decay_fn in SHAPES:
        return warmup_stable_decay(
            lr,
            warmup_steps=warmup_t,
            stable_steps=begin,
            transition_steps=decay_t,
            init_value=warmup_lr_init,
            end_value=lr_min,
            shape=SHAPES[decay_fn],
        )
    if stable is None and decay_fn == "power":
        decay = cooldown(
            lr,
            begin=begin,
            transition_steps=decay_t,
            end_value=lr_min,
            power=decay_power,
            shape="power",
        )
    else:
        falls, rises = _fall(begin, decay_t, decay_fn, decay_power, decay_ratio)
        decay = lr * falls if stable is None else multiply(stable, second=falls)
        decay = decay + lr_min * rises if lr_min else decay
    starts_at_lr = begin > 0 or stable is not None
    return with_warmup(decay, lr, warmup_t, warmup_lr_init, True, starts_at_lr)


def _stable(
    lr: float, lr_min: float, stable_fn: str, timescale: float, power: float
) -> Schedule | None:
    """The stable phase, which also continues below the decay; None if it is constant."""
    if stable_fn == "constant":
        return None
    if stable_fn not in ("rsqrt", "power"):
        raise ValueError("stable_fn must be 'constant', 'rsqrt' or 'power'")
    if timescale <= 0:
        raise ValueError(
            "stable_timescale must be > 0; its default is the warm-up, which has no steps here"
        )
    if stable_fn == "rsqrt":
        decay = inverse_sqrt(lr, transition_steps=timescale)
    else:
        decay = inverse_time(lr, decay_rate=1.0, transition_steps=timescale, power=power)
    return clip(decay, lower=lr_min) if lr_min else decay


def _fall(
    begin: int, decay_t: int, decay_fn: str, power: float, ratio: float
) -> tuple[Schedule, Schedule]:
    """A fall from 1 to 0 and a rise from 0 to 1 in the last steps."""
    if decay_fn == "power":
        return (
            cooldown(
                1.0,
                begin=begin,
                transition_steps=decay_t,
                end_value=0.0,
                power=power,
                shape="power",
            ),
            cooldown(
                0.0,
                begin=begin,
                transition_steps=decay_t,
                end_value=1.0,
                power=power,
                shape="power",
            ),
        )
    if decay_fn in SHAPES:
        shape = SHAPES[decay_fn]
        return (
            cooldown(1.0, begin=begin, transition_steps=decay_t, end_value=0.0, shape=shape),
            cooldown(0.0, begin=begin, transition_steps=decay_t, end_value=1.0, shape=shape),
        )
    # (rᵖ − r)/(1 − r) is an exponential minus a constant, and schedules here cannot be negative:
    # so use a table with one value per step.
    progress = np.arange(decay_t + 1) / decay_t
    weight = -np.expm1((1 - progress) * np.log(ratio)) * ratio**progress / (1 - ratio)
    complement = -np.expm1(progress * np.log(ratio)) / (1 - ratio)
    return (
        join([1.0, interpolate(weight.tolist())], lengths=[begin, decay_t]),
        join([0.0, interpolate(complement.tolist())], lengths=[begin, decay_t]),
    )
