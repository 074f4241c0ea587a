"""Sums and means of schedules, the steps at which they reach a value, and their refinement."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.decays import interpolate
from jaxdecay.domain import LAST_STEP, Domain, Fraction, NonNegative, PositiveSteps
from jaxdecay.feedback import value_at
from jaxdecay.population import Population
from jaxdecay.schedule import Schedule

VALUES_AT_A_TIME = 2**16
"""The number of values, of a schedule or of a population, that are in memory at a time."""


def integral(schedule: Schedule | Population, steps: int) -> Array:
    """The sum of the learning rates in a run, which scaling laws for annealing use.

    Formula: Σ schedule(t) over t = 0 … steps − 1. Values are added in pairs, so that a million
    steps in float32 lose no digits, and in blocks, so that memory does not grow with the steps.

    Args:
        schedule: a schedule, or a population. Its hyperparameters may be traced, and the integral
            can be differentiated with respect to them. An adaptive schedule is in its first
            state.
        steps: updates in the run, a Python integer, 0 … 2³¹−1.

    Returns:
        A float array: a number, or shape [S] for a population.

    Raises:
        TypeError: `schedule` is not a schedule or a population.
        ValueError: `steps` is not an integer in its range.

    Example:
        >>> import jax, jaxdecay
        >>> def area_of(rate):
        ...     return jaxdecay.integral(
        ...         jaxdecay.linear(rate, end_value=0.0, transition_steps=1_000), 1_000
        ...     )
        >>> float(area_of(0.5)), round(float(jax.grad(area_of)(0.5)), 2)
        (250.25, 500.5)

    Source:
        The sum S₁ of Tissue et al., arXiv 2408.11029; Luo et al., arXiv 2503.12811.
    """
    _check_schedule("integral", schedule)
    return _area(schedule, _checked_steps("integral", steps, least=0))


def mean_value(schedule: Schedule | Population, steps: int) -> Array:
    """The mean learning rate in a run.

    Formula: integral(schedule, steps)/steps.

    Args:
        schedule: as for `integral`.
        steps: updates in the run, a Python integer, 1 … 2³¹−1.

    Returns:
        A float array: a number, or shape [S] for a population.

    Raises:
        TypeError: `schedule` is not a schedule or a population.
        ValueError: `steps` is not an integer in its range.

    Example:
        >>> import jaxdecay
        >>> round(
        ...     float(
        ...         jaxdecay.mean_value(
        ...             jaxdecay.linear(0.5, end_value=0.0, transition_steps=1_000), 1_000
        ...         )
        ...     ),
        ...     5,
        ... )
        0.25025

    Source:
        `integral`. With equal gradients, two schedules with the same mean move the parameters
        equally far.
    """
    _check_schedule("mean_value", schedule)
    return _area(schedule, _checked_steps("mean_value", steps, least=1)) / steps


def step_at(schedule: Schedule | Population, value: ArrayLike, steps: int) -> Array:
    """The first step at which a schedule has reached a value.

    Formula: the least t ≤ steps at which schedule(t) − value is 0 or has another sign than at
    step 0; −1 if no such step exists. A schedule that jumps past the value has reached it.

    Args:
        schedule: as for `integral`.
        value: a learning rate; for a population also an array with shape [S].
        steps: the last step to look at, a Python integer, 0 … 2³¹−1.

    Returns:
        An integer array: a number, or shape [S] for a population.

    Raises:
        TypeError: `schedule` is not a schedule or a population, or `value` is not a number.
        ValueError: `steps` is not an integer in its range, or `value` has another shape.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cosine(1.0, transition_steps=1_000)
        >>> int(jaxdecay.step_at(schedule, 0.5, 1_000)), int(jaxdecay.step_at(schedule, 2.0, 1_000))
        (500, -1)

    Source:
        The definition; no other library has this function.
    """
    _check_schedule("step_at", schedule)
    steps = _checked_steps("step_at", steps, least=0)
    return _step_at(schedule, _checked_value(schedule, value), steps)


def from_gradient_norms(
    gradient_norms: ArrayLike | Sequence[float],
    peak_value: float = 1.0,
    transition_steps: int = 1,
    smoothing: float = 0.1,
    *,
    optimizer: Literal["sgd", "adam"] = "sgd",
) -> Schedule:
    """A schedule refined from the gradient norms recorded in a run with another schedule.

    Formula: values[t] ∝ w_t·(w_{t+1} + w_{t+2} + …), with w_t = 1/‖g_t‖₂² for SGD and 1/‖g_t‖₁
    for Adam, after a median filter has smoothed the norms. Constant norms give a straight line;
    norms that fall at the start give a warm-up.

    Args:
        gradient_norms: vector of at least two numbers > 0, one every `transition_steps` updates:
            Euclidean norms for SGD, sums of absolute values for Adam.
        peak_value: the largest value of the schedule, ≥ 0.
        transition_steps: steps between two norms, > 0.
        smoothing: width of the median filter as a share of all norms, 0 … 1; 0 does not smooth.
            The filter extends the norms by the first one before the start, and by their mirror
            image after the end.
        optimizer: "sgd" or "adam", which decides the weights.

    Returns:
        A schedule `interpolate(values, transition_steps)`. Its last value is 0.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.from_gradient_norms([2.0] * 5, peak_value=0.1, transition_steps=100)
        >>> [round(float(schedule(step)), 4) for step in (0, 100, 250, 400)]
        [0.1, 0.075, 0.0375, 0.0]

    Source:
        Defazio et al., arXiv 2310.07831, Algorithm 1, with their padding.
    """
    norms = _checked_norms(gradient_norms)
    _check_number("peak_value", peak_value, Domain.of(NonNegative))
    _check_number("transition_steps", transition_steps, Domain.of(PositiveSteps))
    _check_number("smoothing", smoothing, Domain.of(Fraction))
    if optimizer not in ("sgd", "adam"):
        raise ValueError(
            f"from_gradient_norms: optimizer must be 'sgd' or 'adam', got {optimizer!r}"
        )
    smooth = _median_filtered(norms, int(smoothing * len(norms)) // 2)
    # Relative to the smallest norm, no weight is infinite.
    weights = (np.min(smooth) / smooth) ** (2 if optimizer == "sgd" else 1)
    later = np.append(np.cumsum(weights[:0:-1])[::-1], 0.0)
    values = weights * later
    return interpolate(peak_value * (values / np.max(values)), transition_steps=transition_steps)


def _checked_norms(gradient_norms: ArrayLike | Sequence[float]) -> np.ndarray:
    must = (
        "from_gradient_norms: gradient_norms must be a vector of at least two finite numbers > 0,"
        " got"
    )
    try:
        norms = np.asarray(gradient_norms, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{must} {gradient_norms!r}") from None
    wrong = _worst_norm(norms)
    if wrong:
        raise ValueError(f"{must} {wrong}")
    return norms


def _check_number(name: str, value: ArrayLike, domain: Domain) -> None:
    fault = None if isinstance(value, Tracer) else domain.fault(value)
    if fault is None and np.ndim(value):
        fault = f"must be {domain}, got an array of shape {np.shape(value)}"
    if fault is not None:
        raise ValueError(f"from_gradient_norms: {name} {fault}")


def _worst_norm(norms: np.ndarray) -> str:
    """Describes what is wrong with the norms; an empty string if nothing is."""
    if norms.ndim != 1 or len(norms) < 2:
        return f"an array of shape {norms.shape}"
    wrong = np.flatnonzero(~((norms > 0) & np.isfinite(norms)))
    return f"{norms[wrong[0]]} at index {wrong[0]}" if len(wrong) else ""


def _median_filtered(norms: np.ndarray, half_width: int) -> np.ndarray:
    """Replaces each norm by the median over it and `half_width` norms on either side."""
    from scipy.ndimage import median_filter  # here, so that `import jaxdecay` stays fast

    mirrored = np.pad(norms, (0, half_width), mode="reflect")
    return median_filter(mirrored, size=2 * half_width + 1, mode="nearest")[: len(norms)]


def _check_schedule(name: str, schedule: Schedule | Population) -> None:
    if not isinstance(schedule, Schedule | Population):
        raise TypeError(
            f"{name} takes a schedule, such as jaxdecay.constant(0.1), or a population, got "
            f"{type(schedule).__name__}"
        )


def _checked_steps(name: str, steps: int, least: int) -> int:
    integer = isinstance(steps, int | np.integer) and not isinstance(steps, bool)
    if not integer or not least <= steps <= LAST_STEP:
        raise ValueError(f"{name}: steps must be an integer {least} … {LAST_STEP}, got {steps!r}")
    return int(steps)


def _checked_value(schedule: Schedule | Population, value: ArrayLike) -> Array | np.ndarray:
    array = value if isinstance(value, Array) else np.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.number) or jnp.iscomplexobj(array):
        raise TypeError(f"step_at: value must be a learning rate, got {value!r}")
    members = (len(schedule),) if isinstance(schedule, Population) else ()
    if array.shape not in ((), members):
        other = f" or an array of shape {members}" if members else ""
        raise ValueError(f"step_at: value must be a number{other}, got shape {array.shape}")
    return array


@functools.partial(jax.jit, static_argnames="steps")
def _area(schedule: Schedule | Population, steps: int) -> Array:
    block = _block(schedule, steps)

    @jax.checkpoint  # the gradient evaluates a block again instead of storing all of them
    def sum_of_block(start: Array) -> Array:
        offsets = jnp.arange(block)
        inside = offsets < steps - start
        values = _values(schedule, start + jnp.where(inside, offsets, 0))
        return _sum_in_pairs(jnp.where(jnp.broadcast_to(inside, values.shape), values, 0))

    starts = jnp.arange(0, steps, block)
    if not len(starts):
        return jnp.zeros_like(_values(schedule, 0))
    sums = jax.lax.map(sum_of_block, starts)
    return _sum_in_pairs(jnp.moveaxis(sums, 0, -1))


@functools.partial(jax.jit, static_argnames="steps")
def _step_at(schedule: Schedule | Population, value: ArrayLike, steps: int) -> Array:
    block = _block(schedule, steps)
    start_value = _values(schedule, 0)
    value = jnp.broadcast_to(jnp.asarray(value, float), start_value.shape)
    side = jnp.sign(start_value - value)

    def look(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        start, reached_at = carry
        offsets = jnp.arange(block)
        inside = offsets <= steps - start
        values = _values(schedule, start + jnp.where(inside, offsets, 0))
        reached = jnp.sign(values - value[..., None]) * side[..., None] <= 0
        reached &= jnp.broadcast_to(inside, values.shape)
        first = start + jnp.argmax(reached, axis=-1)
        new = (reached_at < 0) & jnp.any(reached, axis=-1)
        return start + block, jnp.where(new, first, reached_at)

    def more(carry: tuple[Array, Array]) -> Array:
        start, reached_at = carry
        # Past the last block the start may wrap around below 0.
        return jnp.any(reached_at < 0) & (start <= steps) & (start >= 0)

    never = jnp.full(start_value.shape, -1)
    return jax.lax.while_loop(more, look, (jnp.zeros_like(never, shape=()), never))[1]


def _values(schedule: Schedule | Population, steps: ArrayLike) -> Array:
    return schedule(steps) if isinstance(schedule, Population) else value_at(schedule, steps)


def _block(schedule: Schedule | Population, steps: int) -> int:
    """The number of steps evaluated at a time, a power of two."""
    members = len(schedule) if isinstance(schedule, Population) else 1
    most = max(1, VALUES_AT_A_TIME // members)
    return 1 << (min(most, steps + 1).bit_length() - 1)


def _sum_in_pairs(values: Array) -> Array:
    """The sum over the last axis, with an error that grows with the logarithm of its length."""
    while values.shape[-1] > 1:
        half = values.shape[-1] // 2
        pairs = values[..., :half] + values[..., half : 2 * half]
        rest = values[..., 2 * half :]
        values = pairs if not rest.shape[-1] else pairs.at[..., :1].add(rest)
    return values[..., 0]
