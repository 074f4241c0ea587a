"""Converts timm's schedulers to schedules of this package."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from jaxdecay.compose import advance, join, repeat, warmup
from jaxdecay.compounds import warmup_cosine, warmup_linear
from jaxdecay.decays import (
    constant,
    cosine,
    cosine_restarts,
    k_decay,
    linear,
    multi_step,
    piecewise_constant,
    polynomial,
    step_decay,
    tanh_decay,
)
from jaxdecay.migration.peer import Peer, in_sequence, ramp_instead, ramp_to, warmed_up, whole
from jaxdecay.migration.torch import reduce_lr_on_plateau
from jaxdecay.schedule import Schedule

NOISE = "adds noise to the rate, which jaxdecay does not support; leave it out"


TIMM = Peer(
    "timm",
    {
        **dict.fromkeys(
            ("noise", "noise_range_t", "noise_type", "noise_pct", "noise_std", "noise_seed"), NOISE
        ),
        "t_in_epochs": "decides what t counts; leave it out, and put jaxdecay.per_epoch around "
        "the schedule if t counts epochs",
        "initialize": "changes an optimizer, which is not needed here; leave it out",
    },
)


def from_timm(name: str, **arguments: Any) -> Schedule:
    """Converts a timm scheduler to a schedule with the same values.

    A step of the schedule is timm's t. If t counts epochs, put `jaxdecay.per_epoch(schedule,
    steps_per_epoch)` around it. timm's conventions apply: `MultiStepLRScheduler` falls one step
    before each `decay_t`; without `warmup_prefix` the warm-up replaces the first steps; and after
    `cycle_limit` the rate is `lr_min`. timm need not be installed.

    Args:
        name: the name of the class, such as "CosineLRScheduler", or the factory's `sched`, such as
            "cosine".
        **arguments: `lr`, the optimizer's rate; and the arguments of the class or, for a short
            name, of `create_scheduler_v2`.

    Returns:
        A `Schedule`; for "plateau" one with state, whose metrics begin after the warm-up.

    Raises:
        ValueError: a name or argument is unknown, or a value has no equivalent here. The message
            names what works.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.from_timm("CosineLRScheduler", lr=0.5, t_initial=90, lr_min=0.01)
        cosine(init_value=0.5, transition_steps=90, end_value=0.01)
        >>> jaxdecay.from_timm("step", lr=0.5, decay_epochs=30)
        step_decay(init_value=0.5, decay_rate=0.1, transition_steps=30)

    Source:
        timm 1.0.31, `timm/scheduler`.
    """
    return TIMM.convert(name, arguments)


def _cycles(
    make: Callable[[float, float], Schedule],
    lr: float,
    t_initial: int,
    lr_min: float,
    cycle_mul: float,
    cycle_decay: float,
    cycle_limit: int,
) -> Schedule:
    """`make(peak, length)` for each cycle, and `lr_min` after the last."""
    if cycle_limit < 1:
        raise ValueError(
            f"cycle_limit must be at least 1; for the constant lr_min use "
            f"jaxdecay.constant({lr_min!r})"
        )
    if cycle_limit > 1 and cycle_mul == cycle_decay == 1:
        again = repeat(make(lr, whole(t_initial)), period=t_initial)
        return in_sequence([again, lr_min], [whole(t_initial * cycle_limit)])
    lengths = [t_initial * cycle_mul**cycle for cycle in range(cycle_limit)]
    parts = [make(lr * cycle_decay**i, whole(length)) for i, length in enumerate(lengths)]
    return in_sequence([*parts, lr_min], [whole(end) for end in itertools.accumulate(lengths)])


def with_warmup(
    schedule: Schedule,
    lr: float,
    warmup_t: int,
    warmup_lr_init: float,
    warmup_prefix: bool,
    starts_at_lr: bool = True,
) -> Schedule:
    """Adds timm's warm-up before the schedule, or in place of its first steps."""
    if not warmup_t:
        return schedule
    if not warmup_prefix:
        return ramp_instead(schedule, warmup_t, warmup_lr_init, lr)
    if starts_at_lr:
        return warmup(schedule, warmup_steps=warmup_t, init_value=warmup_lr_init)
    return ramp_to(schedule, warmup_t, warmup_lr_init, lr)


@TIMM.named("CosineLRScheduler")
def cosine_lr(
    lr: float,
    t_initial: int,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Schedule:
    """Half cosines, one per cycle."""
    if cycle_limit == 1 and k_decay == 1 and warmup_t and warmup_prefix:
        return warmup_cosine(
            lr,
            warmup_steps=warmup_t,
            transition_steps=t_initial,
            init_value=warmup_lr_init,
            end_value=lr_min,
        )
    if cycle_limit == 1:
        decay = _cosine(lr, lr_min, t_initial, k_decay)
    elif k_decay == 1 and cycle_limit > 1:
        restarts = cosine_restarts(
            lr,
            period=t_initial,
            end_value=lr_min,
            period_multiplier=cycle_mul,
            peak_multiplier=cycle_decay,
        )
        end = whole(sum(t_initial * cycle_mul**cycle for cycle in range(cycle_limit)))
        decay = join([restarts, lr_min], lengths=[end, 0])
    else:
        decay = _cycles(
            lambda peak, length: _cosine(peak, lr_min, length, k_decay),
            *(lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit),
        )
    return with_warmup(decay, lr, warmup_t, warmup_lr_init, warmup_prefix)


def _cosine(lr: float, lr_min: float, length: float, k: float) -> Schedule:
    return (
        cosine(lr, transition_steps=length, end_value=lr_min)
        if k == 1
        else k_decay(lr, end_value=lr_min, transition_steps=length, k=k)
    )


@TIMM.named("TanhLRScheduler")
def tanh_lr(
    lr: float,
    t_initial: int,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
) -> Schedule:
    """Hyperbolic tangents, which do not quite start at `lr` or end at `lr_min`."""
    decay = _cycles(
        lambda peak, length: tanh_decay(
            peak, end_value=lr_min, transition_steps=length, lower=lb, upper=ub
        ),
        *(lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit),
    )
    if not warmup_t:  # timm does not set the first rate: it is the optimizer's
        return in_sequence([lr, advance(decay, advance_steps=1)], [1])
    target = lr if warmup_prefix else float(decay(warmup_t))
    return with_warmup(decay, target, warmup_t, warmup_lr_init, warmup_prefix, starts_at_lr=False)


@TIMM.named("PolyLRScheduler")
def poly_lr(
    lr: float,
    t_initial: int,
    power: float = 0.5,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Schedule:
    """Powers of the remaining share of steps, one per cycle."""

    def cycle(peak: float, length: float) -> Schedule:
        return _polynomial(peak, lr_min, length, k_decay, power)

    if cycle_limit == 1 and power == k_decay == 1 and warmup_t and warmup_prefix:
        return warmup_linear(
            lr,
            warmup_steps=warmup_t,
            transition_steps=t_initial,
            init_value=warmup_lr_init,
            end_value=lr_min,
        )
    if cycle_limit == 1:
        decay = cycle(lr, t_initial)
    else:
        decay = _cycles(cycle, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return with_warmup(decay, lr, warmup_t, warmup_lr_init, warmup_prefix)


def _polynomial(lr: float, lr_min: float, length: float, k: float, power: float) -> Schedule:
    if power == 0:  # the rate is lr until the end, then lr_min
        return piecewise_constant([lr, lr_min], boundaries=[math.ceil(length)])
    if power == k == 1:
        return linear(lr, end_value=lr_min, transition_steps=length)
    if k == 1:
        return polynomial(lr, end_value=lr_min, power=power, transition_steps=length)
    return k_decay(
        lr, end_value=lr_min, transition_steps=length, k=k, power=power, shape="polynomial"
    )


@TIMM.named("StepLRScheduler")
def step_lr(
    lr: float,
    decay_t: float,
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    """Multiplied by `decay_rate` every `decay_t` steps."""
    decay = step_decay(lr, decay_rate=decay_rate, transition_steps=decay_t)
    return with_warmup(decay, lr, warmup_t, warmup_lr_init, warmup_prefix)


@TIMM.named("MultiStepLRScheduler")
def multi_step_lr(
    lr: float,
    decay_t: Sequence[int],
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    """Multiplied by `decay_rate` one step before each `decay_t`."""
    if sorted(decay_t) != list(decay_t):
        raise ValueError("decay_t must rise: timm assumes sorted steps; pass sorted(decay_t)")
    first = 0 if warmup_t else 1  # timm does not set the rate of step 0: it is the optimizer's
    boundaries = [max(first, step - 1) for step in decay_t]
    decay = multi_step(lr, decay_rate=decay_rate, boundaries=boundaries)
    starts_at_lr = not decay_t or decay_t[0] > 1
    return with_warmup(decay, lr, warmup_t, warmup_lr_init, warmup_prefix, starts_at_lr)


@TIMM.named("PlateauLRScheduler")
def plateau_lr(
    lr: float,
    decay_rate: float = 0.1,
    patience_t: int = 10,
    threshold: float = 1e-4,
    cooldown_t: int = 0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    lr_min: float = 0.0,
    mode: str = "max",
) -> Schedule:
    """PyTorch's plateau after a warm-up."""
    plateau = reduce_lr_on_plateau(
        lr, mode, decay_rate, patience_t, threshold, cooldown=cooldown_t, min_lr=lr_min
    )
    return plateau.replace(schedule=warmed_up(constant(lr), warmup_t, warmup_lr_init))
