"""Examples as arrays that JAX holds: converted where that is exact, else refused in one line.

Without 64-bit mode JAX takes the lower half of a 64-bit integer without a word, and it has no
big-endian and no extended floats at all. So data are converted here, on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def as_inputs(value: Any, what: str) -> Any:
    """Inputs as an array of a type that JAX has; they are used as floats, so 64-bit integers too.

    Args:
        value: an array, or a frame or series of pandas or Polars. All else is returned as it is.
        what: the name of the inputs, for messages.

    Raises:
        ValueError: no real numbers, or numbers that floats of JAX's width cannot hold.

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
    if array.dtype.kind in "iu" and _held(array.dtype) != array.dtype:
        return array.astype(_held(np.dtype(float)))
    return _as_held_float(array, what)


def as_labels(value: Any, what: str) -> Any:
    """Labels as an array of a type that JAX has; integers stay integers.

    Args:
        value: an array, or a frame or series of pandas or Polars. All else is returned as it is.
        what: the name of the labels, for messages.

    Raises:
        ValueError: no numbers, or numbers that JAX's types cannot hold.

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
            "np.unique(labels, return_inverse=True)[1], of train and test labels together"
        )
    held = _held(array.dtype)
    if array.dtype.kind not in "iu" or held == array.dtype:
        return _as_held_float(array, what)
    limits = np.iinfo(held)
    if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
        raise ValueError(
            f"{what}: labels must fit into {held}, got {array.min()} … {array.max()}; number "
            "classes from 0 (np.unique(labels, return_inverse=True)[1], of train and test labels "
            "together), or convert targets with .astype(np.float32)"
        )
    return array.astype(held)


def _array(value: Any, what: str) -> Any:
    """A NumPy array of what holds one, in this machine's byte order; all else as it is."""
    if isinstance(value, Mapping):
        raise ValueError(
            f"{what}: expected one array, got a {type(value).__name__} of {', '.join(value)}; put "
            "its arrays into one, such as np.stack(list(columns.values()), axis=1)"
        )
    if hasattr(value, "toarray"):
        raise ValueError(
            f"{what}: expected a dense array, got a sparse {type(value).__name__} of shape "
            f"{value.shape}; convert it with .toarray()"
        )
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(
            f"{what}: expected an array without a mask; fill what is masked with .filled(value)"
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
    """The numbers of a frame or series of pandas or Polars."""
    if len(frame.shape) == 1:
        return frame.to_numpy()
    places = range(frame.shape[1])
    columns = [getattr(frame, "iloc", frame)[:, place].to_numpy() for place in places]
    for name, column in zip(frame.columns, columns, strict=True):
        if column.dtype.kind not in "biuf":
            raise ValueError(
                f"{what}: column {name!r} holds no numbers ({column.dtype}); encode or drop it, "
                "and fill what is missing"
            )
    return np.stack(columns, axis=1) if columns else np.empty(frame.shape, np.float32)


def _as_held_float(array: np.ndarray, what: str) -> np.ndarray:
    """Floats wider than JAX's as JAX's; everything else as it is."""
    if array.dtype.kind != "f" or array.dtype == (held := _held(array.dtype)):
        return array
    with np.errstate(over="ignore"):
        floats = array.astype(held)
    if (lost := np.isfinite(array) & ~np.isfinite(floats)).any():
        raise ValueError(
            f"{what}: numbers must be finite as {held}, got {array[lost].flat[0]:g}; scale them"
        )
    return floats


def _held(kind: np.dtype) -> np.dtype:
    """The type that JAX has for a type of NumPy."""
    if kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(np.float64)
    return np.dtype(jax.dtypes.canonicalize_dtype(kind))
