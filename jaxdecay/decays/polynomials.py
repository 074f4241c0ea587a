"""Powers of the remaining steps; the first power is a straight line."""

from __future__ import annotations

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import countdown, same_kind, since
from jaxdecay.decays.transition import (
    power_weights,
    transition,
)
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Duration,
    Exponent,
    NonNegative,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import to_the_end
from jaxdecay.pairs import as_one

__all__ = ["linear", "polynomial"]


@decay(end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def linear(
    step: ArrayLike, init_value: NonNegative, *, end_value: NonNegative, transition_steps: Duration
) -> ArrayLike:
    """A straight line from `init_value` to `end_value`, which is then held.

    Formula: E + (I − E)·(1 − p), with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate from step T on, ≥ 0; it may be above `init_value`.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means `end_value` at once. An integer
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


@decay(end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def polynomial(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    end_value: NonNegative,
    power: Exponent,
    transition_steps: Duration,
    cycle: bool = False,
) -> ArrayLike:
    """A power of the remaining share of steps, from `init_value` to `end_value`.

    Formula: E + (I − E)·(1 − p)^power, with p = min(t, T)/T; with `cycle` p = t/T', where T' is
    the next multiple of T, so that the rate jumps up after each T steps, lower each time.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate at step T, ≥ 0.
        power: ≥ 0, without unit: 1 is a straight line, a larger power falls earlier, a smaller
            one later; 0 holds `init_value` forever.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means `end_value` at once. An integer
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
        _, begun, rest = since(step, transition_steps)
        step, length = same_kind(step, as_one(transition_steps))
        first = step <= length
        left = jnp.where(first, left, jnp.where(begun > 0, rest, 0))
        done = jnp.where(first, done, step)
    return transition(
        init_value,
        end_value,
        left,
        done,
        lambda remaining, progress: power_weights(remaining, progress, power),
        last=jnp.where(jnp.equal(power, 0), init_value, end_value),
    )
