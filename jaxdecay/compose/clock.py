"""A schedule on another clock: held, delayed, advanced, repeated, in other units."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdecay.decays.time import same_kind, since, whole_transitions
from jaxdecay.definition import decay
from jaxdecay.domain import (
    LAST_STEP,
    Period,
    PositiveSteps,
    Steps,
)
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Jumps, Marks
from jaxdecay.inspection.phases import phases
from jaxdecay.number import as_number

__all__ = ["advance", "count_units", "delay", "hold", "per_epoch", "repeat"]


def _hold_phases(schedule: Any, clock: Clock) -> Marks:
    if clock.step(schedule.begin) != clock.until:  # else the run ends when the hold begins
        yield clock.turn("hold", schedule.begin)
    yield from phases(
        schedule.schedule, clock.within(schedule.begin, "hold begins", may_be_cut=True)
    )


@decay(phases=_hold_phases, group=Group.COMPOSED)
def hold(step: ArrayLike, schedule: ScheduleLike, *, begin: Steps) -> ArrayLike:
    """A schedule up to a step, from which its value is held.

    Formula: schedule(min(t, B)).

    Args:
        schedule: a schedule, or a number for a constant one.
        begin: B, the step from which the value is held, 0 … 2³¹−1.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `begin` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.hold(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=100), begin=75
        ... )
        >>> [float(schedule(step)) for step in (0, 50, 75, 1_000)]
        [1.0, 0.5, 0.25, 0.25]

    Source:
        Keras's `CosineDecay` limits its step this way; here any schedule and any step.
    """
    return value_at(schedule, jnp.minimum(*same_kind(step, begin)))


def _delay_phases(schedule: Any, clock: Clock) -> Marks:
    yield clock.turn("the delayed schedule", schedule.delay_steps)
    yield from phases(schedule.schedule, clock.after(schedule.delay_steps))


@decay(order=("delay_steps", "schedule"), phases=_delay_phases, group=Group.COMPOSED)
def delay(step: ArrayLike, schedule: ScheduleLike, *, delay_steps: Steps) -> ArrayLike:
    """A schedule that begins later; until then its first value is held.

    Formula: schedule(max(0, t − D)).

    Args:
        schedule: a schedule, or a number for a constant one.
        delay_steps: D, in steps, 0 … 2³¹−1.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `delay_steps` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.delay(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=100), delay_steps=50
        ... )
        >>> [float(schedule(step)) for step in (0, 50, 100, 150)]
        [1.0, 1.0, 0.5, 0.0]

    Source:
        The `transition_begin` of Optax's schedules.
    """
    step, delay_steps = same_kind(step, delay_steps)
    return value_at(schedule, jnp.maximum(step - delay_steps, 0))


def _advance_phases(schedule: Any, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.after(-schedule.advance_steps))


@decay(phases=_advance_phases, group=Group.COMPOSED)
def advance(step: ArrayLike, schedule: ScheduleLike, *, advance_steps: Steps) -> ArrayLike:
    """A schedule without its first steps.

    Formula: schedule(t + A).

    Args:
        schedule: a schedule, or a number for a constant one.
        advance_steps: A, in steps, 0 … 2³¹−1.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `advance_steps` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.advance(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=100), advance_steps=50
        ... )
        >>> [float(schedule(step)) for step in (0, 25, 50)]
        [0.5, 0.25, 0.0]

    Source:
        The opposite of `delay`; timm's warm-up without `warmup_prefix` ends in the middle of a
        schedule.
    """
    step, advance_steps = same_kind(step, advance_steps)
    if jnp.issubdtype(step.dtype, jnp.integer):
        step = jnp.minimum(step, LAST_STEP - advance_steps)  # their sum stays an integer of JAX
    return value_at(schedule, step + advance_steps)


def _repeat_phases(schedule: Any, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.within(schedule.period, "the period of repeat ends"))
    yield Jumps(clock, every=float(schedule.period))


@decay(phases=_repeat_phases, group=Group.COMPOSED)
def repeat(step: ArrayLike, schedule: ScheduleLike, *, period: Period) -> ArrayLike:
    """The first steps of a schedule, repeated.

    Formula: schedule(t mod period).

    Args:
        schedule: a schedule, or a number for a constant one.
        period: in steps, > 0. A schedule that ends at `period` restarts at the step at which it
            would reach its end.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `period` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.repeat(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=4), period=4
        ... )
        >>> [float(schedule(step)) for step in range(6)]
        [1.0, 0.75, 0.5, 0.25, 1.0, 0.75]

    Source:
        Warm restarts of Loshchilov and Hutter, arXiv 1608.03983, of any schedule.
    """
    _, done, _ = since(step, period)
    return value_at(schedule, done)


def _count_units_phases(schedule: Any, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.in_units_of(1 / float(schedule.units_per_step)))


@decay(
    unit=lambda units_per_step, **_: 1 / units_per_step,
    phases=_count_units_phases,
    group=Group.COMPOSED,
)
def count_units(
    step: ArrayLike, schedule: ScheduleLike, *, units_per_step: PositiveSteps
) -> ArrayLike:
    """A schedule that counts samples or tokens instead of steps.

    Formula: schedule(t·units_per_step).

    Args:
        schedule: a schedule whose steps are units.
        units_per_step: units in a step, such as the examples of a batch, > 0. With an integer,
            units are exact up to 2³¹−1 and floats beyond.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `units_per_step` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> tokens = jaxdecay.linear(1.0, end_value=0.0, transition_steps=2e12)
        >>> schedule = jaxdecay.count_units(tokens, units_per_step=4e6)
        >>> [float(schedule(step)) for step in (0, 250_000, 500_000)]
        [1.0, 0.5, 0.0]

    Source:
        Composer's and OLMo's units of duration; big_vision's `warmup_examples`.
    """
    step, units_per_step = same_kind(step, units_per_step)
    units = as_number(step) * as_number(units_per_step)
    if not jnp.issubdtype(step.dtype, jnp.integer):
        return value_at(schedule, units)
    fits = step <= LAST_STEP // jnp.where(units_per_step > 0, units_per_step, 1)
    exact = jnp.where(fits, step * units_per_step, LAST_STEP)
    return jnp.where(fits, value_at(schedule, exact), value_at(schedule, units))


def _per_epoch_phases(schedule: Any, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.in_units_of(float(schedule.steps_per_epoch)))


@decay(
    unit=lambda steps_per_epoch, **_: steps_per_epoch,
    phases=_per_epoch_phases,
    group=Group.COMPOSED,
)
def per_epoch(step: ArrayLike, schedule: ScheduleLike, *, steps_per_epoch: Period) -> ArrayLike:
    """A schedule that counts epochs: its value changes only between epochs.

    Formula: schedule(⌊t/steps_per_epoch⌋), epochs counted from 0.

    Args:
        schedule: a schedule whose steps are epochs, as in PyTorch, where `scheduler.step()` is
            called once per epoch, or in a Keras `LearningRateScheduler` callback.
        steps_per_epoch: in steps, > 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `steps_per_epoch` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.per_epoch(
        ...     jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=10), steps_per_epoch=1_875
        ... )
        >>> [float(schedule(epoch * 1_875)) for epoch in (0, 9, 10, 20)]
        [1.0, 1.0, 0.5, 0.25]

    Source:
        PyTorch `torch.optim.lr_scheduler`, Keras `LearningRateScheduler`.
    """
    return value_at(schedule, whole_transitions(step, steps_per_epoch))
