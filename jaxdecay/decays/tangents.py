"""Part of a hyperbolic tangent."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import countdown
from jaxdecay.decays.transition import (
    by_the_smaller,
    clipped_between,
    shares,
    transition,
)
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Duration,
    NonNegative,
    Real,
    is_any,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import to_the_end

__all__ = ["tanh_decay"]


def _check_tanh(lower: Any, upper: Any, **_: Any) -> None:
    if is_any(np.greater, lower, upper):
        raise ValueError(
            f"tanh_decay: lower must be at most upper, got {lower!r} and {upper!r}; to rise, "
            "swap init_value and end_value"
        )


@decay(check=_check_tanh, end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def tanh_decay(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    end_value: NonNegative,
    transition_steps: Duration,
    lower: Real = -6.0,
    upper: Real = 3.0,
    normalized: bool = False,
) -> ArrayLike:
    """Part of a hyperbolic tangent: long near `init_value`, a steep middle, a slow end.

    Formula: E + (I − E)·w, with w = ½(1 − tanh(L·(1 − p) + U·p)) and p = min(t, T)/T. The rate
    only approaches the two values; with `normalized` w is shifted and scaled to be 1 at step 0
    and 0 from T on.

    Args:
        init_value: I, the learning rate near which it starts, ≥ 0.
        end_value: E, the learning rate near which it ends, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means the last value at once. An integer
            is exact at any step; a float can be differentiated.
        lower: L, without unit, where the tangent begins.
        upper: U, without unit, where it ends. With `normalized` L = U is a straight line.
        normalized: begin at `init_value` and end at `end_value` exactly.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.tanh_decay(
        ...     1.0, end_value=0.0, transition_steps=1_000, normalized=True
        ... )
        >>> [round(float(schedule(step)), 4) for step in (0, 500, 750, 1_000, 2_000)]
        [1.0, 0.9525, 0.1804, 0.0, 0.0]

    Source:
        Hsueh, Li and Wu, arXiv 1806.01593; timm `TanhLRScheduler`.
    """
    left, done = countdown(step, transition_steps)
    if normalized:
        return transition(
            init_value,
            end_value,
            left,
            done,
            lambda remaining, progress: _normalized_tanh(remaining, progress, lower, upper),
        )
    remaining, progress = shares(left, done)
    # ½(1 − tanh x), which keeps its digits where it is small; its complement likewise.
    twice = 2 * (lower * remaining + upper * progress)
    of_init, of_end = by_the_smaller(jax.nn.sigmoid(-twice), jax.nn.sigmoid(twice))
    return clipped_between(init_value, end_value, init_value * of_init + end_value * of_end)


def _normalized_tanh(
    remaining: Array, progress: Array, lower: ArrayLike, upper: ArrayLike
) -> tuple[Array, Array]:
    """(tanh U − tanh x)/(tanh U − tanh L) and its complement, as products.

    With σ the sigmoid and D = U − L the first is
    σ(−2x)/σ(−2L) · (1 − e^(−2D(1 − p)))/(1 − e^(−2D)).
    """
    flip = jnp.where(jnp.less(upper, lower), -1.0, 1.0)  # the same curve, and D ≥ 0
    low, high = flip * lower, flip * upper
    span, twice = high - low, 2 * (low * remaining + high * progress)
    log = jax.nn.log_sigmoid
    return by_the_smaller(
        jnp.exp(log(-twice) - log(-2 * low)) * _exponential_share(span, remaining, progress),
        jnp.exp(log(twice) - log(2 * high)) * _exponential_share(span, progress, remaining),
    )


def _exponential_share(span: Array, share: Array, other: Array) -> Array:
    """(1 − e^(−2D·share))/(1 − e^(−2D)), which is the share itself where D is 0."""
    narrow = span < 0.03
    wide = jnp.where(narrow, 1, span)
    # e^(D(1 − share))·sinh(D·share)/sinh D, by the series of log(sinh D/D).
    square = jnp.square(jnp.where(narrow, span, 0))
    series = square * (share**2 - 1) / 6 - square**2 * (share**4 - 1) / 180
    near_line = share * jnp.exp(jnp.where(narrow, span, 0) * other + series)
    return jnp.where(narrow, near_line, jnp.expm1(-2 * wide * share) / jnp.expm1(-2 * wide))
