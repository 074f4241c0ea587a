"""Adaptive schedules: decays whose value also depends on a metric, such as the validation loss.

Inside `optax.inject_hyperparams` they see the metric with each update, in a sweep once an epoch.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import same_kind
from jaxdecay.definition import decay
from jaxdecay.domain import LAST_STEP, Count, Digits, NonNegative, Positive, Search, is_any
from jaxdecay.feedback import Feedback, ScheduleLike, value_at
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, normalised, pair, product, quotient
from jaxdecay.serialization import serializable_state

LARGEST_WINDOW = 100
"""The most metrics that `greedy` takes the mean of: its state has room for so many."""

Metrics = Annotated[ArrayLike, Ge(0), Le(LAST_STEP), Count(relative=False), Search(1, 20)]
Window = Annotated[ArrayLike, Ge(1), Le(LARGEST_WINDOW), Count(relative=False), Search(1, 20)]
Size = Annotated[ArrayLike, Ge(1), Le(LAST_STEP), Count(relative=False), Search(1, 100)]
Share = Annotated[ArrayLike, Gt(0), Lt(1), Search(0.1, 0.9), Digits()]
Mode = Literal["min", "max"]
ThresholdMode = Literal["relative", "absolute"]


class PlateauState(NamedTuple):
    """What `reduce_on_plateau` knows of its metric.

    Attributes:
        scale: multiplies the schedule's value.
        rest: what the product of all factors is above `scale`, which has too few digits to be
            multiplied a hundred times.
        best: the best metric so far.
        bad: metrics in a row that were not better.
        resting: metrics that the cooldown will still leave uncounted.
        mean: of the metrics since the last full window.
        seen: how many those are.
    """

    scale: Array
    rest: Array
    best: Array
    bad: Array
    resting: Array
    mean: Array
    seen: Array


class GreedyState(NamedTuple):
    """What `greedy` knows of its metric.

    Attributes:
        scale: multiplies the schedule's value.
        rest: what the product of all factors is above `scale`, which has too few digits to be
            multiplied a hundred times.
        best: the best mean so far.
        good: means in a row that were better than the best before.
        bad: means in a row that were not.
        resting: metrics that the cooldown or warm-up will still leave uncounted.
        lows: reductions that ended at the smallest scale, since the last increase.
        seen: metrics since the start.
        latest: the last metrics, newest first.
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


serializable_state(PlateauState)
serializable_state(GreedyState)


def _worst(mode: str) -> Array:
    return jnp.asarray(jnp.inf if mode == "min" else -jnp.inf, float)


def _is_better(
    metric: Array, best: Array, threshold: Array, mode: str, threshold_mode: str
) -> Array:
    """Whether a metric is better by the threshold; one that is not a number never is."""
    # Before the first metric the best is infinite: a share of it would not be a number.
    size = jnp.abs(jnp.where(jnp.isfinite(best), best, 0)) if threshold_mode == "relative" else 1.0
    return metric < best - threshold * size if mode == "min" else metric > best + threshold * size


def _plateau_init(*, cooldown: Array, mode: str, **_: Any) -> PlateauState:
    none = jnp.asarray(0, int)
    nothing = jnp.asarray(0.0, float)
    return PlateauState(
        scale=jnp.asarray(1.0, float),
        rest=nothing,
        best=_worst(mode),
        bad=none,
        resting=jnp.zeros_like(cooldown),
        mean=nothing,
        seen=none,
    )


def _plateau_update(
    state: PlateauState, value: Array, *, accumulation_size: Array, **settings: Any
) -> PlateauState:
    """Judges the mean of each window of metrics; a window of 1 is the metric itself."""
    seen = state.seen + 1
    mean = (state.mean * as_number(state.seen) + value) / as_number(seen)
    counted, size = same_kind(seen, accumulation_size)
    judged = _judged(state, mean, **settings)._replace(
        mean=jnp.zeros_like(mean), seen=jnp.zeros_like(seen)
    )
    waiting = state._replace(mean=mean, seen=seen)
    return _where(counted >= size, judged, waiting)


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
    better = _is_better(metric, state.best, threshold, mode, threshold_mode)
    bad = jnp.where(better | (state.resting > 0), 0, state.bad + 1)
    waited, allowed = same_kind(bad, patience)
    enough = waited > allowed if patience_rule == "exceeds" else waited >= allowed
    reduce = enough & (bad > 0)
    scale = Pair(state.scale, state.rest)
    scale = _where(reduce, _reduced(scale, factor, min_scale), scale)
    return state._replace(
        scale=scale.high,
        rest=scale.low,
        best=jnp.where(better, metric, state.best),
        bad=jnp.where(reduce, 0, bad),
        resting=jnp.where(reduce, cooldown, jnp.maximum(state.resting - 1, 0)),
    )


def _reduced(scale: Pair, factor: Pair, min_scale: Array) -> Pair:
    """scale·factor, but not below `min_scale`, unless it is there already."""
    smaller = normalised(product(scale, factor))
    smaller = _where(smaller.high < min_scale, pair(min_scale), smaller)
    return _where(smaller.high < scale.high, smaller, scale)


def _increased(scale: Pair, factor: Pair, max_scale: Array) -> Pair:
    """scale/factor, but not above `max_scale`, unless it is there already."""
    larger = normalised(quotient(scale, factor))
    larger = _where(larger.high > max_scale, pair(max_scale), larger)
    return _where(larger.high > scale.high, larger, scale)


def _where(condition: Array, first: Any, second: Any) -> Any:
    return jax.tree.map(functools.partial(jnp.where, condition), first, second)


@decay(feedback=Feedback(_plateau_init, _plateau_update))
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
    """A schedule that is reduced each time a metric has stopped getting better.

    Formula: schedule(t)·s. At first s = 1; when more than `patience` metrics in a row were bad,
    s becomes max(s·factor, min_scale) and counting starts again. A metric is bad unless it is
    below b − threshold·abs(b) (relative) or b − threshold (absolute), where b is the best so far;
    with `mode="max"`, above b + …. A metric that is not a number is bad.

    Args:
        schedule: the schedule to reduce, or a number for a constant one.
        factor: > 0 and < 1, without unit: what each reduction leaves.
        patience: how many bad metrics in a row are tolerated, ≥ 0.
        threshold: by how much a metric must be better than the best, ≥ 0: a share of the best
            if `threshold_mode` is "relative", in units of the metric if it is "absolute".
        cooldown: how many metrics after a reduction are not counted as bad, ≥ 0.
        min_scale: the smallest s, ≥ 0, without unit; from 1 on nothing is ever reduced.
        accumulation_size: judge the mean of so many metrics instead of each, ≥ 1. A loss at each
            step is noisy; 1 fits one metric an epoch.
        mode: "min" if less is better (a loss), "max" if more is (an accuracy).
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
        >>> parameters = jnp.array([1.0])
        >>> state = optimizer.init(parameters)
        >>> updates, state = optimizer.update(parameters, state, parameters, value=3.0)

    Source:
        PyTorch `ReduceLROnPlateau`: the same arguments, min_scale = min_lr/lr, and its eps leaves
        out changes of at most 1e-8. Keras `ReduceLROnPlateau`: "absolute", "reaches", and a
        cooldown of max(0, cooldown − 1), since its last one counts. Optax
        `contrib.reduce_on_plateau`: "reaches", with rtol relative or atol absolute, and the same
        accumulation_size. PyTorch and
        Optax take a share of b instead of `abs(b)`: of a negative metric, one that stays the same
        is then always better, and nothing is ever reduced.
    """
    return value_at(schedule, step)


def _greedy_init(*, cooldown: Array, warmup: Array, mode: str, **_: Any) -> GreedyState:
    none = jnp.asarray(0, int)
    return GreedyState(
        scale=jnp.asarray(1.0, float),
        rest=jnp.asarray(0.0, float),
        best=_worst(mode),
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
    better = _is_better(mean, state.best, threshold, mode, threshold_mode)
    counts = state.resting <= 0
    good = jnp.where(counts & better, state.good + 1, 0)
    bad = jnp.where(counts & ~better, state.bad + 1, 0)
    increase, reduce = _exceeds(good, patience), _exceeds(bad, patience)

    scale = Pair(state.scale, state.rest)
    reduced = _reduced(scale, factor, min_scale)
    increased = _increased(scale, factor, max_scale)
    at_low = reduce & (reduced.high <= min_scale)
    scale = _where(increase, increased, _where(reduce, reduced, scale))
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
    anew = _greedy_init(cooldown=cooldown, warmup=warmup, mode=mode)._replace(resting=resting)
    reset = at_low & ~_exceeds(reset_after, lows)
    return _where(reset, anew, followed)


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
            f"greedy: min_scale must be at most max_scale, got {min_scale} and {max_scale}"
        )


@decay(check=_check_scales, feedback=Feedback(_greedy_init, _greedy_update))
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
    """A schedule that goes up while a metric gets better and down while it does not: GreedyLR.

    Formula: schedule(t)·s. At first s = 1; after more than `patience` good metrics in a row s
    becomes min(s/factor, max_scale), after more than `patience` bad ones max(s·factor,
    min_scale), and counting starts again. A metric is good if it is below b − threshold
    (absolute) or b − threshold·abs(b) (relative), where b is the best that was counted; with
    `mode="max"`, above b + …. A metric that is not a number is bad.

    Args:
        schedule: the schedule to change, or a number for a constant one.
        factor: > 0 and < 1, without unit: a reduction multiplies by it, an increase divides.
        patience: how many good or bad metrics in a row change nothing, ≥ 0.
        threshold: by how much a metric must be better than the best, ≥ 0: in units of the metric
            if `threshold_mode` is "absolute", a share of the best if it is "relative".
        cooldown: how many metrics after a reduction are not counted at all, ≥ 0.
        warmup: how many metrics after an increase are not counted at all, ≥ 0.
        min_scale: the smallest s that a reduction leads to, ≥ 0, without unit.
        max_scale: the largest s that an increase leads to, > 0, without unit.
        reset_after: after so many reductions that end at `min_scale`, without an increase, the
            state starts anew; 2³¹−1 means never.
        window: take the mean of so many last metrics, 1 … 100; 1 takes each as it is.
        mode: "min" if less is better (a loss), "max" if more is (an accuracy).
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
        arXiv 2512.14527; Hugging Face `GreedyLR`, whose min_lr and max_lr are rates (min_scale =
        min_lr/lr; the defaults here are its own at a rate of 0.1), whose reset_start is
        `reset_after`, whose window_size counts if smooth is set, and whose eps leaves out changes
        of at most 1e-8.
    """
    return value_at(schedule, step)
