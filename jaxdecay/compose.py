"""Decays of schedules: their hyperparameters are schedules, or numbers that stand for them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.decays.time import countdown, same_kind, whole_transitions
from jaxdecay.decays.transition import transition
from jaxdecay.domain import LAST_STEP, Boundaries, NonNegative, PositiveSteps, Steps
from jaxdecay.schedule import ScheduleLike, decay, value_at


@decay
def warmup(
    step: ArrayLike,
    schedule: ScheduleLike,
    warmup_steps: Steps,
    init_value: NonNegative = 0.0,
    *,
    first_step: Literal["init", "one_over_w"] = "init",
) -> ArrayLike:
    """A straight line up to the start of a schedule, which then begins.

    Formula: I + (P − I)·t/W for t < W, and schedule(t − W) from W on, with P = schedule(0). With
    `first_step="one_over_w"` the ramp is I + (P − I)·(t + 1)/W: the first update is not wasted
    on the rate `init_value`, and the peak is reached one step earlier.

    Args:
        schedule: the schedule to warm up to, or a number for a constant one. Its own steps are
            counted from the end of the warm-up.
        warmup_steps: W, in steps, 0 … 2³¹−1; 0 means no warm-up.
        init_value: I, the learning rate that the ramp starts from, ≥ 0.
        first_step: "init" (Optax) or "one_over_w" (many training stacks).

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup(jaxdecay.linear(1.0, 0.0, 100), warmup_steps=10)
        >>> [float(schedule(step)) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.5, 0.0]

    Source:
        Goyal et al., arXiv 1706.02677. `warmup(cosine(peak, N − W), W)` is Optax's
        `warmup_cosine_decay_schedule(0, peak, W, N)`, whose decay_steps include the warm-up.
    """
    step, warmup_steps = same_kind(step, warmup_steps)
    left, done = countdown(step if first_step == "init" else step + 1, warmup_steps)
    ramp = transition(init_value, value_at(schedule, 0), left, done)
    return jnp.where(step < warmup_steps, ramp, value_at(schedule, step - warmup_steps))


def _check_lengths(schedules: tuple[Any, ...], lengths: Any) -> None:
    if not schedules:
        raise ValueError("join: schedules must hold at least one schedule, got none")
    if jnp.shape(lengths)[-1:] != (len(schedules),):
        raise ValueError(
            f"join: lengths must hold one length a schedule, got {len(schedules)} schedules "
            f"and lengths of shape {jnp.shape(lengths)}"
        )
    if not isinstance(lengths, Tracer) and np.sum(lengths, dtype=float) > LAST_STEP:
        raise ValueError(f"join: lengths must sum to at most {LAST_STEP}, got {lengths}")


@decay(check=_check_lengths)
def join(step: ArrayLike, schedules: Sequence[ScheduleLike], lengths: Boundaries) -> ArrayLike:
    """One schedule after another, each counting its own steps from 0.

    Formula: schedule i at t − (sum of the lengths before i), for the last i that has begun; after
    the last length the last schedule holds its value there.

    Args:
        schedules: at least one schedule, or number for a constant one.
        lengths: vector of steps, one a schedule, each ≥ 0; a schedule of length 0 is skipped.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: lengths and schedules of different number, a length outside its range, or
            lengths that sum to more than 2³¹−1.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.join([0.5, jaxdecay.linear(0.5, 0.0, 10)], lengths=[100, 10])
        >>> [float(schedule(step)) for step in (0, 99, 105, 110, 1_000)]
        [0.5, 0.5, 0.25, 0.0, 0.0]

    Source:
        Optax `join_schedules` with boundaries at the running sums of `lengths`.
    """
    step, lengths = same_kind(step, lengths)
    # One by one: with jnp.cumsum the compiled and vmapped gradient was wrong (JAX 0.10.2, CPU).
    starts = [jnp.zeros_like(lengths[0]), *itertools.accumulate(lengths[:-1])]
    value = value_at(schedules[0], jnp.minimum(step, lengths[0]))
    for schedule, start, length in list(zip(schedules, starts, lengths, strict=True))[1:]:
        # Each schedule sees only steps of its own phase, so that those it does not answer for
        # are finite in value and gradient.
        value = jnp.where(
            step < start, value, value_at(schedule, jnp.clip(step - start, 0, length))
        )
    return value


@decay
def per_epoch(step: ArrayLike, schedule: ScheduleLike, steps_per_epoch: PositiveSteps) -> ArrayLike:
    """A schedule that counts epochs: its value changes only between epochs.

    Formula: schedule(⌊t/steps_per_epoch⌋), epochs counted from 0.

    Args:
        schedule: a schedule whose steps are epochs, as in PyTorch, where `scheduler.step()` is
            called once an epoch, or in a Keras `LearningRateScheduler` callback.
        steps_per_epoch: in steps, > 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `steps_per_epoch` outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.per_epoch(jaxdecay.step_decay(1.0, 0.5, 10), steps_per_epoch=1_875)
        >>> [float(schedule(epoch * 1_875)) for epoch in (0, 9, 10, 20)]
        [1.0, 1.0, 0.5, 0.25]

    Source:
        PyTorch `torch.optim.lr_scheduler`, Keras `LearningRateScheduler`.
    """
    return value_at(schedule, whole_transitions(step, steps_per_epoch))


@decay
def add(step: ArrayLike, first: ScheduleLike, second: ScheduleLike) -> ArrayLike:
    """The sum of two schedules, also written `first + second`.

    Formula: first(step) + second(step).

    Args:
        first: a schedule, or a number for a constant one, in units of the learning rate.
        second: the same.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: an operand is neither a schedule nor a finite number.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.linear(0.5, 0.0, 10) + 0.25
        >>> schedule
        add(first=linear(init_value=0.5, end_value=0.0, transition_steps=10), second=0.25)
        >>> float(schedule(10))
        0.25

    Source:
        The operator `+`; no peer has sums.
    """
    return value_at(first, step) + value_at(second, step)


@decay
def multiply(step: ArrayLike, first: ScheduleLike, second: ScheduleLike) -> ArrayLike:
    """The product of two schedules, also written `first * second`.

    Formula: first(step) · second(step).

    Args:
        first: a schedule, or a number for a constant one.
        second: the same. The product is in units of the learning rate.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: an operand is neither a schedule nor a finite number.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.linear(1.0, 0.0, 10) * jaxdecay.constant(0.5)
        >>> float(schedule(5))
        0.25

    Source:
        PyTorch `ChainedScheduler`, which multiplies factors.
    """
    return value_at(first, step) * value_at(second, step)


@decay
def scale(step: ArrayLike, schedule: ScheduleLike, factor: NonNegative) -> ArrayLike:
    """A schedule times a number, also written `schedule * factor`.

    Formula: factor · schedule(step).

    Args:
        schedule: a schedule, or a number for a constant one, in units of the learning rate.
        factor: ≥ 0, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `schedule` is not a schedule, or `factor` is negative or not finite.

    Example:
        >>> import jaxdecay
        >>> schedule = 0.5 * jaxdecay.linear(1.0, 0.0, 10)
        >>> schedule
        scale(schedule=linear(init_value=1.0, end_value=0.0, transition_steps=10), factor=0.5)
        >>> float(schedule(5))
        0.25

    Source:
        The operator `*` with a number.
    """
    return factor * value_at(schedule, step)
