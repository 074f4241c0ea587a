"""Converts examples to array types that JAX has, or refuses them in one line if they do not fit.

Without its 64-bit mode, JAX silently takes the lower half of a 64-bit integer, and it has neither
big-endian nor extended floats. So data are converted here, on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def as_inputs(value: Any, what: str) -> Any:
    """Inputs as an array with a type that JAX has; 64-bit integers become floats.

    Args:
        value: an array, or a frame or series from pandas or Polars. Anything else is returned
            unchanged.
        what: the name of the inputs, for messages.

    Raises:
        ValueError: inputs are not real numbers, or are too large for JAX's floats.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.arrays import as_inputs
        >>> as_inputs(np.array([2**40]), "inputs")
        array([1.0995116e+12], dtype=float32)
    """
    array = _array(value, what)
    if not isinstance(array, np.ndarray):
        return array
    kinds = (np.floating, np.integer, np.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds):
        raise ValueError(
            f"{what}: inputs must be real numbers, got an array of {array.dtype}; convert it, for "
            "example with .astype(np.float32)"
        )
    if array.dtype.kind in "iu" and _jax_type(array.dtype) != array.dtype:
        return array.astype(_jax_type(np.dtype(float)))
    return _as_jax_float(array, what)


def as_labels(value: Any, what: str) -> Any:
    """Labels as an array with a type that JAX has; integers stay integers.

    Args:
        value: an array, or a frame or series from pandas or Polars. Anything else is returned
            unchanged.
        what: the name of the labels, for messages.

    Raises:
        ValueError: labels are not numbers, or do not fit into JAX's types.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.arrays import as_labels
        >>> as_labels(np.array([7], dtype=">i8"), "labels")
        array([7], dtype=int32)
    """
    array = _array(value, what)
    if not isinstance(array, np.ndarray):
        return array
    if not any(jnp.issubdtype(array.dtype, kind) for kind in (np.number, np.bool_)):
        raise ValueError(
            f"{what}: labels must be numbers, got an array of {array.dtype}; number the classes: "
            "np.unique(labels, return_inverse=True)[1] on train and test labels together"
        )
    kind = _jax_type(array.dtype)
    if array.dtype.kind not in "iu" or kind == array.dtype:
        return _as_jax_float(array, what)
    limits = np.iinfo(kind)
    if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
        raise ValueError(
            f"{what}: labels must fit into {kind}, got {array.min()} … {array.max()}; number "
            "classes from 0 (np.unique(labels, return_inverse=True)[1] on train and test labels "
            "together), or convert targets with .astype(np.float32)"
        )
    return array.astype(kind)


def _array(value: Any, what: str) -> Any:
    """An array or frame as a NumPy array in this machine's byte order; anything else unchanged."""
    if isinstance(value, Mapping):
        raise ValueError(
            f"{what}: expected one array, got a {type(value).__name__} with {', '.join(value)}; "
            "join its arrays into one, such as np.stack(list(columns.values()), axis=1)"
        )
    if hasattr(value, "toarray"):
        raise ValueError(
            f"{what}: expected a dense array, got a sparse {type(value).__name__} with shape "
            f"{value.shape}; convert it with .toarray()"
        )
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(
            f"{what}: expected an array without a mask; fill masked values with .filled(value)"
        )
    if isinstance(value, np.ndarray):
        array = value
    elif hasattr(value, "to_numpy"):
        array = _of_frame(value, what)
    elif hasattr(value, "__array__") and not isinstance(value, jax.Array | np.generic):
        array = np.asarray(value)
    else:
        return value
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _of_frame(frame: Any, what: str) -> np.ndarray:
    """The numbers in a frame or series from pandas or Polars."""
    if len(frame.shape) == 1:
        return frame.to_numpy()
    places = range(frame.shape[1])
    columns = [getattr(frame, "iloc", frame)[:, place].to_numpy() for place in places]
    for name, column in zip(frame.columns, columns, strict=True):
        if column.dtype.kind not in "biuf":
            raise ValueError(
                f"{what}: column {name!r} must contain numbers, got {column.dtype}; encode or "
                "drop it, and fill missing values"
            )
    return np.stack(columns, axis=1) if columns else np.empty(frame.shape, np.float32)


def _as_jax_float(array: np.ndarray, what: str) -> np.ndarray:
    """Converts floats wider than JAX's to JAX's; returns anything else unchanged."""
    if array.dtype.kind != "f" or array.dtype == (kind := _jax_type(array.dtype)):
        return array
    with np.errstate(over="ignore"):
        floats = array.astype(kind)
    if (overflows := np.isfinite(array) & ~np.isfinite(floats)).any():
        raise ValueError(
            f"{what}: numbers must be finite as {kind}, got {array[overflows].flat[0]:g}; scale "
            "them down"
        )
    return floats


def _jax_type(kind: np.dtype) -> np.dtype:
    """The type that JAX uses for a NumPy type."""
    if kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(np.float64)
    return np.dtype(jax.dtypes.canonicalize_dtype(kind))
