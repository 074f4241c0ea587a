"""Numbers stored as the sum of two floats, with twice the digits of one: 48 bits in float32."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.serialization import serializable_state


class Pair(NamedTuple):
    """The number high + low, where `low` is at most the rounding error of `high`.

    JAX sees a hyperparameter marked `jaxdecay.domain.Digits` as a `Pair`: as two leaves of a
    schedule, and as the argument of its decay. Its gradient is the one with respect to `high`.
    """

    high: Any
    low: Any

    def number(self) -> Any:
        """The sum as one float, with half of the digits."""
        return self.high + self.low


serializable_state(Pair)


def split(value: Any) -> Any:
    """A float as a pair: `high` fits in float32, `low` is the rest; other values unchanged."""
    if isinstance(value, float):
        high = float(_as_float32(value))
        return Pair(high, value - high)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        high = _as_float32(value).astype(np.float64)
        return Pair(high, value - high)
    numeric = isinstance(value, np.ndarray | np.generic | jax.Array)
    if numeric and jnp.issubdtype(value.dtype, jnp.floating):
        zeros = np.zeros_like if isinstance(value, np.ndarray | np.generic) else jnp.zeros_like
        return Pair(value, zeros(value))
    return value


def joined(value: Any) -> Any:
    """The inverse of `split`, where that is exact; pairs of JAX arrays are unchanged."""
    if isinstance(value, Pair):
        exact = all(type(part) is float or _is_double(part) for part in value)
        return value.number() if exact else value
    return value


def as_one(value: Any) -> Any:
    """A pair as one float; other values unchanged."""
    return value.number() if isinstance(value, Pair) else value


def _as_float32(value: Any) -> Any:
    with np.errstate(over="ignore"):
        rounded = np.float32(value)
    return np.where(np.isfinite(rounded), rounded, value)  # infinity would leave no finite rest


def _is_double(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.float64) and value.dtype == np.float64


def pair(number: ArrayLike | Pair) -> Pair:
    """A float, or an integer of up to 32 bits, as a pair, exactly."""
    if isinstance(number, Pair):
        return number
    array = jnp.asarray(number)
    if jnp.issubdtype(array.dtype, jnp.integer):
        most, rest = (array & ~0xFF).astype(float), (array & 0xFF).astype(float)
        high = most + rest
        return Pair(high, rest - (high - most))
    return Pair(array, jnp.zeros_like(array))


def normalised(number: Pair) -> Pair:
    """The same number, with `high` the nearest float."""
    return Pair(*_sum_of_floats(number.high, number.low))


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


def product(a: Pair, b: Pair) -> Pair:
    """Their product, with the slopes of a product of floats; `low` is 0 if it is infinite."""
    rounded = a.high * b.high
    exact = times(*jax.lax.stop_gradient((a, b)))
    low = minus(exact, pair(jax.lax.stop_gradient(rounded))).number()
    return Pair(rounded, jnp.where(jnp.isfinite(low), low, 0))


def over(a: Pair, b: Pair) -> Pair:
    """Their quotient."""
    first = a.high / b.high
    rest = minus(a, times(pair(first), b))
    return Pair(*_sum_of_floats(first, rest.high / b.high))


def quotient(a: Pair, b: Pair) -> Pair:
    """a/b for b > 0: `high` is the nearest float, with the slopes, and `low` the rest.

    `low` is 0 if the quotient is infinite.
    """
    rounded = a.high / b.high
    (high, low), (unit, unit_low), first = jax.lax.stop_gradient((a, b, rounded))
    most, rest = _product_of_floats(first, unit)
    left = (((high - most) - rest) + (low - first * unit_low)) * (1 / unit)
    return Pair(rounded, jnp.where(jnp.isfinite(left), left, 0))


def floor(number: Pair) -> Pair:
    """The largest integer that is at most the number, give or take its rounding error.

    11/1.1 is 10 in decimals and in float64, although the float nearest to 1.1 is above it.
    """
    whole = jnp.floor(number.high)
    more = jnp.floor((number.high - whole) + (number.low + rounding(number.high)))
    return Pair(*_sum_of_floats(whole, more))


def rounding(size: Array) -> Array:
    """The error that a pair of some size may have after a few operations; in float64 2⁻⁵² of it."""
    return jnp.abs(size) * max(4 * float(jnp.finfo(size.dtype).eps) ** 2, 2.0**-52)


def power_of(base: Pair, exponent: Pair) -> Array:
    """base**exponent for a base > 0, to about the rounding of a float, as e^(exponent·ln base)."""
    if jnp.finfo(base.high.dtype).bits == 64:
        return base.number() ** exponent.number()
    return exp_of(product(_logarithm(base), exponent))


def log_of(number: Pair) -> Array:
    """The logarithm of a number > 0, exact to the digits of a float even near 1."""
    return _logarithm(number).number()


@jax.custom_jvp
def exp_of(number: Pair) -> Array:
    """e^number to about the rounding of a float, and exact where the result is a power of 2."""
    if jnp.finfo(number.high.dtype).bits == 64:
        return jnp.exp(number.number())
    high = jnp.clip(number.high, -88, 89)  # from 0 to infinity in float32
    doublings = jnp.round(high * np.float32(1 / math.log(2)))
    low = jnp.where(high == number.high, number.low, 0)
    rest = ((high - doublings * _LN2.high) - doublings * _LN2.low) + low
    power_of_two = jax.lax.bitcast_convert_type(
        (doublings.astype(jnp.int32) + 127) << 23, jnp.float32
    )
    return jnp.exp(rest) * power_of_two


@exp_of.defjvp
def _(primals: tuple[Pair], tangents: tuple[Pair]) -> tuple[Array, Array]:
    value = exp_of(*primals)
    return value, value * tangents[0].high


_LN2 = Pair(0.693359375, math.log(2) - 0.693359375)
"""ln 2; `high` has so few digits that its product with an exponent is exact."""


def _logarithm(number: Pair) -> Pair:
    """ln(2ᵏ·m) = k·ln 2 + 2·artanh((m − 1)/(m + 1)), to 10⁻⁹ of it in float32, with its slope."""
    given = number.high
    positive = given > 0
    number = Pair(
        *(jnp.where(positive, each, one) for each, one in zip(number, (1, 0), strict=True))
    )
    slope = jnp.log(number.number())
    high, low = jax.lax.stop_gradient(number)
    mantissa, exponent = jnp.frexp(high)
    doubled = mantissa < math.sqrt(0.5)
    mantissa = jnp.where(doubled, 2 * mantissa, mantissa)
    doublings = jnp.where(doubled, exponent - 1, exponent).astype(high.dtype)
    low = low * (mantissa / high)
    above, rest = _sum_of_floats(mantissa, 1.0)
    ratio = quotient(Pair(mantissa - 1, low), Pair(above, rest + low))
    square, series = jnp.square(ratio.high), 0.0
    for order in range(13, 1, -2):
        series = square * (1 / order + series)
    most, rest = _sum_of_floats(doublings * _LN2.high, 2 * ratio.high)
    rest = rest + (doublings * _LN2.low + 2 * (ratio.low + ratio.high * series))
    most, rest = _sum_of_floats(most, rest)
    # For 0, a logarithm so small that powers of 0 are 0, and 1 where the exponent is 0.
    most = jnp.where(positive, most, jnp.where(given == 0, -1e30, jnp.nan))
    return Pair(most + (slope - jax.lax.stop_gradient(slope)), jnp.where(positive, rest, 0))


def _sum_of_floats(a: Array, b: ArrayLike) -> tuple[Array, Array]:
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
    """A float as the sum of two with half of its digits each; it has no gradient."""
    kind = jnp.finfo(number.dtype)
    integers = jnp.uint32 if kind.bits == 32 else jnp.uint64
    bits = jax.lax.bitcast_convert_type(number, integers)
    leading = jax.lax.shift_left(bits >> (kind.nmant // 2 + 1), integers(kind.nmant // 2 + 1))
    high = jax.lax.bitcast_convert_type(leading, number.dtype)
    return high, number - high
