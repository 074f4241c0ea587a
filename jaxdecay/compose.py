"""Decays of schedules: their hyperparameters are schedules, or numbers that stand for them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import countdown, same_kind, since, whole_transitions
from jaxdecay.decays.transition import (
    SHAPES,
    Weights,
    kept_between,
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
    Period,
    PositiveSteps,
    Steps,
    is_any,
)
from jaxdecay.extent import end_of
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, minus, over, pair, plus, times
from jaxdecay.resolution import has_lengths


@decay(order=("warmup_steps", "schedule"))
def warmup(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    warmup_steps: Steps,
    init_value: NonNegative = 0.0,
    shape: Literal["linear", "cosine", "sqrt"] = "linear",
    first_step: Literal["init", "one_over_w"] = "init",
) -> ArrayLike:
    """A ramp up to the start of a schedule, which then begins.

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
        first_step: "init" (Optax) or "one_over_w" (many training stacks).

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
    ramp = transition(init_value, value_at(schedule, 0), left, done, mirrored(SHAPES[shape]))
    return jnp.where(step < warmup_steps, ramp, value_at(schedule, step - warmup_steps))


def check_cooldown(
    *, end_value: Any, shape: str, power: Any = 0.5, family: str = "cooldown", **_: Any
) -> None:
    """ValueError if a cooldown of this shape cannot end there, or does not use the power."""
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


@decay(check=check_cooldown, order=("begin", "transition_steps"))
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
    """A schedule until a step, from where its value goes to `end_value`, which is then held.

    Formula: schedule(t) for t < B; then, with P = schedule(B) and p = min(t − B, T)/T,
    E + (P − E)·g(p): "linear" g(p) = 1 − p, "cosine" ½(1 + cos πp), "sqrt" 1 − √p, "power"
    1 − p^power; or "inverse" 1/((1 − p)/P + p/E), "exponential" P·(E/P)^p.

    Args:
        schedule: the schedule to cool down from, or a number for a constant one.
        begin: B, the step at which the cooldown begins, 0 … 2³¹−1.
        transition_steps: T, its length in steps, 0 … 2³¹−1; 0 means `end_value` from B on.
        end_value: E, the learning rate from step B + T on, ≥ 0; > 0 if the shape is "inverse"
            or "exponential". (Traced and 0, their value is 0 after B.)
        power: ≥ 0, without unit; only of the shape "power". 0 means `end_value` from B on.
        shape: the way down.

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
        "inverse" is a straight line of 1/rate; "exponential" one of its logarithm.
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
    """Of 1/((1 − p)/I + p/E) as a mean of I and E; 0 where one of them is."""

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        of_init = as_number(end_value * remaining)
        of_end = as_number(init_value * progress)
        total = jnp.where(of_init + of_end > 0, of_init + of_end, 1)
        return of_init / total, of_end / total

    return weights


def _exponential_weights(init_value: ArrayLike, end_value: ArrayLike) -> Weights:
    """Of I·(E/I)^p as a multiple of the nearer of I and E; 0 where one of them is."""
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
            "join: lengths must hold one length a schedule, or all but that of the last one, "
            f"got {len(schedules)} schedules and lengths of shape {jnp.shape(lengths)}"
        )
    if is_any(_is_too_long, lengths):
        raise ValueError(
            f"join: lengths must sum to at most {LAST_STEP}, got {lengths}; "
            "longer ones must be floats"
        )


def _is_too_long(lengths: Any) -> Any:
    integers = np.issubdtype(np.result_type(lengths), np.integer)
    return integers and np.sum(lengths, dtype=float) > LAST_STEP


@decay(check=_check_lengths, order=("lengths", "schedules"))
def join(step: ArrayLike, schedules: Sequence[ScheduleLike], *, lengths: Boundaries) -> ArrayLike:
    """One schedule after another, each counting its own steps from 0.

    Formula: schedule i at t − (sum of the lengths before i), for the last i that has begun. If the
    last schedule has a length it holds its value there; else it goes on for ever.

    Args:
        schedules: at least one schedule, or number for a constant one.
        lengths: vector of steps, one a schedule or one fewer, each ≥ 0. A schedule of length 0 is
            skipped; the last one holds its first value.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: lengths and schedules of different number, a length outside its range, or
            lengths that sum to more than 2³¹−1.

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
        # Each schedule sees only steps of its own phase, so that those it does not answer for
        # are finite in value and gradient.
        value = jnp.where(
            step < start, value, value_at(schedule, jnp.clip(step - start, 0, length))
        )
    return value


@decay
def hold(step: ArrayLike, schedule: ScheduleLike, *, begin: Steps) -> ArrayLike:
    """A schedule until a step, from where its value is held.

    Formula: schedule(min(t, B)).

    Args:
        schedule: a schedule, or a number for a constant one.
        begin: B, the step from which on the value is held, 0 … 2³¹−1.

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
        What Keras's `CosineDecay` does with its step at its end, for any schedule and step.
    """
    return value_at(schedule, jnp.minimum(*same_kind(step, begin)))


@decay(order=("delay_steps", "schedule"))
def delay(step: ArrayLike, schedule: ScheduleLike, *, delay_steps: Steps) -> ArrayLike:
    """The start of a schedule is held, and the schedule begins later.

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


@decay
def advance(step: ArrayLike, schedule: ScheduleLike, *, advance_steps: Steps) -> ArrayLike:
    """A schedule that has already begun: its first steps are left out.

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


@decay
def repeat(step: ArrayLike, schedule: ScheduleLike, *, period: Period) -> ArrayLike:
    """The first steps of a schedule, again and again.

    Formula: schedule(t mod period).

    Args:
        schedule: a schedule, or a number for a constant one.
        period: in steps, > 0. A schedule that ends at `period` starts again in the very step in
            which it would reach its end.

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


@decay(unit=lambda units_per_step, **_: 1 / units_per_step)
def count_units(
    step: ArrayLike, schedule: ScheduleLike, *, units_per_step: PositiveSteps
) -> ArrayLike:
    """A schedule that counts samples or tokens instead of steps.

    Formula: schedule(t·units_per_step).

    Args:
        schedule: a schedule whose steps are units.
        units_per_step: units, such as the examples of a batch, that pass in a step, > 0. If it is
            an integer units are exact to 2³¹−1, and floats from there on.

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


@decay(unit=lambda steps_per_epoch, **_: steps_per_epoch)
def per_epoch(step: ArrayLike, schedule: ScheduleLike, *, steps_per_epoch: Period) -> ArrayLike:
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
        >>> schedule = jaxdecay.per_epoch(
        ...     jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=10), steps_per_epoch=1_875
        ... )
        >>> [float(schedule(epoch * 1_875)) for epoch in (0, 9, 10, 20)]
        [1.0, 1.0, 0.5, 0.25]

    Source:
        PyTorch `torch.optim.lr_scheduler`, Keras `LearningRateScheduler`.
    """
    return value_at(schedule, whole_transitions(step, steps_per_epoch))


def _check_extension(schedule: Any, transition_steps: Any, **_: Any) -> None:
    # The lengths of a run that is not known yet are added up once they are resolved.
    if transition_steps is None and not has_lengths(schedule) and end_of(schedule) is None:
        raise ValueError(
            "extend: transition_steps must say at which step the schedule ends, which "
            f"{schedule!r} does not say by itself; give extend(…, transition_steps=…)"
        )


@decay(check=_check_extension)
def extend(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    at: Steps,
    new_transition_steps: Steps,
    transition_steps: Steps | None = None,
) -> ArrayLike:
    """A run prolonged while it goes on: from a step on, the rest of its schedule is slowed down.

    Formula: schedule(t) for t ≤ A; then schedule(A + (t − A)·(T − A)/(T' − A)) until T'; then
    schedule(T). The value is continuous at A.

    Args:
        schedule: the schedule of the run that was planned.
        at: A, the step at which the run is prolonged, 0 … 2³¹−1.
        new_transition_steps: T', the step at which it now ends, 0 … 2³¹−1; at most A means that
            it ends at A. It may be below T: the run is cut short, and its schedule hurries.
        transition_steps: T, the step at which the schedule ends, 0 … 2³¹−1. Default: the sum of
            the lengths that the schedule declares, its warm-up included.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or a schedule that does not say by itself
            when it ends, without `transition_steps`.

    Example:
        >>> import jaxdecay
        >>> planned = jaxdecay.linear(1.0, end_value=0.0, transition_steps=100)
        >>> schedule = jaxdecay.extend(planned, at=50, new_transition_steps=150)
        >>> [float(schedule(step)) for step in (25, 50, 100, 150)]
        [0.75, 0.5, 0.25, 0.0]

    Source:
        OLMo's `override_decay` has the purpose; no peer slows an arbitrary schedule down. The
        slowed step is exact to its fraction, of integers up to step 2²⁴, though between two
        steps that float32 holds the schedule is a parabola; from there on it is the whole step
        before.
    """
    end = end_of(schedule) if transition_steps is None else transition_steps
    counts = [as_number(each, count=True) for each in (step, at, new_transition_steps, end)]
    integers = all(jnp.issubdtype(each.dtype, jnp.integer) for each in counts)
    step, at, new_end, end = counts if integers else map(as_number, counts)
    end = jnp.maximum(end, at)
    left, done = countdown(step - at, new_end - at)
    inside = (left > 0) & (done > 0)
    left, done = jnp.where(inside, left, 1), jnp.where(inside, done, 1)
    outside = jnp.where(step > at, end, step)
    if not integers:
        share = (end - at) / (left + done)
        slowed = jnp.where(done < left, at + done * share, end - left * share)
        rough = value_at(schedule, jnp.where(inside, slowed, outside))
        # The slope is that at the rounded step, the value that at the step itself.
        safe_end = jnp.where(inside, new_end, 2 * at + 1)
        still = jax.lax.stop_gradient((schedule, step, at, safe_end, end))
        exact = _value_between(still[0], *_slowed_pair(*still[1:]))
        lost = jnp.where(inside & (exact != rough), exact - rough, 0)
        return rough + jax.lax.stop_gradient(lost)
    whole, fraction = _slowed(left, done, at, end)
    before = whole - (fraction < 0).astype(int)
    between = inside & (before < _LAST_FRACTION)
    return jnp.where(
        between,
        _value_between(schedule, jnp.minimum(whole, _LAST_FRACTION), fraction),
        value_at(schedule, jnp.where(inside, before, outside)),
    )


_LAST_FRACTION = 2**24
"""From here on a float holds no fraction of a step."""


def _slowed(left: Array, done: Array, begin: Array, end: Array) -> tuple[Array, Array]:
    """The step with `done` of the way from `begin` to `end` done, as a whole one and a fraction.

    The fraction is that from the nearer end, and below 0 if that is `end`.
    """
    early = done < left
    steps, fraction = _exact_share(jnp.where(early, done, left), end - begin, left + done)
    return jnp.where(early, begin + steps, end - steps), jnp.where(early, fraction, -fraction)


def _slowed_pair(step: Array, at: Array, new_end: Array, end: Array) -> Pair:
    """The slowed step of counts that are floats, with the digits that one float would lose."""
    begin = pair(at)
    done, total = minus(pair(step), begin), minus(pair(new_end), begin)
    share = over(times(done, minus(pair(end), begin)), total)
    return plus(begin, share)


def _value_between(schedule: ScheduleLike, whole: Array, fraction: Array) -> Array:
    """The value at a step of which a float holds only the first digits.

    Between the floats around it the schedule is taken for a parabola, unless it jumps.
    """
    start = as_number(whole)
    below = start + fraction
    below = jnp.where(below - start > fraction, jnp.nextafter(below, jnp.zeros_like(below)), below)
    # The next float; from 0 the next that is not flushed to 0.
    above = jnp.nextafter(below, jnp.full_like(below, jnp.inf))
    above = jnp.maximum(above, below + jnp.finfo(below.dtype).tiny)

    def value_and_slope(step: Array) -> tuple[Array, Array]:
        return jax.jvp(lambda step: value_at(schedule, step), (step,), (jnp.ones_like(step),))

    (first, slope), (last, last_slope) = value_and_slope(below), value_and_slope(above)
    gap = above - below
    # Both shares from the whole step: neither loses its digits where it is small.
    gone, left = (fraction - (below - start)) / gap, ((above - start) - fraction) / gap
    change = gap * slope
    parabola = last * gone**2 + (first + (first + change) * gone) * left
    steepest = jnp.maximum(jnp.abs(slope), jnp.abs(last_slope))
    smooth = jnp.abs(last - first) <= 3 * gap * steepest
    before = first + gone * change  # the jump, or the stair, comes with the next float
    return jnp.where(smooth, kept_between(first, last, parabola), jnp.where(before < 0, 0, before))


@jax.jit  # compiled once, also where the schedule is called eagerly
def _exact_share(count: Array, part: Array, total: Array) -> tuple[Array, Array]:
    """count·part/total, of integers with count < total, as a whole number and a fraction.

    The product does not fit into an integer, so both are built bit by bit of `part`.
    """

    def add(whole: Array, rest: Array, more: Array) -> tuple[Array, Array]:
        over = rest >= total - more
        return whole + over.astype(int), jnp.where(over, rest - (total - more), rest + more)

    def next_bit(index: int, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        whole, rest = carry
        whole, rest = add(2 * whole, rest, rest)
        return add(whole, rest, jnp.where((part >> (30 - index)) & 1 == 1, count, 0))

    whole, rest = jax.lax.fori_loop(0, 31, next_bit, (jnp.zeros_like(count),) * 2)
    return whole, as_number(rest) / as_number(total)


@decay
def add(step: ArrayLike, first: ScheduleLike, *, second: ScheduleLike) -> ArrayLike:
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
        >>> schedule = jaxdecay.linear(0.5, end_value=0.0, transition_steps=10) + 0.25
        >>> schedule
        add(first=linear(init_value=0.5, end_value=0.0, transition_steps=10), second=0.25)
        >>> float(schedule(10))
        0.25

    Source:
        The operator `+`; no peer has sums.
    """
    return value_at(first, step) + value_at(second, step)


@decay
def multiply(step: ArrayLike, first: ScheduleLike, *, second: ScheduleLike) -> ArrayLike:
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
        >>> schedule = jaxdecay.linear(1.0, end_value=0.0, transition_steps=10) * jaxdecay.constant(
        ...     0.5
        ... )
        >>> float(schedule(5))
        0.25

    Source:
        PyTorch `ChainedScheduler`, which multiplies factors.
    """
    return value_at(first, step) * value_at(second, step)


@decay
def scale(step: ArrayLike, schedule: ScheduleLike, *, factor: NonNegative) -> ArrayLike:
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
        >>> schedule = 0.5 * jaxdecay.linear(1.0, end_value=0.0, transition_steps=10)
        >>> schedule
        scale(schedule=linear(init_value=1.0, end_value=0.0, transition_steps=10), factor=0.5)
        >>> float(schedule(5))
        0.25

    Source:
        The operator `*` with a number.
    """
    return factor * value_at(schedule, step)


def _check_limits(lower: Any, upper: Any, **_: Any) -> None:
    if upper is not None and is_any(np.greater, lower, upper):
        raise ValueError(
            f"clip: lower must be at most upper, got {lower!r} and {upper!r}; "
            "for one value there is jaxdecay.constant"
        )


@decay(check=_check_limits)
def clip(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    lower: NonNegative = 0.0,
    upper: NonNegative | None = None,
) -> ArrayLike:
    """A schedule within limits.

    Formula: min(max(schedule(t), lower), upper).

    Args:
        schedule: a schedule, or a number for a constant one.
        lower: the smallest learning rate, ≥ 0.
        upper: the largest, ≥ 0; None means no limit. (Traced and below `lower`, it wins.)

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a limit outside its range, or `lower` above `upper`.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.clip(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=4), lower=0.25, upper=0.75
        ... )
        >>> [float(schedule(step)) for step in range(5)]
        [0.75, 0.75, 0.5, 0.25, 0.25]

    Source:
        The lower limit is `min_lr` of many training stacks.
    """
    return jnp.clip(value_at(schedule, step), lower, upper)
