"""Unconstrained coordinates: all of ℝ mapped to an interval, for optimizers without constraints."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

LARGEST = 1e30
"""Above this number a coordinate grows linearly, so that nothing overflows."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """The numbers between two limits, each of which may be infinite.

    Attributes:
        low: the lower limit, or -inf.
        high: the upper limit, or inf.
        low_closed: whether `low` belongs to it.
        high_closed: whether `high` belongs to it.
        scale: a typical distance from the limit, if only one is finite.
    """

    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = False
    high_closed: bool = False
    scale: float = 1.0

    def to_free(self, value: ArrayLike) -> Array:
        """The coordinates of numbers in the interval, of any shape."""
        value = jnp.asarray(value, float)
        if math.isinf(self.low):
            return value if math.isinf(self.high) else self._mirrored().to_free(-value)
        above = value - self.low
        if math.isinf(self.high):
            return self._to_distance(above)
        share, rest = above / (self.high - self.low), (self.high - value) / (self.high - self.low)
        if self.low_closed and self.high_closed:
            return share
        if self.low_closed:
            return -jnp.log1p(-share)
        return -jnp.log(share) if self.high_closed else jnp.log(share) - jnp.log(rest)

    def from_free(self, free: ArrayLike) -> Array:
        """The numbers for coordinates of any shape; always inside the interval."""
        free = jnp.asarray(free, float)
        if math.isinf(self.low):
            return free if math.isinf(self.high) else -self._mirrored().from_free(free)
        if math.isinf(self.high):
            return self._inside(self.low + self._distance(free))
        width, size = self.high - self.low, _absolute(free)
        if self.low_closed and self.high_closed:
            value = self.low + width * _absolute(free - 2 * jnp.round(free / 2))
        elif self.low_closed:
            near = size < 1  # where 1 − e^(−x) loses the digits of the value, else of the slope
            beginning = self.low - width * jnp.expm1(-jnp.where(near, size, 0))
            value = jnp.where(near, beginning, self.high - width * jnp.exp(-size))
        elif self.high_closed:
            value = self.low + width * jnp.exp(-size)
        else:
            share = width * jax.nn.sigmoid(-size)  # from the nearer limit
            value = jnp.where(free < 0, self.low + share, self.high - share)
        return self._inside(value)

    def _mirrored(self) -> Interval:
        return Interval(-self.high, -self.low, self.high_closed, self.low_closed, self.scale)

    def _distance(self, free: Array) -> Array:
        """s·sinh(abs(x)) from a limit that belongs to the interval, s·e^x from one that does not.

        Its slope at 0 is the one to the right.
        """
        last = self._last()
        size = _absolute(free) if self.low_closed else free
        near = jnp.minimum(size, last)
        line = LARGEST * jnp.maximum(size - last, 0)
        return self.scale * (jnp.sinh(near) if self.low_closed else jnp.exp(near)) + line

    def _to_distance(self, distance: Array) -> Array:
        last = self._last()
        near = jnp.minimum(distance, LARGEST)
        free = jnp.arcsinh(near / self.scale) if self.low_closed else jnp.log(near / self.scale)
        return jnp.where(distance < LARGEST, free, last + (distance / LARGEST - 1))

    def _last(self) -> float:
        ratio = LARGEST / self.scale
        return math.asinh(ratio) if self.low_closed else math.log(ratio)

    def _inside(self, value: Array) -> Array:
        """The value with its slope, moved off a limit that is not part of the interval."""
        kind = value.dtype.type
        low, high = kind(self.low), kind(self.high)
        if not self.low_closed:
            low = max(np.nextafter(low, kind(math.inf)), low + jnp.finfo(kind).tiny)
        if not self.high_closed:
            high = min(np.nextafter(high, kind(-math.inf)), high)
        return value + jax.lax.stop_gradient(jnp.clip(value, low, high) - value)


def _absolute(number: Array) -> Array:
    """The absolute value, whose slope at 0 is the one to the right."""
    return jnp.where(number < 0, -number, number)
