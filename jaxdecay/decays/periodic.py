"""Decays that repeat: restarts, triangles and sines."""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.time import since, with_slope_of
from jaxdecay.decays.transition import clipped_between, cosine_weights, transition
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Base,
    Duration,
    Multiplier,
    NonNegative,
    Period,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Jumps, Marks
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, as_one, log_of, minus, pair, plus, power_of, rounding, times

__all__ = ["cosine_restarts", "cyclic", "sine_wave"]


def _restarts(schedule: Any, clock: Clock) -> Marks:
    length, multiplier = float(schedule.period), float(schedule.period_multiplier)
    yield clock.phase(f"the first cycle of {schedule.family}", "cycle", 0, length)
    restarts = [length]
    while multiplier > 1 and clock.step(restarts[-1]) < clock.until:
        length *= multiplier
        restarts.append(restarts[-1] + length)
    yield Jumps(clock, tuple(restarts)) if multiplier > 1 else Jumps(clock, every=length)


@decay(phases=_restarts, group=Group.CYCLES)
def cosine_restarts(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    period: Period,
    end_value: NonNegative = 0.0,
    period_multiplier: Multiplier = 1.0,
    peak_multiplier: Base = 1.0,
) -> ArrayLike:
    """Half cosine waves down to `end_value`, one after the other, each from a new start.

    Formula: E + (I·g^i − E)·½(1 + cos πp) in cycle i = 0, 1, …, which lasts T·m^i steps; p is the
    completed share of the cycle. At a restart the new cycle's first value holds.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        period: T, the length of the first cycle in steps, > 0.
        end_value: E, the learning rate that each cycle falls towards, ≥ 0.
        period_multiplier: m, ≥ 1, without unit: the length of each cycle divided by that of the
            one before. Restarts are exact to the step, except that after about ten thousand
            growing cycles one may be a step early or late. If T is not an integer, p is exact
            to 10⁻⁶ up to step 10⁸ and to 10⁻⁵ beyond.
        peak_multiplier: g, > 0, without unit: the start of each cycle divided by that of the one
            before. Above 1 the starts grow to at most e⁴⁰·I, so that nothing overflows.

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
        Keras `CosineDecayRestarts` shrinks only the part above its floor:
        `cosine_restarts(I − E, T, 0, m, g) + E`.
    """
    cycle, left, done = _cycle(step, period, period_multiplier)
    start = init_value * _repeated(pair(peak_multiplier), cycle)
    return transition(start, end_value, left, done, cosine_weights)


def _triangles(schedule: Any, clock: Clock) -> Marks:
    up, down = schedule.up_steps, schedule.down_steps
    length = float(up) + float(up if down is None else down)
    yield clock.phase(f"the first cycle of {schedule.family}", "cycle", 0, length)


@decay(phases=_triangles, group=Group.CYCLES)
def cyclic(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    peak_value: NonNegative,
    up_steps: Duration,
    down_steps: Duration | None = None,
    decay_rate: Base = 1.0,
    decay_every: Literal["cycle", "step"] = "cycle",
) -> ArrayLike:
    """Triangles: in a straight line up to `peak_value` and back, again and again.

    Formula: I + (P − I)·r^c·s, where s rises from 0 to 1 in U steps and falls back to 0 in D
    steps, and c is the number of complete cycles; with `decay_every="step"` c is t. Never below 0.

    Args:
        init_value: I, the learning rate at step 0 and at the end of each cycle, ≥ 0.
        peak_value: P, the learning rate at the top of the first cycle, ≥ 0.
        up_steps: U, in steps, 0 … 2³¹−1; 0 means that each cycle starts at its top.
        down_steps: D, in steps, 0 … 2³¹−1, or None for as many as `up_steps`; 0 means that a new
            cycle starts where the top would be. With both 0 the value is I.
        decay_rate: r, > 0, without unit: multiplies the height P − I after each cycle. Above 1
            the height grows to at most e⁴⁰·(P − I), so that nothing overflows.
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
    down_steps = up_steps if down_steps is None else down_steps
    steps, cycle, above, below, length = _triangle(step, up_steps, down_steps)
    unit = as_number(jnp.where(length > 0, length, 1))
    return _wave(
        init_value,
        peak_value,
        height=as_number(above) / unit,
        depth=as_number(below) / unit,
        decay_rate=pair(decay_rate),
        times=cycle if decay_every == "cycle" else steps,
    )


def _waves(schedule: Any, clock: Clock) -> Marks:
    length = 2 * float(schedule.up_steps)
    yield clock.phase(f"the first cycle of {schedule.family}", "cycle", 0, length)


@decay(phases=_waves, group=Group.CYCLES)
def sine_wave(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    peak_value: NonNegative,
    up_steps: Period,
    decay_rate: Base = 1.0,
    decay_every: Literal["cycle", "step"] = "cycle",
) -> ArrayLike:
    """Sine waves above `init_value`: up to `peak_value` and back, again and again.

    Formula: I + (P − I)·r^c·abs(sin(½πt/T)), with c = ⌊t/2T⌋; with `decay_every="step"` c is t.
    Never below 0.

    Args:
        init_value: I, the learning rate at step 0 and at the end of each cycle, ≥ 0.
        peak_value: P, the learning rate at the top of the first cycle, ≥ 0.
        up_steps: T, the steps from I up to the top, > 0; a cycle lasts 2T.
        decay_rate: r, > 0, without unit: multiplies the height P − I after each cycle. Above 1
            the height grows to at most e⁴⁰·(P − I), so that nothing overflows.
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
    steps, cycle, above, below, length = _triangle(step, up_steps, up_steps)
    unit = as_number(jnp.where(length > 0, length, 1))
    return _wave(
        init_value,
        peak_value,
        height=jnp.sin(jnp.pi / 2 * (as_number(above) / unit)),
        # 1 − cos x = 2 sin²(½x), which keeps its digits near the top.
        depth=2 * jnp.square(jnp.sin(jnp.pi / 4 * (as_number(below) / unit))),
        decay_rate=pair(decay_rate),
        times=cycle if decay_every == "cycle" else steps,
    )


def _wave(
    init_value: ArrayLike,
    peak_value: ArrayLike,
    height: Array,
    depth: Array,
    decay_rate: Pair,
    times: Pair,
) -> Array:
    """I + (P − I)·r^n·height without cancellation, from depth = 1 − height; I at the bottom."""
    inside = height > 0
    times = _where(inside, times)
    factor = _repeated(decay_rate, times)
    near = (factor > 0.5) & (factor < 2)  # where 1 − factor would lose digits
    small = _where(near, times).high * log_of(decay_rate)
    lost = jnp.where(near, -jnp.expm1(small), 1 - factor)
    of_peak = factor * height
    of_init = jnp.where(of_peak < 0.5, 1 - of_peak, lost + factor * depth)
    mean = clipped_between(init_value, peak_value, init_value * of_init + peak_value * of_peak)
    # Above the first peak a mean would be a difference of large numbers.
    value = jnp.where(
        of_peak > 1, init_value + jnp.subtract(peak_value, init_value) * of_peak, mean
    )
    return jnp.where(inside, jnp.where(value < 0, 0, value), init_value)


def _repeated(rate: Pair, times: Pair) -> Array:
    """rate**times, limited to e**40 so that no product with it overflows."""
    log = log_of(rate)
    most = 40 / jnp.where(log > 0, log, 1)
    within = (log <= 0) | (times.high < most)
    limited = Pair(jnp.where(within, times.high, most), jnp.where(within, times.low, 0))
    return power_of(rate, jax.lax.stop_gradient(limited))


def _where(condition: Array, number: Pair) -> Pair:
    """The number where the condition holds, else 0."""
    return Pair(*(jnp.where(condition, part, 0) for part in number))


def _less(count: Pair, steps: Array) -> Array:
    """The steps that remain of a count, which is a pair."""
    exact = minus(count, pair(jax.lax.stop_gradient(steps))).number()
    return jnp.abs(with_slope_of(exact, count.high - steps))


def _triangle(step: Any, up: Any, down: Any) -> tuple[Pair, Pair, Any, Any, Any]:
    """The step, the complete cycles, the steps from the bottom and the top, and between them."""
    step, up, down = _counts(step, up, down)
    period: Any = plus(up, down) if isinstance(up, Pair) else up + down
    cycle, done, left = since(step, period)
    left = jnp.where(as_one(period) > 0, left, 0)
    rising = done < as_one(up)
    if isinstance(up, Pair):
        # Either from the nearer end of the cycle, where the number of steps has most digits.
        below = jnp.where(rising, _less(up, done), _less(down, left))
    else:
        below = jnp.where(rising, up - done, done - up)
    above = jnp.where(rising, done, left)
    return pair(step), cycle, above, below, jnp.where(rising, as_one(up), as_one(down))


def _counts(*counts: Any) -> list[Any]:
    """Counts in one type: uint32, which holds the sum of any two, for integers; else pairs."""
    numbers = [count for count in counts if not isinstance(count, Pair)]
    arrays = [as_number(number, count=True) for number in numbers]
    integers = all(jnp.issubdtype(array.dtype, jnp.integer) for array in arrays)
    if integers and len(numbers) == len(counts):
        return [jnp.maximum(array, 0).astype(jnp.uint32) for array in arrays]
    return [
        pair(count if isinstance(count, Pair) else as_number(count, count=True)) for count in counts
    ]


# Cycles that grow: cycle i begins at step T·(1 + m + … + m^(i−1)) and lasts T·m^i steps.


@jax.jit  # many small operations, slow one by one
def _cycle(step: ArrayLike, transition_steps: Any, multiplier: Any) -> tuple[Pair, Array, Array]:
    """The index of the cycle at a step, the steps left in it and the steps done.

    Values are counted, not computed in floats, where possible; slopes are those of the formula.
    """
    step, period = _counts(step, transition_steps)
    if isinstance(period, Pair):
        period = _chosen(period.high > 0, period, pair(jnp.ones_like(period.high)))
    else:
        period = jnp.where(period > 0, period, 1)
    growth = pair(multiplier)
    valid = (growth.high + growth.low >= 1) & (growth.high <= 1e15)
    # Above, the second cycle never ends; powers stay finite.
    limit = jnp.clip(growth.high, 1, 1e15)
    growth = Pair(jnp.where(valid, growth.high, limit), jnp.where(valid, growth.low, 0))
    index, left, done = _located(*jax.lax.stop_gradient((step, period, growth)))
    steps, unit = pair(step).number(), pair(period).number()
    since_start = steps - unit * _geometric_sum(growth, index.number())
    until = unit * power_of(growth, index) - since_start
    return index, with_slope_of(left, until), with_slope_of(done, since_start)


def _located(step: Any, period: Any, multiplier: Pair) -> tuple[Pair, Array, Array]:
    """Index, steps left and steps done; cycles of equal length need only a division."""
    growing = _located_among_growing(step, period, multiplier)
    cycles, done, left = since(step, period)
    even = cycles, as_number(left), as_number(done)
    grows = (multiplier.high > 1) | (multiplier.low > 0)
    return _chosen(grows, growing, even)


def _located_among_growing(step: Any, period: Any, multiplier: Pair) -> tuple[Any, ...]:
    """For multipliers above 1, in pairs: a float has too few digits for the start of a cycle."""
    step, unit = pair(step), pair(period)
    whole = _is_whole(multiplier) & _is_whole(unit)

    def counted(number: Pair) -> Pair:
        """Rounds off errors in the last digits of a number that must be an integer."""
        return Pair(number.high, jnp.where(whole, jnp.round(number.low), number.low))

    estimate = _estimated_index(step.high / unit.high, multiplier)
    index = jnp.maximum(estimate - 1, 0)
    growth, total = _powers(multiplier, index.astype(jnp.uint32))
    length = counted(times(unit, growth))
    done = minus(step, counted(times(unit, total)))
    for _ in range(2):  # the estimate may be 1 off either way, in the first 10⁷ cycles
        next_length = counted(times(length, multiplier))
        rest = minus(done, length)
        over = rest.high >= -rounding(step.high)
        index, done, length = _chosen(over, (index + 1, rest, next_length), (index, done, length))
    begun = done.high > 0
    return pair(index), minus(length, done).high, jnp.where(begun, done.high, 0)


def _is_whole(number: Pair) -> Array:
    return (number.high == jnp.floor(number.high)) & (number.low == jnp.floor(number.low))


def _chosen(condition: Array, these: Any, others: Any) -> Any:
    return jax.tree.map(functools.partial(jnp.where, condition), these, others)


def _powers(base: Pair, exponent: Array) -> tuple[Pair, Pair]:
    """base**n and 1 + base + … + base**(n−1), for n = exponent, bit by bit of n."""
    base = jax.tree.map(lambda part: jnp.broadcast_to(part, exponent.shape), base)
    one, zero = pair(jnp.ones_like(base.high)), pair(jnp.zeros_like(base.high))
    bits = 32 - jnp.min(jax.lax.clz(exponent).astype(int), initial=32)

    def next_bit(index: Array, state: tuple[Pair, Pair]) -> tuple[Pair, Pair]:
        power, total = state
        power, total = times(power, power), plus(total, times(total, power))
        odd = (exponent >> (bits - 1 - index).astype(exponent.dtype)) & 1 == 1
        more = times(power, base), plus(times(total, base), one)
        return _chosen(odd, more, (power, total))

    return jax.lax.fori_loop(0, bits, next_bit, (one, zero))


def _estimated_index(periods: Array, multiplier: Pair) -> Array:
    """The largest i with 1 + m + … + m^(i−1) ≤ periods, or one that is 1 off; 0 for m = 1."""
    growth = (multiplier.high - 1) + multiplier.low
    grows = growth > 0
    growth = jnp.where(grows, growth, 1)
    return jnp.where(grows, jnp.floor(jnp.log1p(growth * periods) / jnp.log1p(growth)), 0)


def _geometric_sum(base: Pair, terms: Array) -> Array:
    """1 + m + … + m^(n−1) for a base m ≥ 1, accurate in value and in slope at 1 and near it."""
    growth = (base.high - 1) + base.low
    small = (terms * growth < 0.5) & (growth < 0.5)
    # (1 + x)^n − 1 over x by the binomial series, of which 12 terms are enough for n·x < ½ …
    little = jnp.where(small, growth, 0)
    series = jnp.ones_like(terms)
    for order in range(12, 0, -1):
        series = 1 + (terms - order) / (order + 1) * little * series
    # … and as it stands, where it does not cancel.
    large = Pair(jnp.where(small, 2, base.high), jnp.where(small, 0, base.low))
    power = power_of(large, pair(jnp.where(small, 1, terms)))
    return jnp.where(small, terms * series, (power - 1) / jnp.where(small, 1, growth))
