"""Transitions from one value to another, exact at both ends, and their shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.number import as_number

Weights = Callable[[Array, Array], tuple[Array, Array]]
"""A function of the remaining and the completed share of steps: the weights of both ends."""


def linear_weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
    """1 − p and p."""
    return remaining, progress


def transition(
    init_value: ArrayLike,
    end_value: ArrayLike,
    left: Array,
    done: Array,
    weights: Weights = linear_weights,
    *,
    first: ArrayLike | None = None,
    last: ArrayLike | None = None,
) -> Array:
    """From `init_value`, while no step is done, to `end_value`, once no step is left.

    `first` and `last` replace these two values, as for a power of 0, which is 1 at every step.

    Both ends are exact, in value and gradient. Between them the value is the mean of the ends
    with the weights that `weights` computes from the remaining and the completed share of steps.
    No small share or weight is computed as 1 minus the other: that would lose its digits, and a
    compiler may turn it into a value past the end (in Optax, a jitted linear schedule to 0 ends
    below 0).
    """
    inside = ~((left <= 0) | (done <= 0))  # also for a step that is NaN
    left_share, done_share = as_number(left), as_number(done)
    total = jnp.where(inside, left_share + done_share, 1)
    of_init, of_end = weights(
        jnp.where(inside, left_share / total, 0.5), jnp.where(inside, done_share / total, 0.5)
    )
    between = clipped_between(init_value, end_value, init_value * of_init + end_value * of_end)
    first = init_value if first is None else first
    last = end_value if last is None else last
    return jnp.where(left <= 0, last, jnp.where(done <= 0, first, between))


def clipped_between(one: ArrayLike, other: ArrayLike, value: ArrayLike) -> Array:
    """Clips a value that rounding may have moved past one of two bounds; its slopes stay."""
    return _clipped(value, jnp.minimum(one, other), jnp.maximum(one, other))


@jax.custom_jvp
def _clipped(value: ArrayLike, low: Array, high: Array) -> Array:
    return jnp.clip(value, low, high)


@_clipped.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    return _clipped(*primals), tangents[0]


def shares(left: Array, done: Array) -> tuple[Array, Array]:
    """The remaining and the completed share of steps; 0 and 1 if there are no steps."""
    left, done = as_number(left), as_number(done)
    some = ~(left + done <= 0)  # also for a step that is NaN
    total = jnp.where(some, left + done, 1)
    return jnp.where(some, left / total, 0), jnp.where(some, done / total, 1)


def cosine_weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
    """½(1 + cos πp) = sin²(½π(1 − p)), which keeps its digits near the end, and sin²(½πp)."""
    of_init, of_end = (jnp.square(jnp.sin(jnp.pi / 2 * share)) for share in (remaining, progress))
    return of_init, of_end


def sqrt_weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
    """1 − √p = (1 − p)/(1 + √p), which keeps its digits near the end, and √p."""
    begun = progress > 0  # the slope of the root is infinite at 0
    root = jnp.where(begun, jnp.sqrt(jnp.where(begun, progress, 1)), 0)
    return remaining / (1 + root), root


def one_minus_power_weights(
    remaining: Array, progress: Array, exponent: ArrayLike
) -> tuple[Array, Array]:
    """1 − p**exponent and p**exponent."""
    of_end, of_init = power_weights(progress, remaining, exponent)
    return of_init, of_end


SHAPES: Mapping[str, Weights] = {
    "linear": linear_weights,
    "cosine": cosine_weights,
    "sqrt": sqrt_weights,
}
"""The shapes of a fall without parameters."""


def mirrored(weights: Weights) -> Weights:
    """The shape run backwards in time: a fall from the first value becomes a rise to the second.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdecay.decays.transition import mirrored, sqrt_weights
        >>> quarter, rest = jnp.float32(0.25), jnp.float32(0.75)
        >>> [float(weight) for weight in sqrt_weights(rest, quarter)]
        [0.5, 0.5]
        >>> [float(weight) for weight in mirrored(sqrt_weights)(quarter, rest)]
        [0.5, 0.5]
    """

    def backwards(remaining: Array, progress: Array) -> tuple[Array, Array]:
        of_end, of_init = weights(progress, remaining)
        return of_init, of_end

    return backwards


def power_weights(weight: Array, complement: Array, exponent: ArrayLike) -> tuple[Array, Array]:
    """weight**exponent and 1 - weight**exponent, without cancellation, as 1 - weight is known."""
    small = weight < 0.5
    log = jnp.where(
        small,
        jnp.log(jnp.where(small, _at_least_tiny(weight), 0.5)),
        jnp.log1p(-jnp.where(small, 0.5, complement)),
    )
    # The slope of a root is infinite at 0.
    steep = (weight <= 0) & jnp.less(exponent, 1)
    at_zero = as_number(jnp.equal(exponent, 0))
    power = jnp.where(steep, at_zero, jnp.where(steep, 1, weight) ** exponent)
    rest = -jnp.expm1(exponent * log)
    return by_the_smaller(power, rest)


def by_the_smaller(weight: Array, complement: Array) -> tuple[Array, Array]:
    """Each weight as computed where it is the smaller, else 1 minus the other; so are gradients."""
    small = weight < 0.5
    return jnp.where(small, weight, 1 - complement), jnp.where(small, 1 - weight, complement)


def _at_least_tiny(weight: Array) -> Array:
    tiny = jnp.finfo(weight.dtype).tiny
    return jnp.where(weight > tiny, weight, tiny)
