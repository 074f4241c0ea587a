"""Schedules of elapsed time: of seconds, tokens or whatever else only grows, instead of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.feedback import AdaptiveSchedule


def scale_by_elapsed(
    schedule: Callable[[ArrayLike], Array],
) -> optax.GradientTransformationExtraArgs:
    """An Optax transformation that multiplies updates by a schedule of elapsed time.

    `update` takes one more argument, `elapsed`: how much time, or data, training has taken so
    far, in the unit that the schedule counts in. The transformation itself keeps no clock and no
    state, so that a run that is interrupted goes on where the caller's clock does.

    Args:
        schedule: the multiplier as a function of `elapsed` instead of step.

    Returns:
        An `optax.GradientTransformationExtraArgs`. Put it behind an optimizer with learning rate
        1 in `optax.chain`. `elapsed` is a number ≥ 0, also a traced one; give it as a float
        where it may exceed 2³¹−1.

    Raises:
        TypeError: `schedule` cannot be called, or, from `update`, `elapsed` is missing.
        ValueError: `schedule` follows a metric, for which an update has no place.

    Example:
        >>> import jax.numpy as jnp, jaxdecay, optax
        >>> every_minute = jaxdecay.discrete_staircase(0.5, decrement=0.125, transition_steps=60.0)
        >>> optimizer = optax.chain(optax.sgd(1.0), jaxdecay.scale_by_elapsed(every_minute))
        >>> gradients = jnp.array([1.0, -2.0])
        >>> state = optimizer.init(gradients)
        >>> updates, state = optimizer.update(gradients, state, elapsed=59.9)  # seconds
        >>> updates.tolist()
        [-0.5, 1.0]
        >>> updates, state = optimizer.update(gradients, state, elapsed=150.0)
        >>> updates.tolist()
        [-0.25, 0.5]

    Source:
        The "time based" staircase of introductions to learning-rate decay; Optax
        `scale_by_schedule`, which counts updates.
    """
    if not callable(schedule):
        raise TypeError(
            f"scale_by_elapsed takes a schedule, such as jaxdecay.constant(0.1), got {schedule!r}"
        )
    if isinstance(schedule, AdaptiveSchedule):
        raise ValueError(
            f"scale_by_elapsed has no metric to give to {schedule!r}; call the schedule yourself, "
            "schedule(elapsed, state), and make the optimizer with that rate"
        )

    def update(
        updates: optax.Updates,
        state: optax.OptState,
        params: optax.Params | None = None,
        *,
        elapsed: ArrayLike | None = None,
        **_: Any,
    ) -> tuple[optax.Updates, optax.OptState]:
        if elapsed is None:
            raise TypeError(
                "scale_by_elapsed: update needs elapsed=…, the time since the start of training "
                "in the unit of the schedule"
            )
        if np.ndim(elapsed):
            raise ValueError(
                f"scale_by_elapsed: elapsed must be one number, got shape {np.shape(elapsed)}; "
                "to train several networks at once use jax.vmap"
            )
        factor = schedule(elapsed)
        return jax.tree.map(lambda each: each * jnp.asarray(factor, each.dtype), updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
