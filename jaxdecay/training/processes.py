"""Many processes, on one machine or on many: each trains its share, all know all results.

Nothing is exchanged in a step or in an epoch; after each epoch the numbers of the history are,
some twenty bytes a member.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec


class ProcessError(Exception):
    """Another process of the sweep has ended."""


def agreed(number: int) -> int:
    """The first process's number, on all of them."""
    if jax.process_count() == 1:
        return number
    return int(_gathered(np.asarray(number))[0])


def all_equal(number: int) -> bool:
    """Whether all processes have the same number."""
    return jax.process_count() == 1 or len(np.unique(_gathered(np.asarray(number)))) == 1


def sum_of(number: int) -> int:
    """The sum of the processes' numbers."""
    return int(_gathered(np.asarray(number)).sum()) if jax.process_count() > 1 else number


def any_of(flag: bool) -> bool:
    """Whether the flag is set on any process."""
    return bool(np.any(_gathered(np.asarray(flag)))) if jax.process_count() > 1 else flag


def exchanged(arrays: dict[str, np.ndarray], mine: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays [S, K] of all members, of which each process knows those in its `mine`, [S, K]."""
    if jax.process_count() == 1:
        return arrays
    owner = np.argmax(_gathered(mine), axis=0)
    places = np.indices(mine.shape)
    return {name: _gathered(values)[owner, *places] for name, values in arrays.items()}


def shared(tree: Any) -> Any:
    """Arrays [processes, m, …] of each process's own arrays [m, …], for Orbax to write.

    Where a process has fewer rows than another, its last ones have all bits set: integers are -1.
    """
    if jax.process_count() == 1:
        return jax.tree.map(lambda each: each[None], tree)
    rows = int(_gathered(np.asarray(len(jax.tree.leaves(tree)[0]))).max())
    firsts: dict[int, Any] = {}
    for device in jax.devices("cpu"):
        firsts.setdefault(device.process_index, device)
    mesh = jax.make_mesh(
        (len(firsts),), ("process",), (AxisType.Auto,), devices=list(firsts.values())
    )
    sharding = NamedSharding(mesh, PartitionSpec("process"))

    def share(each: np.ndarray) -> Array:
        filled = np.full((1, rows, *each.shape[1:]), np.array(-1).astype(each.dtype))
        filled[0, : len(each)] = each
        return jax.make_array_from_process_local_data(sharding, filled)

    return jax.tree.map(share, tree)


def _gathered(array: np.ndarray) -> np.ndarray:
    """[processes, …]."""
    try:
        return np.asarray(multihost_utils.process_allgather(array))
    except (jax.errors.JaxRuntimeError, ValueError) as error:  # Gloo's errors come as either
        raise ProcessError("another process of this sweep has ended") from error
