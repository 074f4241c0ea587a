"""Time, as decays measure it: steps done, steps left, whole transitions."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.number import as_number


def whole_transitions(step: ArrayLike, transition_steps: ArrayLike) -> Array:
    """⌊t/T⌋, in integer arithmetic where both are integers; T ≤ 0 counts as 1.

    Example:
        >>> from jaxdecay.decays import whole_transitions
        >>> int(whole_transitions(2_999, 1_000))
        2
    """
    step, transition_steps = same_kind(step, transition_steps)
    return jnp.floor_divide(step, jnp.where(transition_steps > 0, transition_steps, 1))


def elapsed(step: ArrayLike, transition_steps: ArrayLike, staircase: bool = False) -> Array:
    """t/T as a float, or ⌊t/T⌋ if `staircase`; T ≤ 0 counts as 1.

    Example:
        >>> from jaxdecay.decays import elapsed
        >>> float(elapsed(2_500, 1_000)), float(elapsed(2_500, 1_000, staircase=True))
        (2.5, 2.0)
    """
    if staircase:
        return whole_transitions(step, transition_steps).astype(float)
    step, transition_steps = as_number(step), as_number(transition_steps)
    return step / jnp.where(transition_steps > 0, transition_steps, 1)


def countdown(step: ArrayLike, transition_steps: ArrayLike) -> tuple[Array, Array]:
    """Steps left until T, and steps done, both within 0 … T; exact where both are integers.

    Example:
        >>> from jaxdecay.decays import countdown
        >>> [int(steps) for steps in countdown(300, 1_000)]
        [700, 300]
    """
    step, transition_steps = same_kind(step, transition_steps)
    done = jnp.clip(step, 0, transition_steps)
    return transition_steps - done, done


def same_kind(step: ArrayLike, steps: ArrayLike | Sequence[ArrayLike]) -> tuple[Array, Array]:
    """Both as integers if both are, else both as floats."""
    arrays = as_number(step, count=True), as_number(steps, count=True)
    integer = all(jnp.issubdtype(array.dtype, jnp.integer) for array in arrays)
    return arrays if integer else (as_number(step), as_number(steps))
