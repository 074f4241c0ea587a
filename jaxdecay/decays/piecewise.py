"""Decays given by values: constant, in pieces, between points."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdecay.decays.time import same_kind
from jaxdecay.domain import Boundaries, NonNegative, Values
from jaxdecay.schedule import as_number, decay


@decay
def constant(step: ArrayLike, value: NonNegative) -> ArrayLike:
    """One value for ever.

    Formula: value.

    Args:
        value: the learning rate, ≥ 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `value` is negative or not finite.

    Example:
        >>> import jaxdecay
        >>> float(jaxdecay.constant(0.5)(1_000))
        0.5

    Source:
        Optax `constant_schedule` (which returns the bare Python number).
    """
    return value


def _check_boundaries(values: Any, boundaries: Any) -> None:
    many, few = jnp.shape(values), jnp.shape(boundaries)
    if many[-1:] and few[-1:] and many[-1] != few[-1] + 1:
        raise ValueError(
            "piecewise_constant: values must be one longer than boundaries, "
            f"got {many[-1]} values and {few[-1]} boundaries"
        )


@decay(check=_check_boundaries)
def piecewise_constant(step: ArrayLike, values: Values, boundaries: Boundaries) -> ArrayLike:
    """One value between each two boundaries; at a boundary the new value holds.

    Formula: values[number of boundaries ≤ t].

    Args:
        values: vector of learning rates, each ≥ 0, one longer than `boundaries`.
        boundaries: vector of steps, each ≥ 0. They may be traced and need not be sorted.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a number outside its range, or vectors whose lengths do not fit.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.piecewise_constant([1.0, 0.5, 0.25], boundaries=[10, 20])
        >>> [float(schedule(step)) for step in (9, 10, 20)]
        [1.0, 0.5, 0.25]

    Source:
        PyTorch's and Optax's side of the boundary. Keras `PiecewiseConstantDecay` keeps the old
        value at a boundary: add 1 to each boundary to get its numbers.
    """
    step, boundaries = same_kind(step, boundaries)
    return as_number(values)[jnp.sum(step >= boundaries)]
