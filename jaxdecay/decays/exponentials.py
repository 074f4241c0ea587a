"""Exponential decays: the same factor in equal times."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdecay.decays.ends import check_end
from jaxdecay.decays.time import transitions
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Base,
    Digits,
    NonNegative,
    Period,
    Positive,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import stairs
from jaxdecay.pairs import Pair, exp_of, log_of, pair, power_of, product

__all__ = ["exponential", "natural_exponential"]


def _check_exponential(init_value: Any, decay_rate: Any, end_value: Any, **_: Any) -> None:
    if end_value is not None:
        check_end("exponential", init_value, end_value, decay_rate)


@decay(check=_check_exponential, phases=stairs, group=Group.RATES)
def exponential(
    step: ArrayLike,
    init_value: Positive,
    *,
    decay_rate: Base,
    transition_steps: Period = 1,
    end_value: NonNegative | None = None,
    staircase: bool = False,
) -> ArrayLike:
    """Multiplied by `decay_rate` every `transition_steps` steps, smoothly or in stairs.

    Formula: I·r^(t/T); with `staircase` I·r^⌊t/T⌋. With T = steps per epoch and `staircase` this
    is the textbook α0·d^e in epoch e.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decay_rate: r, > 0, without unit: below 1 the rate falls, above 1 it rises.
        transition_steps: T, in steps, > 0.
        end_value: a floor if r < 1, a ceiling if r > 1; ≥ 0, or None for neither.
        staircase: change only at multiples of T.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.exponential(
        ...     0.1, decay_rate=0.96, transition_steps=1_000, staircase=True
        ... )
        >>> round(float(schedule(28_125)), 7)  # 0.1·0.96²⁸
        0.0318856

    Source:
        Keras `ExponentialDecay`; Optax `exponential_decay`; PyTorch `ExponentialLR` (T = 1).
    """
    base, exponent = pair(decay_rate), transitions(step, transition_steps, staircase)
    if end_value is None:
        return init_value * power_of(base, exponent)
    # Far above the ceiling the power would be infinite, and its gradient NaN.
    log = log_of(base)
    rises = log > 0
    growth = exponent.high * log
    above = rises & (growth > jnp.log(end_value / init_value) + 1)
    near = Pair(*(jnp.where(above, 0, part) for part in exponent))
    value = init_value * power_of(base, near)
    floored = jnp.maximum(value, end_value)
    capped = jnp.where(above, end_value, jnp.minimum(value, end_value))
    return jnp.where(log < 0, floored, jnp.where(rises, capped, value))


@decay(phases=stairs, group=Group.RATES)
def natural_exponential(
    step: ArrayLike,
    init_value: Positive,
    *,
    decay_rate: Annotated[NonNegative, Digits()],
    transition_steps: Period = 1,
    staircase: bool = False,
) -> ArrayLike:
    """Exponential decay with a rate in the exponent.

    Formula: I·e^(−r·t/T); with `staircase` I·e^(−r·⌊t/T⌋).

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decay_rate: r, ≥ 0, per T steps.
        transition_steps: T, in steps, > 0.
        staircase: change only at multiples of T.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.natural_exponential(1.0, decay_rate=0.5, transition_steps=1_000)
        >>> round(float(schedule(2_000)), 6)  # 1/e
        0.367879

    Source:
        Paddle `NaturalExpDecay`; TensorFlow 1 `natural_exp_decay`.
    """
    exponent = product(pair(decay_rate), transitions(step, transition_steps, staircase))
    return init_value * exp_of(Pair(-exponent.high, -exponent.low))
