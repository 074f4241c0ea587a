"""The way from one value to another: exact at both ends, and the shapes it may have."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.schedule import as_number


def transition(
    init_value: ArrayLike,
    end_value: ArrayLike,
    left: Array,
    done: Array,
    weights: Callable[[Array, Array], tuple[Array, Array]] = lambda remaining, progress: (
        remaining,
        progress,
    ),
) -> Array:
    """From `init_value`, while no step is done, to `end_value`, once no step is left.

    Both ends are exact, in value and gradient. Between them the value is the mean of the ends
    with the weights that `weights` makes of the share of steps that remain and the share that is
    done. No share and no weight is computed as 1 minus the other where it is small: that would
    lose its digits, and a compiler may turn it into a value past the end (as happens to Optax: a
    jitted linear schedule to 0 ends below 0).
    """
    inside = ~((left <= 0) | (done <= 0))  # a step that is not a number is neither
    left_share, done_share = as_number(left), as_number(done)
    total = jnp.where(inside, left_share + done_share, 1)
    of_init, of_end = weights(
        jnp.where(inside, left_share / total, 0.5), jnp.where(inside, done_share / total, 0.5)
    )
    between = init_value * of_init + end_value * of_end
    return jnp.where(left <= 0, end_value, jnp.where(done <= 0, init_value, between))


def power_weights(weight: Array, complement: Array, exponent: ArrayLike) -> tuple[Array, Array]:
    """weight**exponent and 1 - weight**exponent, given 1 - weight, all without cancellation."""
    small = weight < 0.5
    log = jnp.where(
        small,
        jnp.log(jnp.where(small, weight, 0.5)),
        jnp.log1p(-jnp.where(small, 0.5, complement)),
    )
    power, rest = weight**exponent, -jnp.expm1(exponent * log)
    # Each as computed where it is small, in value and gradient, and as 1 minus the other where not.
    return jnp.where(power < 0.5, power, 1 - rest), jnp.where(power < 0.5, 1 - power, rest)
