"""Decays given as values: constant, in pieces, between points."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.decays.ends import at_boundaries
from jaxdecay.decays.time import same_kind, since
from jaxdecay.decays.transition import SHAPES, transition
from jaxdecay.definition import decay
from jaxdecay.domain import Boundaries, NonNegative, Period, Values
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Jumps, Level, Marks
from jaxdecay.number import as_number

__all__ = ["constant", "interpolate", "piecewise_constant", "piecewise_linear"]


def _level(schedule: Any, clock: Clock) -> Marks:
    yield Level()


@decay(phases=_level, group=Group.EXPLICIT)
def constant(step: ArrayLike, value: NonNegative) -> ArrayLike:
    """The same value at every step.

    Formula: value.

    Args:
        value: the learning rate, ≥ 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `value` is negative or not finite.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.constant(0.5)
        >>> float(schedule(1_000))
        0.5

    Source:
        Optax `constant_schedule` (which returns the bare Python number).
    """
    return value


def _check_sorted(family: str, boundaries: Any) -> None:
    if isinstance(boundaries, Tracer):
        return
    steps = np.asarray(boundaries)
    if np.any(steps[..., 1:] < steps[..., :-1]):
        raise ValueError(
            f"{family}: boundaries must be sorted, got {steps.tolist()}; "
            f"in order: {np.sort(steps).tolist()}"
        )


def _check_pieces(values: Any, boundaries: Any) -> None:
    many, few = jnp.shape(values), jnp.shape(boundaries)
    if many[-1:] and few[-1:] and many[-1] != few[-1] + 1:
        raise ValueError(
            "piecewise_constant: values must be one longer than boundaries, "
            f"got {many[-1]} values and {few[-1]} boundaries"
        )
    _check_sorted("piecewise_constant", boundaries)


@decay(check=_check_pieces, phases=at_boundaries, group=Group.EXPLICIT)
def piecewise_constant(step: ArrayLike, values: Values, *, boundaries: Boundaries) -> ArrayLike:
    """One value between consecutive boundaries; at a boundary the new value holds.

    Formula: values[number of boundaries ≤ t].

    Args:
        values: vector of learning rates, each ≥ 0, one longer than `boundaries`.
        boundaries: vector of steps, each ≥ 0, sorted; of equal ones the last counts. The order of
            traced ones is not checked; the formula holds in any order.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a number outside its range, boundaries that are not sorted, or vectors whose
            lengths do not fit.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.piecewise_constant([1.0, 0.5, 0.25], boundaries=[10, 20])
        >>> [float(schedule(step)) for step in (9, 10, 20)]
        [1.0, 0.5, 0.25]

    Source:
        PyTorch and Optax also use the new value at a boundary. Keras `PiecewiseConstantDecay`
        uses the old one: add 1 to each boundary to get the same numbers.
    """
    step, boundaries = same_kind(step, boundaries)
    return as_number(values)[jnp.sum(step >= boundaries)]


def _check_points(values: Any, boundaries: Any, shape: str) -> None:
    many, few = jnp.shape(values), jnp.shape(boundaries)
    if many[-1:] and few[-1:] and (many[-1] != few[-1] or not many[-1]):
        raise ValueError(
            "piecewise_linear: values and boundaries must have the same length, at least 1, "
            f"got {many[-1]} values and {few[-1]} boundaries"
        )
    _check_sorted("piecewise_linear", boundaries)


def _points(schedule: Any, clock: Clock) -> Marks:
    boundaries = np.asarray(schedule.boundaries, float)
    yield clock.phase(schedule.family, "fall", 0, boundaries[-1])
    yield Jumps(clock, at=tuple(boundaries[1:][np.diff(boundaries) == 0].tolist()))


@decay(check=_check_points, phases=_points, group=Group.EXPLICIT)
def piecewise_linear(
    step: ArrayLike,
    values: Values,
    *,
    boundaries: Boundaries,
    shape: Literal["linear", "cosine"] = "linear",
) -> ArrayLike:
    """Straight lines or half cosine waves through points; constant before and after them.

    Formula: between two points (b, v) and (b', v'), v + (v' − v)·p with p = (t − b)/(b' − b); with
    `shape="cosine"` v + (v' − v)·½(1 − cos πp).

    Args:
        values: vector of learning rates, each ≥ 0, at least one.
        boundaries: vector of steps, one per value, each ≥ 0, sorted. Two equal ones are a jump,
            at which the later value holds. The order of traced ones is not checked: each counts
            as at least the one before.
        shape: "linear" for straight lines, "cosine" for half waves.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a number outside its range, boundaries that are not sorted, or vectors whose
            lengths differ.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.piecewise_linear([0.0, 1.0, 0.5], boundaries=[0, 10, 30])
        >>> [float(schedule(step)) for step in (0, 5, 10, 20, 30, 100)]
        [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]

    Source:
        NumPy `interp`; Optax `piecewise_interpolate_schedule`, whose values are products of
        scales.
    """
    values = as_number(values)
    step, boundaries = same_kind(step, boundaries)
    boundaries = _at_least_the_one_before(boundaries)
    passed, last = jnp.sum(step >= boundaries), len(boundaries) - 1
    # Before the first point and after the last, both are the same point.
    before, after = jnp.clip(passed - 1, 0), jnp.clip(passed, max=last)
    return transition(
        values[before],
        values[after],
        boundaries[after] - step,
        step - boundaries[before],
        SHAPES[shape],
    )


def _at_least_the_one_before(boundaries: Array) -> Array:
    """The running maximum, selected by index, so that its gradient goes to the selected one."""
    fixed = jax.lax.stop_gradient(boundaries)
    leads = fixed >= jax.lax.cummax(fixed)
    return boundaries[jax.lax.cummax(jnp.where(leads, jnp.arange(len(fixed)), 0))]


def _check_table(values: Any, transition_steps: Any) -> None:
    if jnp.shape(values)[-1:] == (0,):
        raise ValueError("interpolate: values must hold at least one value, got none")


def _table(schedule: Any, clock: Clock) -> Marks:
    last = (len(schedule.values) - 1) * float(schedule.transition_steps)
    yield clock.phase(schedule.family, "fall", 0, last)


@decay(check=_check_table, phases=_table, group=Group.EXPLICIT)
def interpolate(step: ArrayLike, values: Values, *, transition_steps: Period = 1) -> ArrayLike:
    """A schedule from a table: one value every `transition_steps` steps, straight lines between.

    Formula: values[i] at step i·T, a straight line in between, and the last value after the last.

    Args:
        values: vector of learning rates, each ≥ 0, at least one.
        transition_steps: T, in steps, > 0: from one value to the next.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a number outside its range, or no values.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.interpolate([1.0, 0.5, 0.25], transition_steps=10)
        >>> [float(schedule(step)) for step in (0, 5, 10, 20, 100)]
        [1.0, 0.75, 0.5, 0.25, 0.25]

    Source:
        A table of measured or computed rates, such as that of `jaxdecay.from_gradient_norms`.
    """
    values = as_number(values)
    last = len(values) - 1
    rows, done, left = since(step, transition_steps)
    row = jnp.clip(rows.number(), max=last).astype(int)
    left = jnp.where(row < last, left, 0)
    return transition(values[row], values[jnp.clip(row + 1, max=last)], left, done)
