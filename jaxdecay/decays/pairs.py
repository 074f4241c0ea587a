"""Numbers held as the sum of two floats, with twice the digits of one: 48 bits in float32."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Pair(NamedTuple):
    """The number high + low, of which `low` is at most the rounding of `high`."""

    high: Array
    low: Array


def pair(number: Array) -> Pair:
    """A float, or an integer of up to 32 bits, exactly."""
    if jnp.issubdtype(number.dtype, jnp.integer):
        rest = number % 2**16
        return Pair(*_sum_of_floats((number - rest).astype(float), rest.astype(float)))
    return Pair(number, jnp.zeros_like(number))


def plus(a: Pair, b: Pair) -> Pair:
    """Their sum."""
    high, low = _sum_of_floats(a.high, b.high)
    return Pair(*_sum_of_floats(high, low + (a.low + b.low)))


def minus(a: Pair, b: Pair) -> Pair:
    """Their difference."""
    return plus(a, Pair(-b.high, -b.low))


def times(a: Pair, b: Pair) -> Pair:
    """Their product."""
    high, low = _product_of_floats(a.high, b.high)
    return Pair(*_sum_of_floats(high, low + (a.high * b.low + a.low * b.high)))


def over(a: Pair, b: Pair) -> Pair:
    """Their quotient."""
    first = a.high / b.high
    rest = minus(a, times(pair(first), b))
    return Pair(*_sum_of_floats(first, rest.high / b.high))


def _sum_of_floats(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b exactly: rounded, and what rounding lost (Knuth)."""
    rounded = a + b
    of_b = rounded - a
    return rounded, (a - (rounded - of_b)) + (b - of_b)


def _product_of_floats(a: Array, b: Array) -> tuple[Array, Array]:
    """a·b exactly but for the last bit, from products of halves of their digits.

    Those need no rounding, so it does not matter whether the compiler fuses them into sums.
    """
    (a, a_rest), (b, b_rest) = _halves(a), _halves(b)
    cross, cross_rest = _sum_of_floats(a * b_rest, a_rest * b)
    high, low = _sum_of_floats(a * b, cross)
    return high, low + (cross_rest + a_rest * b_rest)


def _halves(number: Array) -> tuple[Array, Array]:
    """A float as the sum of two with half of its digits each."""
    kind = jnp.finfo(number.dtype)
    high = jax.lax.reduce_precision(number, kind.nexp, (kind.nmant - 1) // 2)
    return high, number - high
