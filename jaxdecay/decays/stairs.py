"""Decays in stairs: a factor or an amount at each drop."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdecay.decays.ends import at_boundaries, check_end
from jaxdecay.decays.time import same_kind, transitions, whole_transitions
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Base,
    Boundaries,
    NonNegative,
    Period,
    Positive,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import stairs
from jaxdecay.number import as_number
from jaxdecay.pairs import pair, power_of

__all__ = ["discrete_staircase", "multi_step", "step_decay"]


@decay(phases=stairs, group=Group.RATES)
def step_decay(
    step: ArrayLike, init_value: Positive, *, decay_rate: Base, transition_steps: Period
) -> ArrayLike:
    """Multiplied by `decay_rate` every `transition_steps` steps.

    Formula: I·r^⌊t/T⌋.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decay_rate: r, > 0, without unit: the factor of each drop.
        transition_steps: T, in steps, > 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=10)
        >>> [float(schedule(step)) for step in (9, 10, 20)]
        [1.0, 0.5, 0.25]

    Source:
        PyTorch `StepLR`, whose steps are epochs: `per_epoch(step_decay(lr, γ, step_size), …)`,
        which is also lr·drop_rate^⌊epoch/step_size⌋.
    """
    stairs = transitions(step, transition_steps, staircase=True)
    return init_value * power_of(pair(decay_rate), stairs)


def _check_staircase(init_value: Any, end_value: Any, **_: Any) -> None:
    check_end("discrete_staircase", init_value, end_value)


@decay(check=_check_staircase, phases=stairs, group=Group.RATES)
def discrete_staircase(
    step: ArrayLike,
    init_value: Positive,
    *,
    decrement: NonNegative,
    transition_steps: Period = 1,
    end_value: NonNegative = 0.0,
) -> ArrayLike:
    """Lowered by the same amount every `transition_steps` steps, down to `end_value`.

    Formula: max(I − d·⌊t/T⌋, E): the "time based" α0 − d·t.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decrement: d, ≥ 0, the amount subtracted every T steps.
        transition_steps: T, in steps, > 0.
        end_value: E, the smallest learning rate, 0 … I.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.discrete_staircase(1.0, decrement=0.25, transition_steps=10)
        >>> [float(schedule(step)) for step in (9, 10, 39, 1_000)]
        [1.0, 0.75, 0.25, 0.0]

    Source:
        The "time based" discrete staircase in introductions to learning-rate decay. The value is
        within 1e-6 of the exact difference of the float32 numbers, so that a last value which is
        0 in decimals, such as 0.1 − 10·0.01, is 4·10⁻⁹.
    """
    drops = whole_transitions(step, transition_steps)
    # Eager code rounds d·n and compiled code does not (a fused multiply-add), which shows where I
    # and d·n cancel. In parts of 12 bits each product is exact, and so is the difference; the
    # barrier stops the compiler from adding up constant parts first.
    high = jax.lax.reduce_precision(decrement, exponent_bits=8, mantissa_bits=11)
    high = jax.lax.stop_gradient(jax.lax.optimization_barrier(high))
    value = init_value
    for size in (2**24, 2**12, 1):
        part, drops = as_number(drops // size * size), drops % size
        value = value - high * part
        value = value - (decrement - high) * part
    return jnp.maximum(value, end_value)


@decay(phases=at_boundaries, group=Group.RATES)
def multi_step(
    step: ArrayLike, init_value: Positive, *, decay_rate: Base, boundaries: Boundaries
) -> ArrayLike:
    """Multiplied by `decay_rate` at each boundary.

    Formula: I·r^(number of boundaries ≤ t).

    Args:
        init_value: I, the learning rate before every boundary, > 0.
        decay_rate: r, > 0, without unit: the factor at each boundary.
        boundaries: vector of steps, each ≥ 0. They may be traced and in any order; two equal ones
            count twice.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.multi_step(1.0, decay_rate=0.5, boundaries=[10, 30])
        >>> [float(schedule(step)) for step in (9, 10, 30)]
        [1.0, 0.5, 0.25]

    Source:
        PyTorch `MultiStepLR`, whose milestones are epochs: `per_epoch(multi_step(…), …)`; Paddle
        `MultiStepDecay`. timm's multi-step scheduler changes one step earlier.
    """
    step, boundaries = same_kind(step, boundaries)
    return init_value * power_of(pair(decay_rate), pair(jnp.sum(step >= boundaries)))
