"""Whether a metric is better, and what then becomes of the scale."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from annotated_types import Ge, Gt, Le, Lt
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.domain import LAST_STEP, Count, Digits, Search
from jaxdecay.pairs import Pair, normalised, pair, product, quotient

Metrics = Annotated[ArrayLike, Ge(0), Le(LAST_STEP), Count(relative=False), Search(1, 20)]


Share = Annotated[ArrayLike, Gt(0), Lt(1), Search(0.1, 0.9), Digits()]


Mode = Literal["min", "max"]


ThresholdMode = Literal["relative", "absolute"]


def worst(mode: str) -> Array:
    """The metric that any other is better than."""
    return jnp.asarray(jnp.inf if mode == "min" else -jnp.inf, float)


def is_better(
    metric: Array, best: Array, threshold: Array, mode: str, threshold_mode: str
) -> Array:
    """Whether a metric is better by the threshold; one that is not a number never is."""
    # Before the first metric the best is infinite: a share of it would not be a number.
    size = jnp.abs(jnp.where(jnp.isfinite(best), best, 0)) if threshold_mode == "relative" else 1.0
    return metric < best - threshold * size if mode == "min" else metric > best + threshold * size


def reduced_scale(scale: Pair, factor: Pair, min_scale: Array) -> Pair:
    """scale·factor, but not below `min_scale`, unless it is there already."""
    smaller = normalised(product(scale, factor))
    smaller = chosen(smaller.high < min_scale, pair(min_scale), smaller)
    return chosen(smaller.high < scale.high, smaller, scale)


def increased_scale(scale: Pair, factor: Pair, max_scale: Array) -> Pair:
    """scale/factor, but not above `max_scale`, unless it is there already."""
    larger = normalised(quotient(scale, factor))
    larger = chosen(larger.high > max_scale, pair(max_scale), larger)
    return chosen(larger.high > scale.high, larger, scale)


def chosen(condition: Array, first: Any, second: Any) -> Any:
    """One of two pytrees."""
    return jax.tree.map(functools.partial(jnp.where, condition), first, second)
