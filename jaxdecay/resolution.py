"""Converts the relative lengths of a schedule to counts of steps."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import jax
import numpy as np

from jaxdecay.declaration import BoundDecay
from jaxdecay.length import Length, Position, Run

S = TypeVar("S", bound=BoundDecay)


def has_lengths(tree: Any) -> bool:
    """Whether any length in a schedule, or in one inside it, depends on the run."""
    parts = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Length))
    return any(isinstance(part, Length) for part in parts)


def resolved(schedule: S, run: Run, begin: Position) -> S:
    """The schedule for a run, with its step 0 at `begin` on the clock of the schedule around it."""
    if not has_lengths(schedule):
        return schedule
    values, decay = dict(schedule.hyperparameters), schedule.decay
    kinds = {name: decay.parameters[name].kind for name in values}
    starts = [begin]
    for name in decay.order:
        if kinds[name] == "schedule":
            values[name] = _part(values[name], run, starts[-1])
        elif kinds[name] == "schedules":
            values[name] = [
                _part(part, run, start) for part, start in zip(values[name], starts, strict=False)
            ]
        else:
            values[name], starts = _in_sequence(values[name], run, starts[-1])
    for name in values.keys() - set(decay.order):
        if kinds[name] == "number":
            least = 0 if decay.parameters[name].domain.fault(0) is None else 1
            values[name] = _from_one_begin(values[name], run, begin, least)
    inner = run if decay.unit is None else run.in_units_of(decay.unit(**values))
    for name in values.keys() - set(decay.order):
        if kinds[name] == "schedule":
            values[name] = _part(values[name], inner, begin if inner is run else Position())
    return schedule.replace(**values)


def _part(value: Any, run: Run, begin: Position) -> Any:
    """Resolves a schedule inside another one; a number stays as it is."""
    return resolved(value, run, begin) if isinstance(value, BoundDecay) else value


def _in_sequence(value: Any, run: Run, begin: Position) -> tuple[Any, list[Position]]:
    """Resolves a length, or a vector of consecutive ones; also returns where they begin and end."""
    if isinstance(value, tuple) or np.ndim(value):
        positions = [begin]
        for length in value:
            positions.append(run.after(positions[-1], length))
        steps = [after.step - before.step for before, after in itertools.pairwise(positions)]
        return steps, positions
    end = run.after(begin, value)
    return (end.step - begin.step if isinstance(value, Length) else value), [begin, end]


def _from_one_begin(value: Any, run: Run, begin: Position, least: int) -> Any:
    """Resolves a length, or a vector of steps that are all counted from one position."""
    if isinstance(value, tuple):
        return [run.after(begin, length).step - begin.step for length in value]
    if not isinstance(value, Length):
        return value
    steps = run.after(begin, value).step - begin.step
    return steps if steps > 0 else max(steps, least)  # in a short run, a period is one step
