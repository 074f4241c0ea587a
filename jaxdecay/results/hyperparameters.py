"""The hyperparameters of a population: by dotted names, and which of them vary in a family."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from jaxdecay.population import Population


@dataclasses.dataclass(frozen=True)
class Panel:
    """One family's hyperparameters that vary.

    Attributes:
        family: its name.
        names: of the hyperparameters, as `flattened` writes them.
        values: for each name, its value in each schedule.
        schedules: the schedules' indices.
        is_grid: whether they are two, and each pair of their values has a schedule.
    """

    family: str
    names: list[str]
    values: list[list[float]]
    schedules: list[int]
    is_grid: bool


def panels(population: Population) -> list[Panel]:
    """A panel for each family of which a hyperparameter varies.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.results.hyperparameters import panels
        >>> rates = jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.1, 0.3], decay_rate=[1, 2])
        >>> panels(rates)[0].names, panels(rates)[0].is_grid
        (['init_value', 'decay_rate'], True)
    """
    families: dict[str, list[int]] = {}
    for index, schedule in enumerate(population):
        families.setdefault(schedule.family, []).append(index)
    found = (_panel(population, family, indices) for family, indices in families.items())
    return [panel for panel in found if panel.names]


LEARNING_RATES = ("value", "init_value", "peak_value")
"""Hyperparameters that are learning rates."""


def at_an_edge(population: Population, best: int) -> str | None:
    """Advice if the best schedule has the largest or smallest learning rate tried in its family.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.results.hyperparameters import at_an_edge
        >>> rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
        >>> at_an_edge(rates, best=1)
        'the best schedule has the largest value tried (0.3); try larger ones'
    """
    for panel in panels(population):
        if best not in panel.schedules:
            continue
        for name, values in zip(panel.names, panel.values, strict=True):
            own = values[panel.schedules.index(best)]
            if name.rpartition(".")[2] not in LEARNING_RATES or min(values) < own < max(values):
                continue
            word, other = ("largest", "larger") if own == max(values) else ("smallest", "smaller")
            return f"the best schedule has the {word} {name} tried ({own:g}); try {other} ones"
    return None


def _panel(population: Population, family: str, indices: list[int]) -> Panel:
    numbers = [_numbers(population[index].to_dict()) for index in indices]
    common = [name for name in numbers[0] if all(name in each for each in numbers)]
    values = {name: [each[name] for each in numbers] for name in common}
    varying = {name: each for name, each in values.items() if len(set(each)) > 1}
    pairs = set(zip(*varying.values(), strict=True))
    full = math.prod(len(set(each)) for each in varying.values())
    is_grid = len(varying) == 2 and len(pairs) == full == len(indices)
    return Panel(family, list(varying), list(varying.values()), indices, is_grid)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in flattened(values)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The hyperparameters of a schedule's dictionary; those of an inner schedule get dots.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.results.hyperparameters import flattened
        >>> inner = jaxdecay.warmup(jaxdecay.constant(0.1), warmup_steps=5)
        >>> dict(flattened(inner.to_dict()))["schedule.value"]
        0.1
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
