"""Schedules in sequence: a warm-up before one, a cooldown after one, or several in a row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import countdown, same_kind
from jaxdecay.decays.transition import (
    SHAPES,
    Weights,
    mirrored,
    one_minus_power_weights,
    transition,
)
from jaxdecay.definition import decay
from jaxdecay.domain import (
    LAST_STEP,
    Boundaries,
    Duration,
    Exponent,
    NonNegative,
    Steps,
    is_any,
)
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Jumps, Level, Marks, Seam
from jaxdecay.inspection.phases import phases
from jaxdecay.number import as_number
from jaxdecay.schedule import Schedule

__all__ = ["cooldown", "join", "warmup"]


def _warmup_phases(schedule: Any, clock: Clock) -> Marks:
    begun = float(schedule.init_value)
    if begun and begun > float(value_at(schedule.schedule, 0)):
        yield clock.phase("the warm-up", "down", 0, schedule.warmup_steps)
    yield clock.turn("the schedule after the warm-up", schedule.warmup_steps)
    yield from phases(schedule.schedule, clock.after(schedule.warmup_steps))


@decay(order=("warmup_steps", "schedule"), phases=_warmup_phases, group=Group.COMPOSED)
def warmup(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    warmup_steps: Steps,
    init_value: NonNegative = 0.0,
    shape: Literal["linear", "cosine", "sqrt"] = "linear",
    first_step: Literal["init", "one_over_w"] = "init",
) -> ArrayLike:
    """A ramp up to the first value of a schedule, which then begins.

    Formula: I + (P − I)·g(t/W) for t < W, and schedule(t − W) from W on, with P = schedule(0);
    "linear" g(p) = p, "cosine" g(p) = ½(1 − cos πp), "sqrt" g(p) = 1 − √(1 − p). With
    `first_step="one_over_w"` the ramp is at (t + 1)/W: the first update is not wasted on the
    rate `init_value`, and the peak is reached one step earlier.

    Args:
        schedule: the schedule to warm up to, or a number for a constant one. Its own steps are
            counted from the end of the warm-up.
        warmup_steps: W, in steps, 0 … 2³¹−1; 0 means no warm-up.
        init_value: I, the learning rate that the ramp starts from, ≥ 0.
        shape: "linear"; "cosine", flat at both ends; "sqrt", the mirror image of the cooldown
            of that name: slow at first, steepest at the peak.
        first_step: "init", to start at I (Optax), or "one_over_w", to start at I + (P − I)·g(1/W)
            (many training stacks).

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or `schedule` is not a schedule.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=100), warmup_steps=10
        ... )
        >>> [float(schedule(step)) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.5, 0.0]

    Source:
        Goyal et al., arXiv 1706.02677. `warmup(cosine(peak, N − W), W)` is Optax's
        `warmup_cosine_decay_schedule(0, peak, W, N)`, whose decay_steps include the warm-up.
        Hugging Face `warmup_stable_decay` has the shapes; its "1-sqrt" is "sqrt" here.
    """
    step, warmup_steps = same_kind(step, warmup_steps)
    left, done = countdown(step if first_step == "init" else step + 1, warmup_steps)
    # Evaluated once, as what is nested in it would be twice as large with each level.
    value = value_at(schedule, jnp.where(step < warmup_steps, 0, step - warmup_steps))
    ramp = transition(init_value, value, left, done, mirrored(SHAPES[shape]))
    return jnp.where(step < warmup_steps, ramp, value)


def check_cooldown(
    *, end_value: Any, shape: str, power: Any = 0.5, family: str = "cooldown", **_: Any
) -> None:
    """ValueError if this shape cannot reach `end_value`, or does not use `power`."""
    if shape in ("inverse", "exponential") and is_any(np.equal, end_value, 0):
        raise ValueError(
            f"{family}: end_value must be a number > 0 with shape={shape!r}, which never reaches "
            f"0, got {end_value!r}; shape='linear', 'cosine' and 'sqrt' can end at 0"
        )
    if shape != "power" and is_any(np.not_equal, power, 0.5):
        raise ValueError(
            f"{family}: power is the exponent of shape='power', got power={power!r} with "
            f"shape={shape!r}; leave it out or use shape='power'"
        )


def _cooldown_phases(schedule: Any, clock: Clock) -> Marks:
    begin, length = schedule.begin, float(schedule.transition_steps)
    yield clock.phase("the cooldown", "fall", begin, float(begin) + length)
    yield from phases(
        schedule.schedule, clock.within(begin, "the cooldown begins", may_be_cut=True)
    )


@decay(
    check=check_cooldown,
    order=("begin", "transition_steps"),
    phases=_cooldown_phases,
    group=Group.COMPOSED,
)
def cooldown(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    begin: Steps,
    transition_steps: Duration,
    end_value: NonNegative = 0.0,
    power: Exponent = 0.5,
    shape: Literal["linear", "cosine", "sqrt", "power", "inverse", "exponential"] = "linear",
) -> ArrayLike:
    """A schedule up to a step, from which its value moves to `end_value`, which is then held.

    Formula: schedule(t) for t < B; then, with P = schedule(B) and p = min(t − B, T)/T,
    E + (P − E)·g(p): "linear" g(p) = 1 − p, "cosine" ½(1 + cos πp), "sqrt" 1 − √p, "power"
    1 − p^power; or "inverse" 1/((1 − p)/P + p/E), "exponential" P·(E/P)^p.

    Args:
        schedule: the schedule to cool down from, or a number for a constant one.
        begin: B, the step at which the cooldown begins, 0 … 2³¹−1.
        transition_steps: T, its length in steps, 0 … 2³¹−1; 0 means `end_value` from B on.
        end_value: E, the learning rate from step B + T on, ≥ 0; > 0 if the shape is "inverse"
            or "exponential". (With a traced 0, these two are 0 after B.)
        power: ≥ 0, without unit; only for the shape "power". 0 means `end_value` from B on.
        shape: the function g, see the formula.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or one that does not fit the shape.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cooldown(0.5, begin=900, transition_steps=100, shape="sqrt")
        >>> [float(schedule(step)) for step in (0, 900, 925, 1_000, 2_000)]
        [0.5, 0.5, 0.25, 0.0, 0.0]

    Source:
        Hägele et al., arXiv 2405.18392 (1 − √p); arXiv 2508.01483 compares shapes.
        "inverse" is a straight line in 1/rate, "exponential" in the logarithm of the rate.
    """
    step, begin = same_kind(step, begin)
    begun = value_at(schedule, jnp.minimum(step, begin))
    left, done = countdown(step - begin, transition_steps)
    weights: Mapping[str, Weights] = {
        **SHAPES,
        "power": lambda remaining, progress: one_minus_power_weights(remaining, progress, power),
        "inverse": _inverse_weights(begun, end_value),
        "exponential": _exponential_weights(begun, end_value),
    }
    at_once = shape == "power" and jnp.equal(power, 0)
    first = jnp.where(at_once, end_value, begun)
    down = transition(begun, end_value, left, done, weights[shape], first=first)
    return jnp.where(step < begin, begun, down)


def _inverse_weights(init_value: ArrayLike, end_value: ArrayLike) -> Weights:
    """The weights of I and E in 1/((1 − p)/I + p/E), as a mean; 0 where I or E is 0."""

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        of_init = as_number(end_value * remaining)
        of_end = as_number(init_value * progress)
        total = jnp.where(of_init + of_end > 0, of_init + of_end, 1)
        return of_init / total, of_end / total

    return weights


def _exponential_weights(init_value: ArrayLike, end_value: ArrayLike) -> Weights:
    """The weights of I and E in I·(E/I)^p, all on the nearer one; 0 where I or E is 0."""
    positive = jnp.greater(init_value, 0) & jnp.greater(end_value, 0)
    logarithm = jnp.log(jnp.where(positive, end_value, 1))
    logarithm -= jnp.log(jnp.where(positive, init_value, 1))

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        early = progress < remaining
        ratio = jnp.exp(logarithm * jnp.where(early, progress, -remaining))
        ratio = jnp.where(positive, ratio, 0)
        return jnp.where(early, ratio, 0), jnp.where(early, 0, ratio)

    return weights


def _check_lengths(schedules: tuple[Any, ...], lengths: Any) -> None:
    if not schedules:
        raise ValueError("join: schedules must hold at least one schedule, got none")
    if jnp.shape(lengths)[-1:] not in ((len(schedules),), (len(schedules) - 1,)):
        raise ValueError(
            "join: lengths must hold one length per schedule, or all but the last, "
            f"got {len(schedules)} schedules and lengths of shape {jnp.shape(lengths)}"
        )
    if is_any(_is_too_long, lengths):
        raise ValueError(
            f"join: lengths must sum to at most {LAST_STEP}, got {lengths}; "
            "give longer ones as floats"
        )


def _is_too_long(lengths: Any) -> Any:
    integers = np.issubdtype(np.result_type(lengths), np.integer)
    return integers and np.sum(lengths, dtype=float) > LAST_STEP


def _join_phases(schedule: Any, clock: Clock) -> Marks:
    lengths = np.asarray(schedule.lengths, float).tolist()
    if len(lengths) < len(schedule.schedules):
        lengths.append(float("inf"))
    *starts, end = itertools.accumulate(lengths, initial=0.0)
    last = len(schedule.schedules) - 1
    shown = [index for index, length in enumerate(lengths) if length or index == last]
    for index in shown:
        start, part = starts[index], schedule.schedules[index]
        yield clock.turn(f"schedules[{index}] of join", start)
        inner = clock.after(start).within(lengths[index], "its length in join ends")
        yield from phases(part, inner)
    for before, index in itertools.pairwise(shown):
        start, earlier, later = starts[index], schedule.schedules[before], schedule.schedules[index]
        if _is_level(earlier, clock) and _is_level(later, clock):
            yield Jumps(clock, at=(start,))  # stairs written by hand
        else:
            yield Seam(clock, start, earlier, lengths[before], later)
    yield clock.phase("join", "hold", 0, end)


def _is_level(schedule: Any, clock: Clock) -> bool:
    """Whether a schedule, or a number, has the same value at every step."""
    if not isinstance(schedule, Schedule):
        return True
    marks = phases(schedule, clock)
    return isinstance(next(marks, None), Level) and all(isinstance(mark, Level) for mark in marks)


@decay(
    check=_check_lengths, order=("lengths", "schedules"), phases=_join_phases, group=Group.COMPOSED
)
def join(step: ArrayLike, schedules: Sequence[ScheduleLike], *, lengths: Boundaries) -> ArrayLike:
    """One schedule after another, each counting its own steps from 0.

    Formula: schedule i at t − (sum of the lengths before i), for the last i that has begun. If the
    last schedule has a length, its value at that length is held; else it continues.

    Args:
        schedules: at least one schedule, or number for a constant one.
        lengths: vector of steps, one per schedule or one fewer, each ≥ 0. A schedule of length 0
            is skipped; if it is the last, its first value is held.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: the number of lengths does not fit that of the schedules, a length is outside
            its range, or their sum is above 2³¹−1.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.join(
        ...     [0.5, jaxdecay.linear(0.5, end_value=0.0, transition_steps=10)], lengths=[100, 10]
        ... )
        >>> [float(schedule(step)) for step in (0, 99, 105, 110, 1_000)]
        [0.5, 0.5, 0.25, 0.0, 0.0]

    Source:
        Optax `join_schedules` with boundaries at the running sums of `lengths`.
    """
    step, lengths = same_kind(step, lengths)
    # One by one: with jnp.cumsum the compiled and vmapped gradient was wrong (JAX 0.10.2, CPU).
    starts = itertools.accumulate([jnp.zeros((), lengths.dtype), *lengths[: len(schedules) - 1]])
    value = jnp.zeros(())
    for schedule, start, length in itertools.zip_longest(schedules, starts, lengths):
        # Each schedule gets only steps of its own phase, so that its value and gradient are
        # finite also where they are not used.
        value = jnp.where(
            step < start, value, value_at(schedule, jnp.clip(step - start, 0, length))
        )
    return value
