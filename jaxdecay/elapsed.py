"""Schedules of elapsed time, in seconds, tokens or any other growing quantity instead of steps."""

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
    far, in the unit of the schedule. The transformation has no clock and no state, so a resumed
    run continues at the time that the caller passes.

    Args:
        schedule: the multiplier as a function of `elapsed` instead of step.

    Returns:
        An `optax.GradientTransformationExtraArgs`. Put it after an optimizer with learning rate 1
        in `optax.chain`. `elapsed` is a number ≥ 0, and may be traced; pass a float if it can
        exceed 2³¹−1.

    Raises:
        TypeError: `schedule` cannot be called, or `elapsed` is missing in a call of `update`.
        ValueError: `schedule` follows a metric, which `update` does not receive.

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
            f"scale_by_elapsed cannot pass a metric to {schedule!r}; call the schedule yourself, "
            "schedule(elapsed, state), and build the optimizer with that rate"
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
                "use jax.vmap to train several networks at once"
            )
        factor = schedule(elapsed)
        return jax.tree.map(lambda u: u * jnp.asarray(factor, u.dtype), updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
