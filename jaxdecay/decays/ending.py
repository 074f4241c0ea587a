"""Decays that end: `end_value` is reached at `transition_steps` and held."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Ge, Gt
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import countdown, same_kind
from jaxdecay.decays.transition import (
    SHAPES,
    by_the_smaller,
    cosine_weights,
    kept_between,
    power_weights,
    shares,
    transition,
)
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Exponent,
    NonNegative,
    Positive,
    PositiveSteps,
    Real,
    Search,
    Steps,
    is_any,
)
from jaxdecay.number import as_number


@decay
def linear(
    step: ArrayLike, init_value: NonNegative, *, end_value: NonNegative, transition_steps: Steps
) -> ArrayLike:
    """A straight line from `init_value` to `end_value`, which is then held.

    Formula: E + (I − E)·(1 − p), with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate from step T on, ≥ 0; it may be above `init_value`.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.linear(1.0, end_value=0.0, transition_steps=1_000)
        >>> [float(schedule(step)) for step in (0, 500, 1_000, 2_000)]
        [1.0, 0.5, 0.0, 0.0]

    Source:
        Optax `linear_schedule`; Keras `PolynomialDecay` with power 1; PyTorch `LinearLR`.
    """
    left, done = countdown(step, transition_steps)
    return transition(init_value, end_value, left, done)


@decay
def polynomial(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    end_value: NonNegative,
    power: Exponent,
    transition_steps: Steps,
    cycle: bool = False,
) -> ArrayLike:
    """A power of the share of steps that remain, from `init_value` to `end_value`.

    Formula: E + (I − E)·(1 − p)^power, with p = min(t, T)/T; with `cycle` p = t/T', where T' is
    the next multiple of T, so that the rate jumps up after each T steps, less high each time.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate at step T, ≥ 0.
        power: ≥ 0, without unit: 1 is a straight line, more falls early, less falls late.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.
        cycle: start again from a longer T' instead of holding `end_value`.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.polynomial(1.0, end_value=0.0, power=2, transition_steps=1_000)
        >>> [float(schedule(step)) for step in (0, 500, 1_000, 2_000)]
        [1.0, 0.25, 0.0, 0.0]

    Source:
        Optax `polynomial_schedule`; Keras `PolynomialDecay`; PyTorch `PolynomialLR`. The rate
        lr·(1 − epoch/max_epochs)^power is `per_epoch(polynomial(lr, 0, power, max_epochs), …)`.
    """
    left, done = countdown(step, transition_steps)
    if cycle:
        step, transition_steps = same_kind(step, transition_steps)
        first = step <= transition_steps
        period = jnp.where(transition_steps > 0, transition_steps, 1)
        left = jnp.where(first, left, jnp.mod(-step, period))
        done = jnp.where(first, done, step)
    return transition(
        init_value,
        end_value,
        left,
        done,
        lambda remaining, progress: power_weights(remaining, progress, power),
    )


@decay
def cosine(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    transition_steps: Steps,
    end_value: NonNegative = 0.0,
    power: Exponent = 1.0,
) -> ArrayLike:
    """Half a cosine wave from `init_value` down to `end_value`, which is then held.

    Formula: E + (I − E)·(½(1 + cos πp))^power, with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.
        end_value: E, the learning rate from step T on, ≥ 0.
        power: ≥ 0, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cosine(1.0, transition_steps=1_000)
        >>> [round(float(schedule(step)), 4) for step in (0, 250, 500, 1_000, 2_000)]
        [1.0, 0.8536, 0.5, 0.0, 0.0]

    Source:
        Loshchilov and Hutter, arXiv 1608.03983; Optax `cosine_decay_schedule` with
        end_value = alpha · init_value; Keras `CosineDecay`. PyTorch's `CosineAnnealingLR` rises
        again after the end.
    """
    left, done = countdown(step, transition_steps)
    return transition(
        init_value,
        end_value,
        left,
        done,
        lambda remaining, progress: power_weights(*cosine_weights(remaining, progress), power),
    )


@decay
def k_decay(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    end_value: NonNegative,
    transition_steps: Steps,
    k: Exponent,
    power: Exponent = 1.0,
    shape: Literal["cosine", "polynomial"] = "cosine",
) -> ArrayLike:
    """A cosine or polynomial whose time is bent by a power k: large k keeps the rate up longer.

    Formula: E + (I − E)·(½(1 + cos πq))^power, or with `shape="polynomial"`
    E + (I − E)·(1 − q)^power, with q = p^k and p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate from step T on, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.
        k: ≥ 0, without unit: 1 is the plain cosine or polynomial; with 0 the fall is over after
            one step.
        power: ≥ 0, without unit.
        shape: "cosine" or "polynomial".

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.k_decay(
        ...     1.0, end_value=0.0, transition_steps=1_000, k=2, shape="polynomial"
        ... )
        >>> [round(float(schedule(step)), 4) for step in (0, 500, 1_000, 2_000)]
        [1.0, 0.75, 0.0, 0.0]

    Source:
        Zhang and Li, arXiv 2004.05909; timm `CosineLRScheduler` and `PolyLRScheduler` with
        `k_decay`.
    """
    left, done = countdown(step, transition_steps)

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        bent, rest = power_weights(progress, remaining, k)
        fall = SHAPES["cosine" if shape == "cosine" else "linear"]
        return power_weights(*fall(rest, bent), power)

    return transition(init_value, end_value, left, done, weights)


def _check_tanh(lower: Any, upper: Any, **_: Any) -> None:
    if is_any(np.greater, lower, upper):
        raise ValueError(
            f"tanh_decay: lower must be at most upper, got {lower!r} and {upper!r}; to rise, "
            "exchange init_value and end_value"
        )


@decay(check=_check_tanh)
def tanh_decay(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    end_value: NonNegative,
    transition_steps: Steps,
    lower: Real = -6.0,
    upper: Real = 3.0,
    normalized: bool = False,
) -> ArrayLike:
    """Part of a hyperbolic tangent: long near `init_value`, a steep middle, a slow end.

    Formula: E + (I − E)·w, with w = ½(1 − tanh(L·(1 − p) + U·p)) and p = min(t, T)/T. It comes
    only near the two values; with `normalized` w is shifted and scaled to be 1 at step 0 and 0
    from T on.

    Args:
        init_value: I, the learning rate that it starts near, ≥ 0.
        end_value: E, the learning rate that it ends near, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at its last value. An integer
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
    return kept_between(init_value, end_value, init_value * of_init + end_value * of_end)


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


@decay
def rex(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    transition_steps: Steps,
    end_value: NonNegative = 0.0,
) -> ArrayLike:
    """Slow at first and ever faster towards the end: a reflected exponential.

    Formula: E + (I − E)·(1 − p)/(1 − ½p), with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.
        end_value: E, the learning rate from step T on, ≥ 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.rex(1.0, transition_steps=1_000)
        >>> [round(float(schedule(step)), 4) for step in (0, 500, 1_000, 2_000)]
        [1.0, 0.6667, 0.0, 0.0]

    Source:
        Chen, Wolfe and Kyrillidis, arXiv 2107.04197.
    """
    left, done = countdown(step, transition_steps)

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        whole = remaining + progress / 2  # 1 − ½p
        return remaining / whole, progress / 2 / whole

    return transition(init_value, end_value, left, done, weights)


@decay
def inverse_linear(
    step: ArrayLike, init_value: Positive, *, end_value: Positive, transition_steps: Steps
) -> ArrayLike:
    """The inverse of the rate goes in a straight line: fast at first, slow at the end.

    Formula: 1/((1 − p)/I + p/E), with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        end_value: E, the learning rate from step T on, > 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.inverse_linear(1.0, end_value=0.25, transition_steps=1_000)
        >>> [float(schedule(step)) for step in (0, 500, 1_000, 2_000)]
        [1.0, 0.4000000059604645, 0.25, 0.25]

    Source:
        The decay of WSD-S, Wen et al., arXiv 2410.05192; Levanter's `inv`.
    """
    left, done = countdown(step, transition_steps)
    remaining, progress = shares(left, done)
    between = 1 / (remaining / init_value + progress / end_value)
    between = kept_between(init_value, end_value, between)
    return jnp.where(left <= 0, end_value, jnp.where(done <= 0, init_value, between))


def _check_hyperbola(
    family: str, init_value: Any, end_value: Any, transition_steps: Any, upper_bound: Any
) -> None:
    if is_any(np.greater, end_value, init_value):
        raise ValueError(
            f"{family}: end_value must be at most init_value, got {end_value} above "
            f"{init_value}; a hyperbola only falls, jaxdecay.warmup rises"
        )
    if upper_bound is not None and is_any(np.greater, transition_steps, upper_bound):
        raise ValueError(
            f"{family}: upper_bound must be at least transition_steps, got {upper_bound} below "
            f"{transition_steps}; leave it out to end at end_value"
        )


@decay(check=lambda **values: _check_hyperbola("hyperbolic", **values))
def hyperbolic(
    step: ArrayLike,
    init_value: Positive,
    *,
    end_value: Annotated[ArrayLike, Ge(0), Search(1e-06, 0.001, log=True)],
    transition_steps: Steps,
    upper_bound: PositiveSteps | None = None,
) -> ArrayLike:
    """Part of a hyperbola, whose first steps hardly change when the run is made longer.

    Formula: I + (I − m)·(f(n) − f(0)), with f(x) = √((T − x)/U·(2 − (T + x)/U)) and
    n = min(t, T). The value at T, which is then held, is m if U = T, and above m if U > T.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        end_value: m, the learning rate at step U, which it never falls below, 0 … I.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at its last value. An integer
            is exact at any step; a float can be differentiated.
        upper_bound: U, in steps, ≥ T: the most steps that a run may have; the same U for runs
            of different T gives them nearly the same first steps. None means T.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, `end_value` above `init_value`, or
            `upper_bound` below `transition_steps`. A traced `upper_bound` below T counts as T.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.hyperbolic(1.0, end_value=0.0, transition_steps=1_000)
        >>> [round(float(schedule(step)), 4) for step in (0, 200, 400, 1_000, 2_000)]
        [1.0, 0.8, 0.6, 0.0, 0.0]

    Source:
        Kim, arXiv 2407.15200 (HyperbolicLR).
    """
    of_init, of_infimum = _hyperbola_weights(step, transition_steps, upper_bound)
    mean = init_value * of_init + end_value * of_infimum
    return kept_between(init_value, end_value, mean)


@decay(check=lambda **values: _check_hyperbola("exponential_hyperbolic", **values))
def exponential_hyperbolic(
    step: ArrayLike,
    init_value: Positive,
    *,
    end_value: Annotated[ArrayLike, Gt(0), Search(1e-06, 0.001, log=True)],
    transition_steps: Steps,
    upper_bound: PositiveSteps | None = None,
) -> ArrayLike:
    """The logarithm of the rate follows a hyperbola, whose first steps hardly depend on T.

    Formula: I·(I/m)^(f(n) − f(0)), with f(x) = √((T − x)/U·(2 − (T + x)/U)) and n = min(t, T).
    The value at T, which is then held, is m if U = T, and above m if U > T.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        end_value: m, the learning rate at step U, which it never falls below, > 0, at most I.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at its last value. An integer
            is exact at any step; a float can be differentiated.
        upper_bound: U, in steps, ≥ T: the most steps that a run may have; the same U for runs
            of different T gives them nearly the same first steps. None means T.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, `end_value` above `init_value`, or
            `upper_bound` below `transition_steps`. A traced `upper_bound` below T counts as T.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.exponential_hyperbolic(1.0, end_value=0.01, transition_steps=1_000)
        >>> [round(float(schedule(step)), 4) for step in (0, 200, 400, 1_000, 2_000)]
        [1.0, 0.3981, 0.1585, 0.01, 0.01]

    Source:
        Kim, arXiv 2407.15200 (ExpHyperbolicLR).
    """
    of_init, of_infimum = _hyperbola_weights(step, transition_steps, upper_bound)
    ratio = end_value / init_value
    # From the nearer value, so that either is exact where its weight is 1.
    return jnp.where(
        of_infimum < 0.5, init_value * ratio**of_infimum, end_value * (1 / ratio) ** of_init
    )


def _hyperbola_weights(
    step: ArrayLike, transition_steps: ArrayLike, upper_bound: ArrayLike | None
) -> tuple[Array, Array]:
    """1 + f(n) − f(0) and f(0) − f(n), as sums and products of what is not negative.

    In units of U: `beyond` lies after T, `left` before it, `done` is n; they sum to 1.
    """
    steps = as_number(transition_steps, count=True)
    steps = jnp.where(steps > 0, steps, 0)
    left, done = countdown(step, steps)
    bound, steps = same_kind(steps if upper_bound is None else upper_bound, steps)
    bound = jnp.where(bound >= steps, bound, steps)
    unit = as_number(jnp.where(bound > 0, bound, 1))
    left, beyond = as_number(left) / unit, as_number(bound - steps) / unit
    done, length = (jnp.where(bound > 0, as_number(each) / unit, 1) for each in (done, steps))
    first = _root(length * (1 + beyond))
    now = _root(left * (2 * beyond + left))
    fallen = done * (1 + beyond + left) / jnp.where(length > 0, first + now, 1)
    return by_the_smaller(jnp.square(beyond) / (1 + first) + now, fallen)


def _root(square: Array) -> Array:
    """The square root, with slope 0 at 0 instead of an infinite one."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
