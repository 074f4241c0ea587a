"""One list of schedules, each with its reference; every law runs over all of them."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
import pytest
from case import Case
from cases_composed import COMPOSED, NESTED
from cases_compounds import COMPOUNDS
from cases_ending import ENDING
from cases_lasting import LASTING

CASES: list[Case] = [*ENDING, *LASTING, *COMPOSED, *COMPOUNDS, *NESTED]
"""Every schedule that the laws are tested on."""

BY_NAME = {each.name: each for each in CASES}
assert len(BY_NAME) == len(CASES), "two cases of one name"


def one_of_each_family() -> list[Case]:
    """The first case of every family."""
    first: dict[str, Case] = {}
    for each in CASES:
        first.setdefault(each.schedule.family, each)
    return list(first.values())


def one_of_each_kind() -> list[Case]:
    """Cases of another family, other options or another choice of hyperparameters that are None."""
    first: dict[Any, Case] = {}
    for each in CASES:
        nothing = [value is None for value in each.schedule.hyperparameters.values()]
        key = (each.schedule.family, *each.schedule.options.items(), *nothing)
        first.setdefault(key, each)
    return list(first.values())


def by_structure(integers: bool = True) -> list[list[Case]]:
    """Cases that are traced alike, together: family, options, nesting, None, shapes.

    Also by which counts are integers, or not, as where all of them are made floats.
    """
    together: dict[Any, list[Case]] = {}
    for each in CASES:
        leaves, structure = jax.tree.flatten(each.schedule)
        types = [np.asarray(leaf).dtype.kind for leaf in leaves] if integers else []
        together.setdefault((structure, *map(np.shape, leaves), *types), []).append(each)
    return list(together.values())


def beyond_the_first(case: Case) -> Any:
    """The marks of a case: it is slow if it is not the first of its family."""
    return [] if case in one_of_each_family() else [pytest.mark.slow]


def structures(integers: bool = True) -> list[Any]:
    """One parameter of a test for each structure, those beyond the first of a family slow."""
    return [
        pytest.param(each, id=each[0].name, marks=beyond_the_first(each[0]))
        for each in by_structure(integers)
    ]


def kinds() -> list[Any]:
    """One parameter of a test for each kind, those beyond the first of a family slow."""
    return [
        pytest.param(each, id=each.name, marks=beyond_the_first(each))
        for each in one_of_each_kind()
    ]


def representable(step: int) -> bool:
    """Whether float32 holds a step exactly."""
    return math.isfinite(step) and int(np.float32(step)) == step
