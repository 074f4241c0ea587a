"""Divided by time, by its square root or by another power of it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdecay.decays.ends import check_end
from jaxdecay.decays.time import elapsed
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Exponent,
    NonNegative,
    Period,
    Positive,
    PositiveSteps,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Marks
from jaxdecay.inspection.phases import stairs
from jaxdecay.number import as_number

__all__ = ["inverse_sqrt", "inverse_time", "noam", "power_law"]


@decay(phases=stairs, group=Group.RATES)
def inverse_time(
    step: ArrayLike,
    init_value: Positive,
    *,
    decay_rate: NonNegative,
    transition_steps: Period = 1,
    power: Exponent = 1.0,
    staircase: bool = False,
) -> ArrayLike:
    """Divided by a number that grows linearly with time, or by a power of it.

    Formula: I·(1 + r·t/T)^(−power); with `staircase` I·(1 + r·⌊t/T⌋)^(−power). With power 1 it
    is I/(1 + r·t/T).

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decay_rate: r, ≥ 0, per T steps.
        transition_steps: T, in steps, > 0.
        power: ≥ 0, without unit: 1 is plain division, 0 no decay.
        staircase: change only at multiples of T.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.inverse_time(1.0, decay_rate=0.5)
        >>> [float(schedule(step)) for step in (0, 2, 6)]
        [1.0, 0.5, 0.25]

    Source:
        Keras `InverseTimeDecay`; Paddle `InverseTimeDecay`. Older texts call it "linear decay".
        With a power it is INV of Wu et al., arXiv 1908.06477.
    """
    divisor = 1 + decay_rate * elapsed(step, transition_steps, staircase)
    return init_value * divisor ** jnp.negative(power)


@decay(phases=stairs, group=Group.RATES)
def inverse_sqrt(
    step: ArrayLike,
    init_value: Positive,
    *,
    scale: Positive = 1.0,
    transition_steps: Period = 1,
    offset: Positive = 1.0,
    staircase: bool = False,
) -> ArrayLike:
    """Divided by the square root of time.

    Formula: I·k/√(o + t/T); with `staircase` I·k/√(o + ⌊t/T⌋). With `offset` 1 it is
    α0·k/√m for the mini-batch m = 1, 2, …, and with `staircase` and T = steps per epoch
    α0·k/√e for the epoch e = 1, 2, ….

    Args:
        init_value: I, a learning rate, > 0; if scale and offset are 1, the one at step 0.
        scale: k, > 0, without unit.
        transition_steps: T, in steps, > 0.
        offset: o, in units of T, > 0, so that the value at step 0 is finite.
        staircase: change only at multiples of T.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.inverse_sqrt(1.0, transition_steps=1_000, staircase=True)
        >>> [float(schedule(step)) for step in (0, 999, 3_000)]
        [1.0, 1.0, 0.5]

    Source:
        The same curve in other normalisations: Hugging Face `inverse_sqrt` with timescale τ is
        I·√τ/√(τ + t): `inverse_sqrt(I, transition_steps=τ)`; base/√max(t, W) after its warm-up
        is `inverse_sqrt(base, offset=W)`.
    """
    return init_value * scale / jnp.sqrt(offset + elapsed(step, transition_steps, staircase))


def _noam_phases(schedule: Any, clock: Clock) -> Marks:
    yield clock.turn("the fall after the warm-up of noam", schedule.warmup_steps)


@decay(phases=_noam_phases, group=Group.RATES)
def noam(
    step: ArrayLike, d_model: Positive, *, warmup_steps: PositiveSteps, scale: Positive = 1.0
) -> ArrayLike:
    """A straight rise, then 1/√t, both scaled by the width of the model.

    Formula: k·d^(−½)·min((t + 1)^(−½), (t + 1)·W^(−3/2)). The largest value, k/√(d·W), is reached
    at step W − 1.

    Args:
        d_model: d, the width of the model, > 0, without unit.
        warmup_steps: W, in steps, > 0.
        scale: k, a factor, > 0, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.noam(d_model=64, warmup_steps=100)
        >>> [round(float(schedule(step)), 6) for step in (0, 99, 399)]
        [0.000125, 0.0125, 0.00625]

    Source:
        Vaswani et al., arXiv 1706.03762, section 5.3, whose first step is 1; Paddle `NoamDecay`.
    """
    updates = as_number(step) + 1
    ramp = as_number(jnp.where(jnp.greater(warmup_steps, 0), warmup_steps, 1))
    falling, rising = 1 / jnp.sqrt(updates), updates / (ramp * jnp.sqrt(ramp))
    return scale / jnp.sqrt(d_model) * jnp.minimum(falling, rising)


def _check_power_law(init_value: Any, end_value: Any, **_: Any) -> None:
    check_end("power_law", init_value, end_value)


def _power_law_phases(schedule: Any, clock: Clock) -> Marks:
    yield clock.turn("the fall of power_law", schedule.transition_steps)


@decay(check=_check_power_law, phases=_power_law_phases, group=Group.RATES)
def power_law(
    step: ArrayLike,
    init_value: Positive,
    *,
    power: Exponent,
    transition_steps: PositiveSteps = 1,
    end_value: NonNegative = 0.0,
) -> ArrayLike:
    """Constant until `transition_steps`, then a power of time, down to `end_value`.

    Formula: max(I·max(1, t/T)^(−power), E).

    Args:
        init_value: I, the learning rate until step T, > 0.
        power: ≥ 0, without unit: 0.5 is 1/√t.
        transition_steps: T, in steps, > 0.
        end_value: E, the smallest learning rate, 0 … I.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or `end_value` above `init_value`.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.power_law(1.0, power=0.5, transition_steps=100)
        >>> [float(schedule(step)) for step in (0, 100, 400)]
        [1.0, 1.0, 0.5]

    Source:
        Shen et al., arXiv 2408.13359, whose min(η_max, a·n^b), with b = −power and n = units·t
        tokens seen, has T = (η_max/a)^(1/b)/units.
    """
    transitions = jnp.maximum(elapsed(step, transition_steps), 1)
    return jnp.maximum(init_value * transitions ** jnp.negative(power), end_value)
