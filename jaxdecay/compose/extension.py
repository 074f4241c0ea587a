"""Extending a run under way: the rest of its schedule is slowed down."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import countdown
from jaxdecay.decays.transition import clipped_between
from jaxdecay.definition import decay, decay_of
from jaxdecay.domain import Steps
from jaxdecay.extent import end_of
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Marks
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, minus, over, pair, plus, times
from jaxdecay.resolution import has_lengths
from jaxdecay.schedule import Schedule

__all__ = ["extend"]


MOST_EXTENSIONS = 4
"""Of extensions in one another: each doubles what is compiled, as it needs values and slopes."""


def _check_extension(schedule: Any, transition_steps: Any, **_: Any) -> None:
    if (nested := _extensions(schedule)) >= MOST_EXTENSIONS:
        raise ValueError(
            f"extend: schedule contains {nested} extensions in one another, expected at most "
            f"{MOST_EXTENSIONS - 1}, as each doubles the time to compile; write the run so far as "
            "one schedule, for example with join"
        )
    # Relative lengths are added up once they are resolved.
    if transition_steps is None and not has_lengths(schedule) and end_of(schedule) is None:
        raise ValueError(
            f"extend: transition_steps is missing, and {schedule!r} does not declare the step at "
            "which it ends; give extend(…, transition_steps=…)"
        )


def _extensions(schedule: Any) -> int:
    """How many extensions are in one another in a schedule."""
    if not isinstance(schedule, Schedule):
        return 0
    inner = jax.tree.leaves(
        tuple(schedule.hyperparameters.values()), is_leaf=lambda value: isinstance(value, Schedule)
    )
    return (schedule.decay == decay_of(extend)) + max(map(_extensions, inner), default=0)


def _extended_phase(schedule: Any, clock: Clock) -> Marks:
    yield clock.phase("extend", "fall", schedule.at, schedule.new_transition_steps)


@decay(check=_check_extension, phases=_extended_phase, group=Group.COMPOSED)
def extend(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    at: Steps,
    new_transition_steps: Steps,
    transition_steps: Steps | None = None,
) -> ArrayLike:
    """The schedule of a run that is extended under way: from a step on, it is slowed down.

    Formula: schedule(t) for t ≤ A; then schedule(A + (t − A)·(T − A)/(T' − A)) until T'; then
    schedule(T). The value is continuous at A.

    Args:
        schedule: the schedule of the planned run.
        at: A, the step at which the run is extended, 0 … 2³¹−1.
        new_transition_steps: T', the step at which it now ends, 0 … 2³¹−1; with T' ≤ A it ends at
            A. With T' < T the run is shortened, and its schedule is sped up.
        transition_steps: T, the step at which the schedule ends, 0 … 2³¹−1. Default: the sum of
            the lengths that the schedule declares, including its warm-up.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or no `transition_steps` for a schedule
            that does not declare its end.

    Example:
        >>> import jaxdecay
        >>> planned = jaxdecay.linear(1.0, end_value=0.0, transition_steps=100)
        >>> schedule = jaxdecay.extend(planned, at=50, new_transition_steps=150)
        >>> [float(schedule(step)) for step in (25, 50, 100, 150)]
        [0.75, 0.5, 0.25, 0.0]

    Source:
        OLMo's `override_decay` serves the same purpose; no peer slows down an arbitrary
        schedule. With integer counts, the slowed step keeps its exact fraction up to step 2²⁴,
        where a parabola interpolates the schedule between two floats; beyond, it is rounded
        down to an integer.
    """
    end = end_of(schedule) if transition_steps is None else transition_steps
    counts = [as_number(count, count=True) for count in (step, at, new_transition_steps, end)]
    integers = all(jnp.issubdtype(count.dtype, jnp.integer) for count in counts)
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
        # The slope is taken at the rounded step, the value at the exact one.
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
"""The step from which a float32 holds no fraction."""


def _slowed(left: Array, done: Array, begin: Array, end: Array) -> tuple[Array, Array]:
    """The slowed step between `begin` and `end`, as an integer and a fraction.

    Both count from the nearer end; the fraction is negative if that is `end`.
    """
    early = done < left
    steps, fraction = _exact_share(jnp.where(early, done, left), end - begin, left + done)
    return jnp.where(early, begin + steps, end - steps), jnp.where(early, fraction, -fraction)


def _slowed_pair(step: Array, at: Array, new_end: Array, end: Array) -> Pair:
    """The slowed step for counts that are floats, with digits that one float would lose."""
    begin = pair(at)
    done, total = minus(pair(step), begin), minus(pair(new_end), begin)
    share = over(times(done, minus(pair(end), begin)), total)
    return plus(begin, share)


def _value_between(schedule: ScheduleLike, whole: Array, fraction: Array) -> Array:
    """The value at a step that lies between two floats.

    A parabola interpolates the schedule between these, unless it jumps there.
    """
    start = as_number(whole)
    below = start + fraction
    below = jnp.where(below - start > fraction, jnp.nextafter(below, jnp.zeros_like(below)), below)
    # The next float; for 0 the first that is not flushed to 0.
    above = jnp.nextafter(below, jnp.full_like(below, jnp.inf))
    above = jnp.maximum(above, below + jnp.finfo(below.dtype).tiny)

    def value_and_slope(step: Array) -> tuple[Array, Array]:
        return jax.jvp(lambda step: value_at(schedule, step), (step,), (jnp.ones_like(step),))

    values, slopes = jax.vmap(value_and_slope)(jnp.stack([below, above]))
    (first, last), (slope, last_slope) = values, slopes
    gap = above - below
    # Both shares are counted from the integer step: a small one keeps its digits.
    gone, left = (fraction - (below - start)) / gap, ((above - start) - fraction) / gap
    change = gap * slope
    parabola = last * gone**2 + (first + (first + change) * gone) * left
    steepest = jnp.maximum(jnp.abs(slope), jnp.abs(last_slope))
    smooth = jnp.abs(last - first) <= 3 * gap * steepest
    before = first + gone * change  # the jump, or the stair, comes with the next float
    return jnp.where(
        smooth, clipped_between(first, last, parabola), jnp.where(before < 0, 0, before)
    )


@jax.jit  # compiled once, also where the schedule is called eagerly
def _exact_share(count: Array, part: Array, total: Array) -> tuple[Array, Array]:
    """count·part/total, for integers with count < total, as an integer and a fraction.

    The product does not fit into an integer, so both are computed bit by bit of `part`.
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
