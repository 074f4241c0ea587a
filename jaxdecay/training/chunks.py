"""The members of a checkpoint in chunks, each with a digest: a process reads only what it needs.

Every process stores its members in chunks of one shape. When a sweep resumes, with any number of
processes, each process reads and checks the chunks that contain its members, and no other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import tensorstore

from jaxdecay.results.sealed import digest_of

CHUNK_BYTES = 2**22
"""About how much a chunk holds: much for a file system, little for a share of the members."""


class Chunks(NamedTuple):
    """Members in C chunks of R, padded.

    Attributes:
        places: indices [C, R, 2]: the schedule and the seed of each member; -1 for padding.
        members: bytes [C, R, …].
    """

    places: np.ndarray
    members: np.ndarray

    def digests(self, epochs: int) -> np.ndarray:
        """SHA-256 of each chunk after so many epochs, [C, 32]; padding does not count."""
        found = [_digest(epochs, *chunk) for chunk in zip(*self, strict=True)]
        return np.array(found, np.uint8).reshape(len(found), 32)


def chunks_of(members: int, size: int) -> tuple[int, int]:
    """The shape (C, R) of chunks for so many members of `size` bytes.

    Example:
        >>> from jaxdecay.training.chunks import chunks_of
        >>> chunks_of(members=100, size=1_000_000)
        (20, 5)
        >>> chunks_of(members=3, size=1000)
        (1, 3)
    """
    rows = max(1, math.ceil(members / max(1, math.ceil(members * size / CHUNK_BYTES))))
    return max(1, math.ceil(members / rows)), rows


def padded(history: np.ndarray) -> np.ndarray:
    """A history [metrics, E, S, K] with zeros up to a power of two of epochs.

    Orbax and TensorStore leak memory for each shape that they save.
    """
    metrics, epochs, *members = history.shape
    padding = 2 ** (epochs - 1).bit_length() - epochs
    return np.concatenate([history, np.zeros((metrics, padding, *members), history.dtype)], axis=1)


def packed(leaves: Sequence[np.ndarray]) -> np.ndarray:
    """Packs the leaves [M, …] of members, whatever their types, into one array of bytes."""
    flat = [leaf.reshape(len(leaf), math.prod(leaf.shape[1:])) for leaf in leaves]
    return np.concatenate([np.ascontiguousarray(leaf).view(np.uint8) for leaf in flat], axis=1)


def unpacked(rows: np.ndarray, like: Sequence[jax.ShapeDtypeStruct]) -> list[np.ndarray]:
    """Undoes `packed`; `like` gives the shape and type of each leaf of one member."""
    ends = np.cumsum([math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in like])
    return [
        np.ascontiguousarray(part).view(leaf.dtype).reshape(len(rows), *leaf.shape)
        for part, leaf in zip(np.split(rows, ends[:-1], axis=1), like, strict=True)
    ]


def read_array(folder: Path, name: str) -> np.ndarray:
    """A complete array of a checkpoint.

    Args:
        folder: that Orbax wrote the arrays to.
        name: of the array.
    """
    return np.asarray(_opened(folder, name).read().result())


def read_members(folder: Path, epochs: int, needed: np.ndarray) -> Chunks:
    """The chunks that contain members in `needed`, [S, K], whichever processes stored them.

    Raises:
        ValueError: a chunk differs from what was written.
    """
    places, digests = read_array(folder, "places"), read_array(folder, "digests")
    is_needed = (places >= 0).all(axis=2) & needed[places[..., 0], places[..., 1]]
    chosen = np.flatnonzero(is_needed.any(axis=1))
    stored = _opened(folder, "members")
    if stored.shape[:2] != places.shape[:2]:
        raise ValueError("its arrays do not match each other")
    found = Chunks(places[chosen], np.asarray(stored[chosen].read().result()))
    _check_digests(chosen, found.digests(epochs), digests[chosen])
    return found


def _check_digests(chunks: np.ndarray, found: np.ndarray, written: np.ndarray) -> None:
    if (damaged := chunks[(found != written).any(axis=1)]).size:
        raise ValueError(f"chunk {damaged[0]} of its members differs from what was written")


def _digest(epochs: int, places: np.ndarray, members: np.ndarray) -> np.ndarray:
    real = (places >= 0).all(axis=1)
    if not real.all():
        places, members = places[real], members[real]
    text = digest_of(epochs, {"places": places, "members": members})
    return np.frombuffer(bytes.fromhex(text), np.uint8)


def _opened(folder: Path, name: str) -> Any:
    """An array as Orbax stores it; of its chunks, those are read that are asked for."""
    store = {"driver": "file", "path": f"{folder.absolute()}/{name}/"}
    return tensorstore.open({"driver": "zarr", "kvstore": store}, read=True).result()
