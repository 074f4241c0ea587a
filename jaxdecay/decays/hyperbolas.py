"""Parts of hyperbolas, slow or fast at first."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
from annotated_types import Ge, Gt
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import countdown, same_kind
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
    Positive,
    PositiveSteps,
    Search,
    Steps,
    is_any,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import to_the_end
from jaxdecay.number import as_number

__all__ = ["exponential_hyperbolic", "hyperbolic", "inverse_linear", "rex"]


@decay(end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def rex(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    transition_steps: Duration,
    end_value: NonNegative = 0.0,
) -> ArrayLike:
    """Slow at first, then faster and faster towards the end: a reflected exponential.

    Formula: E + (I − E)·(1 − p)/(1 − ½p), with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means `end_value` at once. An integer
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
        total = remaining + progress / 2  # 1 − ½p
        return remaining / total, progress / 2 / total

    return transition(init_value, end_value, left, done, weights)


@decay(end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def inverse_linear(
    step: ArrayLike, init_value: Positive, *, end_value: Positive, transition_steps: Duration
) -> ArrayLike:
    """The inverse of the rate is a straight line: fast at first, slow at the end.

    Formula: 1/((1 − p)/I + p/E), with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        end_value: E, the learning rate from step T on, > 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means `end_value` at once. An integer
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
    between = clipped_between(init_value, end_value, between)
    return jnp.where(left <= 0, end_value, jnp.where(done <= 0, init_value, between))


def _check_hyperbola(
    family: str, init_value: Any, end_value: Any, transition_steps: Any, upper_bound: Any
) -> None:
    if is_any(np.greater, end_value, init_value):
        raise ValueError(
            f"{family}: end_value must be at most init_value, got {end_value} above "
            f"{init_value}; a hyperbola only falls: to rise use jaxdecay.warmup"
        )
    if upper_bound is not None and is_any(np.greater, transition_steps, upper_bound):
        raise ValueError(
            f"{family}: upper_bound must be at least transition_steps, got {upper_bound} below "
            f"{transition_steps}; leave it out to end at end_value"
        )


@decay(
    check=lambda **values: _check_hyperbola("hyperbolic", **values),
    end=at_transition_steps,
    phases=to_the_end,
    group=Group.ENDING,
)
def hyperbolic(
    step: ArrayLike,
    init_value: Positive,
    *,
    end_value: Annotated[ArrayLike, Ge(0), Search(1e-06, 0.001, log=True)],
    transition_steps: Steps,
    upper_bound: PositiveSteps | None = None,
) -> ArrayLike:
    """Part of a hyperbola: the first steps hardly change when the run gets longer.

    Formula: I + (I − m)·(f(n) − f(0)), with f(x) = √((T − x)/U·(2 − (T + x)/U)) and
    n = min(t, T). The value at T, which is then held, is m if U = T, and above m if U > T.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        end_value: m, the learning rate at step U, which it never falls below, 0 … I.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means the last value at once. An integer
            is exact at any step; a float can be differentiated.
        upper_bound: U, in steps, ≥ T: the length of the longest run. Runs with the same U and
            different T have nearly the same first steps. None means T.

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
    return clipped_between(init_value, end_value, mean)


@decay(
    check=lambda **values: _check_hyperbola("exponential_hyperbolic", **values),
    end=at_transition_steps,
    phases=to_the_end,
    group=Group.ENDING,
)
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
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means the last value at once. An integer
            is exact at any step; a float can be differentiated.
        upper_bound: U, in steps, ≥ T: the length of the longest run. Runs with the same U and
            different T have nearly the same first steps. None means T.

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
    """1 + f(n) − f(0) and f(0) − f(n), as sums and products of nonnegative terms.

    In units of U, `done` is n, `left` is T − n and `beyond` is U − T; they sum to 1.
    """
    steps = as_number(transition_steps, count=True)
    steps = jnp.where(steps > 0, steps, 0)
    left, done = countdown(step, steps)
    bound, steps = same_kind(steps if upper_bound is None else upper_bound, steps)
    bound = jnp.where(bound >= steps, bound, steps)
    unit = as_number(jnp.where(bound > 0, bound, 1))
    left, beyond = as_number(left) / unit, as_number(bound - steps) / unit
    done, length = (jnp.where(bound > 0, as_number(count) / unit, 1) for count in (done, steps))
    first = _root(length * (1 + beyond))
    now = _root(left * (2 * beyond + left))
    fallen = done * (1 + beyond + left) / jnp.where(length > 0, first + now, 1)
    return by_the_smaller(jnp.square(beyond) / (1 + first) + now, fallen)


def _root(square: Array) -> Array:
    """The square root, with slope 0 at 0 instead of an infinite one."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
