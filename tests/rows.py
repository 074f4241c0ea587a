"""Many (schedule, step) pairs in one compiled call, and their comparison with references."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from case import Case

from jaxdecay import Schedule, value_at

ROWS = 2048
TINY = 1e-30
"""Below this, float32 has too few digits left for relative errors."""


TOO_LARGE = 1e15
"""Above this no rate is of use, and some schedules stop growing, so as not to overflow."""


@jax.jit
def called(schedule: Any, steps: Any) -> Any:
    return value_at(schedule, steps)


def errors(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Relative errors; where the expected value has no digits in float32, only its size counts."""
    small = np.abs(expected) <= TINY
    relative = np.abs(got - expected) / np.where(small, 1, np.abs(expected))
    return np.where(small, np.where(np.abs(got) <= 2 * TINY, 0, np.inf), relative)


def with_float_counts(schedule: Schedule) -> Schedule:
    """The same schedule with its integer counts as floats, so that they can be differentiated."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), schedule)


def leaf_names(schedule: Schedule) -> list[str]:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(schedule)]
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path in paths]


def number_of(leaf_name: str) -> str | None:
    """The hyperparameter that a leaf is; None for the last digits of one, which have no slope."""
    return None if leaf_name.endswith(".low") else leaf_name.removesuffix(".high")


def values_at(schedule: Schedule, steps: Sequence[int]) -> np.ndarray:
    """The value at each step, compiled, in calls of one shape."""
    found = [called(schedule, many) for many in _chunks(steps)]
    return np.concatenate(found).astype(np.float64)[: len(steps)]


def values_and_slopes(
    schedule: Schedule, steps: Sequence[int]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The value at each step, and by the name of each float its gradient at each step.

    Compiled, mapped and differentiated at once, with every hyperparameter traced; in calls of
    one shape, so that schedules of one structure share one compilation.
    """
    leaves, structure = jax.tree.flatten(schedule)
    arrays = [np.asarray(leaf) for leaf in leaves]
    arrays = [each.astype(np.float32) if each.dtype.kind == "f" else each for each in arrays]
    floats = [each if each.dtype.kind == "f" else None for each in arrays]
    others = [each if each.dtype.kind != "f" else None for each in arrays]
    found = [_value_and_slopes(structure, floats, others, many) for many in _chunks(steps)]
    values = np.concatenate([value for value, _ in found]).astype(np.float64)
    by_name = {}
    for name, *parts in zip(leaf_names(schedule), *(slope for _, slope in found), strict=True):
        if parts[0] is not None and (name := number_of(name)):
            slope = np.concatenate(parts).astype(np.float64)[: len(steps)]
            by_name |= _columns(name, slope)
    return values[: len(steps)], by_name


@functools.partial(jax.jit, static_argnums=0)
def _value_and_slopes(structure: Any, floats: Any, others: Any, steps: Any) -> Any:
    """Leaves that are None in `floats` are in `others`."""

    def value(floats: Any, step: Any) -> Any:
        leaves = [b if a is None else a for a, b in zip(floats, others, strict=True)]
        return value_at(structure.unflatten(leaves), step)

    return jax.vmap(jax.value_and_grad(value), in_axes=(None, 0))(floats, steps)


def _chunks(steps: Sequence[int]) -> list[np.ndarray]:
    return [
        np.resize(np.array(steps[first : first + ROWS], np.int32), ROWS)
        for first in range(0, len(steps), ROWS)
    ]


def _columns(name: str, slope: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of a leaf: itself, or the elements of a vector."""
    if slope.ndim == 1:
        return {name: slope}
    return {f"{name}.{i}": slope[:, i] for i in range(slope.shape[1])}


def check_slopes(
    case: Case, steps: Sequence[int], slopes: dict[str, np.ndarray], tolerance: float = 1e-4
) -> set[str]:
    """Asserts that gradients, by hyperparameters as floats, are those of the formula.

    Corners have none, and are left out. Returns the names of those that are compared somewhere.
    """
    largest = max(abs(case.reference(step)) for step in steps)
    sizes = _sizes(case.schedule)
    compared = set()
    for name, (left, right) in case.reference.slopes(list(slopes), steps).items():
        noise = 1e-9 * (np.abs(left) + np.abs(right)) + 1e-25 * largest
        smooth = (np.abs(left - right) <= noise) & (np.abs(right) < TOO_LARGE)
        if not smooth.any():
            continue
        compared.add(name)
        right, got = right[smooth], slopes[name][smooth]
        unit = largest / max(sizes[name], 1e-6)
        allowed = tolerance * np.abs(right) + 2e-6 * np.max(np.abs(right)) + 0.01 * tolerance * unit
        excess = np.abs(got - right) - allowed
        worst = int(np.argmax(excess))
        where = f"{case.schedule!r} by {name} at step {np.array(steps)[smooth][worst]}"
        assert excess[worst] <= 0, f"{where}: {got[worst]!r}, exactly {right[worst]!r}"
    return compared


def _sizes(schedule: Schedule) -> dict[str, float]:
    """By name of each number, its size: of a rate that of its vector, of a count at least 1."""
    sizes = {}
    for name, leaf in zip(leaf_names(schedule), jax.tree.leaves(schedule), strict=True):
        name = number_of(name)
        if name is None:
            continue
        largest = float(np.max(np.abs(leaf), initial=0))
        if np.ndim(leaf) == 0:
            sizes[name] = largest
        else:
            counts = largest > 10
            for i, each in enumerate(leaf):
                sizes[f"{name}.{i}"] = max(float(abs(each)), 1.0) if counts else largest
    return sizes
