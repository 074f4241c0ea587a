"""Compares a metric with the best so far, and reduces or increases a scale."""

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
    """The worst possible metric."""
    return jnp.asarray(jnp.inf if mode == "min" else -jnp.inf, float)


def is_better(
    metric: Array, best: Array, threshold: Array, mode: str, threshold_mode: str
) -> Array:
    """Whether a metric is better than the best by the threshold; NaN never is."""
    # Before the first metric the best is infinite, and a share of it NaN.
    size = jnp.abs(jnp.where(jnp.isfinite(best), best, 0)) if threshold_mode == "relative" else 1.0
    return metric < best - threshold * size if mode == "min" else metric > best + threshold * size


def reduced_scale(scale: Pair, factor: Pair, min_scale: Array) -> Pair:
    """scale·factor, but at least `min_scale`; a scale already below it is unchanged."""
    smaller = normalised(product(scale, factor))
    smaller = chosen(smaller.high < min_scale, pair(min_scale), smaller)
    return chosen(smaller.high < scale.high, smaller, scale)


def increased_scale(scale: Pair, factor: Pair, max_scale: Array) -> Pair:
    """scale/factor, but at most `max_scale`; a scale already above it is unchanged."""
    larger = normalised(quotient(scale, factor))
    larger = chosen(larger.high > max_scale, pair(max_scale), larger)
    return chosen(larger.high > scale.high, larger, scale)


def chosen(condition: Array, first: Any, second: Any) -> Any:
    """The first pytree where the condition holds, else the second."""
    return jax.tree.map(functools.partial(jnp.where, condition), first, second)
