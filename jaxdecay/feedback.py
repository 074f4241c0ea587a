"""Schedules that follow a metric, with Optax's protocol for stateful schedules."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Ge
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.declaration import Feedback
from jaxdecay.domain import LAST_STEP
from jaxdecay.number import as_number, as_step, is_strong, weakly_typed
from jaxdecay.parameter import IsSchedule
from jaxdecay.schedule import Schedule, known_to_others
from jaxdecay.serialization import serializable_state


class AdaptiveState(NamedTuple):
    """The state of an `AdaptiveSchedule`.

    Attributes:
        count: the step at which the schedule is evaluated: updates so far. If the metric comes
            less often, such as once per epoch, set it with `state._replace(count=step)`.
        feedback: what the decay's `Feedback` remembers of the metric.
    """

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    feedback: Any


@jax.tree_util.register_pytree_with_keys_class
class AdaptiveSchedule(Schedule):
    """A schedule that follows a metric: an `optax.schedules.StatefulSchedule`.

    Inside `optax.inject_hyperparams` it sees the metric at each update, as `value=`. Without an
    optimizer, call `init`, `update` and the schedule yourself; all three are pure.

    Example:
        >>> import jax.numpy as jnp, jaxdecay, optax
        >>> rate = jaxdecay.reduce_on_plateau(0.5, factor=0.5, patience=1)
        >>> optimizer = optax.inject_hyperparams(optax.sgd)(rate)
        >>> parameters, gradients = jnp.array([1.0]), jnp.array([0.5])
        >>> state = optimizer.init(parameters)
        >>> for loss in (2.0, 2.0, 2.0, 2.0):
        ...     _, state = optimizer.update(gradients, state, parameters, value=loss)
        >>> float(state.hyperparams["learning_rate"])
        0.25
    """

    __slots__ = ()

    def init(self) -> AdaptiveState:
        """The state before any metric, at step 0."""
        return AdaptiveState(jnp.zeros([], jnp.int32), self._run("_init"))

    def update(self, state: AdaptiveState, **extra_args: Any) -> AdaptiveState:
        """The state one step later, after a metric: a pure function, to be compiled or mapped.

        Args:
            state: from `init()`, or from the previous update.
            **extra_args: `value`, the metric: a number, such as the loss; others are ignored.

        Returns:
            A state of the same kind.

        Raises:
            TypeError: `value` is missing.
            ValueError: `value` is an array of several numbers.
        """
        self._check_state(state)
        if extra_args.get("value") is None:
            raise TypeError(
                f"{self.family} follows a metric: value=… is missing; pass it to each update, as "
                "in optimizer.update(gradients, state, parameters, value=loss)"
            )
        value = extra_args["value"]
        if np.ndim(value):
            raise ValueError(
                f"{self.family}: a metric is one number, got an array of shape {np.shape(value)}; "
                "for many members use jax.vmap, or a jaxdecay.Population"
            )
        return self._run("_update", state, value)

    def __call__(self, state: Any, **extra_args: Any) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The value at the step of a state, after the metrics that it has seen.

        Args:
            state: from `init` or `update`.
            **extra_args: ignored; Optax passes them.

        Returns:
            A float array, as from other schedules, with the shape of `state.count`.

        Raises:
            TypeError: called with a step instead of a state, as by `optax.sgd(schedule)`, which
                never passes a metric.
        """
        self._check_state(state)
        return self._run("_value_of_state", state._replace(count=as_step(state.count)))

    @property
    def _feedback(self) -> Feedback:
        """The feedback of the decay, which every adaptive schedule has."""
        return cast(Feedback, self.decay.feedback)

    def _init(self, _: bool) -> Any:
        return self._feedback.init(**self._arguments())

    def _update(self, _: bool, state: AdaptiveState, value: ArrayLike) -> AdaptiveState:
        count = jnp.asarray(state.count)
        return AdaptiveState(
            jnp.where(count < LAST_STEP, count + 1, count).astype(count.dtype),
            self._feedback.update(state.feedback, as_number(value), **self._arguments()),
        )

    def _value_of_state(self, weak: bool, state: AdaptiveState) -> Array:
        value = self._value(weak, state.count) * state.feedback.scale
        return weakly_typed(value) if weak and not is_strong(state.count) else value

    def _check_state(self, state: Any) -> None:
        if not isinstance(state, AdaptiveState):
            raise TypeError(
                f"{self.family} follows a metric and must be called with its state, got "
                f"{_kind(state)}; use optax.inject_hyperparams(optax.sgd)(schedule) and call "
                "optimizer.update(gradients, state, parameters, value=loss)"
            )


serializable_state(AdaptiveState)
known_to_others(AdaptiveSchedule)


def _kind(value: Any) -> str:
    shape = np.shape(value) if hasattr(value, "shape") else None
    return f"{type(value).__name__}" if shape is None else f"an array of shape {shape}"


ScheduleLike = Annotated[Schedule | ArrayLike, IsSchedule(), Ge(0)]
"""A schedule, or a number that stands for a constant one."""


def value_at(schedule: ScheduleLike, step: ArrayLike, state: Any = None) -> Array:
    """The value of a schedule, or of a number that stands for a constant one, at a step.

    Args:
        schedule: a schedule or a number.
        step: as for a schedule.
        state: the state of an adaptive schedule; None for that before any metric.

    Returns:
        A float array.

    Example:
        >>> import jaxdecay
        >>> float(jaxdecay.value_at(0.5, 10))
        0.5
        >>> float(jaxdecay.value_at(jaxdecay.reduce_on_plateau(0.5), 10))
        0.5
    """
    if isinstance(schedule, AdaptiveSchedule):
        state = schedule.init() if state is None else state
        return schedule(state._replace(count=step))
    return schedule(step) if isinstance(schedule, Schedule) else as_number(schedule)
