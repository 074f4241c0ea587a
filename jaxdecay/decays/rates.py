"""Decays of a rate: `decay_rate` says how fast, `transition_steps` is the unit of time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxdecay.decays.time import elapsed, same_kind, whole_transitions
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Boundaries,
    Exponent,
    Factor,
    NonNegative,
    Positive,
    PositiveSteps,
    is_any,
)
from jaxdecay.number import as_number


def _check_end(family: str, init_value: Any, end_value: Any, decay_rate: Any = 0.5) -> None:
    """ValueError for an end on the side that a rate below 1 (or above 1) leads away from."""

    def beyond(init_value: Any, end_value: Any, decay_rate: Any) -> Any:
        above, below = end_value > init_value, end_value < init_value
        return np.where(decay_rate < 1, above, (decay_rate > 1) & below)

    if is_any(beyond, init_value, end_value, decay_rate):
        side = "at most" if is_any(np.less, decay_rate, 1) else "at least"
        raise ValueError(
            f"{family}: end_value must be {side} init_value, {init_value!r}, got {end_value!r}; "
            f"for one value there is jaxdecay.constant({end_value!r})"
        )


def _check_exponential(init_value: Any, decay_rate: Any, end_value: Any, **_: Any) -> None:
    if end_value is not None:
        _check_end("exponential", init_value, end_value, decay_rate)


@decay(check=_check_exponential)
def exponential(
    step: ArrayLike,
    init_value: Positive,
    *,
    decay_rate: Factor,
    transition_steps: PositiveSteps = 1,
    end_value: NonNegative | None = None,
    staircase: bool = False,
) -> ArrayLike:
    """Multiplied by `decay_rate` in each `transition_steps` steps, smoothly or in stairs.

    Formula: I·r^(t/T); with `staircase` I·r^⌊t/T⌋. With r per epoch, T = steps per epoch and
    `staircase`, it is d^e·α0 with d < 1.

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
        >>> float(schedule(28_125))
        0.031885575503110886

    Source:
        Keras `ExponentialDecay`; Optax `exponential_decay`; PyTorch `ExponentialLR` (T = 1).
    """
    transitions = elapsed(step, transition_steps, staircase)
    if end_value is None:
        return init_value * decay_rate**transitions
    # Far above the ceiling the power would be infinite, and its gradient not a number.
    growth = transitions * jnp.log(decay_rate)
    above = jnp.greater(decay_rate, 1) & (growth > jnp.log(end_value / init_value) + 1)
    value = init_value * decay_rate ** jnp.where(above, 0, transitions)
    floored = jnp.maximum(value, end_value)
    capped = jnp.where(above, end_value, jnp.minimum(value, end_value))
    return jnp.where(
        jnp.less(decay_rate, 1), floored, jnp.where(jnp.greater(decay_rate, 1), capped, value)
    )


@decay
def natural_exponential(
    step: ArrayLike,
    init_value: Positive,
    *,
    decay_rate: NonNegative,
    transition_steps: PositiveSteps = 1,
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
    return init_value * jnp.exp(-(decay_rate * elapsed(step, transition_steps, staircase)))


@decay
def inverse_time(
    step: ArrayLike,
    init_value: Positive,
    *,
    decay_rate: NonNegative,
    transition_steps: PositiveSteps = 1,
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
        power: ≥ 0, without unit: 1 is the plain division, 0 no decay at all.
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


@decay
def inverse_sqrt(
    step: ArrayLike,
    init_value: Positive,
    *,
    scale: Positive = 1.0,
    transition_steps: PositiveSteps = 1,
    offset: Positive = 1.0,
    staircase: bool = False,
) -> ArrayLike:
    """Divided by the square root of time.

    Formula: I·k/√(o + t/T); with `staircase` I·k/√(o + ⌊t/T⌋). With `offset` 1 it is
    α0·k/√m for the mini-batch m = 1, 2, …, and with `staircase` and T = steps per epoch
    α0·k/√e for the epoch e = 1, 2, ….

    Args:
        init_value: I, a learning rate, > 0; the one at step 0 if scale and offset are 1.
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


@decay
def step_decay(
    step: ArrayLike, init_value: Positive, *, decay_rate: Factor, transition_steps: PositiveSteps
) -> ArrayLike:
    """Multiplied by `decay_rate` every `transition_steps` steps.

    Formula: I·r^⌊t/T⌋.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decay_rate: r, > 0, without unit: what is left after each drop.
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
    return init_value * decay_rate ** elapsed(step, transition_steps, staircase=True)


def _check_staircase(init_value: Any, end_value: Any, **_: Any) -> None:
    _check_end("discrete_staircase", init_value, end_value)


@decay(check=_check_staircase)
def discrete_staircase(
    step: ArrayLike,
    init_value: Positive,
    *,
    decrement: NonNegative,
    transition_steps: PositiveSteps = 1,
    end_value: NonNegative = 0.0,
) -> ArrayLike:
    """The same amount less every `transition_steps` steps, down to `end_value`.

    Formula: max(I − d·⌊t/T⌋, E): the "time based" α0 − d·t.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decrement: d, ≥ 0, the amount taken off after each T steps.
        transition_steps: T, in steps, > 0.
        end_value: E, ≥ 0, never undershot.

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
        The "time based" discrete staircase of introductions to learning-rate decay. The value is
        within 1e-6 of the exact difference of what float32 holds, so that a last step which is 0
        in decimals, such as 0.1 − 10·0.01, is 4·10⁻⁹.
    """
    drops = whole_transitions(step, transition_steps)
    # r·n is rounded in an eager program and not in a compiled one (a fused multiply-add), which
    # shows where I and r·n cancel. In parts of 12 bits each product is exact, and so is the
    # difference; the barrier keeps the compiler from adding up constant parts first.
    high = jax.lax.reduce_precision(decrement, exponent_bits=8, mantissa_bits=11)
    high = jax.lax.stop_gradient(jax.lax.optimization_barrier(high))
    value = init_value
    for size in (2**24, 2**12, 1):
        part, drops = as_number(drops // size * size), drops % size
        value = value - high * part
        value = value - (decrement - high) * part
    return jnp.maximum(value, end_value)


@decay
def multi_step(
    step: ArrayLike, init_value: Positive, *, decay_rate: Factor, boundaries: Boundaries
) -> ArrayLike:
    """Multiplied by `decay_rate` at each boundary.

    Formula: I·r^(number of boundaries ≤ t).

    Args:
        init_value: I, the learning rate before every boundary, > 0.
        decay_rate: r, > 0, without unit: what is left after each boundary.
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
    return init_value * decay_rate ** as_number(jnp.sum(step >= boundaries))


@decay
def noam(
    step: ArrayLike, d_model: Positive, *, warmup_steps: PositiveSteps, scale: Positive = 1.0
) -> ArrayLike:
    """A straight rise and then 1/√t, both from the width of a model.

    Formula: k·d^(−½)·min((t + 1)^(−½), (t + 1)·W^(−3/2)). The largest value, k/√(d·W), is that
    of step W − 1.

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
    _check_end("power_law", init_value, end_value)


@decay(check=_check_power_law)
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
        end_value: E, ≥ 0 and not above I, never undershot.

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
        Shen et al., arXiv 2408.13359, whose min(η_max, a·n^b) with b = −power and n = units·t
        tokens seen, has T = (η_max/a)^(1/b)/units.
    """
    transitions = jnp.maximum(elapsed(step, transition_steps), 1)
    return jnp.maximum(init_value * transitions ** jnp.negative(power), end_value)
