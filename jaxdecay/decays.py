"""The families: one function each, grouped by shape.

In the formulas t is `step`, the number of updates finished before this one, and T is
`transition_steps`. Rates are in whatever unit the optimizer reads them; steps are updates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.domain import (
    Boundaries,
    Exponent,
    Factor,
    NonNegative,
    Positive,
    PositiveSteps,
    Steps,
    Values,
)
from jaxdecay.schedule import as_number, decay

# Time, as decays measure it.


def whole_transitions(step: ArrayLike, transition_steps: ArrayLike) -> Array:
    """⌊t/T⌋, in integer arithmetic where both are integers; T ≤ 0 counts as 1.

    Example:
        >>> from jaxdecay.decays import whole_transitions
        >>> int(whole_transitions(2_999, 1_000))
        2
    """
    step, transition_steps = same_kind(step, transition_steps)
    return jnp.floor_divide(step, jnp.where(transition_steps > 0, transition_steps, 1))


def elapsed(step: ArrayLike, transition_steps: ArrayLike, staircase: bool = False) -> Array:
    """t/T as a float, or ⌊t/T⌋ if `staircase`; T ≤ 0 counts as 1.

    Example:
        >>> from jaxdecay.decays import elapsed
        >>> float(elapsed(2_500, 1_000)), float(elapsed(2_500, 1_000, staircase=True))
        (2.5, 2.0)
    """
    if staircase:
        return whole_transitions(step, transition_steps).astype(float)
    step, transition_steps = as_number(step), as_number(transition_steps)
    return step / jnp.where(transition_steps > 0, transition_steps, 1)


def countdown(step: ArrayLike, transition_steps: ArrayLike) -> tuple[Array, Array]:
    """Steps left until T, and steps done, both within 0 … T; exact where both are integers.

    Example:
        >>> from jaxdecay.decays import countdown
        >>> [int(steps) for steps in countdown(300, 1_000)]
        [700, 300]
    """
    step, transition_steps = same_kind(step, transition_steps)
    done = jnp.clip(step, 0, transition_steps)
    return transition_steps - done, done


def transition(
    init_value: ArrayLike,
    end_value: ArrayLike,
    left: Array,
    done: Array,
    weights: Callable[[Array, Array], tuple[Array, Array]] = lambda remaining, progress: (
        remaining,
        progress,
    ),
) -> Array:
    """From `init_value`, while no step is done, to `end_value`, once no step is left.

    Both ends are exact, in value and gradient. Between them the value is the mean of the ends
    with the weights that `weights` makes of the share of steps that remain and the share that is
    done. No share and no weight is computed as 1 minus the other where it is small: that would
    lose its digits, and a compiler may turn it into a value past the end (as happens to Optax: a
    jitted linear schedule to 0 ends below 0).
    """
    inside = ~((left <= 0) | (done <= 0))  # a step that is not a number is neither
    left_share, done_share = as_number(left), as_number(done)
    total = jnp.where(inside, left_share + done_share, 1)
    of_init, of_end = weights(
        jnp.where(inside, left_share / total, 0.5), jnp.where(inside, done_share / total, 0.5)
    )
    between = init_value * of_init + end_value * of_end
    return jnp.where(left <= 0, end_value, jnp.where(done <= 0, init_value, between))


def _power(weight: Array, complement: Array, exponent: ArrayLike) -> tuple[Array, Array]:
    """weight**exponent and 1 - weight**exponent, given 1 - weight, all without cancellation."""
    small = weight < 0.5
    log = jnp.where(
        small,
        jnp.log(jnp.where(small, weight, 0.5)),
        jnp.log1p(-jnp.where(small, 0.5, complement)),
    )
    power, rest = weight**exponent, -jnp.expm1(exponent * log)
    # Each as computed where it is small, in value and gradient, and as 1 minus the other where not.
    return jnp.where(power < 0.5, power, 1 - rest), jnp.where(power < 0.5, 1 - power, rest)


def same_kind(step: ArrayLike, steps: ArrayLike | Sequence[ArrayLike]) -> tuple[Array, Array]:
    """Both as integers if both are, else both as floats."""
    arrays = as_number(step, count=True), as_number(steps, count=True)
    integer = all(jnp.issubdtype(array.dtype, jnp.integer) for array in arrays)
    return arrays if integer else (as_number(step), as_number(steps))


# Constant values.


@decay
def constant(step: ArrayLike, value: NonNegative) -> ArrayLike:
    """One value for ever.

    Formula: value.

    Args:
        value: the learning rate, ≥ 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: `value` is negative or not finite.

    Example:
        >>> import jaxdecay
        >>> float(jaxdecay.constant(0.5)(1_000))
        0.5

    Source:
        Optax `constant_schedule` (which returns the bare Python number).
    """
    return value


def _check_boundaries(values: Any, boundaries: Any) -> None:
    many, few = jnp.shape(values), jnp.shape(boundaries)
    if many[-1:] and few[-1:] and many[-1] != few[-1] + 1:
        raise ValueError(
            "piecewise_constant: values must be one longer than boundaries, "
            f"got {many[-1]} values and {few[-1]} boundaries"
        )


@decay(check=_check_boundaries)
def piecewise_constant(step: ArrayLike, values: Values, boundaries: Boundaries) -> ArrayLike:
    """One value between each two boundaries; at a boundary the new value holds.

    Formula: values[number of boundaries ≤ t].

    Args:
        values: vector of learning rates, each ≥ 0, one longer than `boundaries`.
        boundaries: vector of steps, each ≥ 0. They may be traced and need not be sorted.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a number outside its range, or vectors whose lengths do not fit.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.piecewise_constant([1.0, 0.5, 0.25], boundaries=[10, 20])
        >>> [float(schedule(step)) for step in (9, 10, 20)]
        [1.0, 0.5, 0.25]

    Source:
        PyTorch's and Optax's side of the boundary. Keras `PiecewiseConstantDecay` keeps the old
        value at a boundary: add 1 to each boundary to get its numbers.
    """
    step, boundaries = same_kind(step, boundaries)
    return as_number(values)[jnp.sum(step >= boundaries)]


# Decays that end: `end_value` is reached at `transition_steps` and held.


@decay
def linear(
    step: ArrayLike, init_value: NonNegative, end_value: NonNegative, transition_steps: Steps
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
        >>> schedule = jaxdecay.linear(1.0, 0.0, 1_000)
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
    end_value: NonNegative,
    power: Exponent,
    transition_steps: Steps,
    *,
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
        >>> schedule = jaxdecay.polynomial(1.0, 0.0, power=2, transition_steps=1_000)
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
        lambda remaining, progress: _power(remaining, progress, power),
    )


@decay
def cosine(
    step: ArrayLike,
    init_value: NonNegative,
    transition_steps: Steps,
    end_value: NonNegative = 0.0,
    exponent: Exponent = 1.0,
) -> ArrayLike:
    """Half a cosine wave from `init_value` down to `end_value`, which is then held.

    Formula: E + (I − E)·(½(1 + cos πp))^exponent, with p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means already at `end_value`. An integer
            is exact at any step; a float can be differentiated.
        end_value: E, the learning rate from step T on, ≥ 0.
        exponent: ≥ 0, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cosine(1.0, 1_000)
        >>> [round(float(schedule(step)), 4) for step in (0, 250, 500, 1_000, 2_000)]
        [1.0, 0.8536, 0.5, 0.0, 0.0]

    Source:
        Loshchilov and Hutter, arXiv 1608.03983; Optax `cosine_decay_schedule` with
        end_value = alpha · init_value; Keras `CosineDecay`. PyTorch's `CosineAnnealingLR` rises
        again after the end.
    """
    left, done = countdown(step, transition_steps)

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        # ½(1 + cos πp) = sin²(½π(1 − p)), which keeps its digits near the end.
        rising, falling = (
            jnp.square(jnp.sin(jnp.pi / 2 * share)) for share in (remaining, progress)
        )
        return _power(rising, falling, exponent)

    return transition(init_value, end_value, left, done, weights)


# Decays of a rate: `decay_rate` says how fast, `transition_steps` is the unit of time.


@decay
def exponential(
    step: ArrayLike,
    init_value: Positive,
    decay_rate: Factor,
    transition_steps: PositiveSteps = 1,
    end_value: NonNegative | None = None,
    *,
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
        >>> schedule = jaxdecay.exponential(0.1, 0.96, 1_000, staircase=True)
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
    decay_rate: NonNegative,
    transition_steps: PositiveSteps = 1,
    *,
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
    decay_rate: NonNegative,
    transition_steps: PositiveSteps = 1,
    *,
    staircase: bool = False,
) -> ArrayLike:
    """Divided by a number that grows linearly with time.

    Formula: I/(1 + r·t/T); with `staircase` I/(1 + r·⌊t/T⌋).

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
        >>> schedule = jaxdecay.inverse_time(1.0, decay_rate=0.5)
        >>> [float(schedule(step)) for step in (0, 2, 6)]
        [1.0, 0.5, 0.25]

    Source:
        Keras `InverseTimeDecay`; Paddle `InverseTimeDecay`. Older texts call it "linear decay".
    """
    return init_value / (1 + decay_rate * elapsed(step, transition_steps, staircase))


@decay
def inverse_sqrt(
    step: ArrayLike,
    init_value: Positive,
    scale: Positive = 1.0,
    transition_steps: PositiveSteps = 1,
    offset: Positive = 1.0,
    *,
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
    step: ArrayLike, init_value: Positive, decay_rate: Factor, transition_steps: PositiveSteps
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


@decay
def discrete_staircase(
    step: ArrayLike,
    init_value: Positive,
    decay_rate: NonNegative,
    transition_steps: PositiveSteps = 1,
    end_value: NonNegative = 0.0,
) -> ArrayLike:
    """The same amount less every `transition_steps` steps, down to `end_value`.

    Formula: max(I − r·⌊t/T⌋, E): the "time based" α0 − d·t.

    Args:
        init_value: I, the learning rate at step 0, > 0.
        decay_rate: r, ≥ 0, the amount taken off after each T steps.
        transition_steps: T, in steps, > 0.
        end_value: E, ≥ 0, never undershot.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.discrete_staircase(1.0, decay_rate=0.25, transition_steps=10)
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
    high = jax.lax.reduce_precision(decay_rate, exponent_bits=8, mantissa_bits=11)
    high = jax.lax.stop_gradient(jax.lax.optimization_barrier(high))
    value = init_value
    for size in (2**24, 2**12, 1):
        part, drops = as_number(drops // size * size), drops % size
        value = value - high * part
        value = value - (decay_rate - high) * part
    return jnp.maximum(value, end_value)
