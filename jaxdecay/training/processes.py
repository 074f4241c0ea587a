"""Several processes, on one machine or many: each trains its share, and all get all results.

Processes exchange nothing during an epoch. After it they exchange its history, about twenty bytes
per member.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec


class ProcessError(Exception):
    """Another process of the sweep has failed."""


class ProcessGoneError(ProcessError):
    """Another process of the sweep has ended, so no exchange is possible any more."""


def agreed(number: int) -> int:
    """The number of process 0, on all processes."""
    if jax.process_count() == 1:
        return number
    return int(_gathered(np.asarray(number))[0])


def most_of(number: int) -> int:
    """The largest of the processes' numbers."""
    return int(_gathered(np.asarray(number)).max()) if jax.process_count() > 1 else number


def sum_of(number: int) -> int:
    """The sum of the processes' numbers."""
    return int(_gathered(np.asarray(number)).sum()) if jax.process_count() > 1 else number


def any_of(flag: bool) -> bool:
    """Whether the flag is set on any process."""
    return bool(np.any(_gathered(np.asarray(flag)))) if jax.process_count() > 1 else flag


def texts_of_all(text: str) -> list[str]:
    """The texts of all processes, by their index."""
    if jax.process_count() == 1:
        return [text]
    own = np.frombuffer(text.encode(), np.uint8)
    lengths = _gathered(np.asarray(len(own), np.int32))
    padded = np.zeros(max(1, int(lengths.max())), np.uint8)
    padded[: len(own)] = own
    rows = zip(_gathered(padded), lengths, strict=True)
    return [bytes(row[:length]).decode() for row, length in rows]


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What fails here on one process fails on all, so that none waits for one that has ended.

    The processes wait for each other at its end; in between each does work of its own.

    Raises:
        ProcessError: another process failed; says which, and why.
    """
    if jax.process_count() == 1:
        yield
        return
    failure: Exception | None = None
    try:
        yield
    except Exception as error:
        failure = error
    reasons = texts_of_all("" if failure is None else _one_line(failure))
    if failure is not None:
        raise failure
    for process, reason in enumerate(reasons):
        if reason:
            raise ProcessError(f"process {process} of this sweep failed: {reason}")


def exchanged(arrays: dict[str, np.ndarray], mine: np.ndarray) -> dict[str, np.ndarray]:
    """Completes arrays, whose first axes are those of `mine`: what each process knows of them."""
    if jax.process_count() == 1:
        return arrays
    owner = np.argmax(_gathered(mine), axis=0)
    places = np.indices(mine.shape)
    return {name: _gathered(values)[owner, *places] for name, values in arrays.items()}


def shared(tree: Any) -> Any:
    """Arrays [P · n, …], for Orbax to write, from the arrays [n, …] of each of P processes."""
    if jax.process_count() == 1:
        return tree
    firsts: dict[int, Any] = {}
    for device in jax.devices("cpu"):
        firsts.setdefault(device.process_index, device)
    mesh = jax.make_mesh(
        (len(firsts),), ("process",), (AxisType.Auto,), devices=list(firsts.values())
    )
    sharding = NamedSharding(mesh, PartitionSpec("process"))
    return jax.tree.map(lambda own: jax.make_array_from_process_local_data(sharding, own), tree)


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _gathered(array: np.ndarray) -> np.ndarray:
    """The arrays of all processes, [processes, …]."""
    try:
        return np.asarray(multihost_utils.process_allgather(array))
    except (jax.errors.JaxRuntimeError, ValueError) as error:  # Gloo raises either
        raise ProcessGoneError("another process of this sweep has ended") from error
