"""Sums, products and limits of schedules."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxdecay.definition import decay
from jaxdecay.domain import (
    NonNegative,
    is_any,
)
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import of_each_part

__all__ = ["add", "clip", "multiply", "scale"]


@decay(phases=of_each_part, group=Group.COMPOSED)
def add(step: ArrayLike, first: ScheduleLike, *, second: ScheduleLike) -> ArrayLike:
    """The sum of two schedules, also written `first + second`.

    Formula: first(step) + second(step).

    Args:
        first: a schedule, or a number for a constant one, in units of the learning rate.
        second: the same.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: an operand is neither a schedule nor a finite number.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.linear(0.5, end_value=0.0, transition_steps=10) + 0.25
        >>> schedule
        add(first=linear(init_value=0.5, end_value=0.0, transition_steps=10), second=0.25)
        >>> float(schedule(10))
        0.25

    Source:
        The operator `+`; no peer has sums.
    """
    return value_at(first, step) + value_at(second, step)


@decay(phases=of_each_part, group=Group.COMPOSED)
def multiply(step: ArrayLike, first: ScheduleLike, *, second: ScheduleLike) -> ArrayLike:
    """The product of two schedules, also written `first * second`.

    Formula: first(step) · second(step).

    Args:
        first: a schedule, or a number for a constant one.
        second: the same. The product is in units of the learning rate.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: an operand is neither a schedule nor a finite number.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.linear(1.0, end_value=0.0, transition_steps=10) * jaxdecay.constant(
        ...     0.5
        ... )
        >>> float(schedule(5))
        0.25

    Source:
        PyTorch `ChainedScheduler`, which multiplies factors.
    """
    return value_at(first, step) * value_at(second, step)


@decay(phases=of_each_part, group=Group.COMPOSED)
def scale(step: ArrayLike, schedule: ScheduleLike, *, factor: NonNegative) -> ArrayLike:
    """A schedule times a number, also written `schedule * factor`.

    Formula: factor · schedule(step).

    Args:
        schedule: a schedule, or a number for a constant one, in units of the learning rate.
        factor: ≥ 0, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `schedule` is not a schedule, or `factor` is negative or not finite.

    Example:
        >>> import jaxdecay
        >>> schedule = 0.5 * jaxdecay.linear(1.0, end_value=0.0, transition_steps=10)
        >>> schedule
        scale(schedule=linear(init_value=1.0, end_value=0.0, transition_steps=10), factor=0.5)
        >>> float(schedule(5))
        0.25

    Source:
        The operator `*` with a number.
    """
    return factor * value_at(schedule, step)


def _check_limits(lower: Any, upper: Any, **_: Any) -> None:
    if upper is not None and is_any(np.greater, lower, upper):
        raise ValueError(
            f"clip: lower must be at most upper, got {lower!r} and {upper!r}; "
            "for a constant rate use jaxdecay.constant"
        )


@decay(check=_check_limits, phases=of_each_part, group=Group.COMPOSED)
def clip(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    lower: NonNegative = 0.0,
    upper: NonNegative | None = None,
) -> ArrayLike:
    """A schedule within limits.

    Formula: min(max(schedule(t), lower), upper).

    Args:
        schedule: a schedule, or a number for a constant one.
        lower: the smallest learning rate, ≥ 0.
        upper: the largest, ≥ 0; None means no limit. A traced one below `lower` wins.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a limit outside its range, or `lower` above `upper`.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.clip(
        ...     jaxdecay.linear(1.0, end_value=0.0, transition_steps=4), lower=0.25, upper=0.75
        ... )
        >>> [float(schedule(step)) for step in range(5)]
        [0.75, 0.75, 0.5, 0.25, 0.25]

    Source:
        The lower limit is the `min_lr` of many training stacks.
    """
    return jnp.clip(value_at(schedule, step), lower, upper)
