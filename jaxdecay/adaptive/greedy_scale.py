"""A schedule that rises while its metric improves, and falls while it does not."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from annotated_types import Ge, Le
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.adaptive.judgement import (
    Metrics,
    Mode,
    Share,
    ThresholdMode,
    chosen,
    increased_scale,
    is_better,
    reduced_scale,
    worst,
)
from jaxdecay.decays.time import same_kind
from jaxdecay.declaration import Feedback
from jaxdecay.definition import decay
from jaxdecay.domain import Count, NonNegative, Positive, Search, is_any
from jaxdecay.feedback import ScheduleLike, value_at
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import of_each_part
from jaxdecay.pairs import Pair
from jaxdecay.serialization import serializable_state

__all__ = ["greedy"]

LARGEST_WINDOW = 100
"""The most metrics that `greedy` averages: the number that its state stores."""


Window = Annotated[ArrayLike, Ge(1), Le(LARGEST_WINDOW), Count(relative=False), Search(1, 20)]


class GreedyState(NamedTuple):
    """What `greedy` remembers of its metric.

    Attributes:
        scale: multiplies the schedule's value.
        rest: the exact product of all factors minus `scale`, whose digits alone do not suffice
            for a hundred multiplications.
        best: the best mean so far.
        good: number of means in a row that were better than the best before.
        bad: number of means in a row that were not.
        resting: number of metrics that the cooldown or warm-up will still ignore.
        lows: number of reductions that ended at the smallest scale, since the last increase.
        seen: number of metrics since the start.
        latest: the latest metrics, newest first.
    """

    scale: Array
    rest: Array
    best: Array
    good: Array
    bad: Array
    resting: Array
    lows: Array
    seen: Array
    latest: Array


serializable_state(GreedyState)


def _greedy_init(*, cooldown: Array, warmup: Array, mode: str, **_: Any) -> GreedyState:
    none = jnp.asarray(0, int)
    return GreedyState(
        scale=jnp.asarray(1.0, float),
        rest=jnp.asarray(0.0, float),
        best=worst(mode),
        good=none,
        bad=none,
        resting=jnp.zeros_like(same_kind(cooldown, warmup)[0]),
        lows=none,
        seen=none,
        latest=jnp.zeros(LARGEST_WINDOW, float),
    )


def _greedy_update(
    state: GreedyState,
    value: Array,
    *,
    factor: Pair,
    patience: Array,
    threshold: Array,
    cooldown: Array,
    warmup: Array,
    min_scale: Array,
    max_scale: Array,
    reset_after: Array,
    window: Array,
    mode: str,
    threshold_mode: str,
    **_: Any,
) -> GreedyState:
    latest = jnp.concatenate([value[None], state.latest[:-1]])
    seen = jnp.minimum(state.seen + 1, LARGEST_WINDOW)
    mean = _mean_of_latest(latest, seen, window)
    better = is_better(mean, state.best, threshold, mode, threshold_mode)
    counts = state.resting <= 0
    good = jnp.where(counts & better, state.good + 1, 0)
    bad = jnp.where(counts & ~better, state.bad + 1, 0)
    increase, reduce = _exceeds(good, patience), _exceeds(bad, patience)

    scale = Pair(state.scale, state.rest)
    reduced = reduced_scale(scale, factor, min_scale)
    increased = increased_scale(scale, factor, max_scale)
    at_low = reduce & (reduced.high <= min_scale)
    scale = chosen(increase, increased, chosen(reduce, reduced, scale))
    lows = jnp.where(increase, 0, jnp.where(at_low, state.lows + 1, state.lows))
    cooldown, warmup = same_kind(cooldown, warmup)
    resting = jnp.where(reduce, cooldown, jnp.maximum(state.resting - 1, 0))
    resting = jnp.where(increase, warmup, resting)
    followed = GreedyState(
        scale=scale.high,
        rest=scale.low,
        best=jnp.where(counts & better, mean, state.best),
        good=jnp.where(increase, 0, good),
        bad=jnp.where(reduce, 0, bad),
        resting=resting,
        lows=lows,
        seen=seen,
        latest=latest,
    )
    restarted = _greedy_init(cooldown=cooldown, warmup=warmup, mode=mode)._replace(resting=resting)
    reset = at_low & ~_exceeds(reset_after, lows)
    return chosen(reset, restarted, followed)


def _mean_of_latest(latest: Array, seen: Array, window: Array) -> Array:
    age, window = same_kind(jnp.arange(LARGEST_WINDOW), window)
    inside = (age < window) & (jnp.arange(LARGEST_WINDOW) < seen)
    return jnp.sum(jnp.where(inside, latest, 0)) / jnp.sum(inside, dtype=float)


def _exceeds(count: Array, limit: Array) -> Array:
    count, limit = same_kind(count, limit)
    return count > limit


def _check_scales(min_scale: Any, max_scale: Any, **_: Any) -> None:
    if is_any(np.greater, min_scale, max_scale):
        raise ValueError(
            f"greedy: min_scale must be at most max_scale, got {min_scale} and {max_scale}; "
            "swap them"
        )


@decay(
    check=_check_scales,
    feedback=Feedback(_greedy_init, _greedy_update),
    phases=of_each_part,
    group=Group.ADAPTIVE,
)
def greedy(
    step: ArrayLike,
    schedule: ScheduleLike,
    *,
    factor: Share = 0.95,
    patience: Metrics = 10,
    threshold: NonNegative = 1e-06,
    cooldown: Metrics = 0,
    warmup: Metrics = 0,
    min_scale: NonNegative = 0.01,
    max_scale: Positive = 10.0,
    reset_after: Metrics = 500,
    window: Window = 1,
    mode: Mode = "min",
    threshold_mode: ThresholdMode = "absolute",
) -> ArrayLike:
    """A schedule that rises while a metric improves and falls while it does not: GreedyLR.

    Formula: schedule(t)·s. At first s = 1; after more than `patience` good metrics in a row s
    becomes min(s/factor, max_scale), after more than `patience` bad ones max(s·factor,
    min_scale), and counting restarts. A metric is good if it is below b − threshold (absolute)
    or b − threshold·abs(b) (relative), where b is the best that was counted; with `mode="max"`,
    above b + …. NaN is bad.

    Args:
        schedule: the schedule to change, or a number for a constant one.
        factor: > 0 and < 1, without unit: reductions multiply by it, increases divide by it.
        patience: how many good or bad metrics in a row change nothing, ≥ 0.
        threshold: by how much a metric must be better than the best, ≥ 0: in units of the metric
            if `threshold_mode` is "absolute", a share of the best if it is "relative".
        cooldown: how many metrics after a reduction are ignored, ≥ 0.
        warmup: how many metrics after an increase are ignored, ≥ 0.
        min_scale: the smallest s that a reduction can reach, ≥ 0, without unit.
        max_scale: the largest s that an increase can reach, > 0, without unit.
        reset_after: after this many reductions that end at `min_scale`, without an increase, the
            state is reset; 2³¹−1 means never.
        window: judge the mean of this many latest metrics, 1 … 100; 1 judges each metric alone.
        mode: "min" if lower is better (a loss), "max" if higher is (an accuracy).
        threshold_mode: "absolute" or "relative".

    Returns:
        An `AdaptiveSchedule`.

    Raises:
        ValueError: a hyperparameter outside its range, `min_scale` above `max_scale`, or a
            schedule that is adaptive itself.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.greedy(0.5, factor=0.5, patience=1)
        >>> state, rates = schedule.init(), []
        >>> for loss in (3.0, 2.0, 1.0, 1.0, 1.0):
        ...     state = schedule.update(state, value=loss)
        ...     rates.append(float(schedule(state)))
        >>> rates
        [0.5, 1.0, 1.0, 1.0, 0.5]

    Source:
        arXiv 2512.14527; Hugging Face `GreedyLR`. Its min_lr and max_lr are rates (min_scale =
        min_lr/lr; the defaults here equal its own at a rate of 0.1), its reset_start is
        `reset_after`, its window_size counts only if smooth is set, and its eps skips changes of
        at most 1e-8.
    """
    return value_at(schedule, step)
