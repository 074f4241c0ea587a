"""Numbers and steps as JAX holds them: default types, weak types, limits."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core.primitives import convert_element_type_p
from jax.typing import ArrayLike

from jaxdecay.domain import LARGEST_FLOAT_STEP, LAST_STEP


def as_number(value: Any, *, count: bool = False) -> Array:
    """A number in JAX's default float type; an integer that counts steps in its integer type."""
    integer = count and jnp.issubdtype(jnp.result_type(value), jnp.integer)
    return jnp.asarray(value, int if integer else float)


def is_strong(leaf: Any) -> bool:
    """Whether a number is a float array whose type JAX's promotion preserves."""
    array = isinstance(leaf, jax.Array)
    return array and jnp.issubdtype(leaf.dtype, jnp.floating) and not leaf.weak_type


def weakly_typed(value: Array) -> Array:
    """The value, weakly typed like a Python number; jax.numpy has no function for this."""
    return convert_element_type_p.bind(value, new_dtype=value.dtype, weak_type=True, sharding=None)


def as_used(array: np.ndarray) -> np.ndarray:
    """Floats in the type in which schedules compute, integers in NumPy's default type."""
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(jnp.result_type(float))
    return array.astype(int) if jnp.issubdtype(array.dtype, jnp.integer) else array


def as_step(step: ArrayLike) -> Any:
    """A step of any real type; one that is not a JAX array is clamped, in JAX's types."""
    if type(step) is int:
        return min(max(step, 0), LAST_STEP)
    if type(step) is float:
        return min(max(step, 0.0), LARGEST_FLOAT_STEP)
    array = step if isinstance(step, jax.Array) else np.asarray(step)
    real = any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.integer, jnp.floating, jnp.bool))
    if not real:
        raise TypeError(f"step must be a real number or an array of them, got {step!r}")
    if isinstance(array, jax.Array):
        return array
    if jnp.issubdtype(array.dtype, jnp.floating):
        with np.errstate(over="ignore"):
            return np.clip(array.astype(jnp.result_type(float)), 0, LARGEST_FLOAT_STEP)
    # Clamped in its own type: JAX would wrap values that do not fit into its integers.
    if array.dtype != bool:
        array = np.maximum(array, 0).clip(max=min(LAST_STEP, np.iinfo(array.dtype).max))
    return array.astype(jnp.result_type(int))


def clamped(step: Any) -> Array:
    """A step in JAX's default integer or float type, clamped to its limits."""
    array = jnp.asarray(step)
    if jnp.issubdtype(array.dtype, jnp.floating):
        strong = array if array.dtype == jnp.result_type(float) else array.astype(float)
        return jnp.clip(strong, 0, LARGEST_FLOAT_STEP)
    if jnp.issubdtype(array.dtype, jnp.integer):
        array = array.clip(max=array.dtype.type(min(LAST_STEP, jnp.iinfo(array.dtype).max)))
    return jnp.maximum(array.astype(int), 0)
