"""A run prolonged while it is under way: the rest of its schedule is slowed down."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import countdown
from jaxdecay.decays.transition import (
    kept_between,
)
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Steps,
)
from jaxdecay.extent import end_of
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Marks
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, minus, over, pair, plus, times
from jaxdecay.resolution import has_lengths

__all__ = ["extend"]


def _check_extension(schedule: Any, transition_steps: Any, **_: Any) -> None:
    # The lengths of a run that is not known yet are added up once they are resolved.
    if transition_steps is None and not has_lengths(schedule) and end_of(schedule) is None:
        raise ValueError(
            "extend: transition_steps must say at which step the schedule ends, which "
            f"{schedule!r} does not say by itself; give extend(…, transition_steps=…)"
        )


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
