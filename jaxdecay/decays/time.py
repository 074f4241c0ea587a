"""Time, as decays measure it: steps done, steps left, whole transitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, as_one, floor, minus, pair, quotient, rounding, times


def whole_transitions(step: ArrayLike, transition_steps: ArrayLike | Pair) -> Array:
    """⌊t/T⌋, an integer if the step is one; T ≤ 0 counts as 1.

    Exact for an integer T, and as exact as float64 for a `Pair`.

    Example:
        >>> from jaxdecay.decays.time import whole_transitions
        >>> int(whole_transitions(2_999, 1_000))
        2
    """
    steps, unit = _counts(step, transition_steps)
    if _are_integers(steps, unit):
        return jnp.floor_divide(steps, jnp.where(unit > 0, unit, 1))
    counted = floor(quotient(*_pairs(steps, unit)))
    if not _are_integers(steps):
        return counted.number()
    largest = jnp.iinfo(steps.dtype).max
    fits = counted.high < largest  # float32 rounds `largest` up
    whole = jnp.where(fits, counted.high, 0).astype(steps.dtype) + counted.low.astype(steps.dtype)
    return jnp.where(fits, whole, largest)


def elapsed(step: ArrayLike, transition_steps: ArrayLike | Pair, staircase: bool = False) -> Array:
    """t/T as a float, or ⌊t/T⌋ if `staircase`; T ≤ 0 counts as 1.

    Example:
        >>> from jaxdecay.decays.time import elapsed
        >>> float(elapsed(2_500, 1_000)), float(elapsed(2_500, 1_000, staircase=True))
        (2.5, 2.0)
    """
    if staircase:
        return transitions(step, transition_steps, staircase).number()
    step, transition_steps = as_number(step), as_number(as_one(transition_steps))
    return step / jnp.where(transition_steps > 0, transition_steps, 1)


def transitions(step: ArrayLike, transition_steps: ArrayLike | Pair, staircase: bool) -> Pair:
    """The same as `elapsed`, with twice the digits."""
    steps, unit = _counts(step, transition_steps)
    if staircase and _are_integers(steps, unit):
        # Of unsigned integers a division is one instruction; steps are not below 0.
        unsigned = (
            jnp.maximum(count, least).astype(jnp.uint32) for count, least in ((steps, 0), (unit, 1))
        )
        return pair(jnp.floor_divide(*unsigned).astype(steps.dtype))
    exact = quotient(*_pairs(steps, unit))
    return jax.lax.stop_gradient(floor(exact)) if staircase else exact


def since(step: ArrayLike, period: ArrayLike | Pair) -> tuple[Pair, Array, Array]:
    """Complete periods, steps since the last one ended and steps left; T ≤ 0 counts as 1.

    A step that rounding cannot distinguish from the end of a period counts as the end.
    """
    count, length = _counts(step, period)
    if _are_integers(count, length):
        unit = jnp.where(length > 0, length, 1)
        done = jnp.remainder(count, unit)
        return pair(jnp.floor_divide(count, unit)), done, unit - done
    steps, unit = _pairs(count, length)
    periods = jax.lax.stop_gradient(floor(quotient(steps, unit)))
    done = minus(steps, times(periods, unit))
    begun = done.high > rounding(steps.high)
    done = Pair(jnp.where(begun, done.high, 0), jnp.where(begun, done.low, 0))
    plain = steps.high - periods.high * unit.high
    return (
        periods,
        with_slope_of(done.number(), plain),
        with_slope_of(minus(unit, done).number(), unit.high - plain),
    )


def countdown(step: ArrayLike, transition_steps: ArrayLike | Pair) -> tuple[Array, Array]:
    """Steps left until T, and steps done, both within 0 … T; exact if both are integers.

    If T is a `Pair`, a small number of steps left is accurate too.

    Example:
        >>> from jaxdecay.decays.time import countdown
        >>> [int(steps) for steps in countdown(300, 1_000)]
        [700, 300]
    """
    if isinstance(transition_steps, Pair):
        plain = as_number(step)
        left = minus(transition_steps, pair(as_number(step, count=True))).number()
        if not _are_integers(as_number(step, count=True)):
            # A rounded step counts as the end as soon as it may be the end.
            left = jnp.where(left <= jnp.finfo(plain.dtype).eps / 2 * plain, 0, left)
        left = with_slope_of(left, transition_steps.high - plain)
        return jnp.maximum(left, 0), jnp.clip(plain, 0, transition_steps.high)
    step, transition_steps = same_kind(step, transition_steps)
    done = jnp.clip(step, 0, transition_steps)
    return transition_steps - done, done


def same_kind(step: ArrayLike, steps: ArrayLike | Sequence[ArrayLike]) -> tuple[Array, Array]:
    """Both as integers if both are, else both as floats."""
    arrays = as_number(step, count=True), as_number(steps, count=True)
    return arrays if _are_integers(*arrays) else (as_number(step), as_number(steps))


def with_slope_of(value: Array, other: Array) -> Array:
    """The first value, with the slope of the second, which is nearly equal."""
    return jax.lax.stop_gradient(value) + (other - jax.lax.stop_gradient(other))


def _pairs(step: ArrayLike, unit: ArrayLike | Pair) -> tuple[Pair, Pair]:
    """t and T as pairs; T ≤ 0 counts as 1."""
    unit = pair(unit)
    above = unit.high > 0
    return pair(step), Pair(jnp.where(above, unit.high, 1), jnp.where(above, unit.low, 0))


def _counts(step: Any, unit: Any) -> tuple[Any, Any]:
    """Pairs and unsigned integers as they are, other numbers as JAX holds them."""
    step, unit = (
        count
        if isinstance(count, Pair) or jnp.asarray(count).dtype == jnp.uint32
        else as_number(count, count=True)
        for count in (step, unit)
    )
    return step, unit


def _are_integers(*counts: Array | Pair) -> bool:
    return all(
        not isinstance(count, Pair) and jnp.issubdtype(count.dtype, jnp.integer) for count in counts
    )
