"""Relative lengths of a schedule as counts of steps, each from where it begins."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import jax
import numpy as np

from jaxdecay.declaration import BoundDecay
from jaxdecay.length import Length, Position, Run

S = TypeVar("S", bound=BoundDecay)


def has_lengths(tree: Any) -> bool:
    """Whether a length depends on the run anywhere in a schedule."""
    parts = jax.tree.leaves(tree, is_leaf=lambda each: isinstance(each, Length))
    return any(isinstance(part, Length) for part in parts)


def resolved(schedule: S, run: Run, begin: Position) -> S:
    """The schedule for a run, if its step 0 is at a position of the clock around it."""
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
                _part(each, run, start) for each, start in zip(values[name], starts, strict=False)
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
    """A schedule inside another one, or the number that stands for one."""
    return resolved(value, run, begin) if isinstance(value, BoundDecay) else value


def _in_sequence(value: Any, run: Run, begin: Position) -> tuple[Any, list[Position]]:
    """A length, or one after another of a vector, and where each begins and the last ends."""
    if isinstance(value, tuple) or np.ndim(value):
        positions = [begin]
        for each in value:
            positions.append(run.after(positions[-1], each))
        steps = [after.step - before.step for before, after in itertools.pairwise(positions)]
        return steps, positions
    end = run.after(begin, value)
    return (end.step - begin.step if isinstance(value, Length) else value), [begin, end]


def _from_one_begin(value: Any, run: Run, begin: Position, least: int) -> Any:
    """A length, or a vector of steps that are all counted from one position."""
    if isinstance(value, tuple):
        return [run.after(begin, each).step - begin.step for each in value]
    if not isinstance(value, Length):
        return value
    steps = run.after(begin, value).step - begin.step
    return steps if steps > 0 else max(steps, least)  # a period of a short run is a step
