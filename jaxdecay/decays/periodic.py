"""Decays that come back: restarts, triangles and sines, for ever."""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.pairs import Pair, minus, pair, plus, times
from jaxdecay.decays.transition import cosine_weights, kept_between, transition
from jaxdecay.definition import decay
from jaxdecay.domain import (
    AtLeastOne,
    Factor,
    NonNegative,
    PositiveSteps,
    Steps,
)
from jaxdecay.number import as_number


@decay
def cosine_restarts(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    period: PositiveSteps,
    end_value: NonNegative = 0.0,
    period_multiplier: AtLeastOne = 1.0,
    peak_multiplier: Factor = 1.0,
) -> ArrayLike:
    """Half cosine waves down to `end_value`, one after the other, each from a new start.

    Formula: E + (I·g^i − E)·½(1 + cos πp) in cycle i = 0, 1, …, which lasts T·m^i steps, with p
    the share of it that is done. At a restart the value is that of the new start.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        period: T, the length of the first cycle in steps, > 0.
        end_value: E, the learning rate that each cycle ends towards, ≥ 0.
        period_multiplier: m, ≥ 1, without unit: how much longer each cycle is than the one
            before. Restarts come at their step, except that one may come a step early or late
            after more than some ten thousand growing cycles, or past step 2²⁴ if m is 1 and T no
            integer.
        peak_multiplier: g, > 0, without unit: how much of its start each cycle leaves to the next.
            Above 1 the starts grow to at most e⁴⁰·I, so that nothing overflows.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cosine_restarts(
        ...     1.0, period=10, period_multiplier=2, peak_multiplier=0.5
        ... )
        >>> [round(float(schedule(step)), 4) for step in (0, 5, 10, 20, 30)]
        [1.0, 0.5, 0.5, 0.25, 0.25]

    Source:
        SGDR: Loshchilov and Hutter, arXiv 1608.03983; PyTorch `CosineAnnealingWarmRestarts`.
        Keras `CosineDecayRestarts` shrinks what is above its floor:
        `cosine_restarts(I − E, T, 0, m, g) + E`.
    """
    cycle, left, done = _cycle(step, period, period_multiplier)
    start = init_value * _repeated(peak_multiplier, cycle)
    return transition(start, end_value, left, done, cosine_weights)


@decay
def cyclic(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    peak_value: NonNegative,
    up_steps: Steps,
    down_steps: Steps | None = None,
    decay_rate: Factor = 1.0,
    decay_every: Literal["cycle", "step"] = "cycle",
) -> ArrayLike:
    """Triangles: in a straight line up to `peak_value` and back, for ever.

    Formula: I + (P − I)·r^c·s, with s rising from 0 to 1 in U steps and falling back to 0 in D
    steps, and c the number of cycles done; with `decay_every="step"` c is t. Never below 0.

    Args:
        init_value: I, the learning rate at step 0 and at the end of each cycle, ≥ 0.
        peak_value: P, the learning rate at the top of the first cycle, ≥ 0.
        up_steps: U, in steps, 0 … 2³¹−1; 0 means that each cycle starts at its top.
        down_steps: D, in steps, 0 … 2³¹−1, or None for as many as `up_steps`; 0 means that a new
            cycle starts where the top would be. With both 0 the value is I.
        decay_rate: r, > 0, without unit: what each cycle leaves of the height P − I. Above 1 the
            height grows to at most e⁴⁰ of the first, so that nothing overflows.
        decay_every: "cycle", or "step" to shrink the height smoothly, in each step.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cyclic(0.0, peak_value=1.0, up_steps=10, decay_rate=0.5)
        >>> [float(schedule(step)) for step in (0, 5, 10, 20, 30)]
        [0.0, 0.5, 1.0, 0.0, 0.5]

    Source:
        Smith, arXiv 1506.01186; PyTorch `CyclicLR`: "triangular" is decay_rate 1, "triangular2"
        0.5, and "exp_range" is decay_rate γ with `decay_every="step"`.
    """
    step, up, down = _counts(step, up_steps, up_steps if down_steps is None else down_steps)
    period = up + down
    cycle, position = _divided(step, period)
    rising = position < up
    length = jnp.where(rising, up, down)
    above = jnp.where(rising, position, period - position)
    unit = as_number(jnp.where(length > 0, length, 1))
    return _wave(
        init_value,
        peak_value,
        height=as_number(above) / unit,
        depth=as_number(length - above) / unit,
        decay_rate=decay_rate,
        times=as_number(cycle if decay_every == "cycle" else step),
    )


@decay
def sine_wave(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    peak_value: NonNegative,
    up_steps: PositiveSteps,
    decay_rate: Factor = 1.0,
    decay_every: Literal["cycle", "step"] = "cycle",
) -> ArrayLike:
    """Sine waves above `init_value`: up to `peak_value` and back, for ever.

    Formula: I + (P − I)·r^c·abs(sin(½πt/T)), with c = ⌊t/2T⌋; with `decay_every="step"` c is t.
    Never below 0.

    Args:
        init_value: I, the learning rate at step 0 and at the end of each cycle, ≥ 0.
        peak_value: P, the learning rate at the top of the first cycle, ≥ 0.
        up_steps: T, the steps from I up to the top, > 0; a cycle lasts 2T.
        decay_rate: r, > 0, without unit: what each cycle leaves of the height P − I. Above 1 the
            height grows to at most e⁴⁰ of the first, so that nothing overflows.
        decay_every: "cycle", or "step" to shrink the height smoothly, in each step.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.sine_wave(0.0, peak_value=1.0, up_steps=30, decay_rate=0.5)
        >>> [round(float(schedule(step)), 4) for step in (0, 10, 30, 60, 90)]
        [0.0, 0.5, 1.0, 0.0, 0.5]

    Source:
        Wu et al., arXiv 1908.06477: SIN is decay_rate 1, SIN2 0.5, and SINEXP is decay_rate γ
        with `decay_every="step"`.
    """
    step, quarter = _counts(step, up_steps)
    quarter = jnp.where(quarter > 0, quarter, 1)
    cycle, position = _divided(step, 2 * quarter)
    above = jnp.minimum(position, 2 * quarter - position)
    unit = as_number(quarter)
    return _wave(
        init_value,
        peak_value,
        height=jnp.sin(jnp.pi / 2 * (as_number(above) / unit)),
        # 1 − cos x = 2 sin²(½x), which keeps its digits near the top.
        depth=2 * jnp.square(jnp.sin(jnp.pi / 4 * (as_number(quarter - above) / unit))),
        decay_rate=decay_rate,
        times=as_number(cycle if decay_every == "cycle" else step),
    )


def _wave(
    init_value: ArrayLike,
    peak_value: ArrayLike,
    height: Array,
    depth: Array,
    decay_rate: ArrayLike,
    times: Array,
) -> Array:
    """I + (P − I)·r^n·height, given depth = 1 − height, without cancellation; I at the bottom."""
    inside = height > 0
    times = jnp.where(inside, times, 0)
    kept = _repeated(decay_rate, times)
    near = (kept > 0.5) & (kept < 2)  # where 1 − kept would lose digits
    lost = jnp.where(near, -jnp.expm1(jnp.where(near, times, 0) * jnp.log(decay_rate)), 1 - kept)
    of_peak = kept * height
    of_init = jnp.where(of_peak < 0.5, 1 - of_peak, lost + kept * depth)
    mean = kept_between(init_value, peak_value, init_value * of_init + peak_value * of_peak)
    # Above the first peak a mean would be a difference of large numbers.
    value = jnp.where(
        of_peak > 1, init_value + jnp.subtract(peak_value, init_value) * of_peak, mean
    )
    return jnp.where(inside, jnp.where(value < 0, 0, value), init_value)


def _repeated(rate: ArrayLike, times: Array) -> Array:
    """rate**times, which stops growing at e**40, so that nothing made of it overflows."""
    log = jnp.log(rate)
    most = 40 / jnp.where(log > 0, log, 1)
    return jnp.power(
        rate, jax.lax.stop_gradient(jnp.where(log > 0, jnp.minimum(times, most), times))
    )


def _counts(*counts: ArrayLike) -> list[Array]:
    """Counts of one type: if all are integers, of one that holds the sum of any two."""
    arrays = [as_number(count, count=True) for count in counts]
    if all(jnp.issubdtype(array.dtype, jnp.integer) for array in arrays):
        return [jnp.maximum(array, 0).astype(jnp.uint32) for array in arrays]
    return [as_number(array) for array in arrays]


def _divided(step: Array, period: Array) -> tuple[Array, Array]:
    """How many periods are done, and the steps done since; a period of 0 counts as 1."""
    period = jnp.where(period > 0, period, 1)
    return step // period, step % period


# Cycles that grow: cycle i begins at step T·(1 + m + … + m^(i−1)) and lasts T·m^i steps.


@jax.jit  # many small operations, slow one by one
def _cycle(
    step: ArrayLike, transition_steps: ArrayLike, multiplier: ArrayLike
) -> tuple[Array, Array, Array]:
    """The index of the cycle that a step is in, the steps left in it and the steps done.

    They are counted where they can be, and have the slopes of the formula in floats.
    """
    (step,), (period,) = _counts(step), _counts(transition_steps)
    period = jnp.where(period > 0, period, 1)
    multiplier = jnp.where(jnp.less(multiplier, 1), 1, multiplier)
    multiplier = jnp.minimum(multiplier, 1e15)  # the second cycle never ends; powers stay finite
    index, left, done = _located(*map(jax.lax.stop_gradient, (step, period, multiplier)))
    start = as_number(period) * _geometric_sum(multiplier, index)
    since = as_number(step) - start
    until = as_number(period) * multiplier**index - since
    return index, _with_slope_of(left, until), _with_slope_of(done, since)


def _with_slope_of(value: Array, other: Array) -> Array:
    return value + (other - jax.lax.stop_gradient(other))


def _located(step: Array, period: Array, multiplier: Array) -> tuple[Array, Array, Array]:
    """Index, steps left and steps done; equal cycles are simply divided."""
    growing = _located_among_growing(step, period, multiplier)
    step, period = _counts(step, period)
    cycles, rest = _divided(step, period)
    even = as_number(cycles), as_number(period - rest), as_number(rest)
    index, left, done = (
        jnp.where(multiplier > 1, *each) for each in zip(growing, even, strict=True)
    )
    return index, left, done


def _located_among_growing(step: Array, period: Array, multiplier: Array) -> tuple[Array, ...]:
    """For multipliers above 1: a float holds too few digits of a cycle's start."""
    whole = multiplier == jnp.floor(multiplier)
    if not jnp.issubdtype(period.dtype, jnp.integer):
        whole = whole & (period == jnp.floor(period))

    def counted(number: Pair) -> Pair:
        """Whole where it must be, without the rounding of its last digits."""
        return Pair(number.high, jnp.where(whole, jnp.round(number.low), number.low))

    estimate = _estimated_index(as_number(step) / as_number(period), multiplier)
    index = jnp.maximum(estimate - 1, 0)
    growth, total = _powers(multiplier, index.astype(jnp.uint32))
    length = counted(times(pair(period), growth))
    done = minus(pair(step), counted(times(pair(period), total)))
    for _ in range(2):  # the estimate may be 1 off either way, in the first 10⁷ cycles
        next_length = counted(times(length, pair(multiplier)))
        rest = minus(done, length)
        over = rest.high >= 0
        index, done, length = _chosen(over, (index + 1, rest, next_length), (index, done, length))
    return index, minus(length, done).high, done.high


def _chosen(condition: Array, these: Any, others: Any) -> Any:
    return jax.tree.map(functools.partial(jnp.where, condition), these, others)


def _powers(base: Array, exponent: Array) -> tuple[Pair, Pair]:
    """base**n and 1 + base + … + base**(n−1), for n = exponent, bit by bit of n."""
    base = jnp.broadcast_to(base, exponent.shape)
    one, zero = pair(jnp.ones_like(base)), pair(jnp.zeros_like(base))
    bits = 32 - jnp.min(jax.lax.clz(exponent).astype(int), initial=32)

    def next_bit(index: Array, state: tuple[Pair, Pair]) -> tuple[Pair, Pair]:
        power, total = state
        power, total = times(power, power), plus(total, times(total, power))
        odd = (exponent >> (bits - 1 - index).astype(exponent.dtype)) & 1 == 1
        more = times(power, pair(base)), plus(times(total, pair(base)), one)
        return _chosen(odd, more, (power, total))

    return jax.lax.fori_loop(0, bits, next_bit, (one, zero))


def _estimated_index(periods: Array, multiplier: Array) -> Array:
    """The largest i with 1 + m + … + m^(i−1) ≤ periods, or one that is 1 off; 0 for m = 1."""
    growth = multiplier - 1
    grows = growth > 0
    growth = jnp.where(grows, growth, 1)
    return jnp.where(grows, jnp.floor(jnp.log1p(growth * periods) / jnp.log1p(growth)), 0)


def _geometric_sum(base: Array, terms: Array) -> Array:
    """1 + m + … + m^(n−1) for a base m ≥ 1, accurate in value and in slope at 1 and near it."""
    growth = base - 1
    small = (terms * growth < 0.5) & (growth < 0.5)
    # (1 + x)^n − 1 over x by the binomial series, of which 12 terms are enough for n·x < ½ …
    little = jnp.where(small, growth, 0)
    series = jnp.ones_like(terms)
    for order in range(12, 0, -1):
        series = 1 + (terms - order) / (order + 1) * little * series
    # … and as it stands, where it does not cancel.
    power = jnp.where(small, 2, base) ** jnp.where(small, 1, terms)
    return jnp.where(small, terms * series, (power - 1) / jnp.where(small, 1, growth))
