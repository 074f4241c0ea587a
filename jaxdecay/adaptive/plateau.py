"""A schedule that is reduced when its metric stops improving."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import jax.numpy as jnp
from annotated_types import Ge, Le
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.adaptive.judgement import (
    Metrics,
    Mode,
    Share,
    ThresholdMode,
    chosen,
    is_better,
    reduced_scale,
    worst,
)
from jaxdecay.decays.time import same_kind
from jaxdecay.declaration import Feedback
from jaxdecay.definition import decay
from jaxdecay.domain import LAST_STEP, Count, NonNegative, Search
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import of_each_part
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair
from jaxdecay.serialization import serializable_state

__all__ = ["reduce_on_plateau"]

Size = Annotated[ArrayLike, Ge(1), Le(LAST_STEP), Count(relative=False), Search(1, 100)]


class PlateauState(NamedTuple):
    """What `reduce_on_plateau` remembers of its metric.

    Attributes:
        scale: multiplies the schedule's value.
        rest: the exact product of all factors minus `scale`, whose digits alone do not suffice
            for a hundred multiplications.
        best: the best metric so far.
        bad: number of metrics in a row that were not better.
        resting: number of metrics that the cooldown will still ignore.
        mean: the mean of the metrics since the last full window.
        seen: the number of these metrics.
    """

    scale: Array
    rest: Array
    best: Array
    bad: Array
    resting: Array
    mean: Array
    seen: Array


serializable_state(PlateauState)


def _plateau_init(*, cooldown: Array, mode: str, **_: Any) -> PlateauState:
    none = jnp.asarray(0, int)
    nothing = jnp.asarray(0.0, float)
    return PlateauState(
        scale=jnp.asarray(1.0, float),
        rest=nothing,
        best=worst(mode),
        bad=none,
        resting=jnp.zeros_like(cooldown),
        mean=nothing,
        seen=none,
    )


def _plateau_update(
    state: PlateauState, value: Array, *, accumulation_size: Array, **settings: Any
) -> PlateauState:
    """Judges the mean of each window of metrics; with a window of 1, each metric."""
    seen = state.seen + 1
    mean = (state.mean * as_number(state.seen) + value) / as_number(seen)
    counted, size = same_kind(seen, accumulation_size)
    judged = _judged(state, mean, **settings)._replace(
        mean=jnp.zeros_like(mean), seen=jnp.zeros_like(seen)
    )
    waiting = state._replace(mean=mean, seen=seen)
    return chosen(counted >= size, judged, waiting)


def _judged(
    state: PlateauState,
    metric: Array,
    *,
    factor: Pair,
    patience: Array,
    threshold: Array,
    cooldown: Array,
    min_scale: Array,
    mode: str,
    threshold_mode: str,
    patience_rule: str,
    **_: Any,
) -> PlateauState:
    better = is_better(metric, state.best, threshold, mode, threshold_mode)
    bad = jnp.where(better | (state.resting > 0), 0, state.bad + 1)
    waited, allowed = same_kind(bad, patience)
    enough = waited > allowed if patience_rule == "exceeds" else waited >= allowed
    reduce = enough & (bad > 0)
    scale = Pair(state.scale, state.rest)
    scale = chosen(reduce, reduced_scale(scale, factor, min_scale), scale)
    return state._replace(
        scale=scale.high,
        rest=scale.low,
        best=jnp.where(better, metric, state.best),
        bad=jnp.where(reduce, 0, bad),
        resting=jnp.where(reduce, cooldown, jnp.maximum(state.resting - 1, 0)),
    )


@decay(feedback=Feedback(_plateau_init, _plateau_update), phases=of_each_part, group=Group.ADAPTIVE)
def reduce_on_plateau(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    factor: Share = 0.1,
    patience: Metrics = 10,
    threshold: NonNegative = 0.0001,
    cooldown: Metrics = 0,
    min_scale: NonNegative = 0.0,
    accumulation_size: Size = 1,
    mode: Mode = "min",
    threshold_mode: ThresholdMode = "relative",
    patience_rule: Literal["exceeds", "reaches"] = "exceeds",
) -> ArrayLike:
    """A schedule that is reduced each time a metric stops improving.

    Formula: schedule(t)·s. At first s = 1; when more than `patience` metrics in a row were bad,
    s becomes max(s·factor, min_scale) and counting restarts. A metric is bad unless it is below
    b − threshold·abs(b) (relative) or b − threshold (absolute), where b is the best so far; with
    `mode="max"`, above b + …. NaN is bad.

    Args:
        schedule: the schedule to reduce, or a number for a constant one.
        factor: > 0 and < 1, without unit: each reduction multiplies s by it.
        patience: how many bad metrics in a row are tolerated, ≥ 0.
        threshold: by how much a metric must be better than the best, ≥ 0: a share of the best
            if `threshold_mode` is "relative", in units of the metric if it is "absolute".
        cooldown: how many metrics after a reduction are not counted as bad, ≥ 0.
        min_scale: the smallest s, ≥ 0, without unit; with 1 or more nothing is reduced.
        accumulation_size: judge the mean of this many metrics, ≥ 1. The loss of each step is
            noisy and needs more than 1; use 1 for one metric per epoch.
        mode: "min" if lower is better (a loss), "max" if higher is (an accuracy).
        threshold_mode: "relative" or "absolute".
        patience_rule: reduce when the number of bad metrics "exceeds" patience (PyTorch) or when
            it "reaches" it (Keras, Optax), which is one metric earlier.

    Returns:
        An `AdaptiveSchedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or a schedule that is adaptive itself.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.reduce_on_plateau(0.5, factor=0.5, patience=1)
        >>> state, rates = schedule.init(), []
        >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
        ...     rates.append(float(schedule(state)))
        ...     state = schedule.update(state, value=loss)
        >>> rates
        [0.5, 0.5, 0.5, 0.5, 0.25]

        In an optimizer, which passes it the loss of each step:

        >>> import jax.numpy as jnp, optax
        >>> optimizer = optax.inject_hyperparams(optax.adamw)(learning_rate=schedule)
        >>> parameters, gradients = jnp.array([1.0]), jnp.array([0.5])
        >>> state = optimizer.init(parameters)
        >>> updates, state = optimizer.update(gradients, state, parameters, value=3.0)

    Source:
        PyTorch `ReduceLROnPlateau`: the same arguments, with min_scale = min_lr/lr; its eps skips
        changes of at most 1e-8. Keras `ReduceLROnPlateau`: "absolute", "reaches", and a cooldown
        of max(0, cooldown − 1), as it counts the last metric of its own. Optax
        `contrib.reduce_on_plateau`: "reaches", with rtol relative or atol absolute, and the same
        accumulation_size. PyTorch and Optax use b instead of `abs(b)`: a negative metric that
        stays the same then always counts as better, and nothing is reduced.
    """
    return value_at(schedule, step)
