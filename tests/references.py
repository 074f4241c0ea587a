"""Every family's formula, a second time: the references that the laws compare with.

They are written literally, in decimal arithmetic of 60 digits, without the care that float32
needs, without JAX, and without a look at the library. They are evaluated at the hyperparameters
as float32 holds them, but for those that are repeated, which float64 holds. 11 steps of 1.1
are 10 stairs, although the float next to 1.1 is above it. Counts that are integers stay exact.
"""

from __future__ import annotations

import dataclasses
import decimal
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

LAST_STEP = 2**31 - 1
EXACT = {
    "multi_step": ("decay_rate",),
    **dict.fromkeys(("exponential", "step_decay"), ("decay_rate", "transition_steps")),
    **dict.fromkeys(("inverse_time", "inverse_sqrt", "interpolate"), ("transition_steps",)),
    **dict.fromkeys(("discrete_staircase", "polynomial"), ("transition_steps",)),
    **dict.fromkeys(("linear", "cosine", "k_decay", "tanh_decay"), ("transition_steps",)),
    **dict.fromkeys(("rex", "inverse_linear", "cooldown"), ("transition_steps",)),
    **dict.fromkeys(("warmup_cosine", "warmup_linear"), ("transition_steps",)),
    "warmup_stable_decay": ("transition_steps",),
    "natural_exponential": ("decay_rate", "transition_steps"),
    "cosine_restarts": ("period", "period_multiplier", "peak_multiplier"),
    "cyclic": ("up_steps", "down_steps", "decay_rate"),
    "sine_wave": ("up_steps", "decay_rate"),
    "repeat": ("period",),
    "per_epoch": ("steps_per_epoch",),
}
"""By family, the numbers that are repeated, so that float32 has too few digits for them."""

LAST_DIGIT = Decimal(2) ** -44
"""What is less than this share below an integer is that integer in decimals."""

DIGITS = decimal.Context(prec=60, Emax=10**9, Emin=-(10**9), traps=[decimal.InvalidOperation])
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620900")


# The formulas. t is a step, not below 0; every number is a Decimal; a schedule is an Operand.
# Values that are held.


def constant(t, value):
    return value


def piecewise_constant(t, values, boundaries):
    return values[sum(boundary <= t for boundary in boundaries)]


def piecewise_linear(t, values, boundaries, shape="linear"):
    boundaries = list(itertools.accumulate(boundaries, max))
    after = sum(boundary <= t for boundary in boundaries)
    if after in (0, len(values)):
        return values[max(after - 1, 0)]
    start, end = boundaries[after - 1 : after + 1]
    return _between(values[after - 1], values[after], (t - start) / (end - start), shape)


def interpolate(t, values, transition_steps=1):
    before, since = _periods(t, transition_steps)
    if before >= len(values) - 1:
        return values[-1]
    return _between(*values[int(before) : int(before) + 2], since / transition_steps)


# Decays that end.


def linear(t, init_value, end_value, transition_steps):
    return polynomial(t, init_value, end_value, Decimal(1), transition_steps)


def polynomial(t, init_value, end_value, power, transition_steps, cycle=False):
    if cycle and transition_steps > 0:
        periods, since = _periods(t, transition_steps)
        if t > transition_steps and not since:
            t = periods * transition_steps
        transition_steps *= max(1, periods + (since > 0))
    remaining = 1 - _share(t, transition_steps)
    return end_value + (init_value - end_value) * _power(remaining, power)


def cosine(t, init_value, transition_steps, end_value=0.0, power=1.0, cycle=False):
    share = _share(t, transition_steps)
    if cycle:
        share = t / (transition_steps or 1) % 2
        share = min(share, 2 - share)
    half_wave = _half_wave(share)
    return end_value + (init_value - end_value) * _power(half_wave, power)


def k_decay(t, init_value, end_value, transition_steps, k, power=1.0, shape="cosine"):
    share = _share(t, transition_steps)
    warped = _power(share, k)
    weight = _half_wave(warped) if shape == "cosine" else 1 - warped
    return end_value + (init_value - end_value) * _power(weight, power)


def tanh_decay(t, init_value, end_value, transition_steps, lower=-6.0, upper=3.0, normalized=False):
    share = _share(t, transition_steps)
    angle = lower * (1 - share) + upper * share
    if not normalized:
        return end_value + (init_value - end_value) / (1 + (2 * angle).exp())
    if share in (0, 1) or lower == upper:
        return _between(init_value, end_value, share)
    # tanh(b) - tanh(a) = sinh(b - a) / (cosh(a) cosh(b))
    whole = _sinh(upper - lower) / (_cosh(lower) * _cosh(upper))
    rest = _sinh(upper - angle) / (_cosh(angle) * _cosh(upper))
    return end_value + (init_value - end_value) * rest / whole


def rex(t, init_value, transition_steps, end_value=0.0):
    share = _share(t, transition_steps)
    return end_value + (init_value - end_value) * (1 - share) / (1 - share / 2)


def inverse_linear(t, init_value, end_value, transition_steps):
    return _between(init_value, end_value, _share(t, transition_steps), "inverse")


def hyperbolic(t, init_value, end_value, transition_steps, upper_bound=None):
    rise = _hyperbola(t, transition_steps, upper_bound)
    return init_value + (init_value - end_value) * rise


def exponential_hyperbolic(t, init_value, end_value, transition_steps, upper_bound=None):
    rise = _hyperbola(t, transition_steps, upper_bound)
    return init_value * (init_value / end_value) ** rise


def _hyperbola(t, steps, bound):
    """f(t) - f(0) of arXiv 2407.15200, from 0 down to -f(0)."""
    if bound is None and steps <= 0:
        return Decimal(-1)
    steps = max(steps, Decimal(0))
    bound = steps if bound is None else max(bound, steps)

    def height(x):
        return ((steps - x) / bound * (2 - (steps + x) / bound)).sqrt()

    return height(min(t, steps)) - height(0)


# Decays that go on.


def exponential(t, init_value, decay_rate, transition_steps=1, end_value=None, staircase=False):
    value = init_value * decay_rate ** _transitions(t, transition_steps, staircase)
    if end_value is None or decay_rate == 1:
        return value
    return max(value, end_value) if decay_rate < 1 else min(value, end_value)


def natural_exponential(t, init_value, decay_rate, transition_steps=1, staircase=False):
    return init_value * (-decay_rate * _transitions(t, transition_steps, staircase)).exp()


def inverse_time(t, init_value, decay_rate, transition_steps=1, power=1.0, staircase=False):
    return init_value / (1 + decay_rate * _transitions(t, transition_steps, staircase)) ** power


def inverse_sqrt(t, init_value, scale=1.0, transition_steps=1, offset=1.0, staircase=False):
    return init_value * scale / (offset + _transitions(t, transition_steps, staircase)).sqrt()


def noam(t, d_model, warmup_steps, scale=1.0):
    one_based = t + 1
    rise = one_based / (warmup_steps * warmup_steps.sqrt())
    return scale / d_model.sqrt() * min(1 / one_based.sqrt(), rise)


def power_law(t, init_value, power, transition_steps=1, end_value=0.0):
    return max(init_value * max(Decimal(1), t / transition_steps) ** -power, end_value)


def step_decay(t, init_value, decay_rate, transition_steps):
    return init_value * decay_rate ** _transitions(t, transition_steps, True)


def multi_step(t, init_value, decay_rate, boundaries):
    return init_value * decay_rate ** sum(boundary <= t for boundary in boundaries)


def discrete_staircase(t, init_value, decrement, transition_steps=1, end_value=0.0):
    return max(init_value - decrement * _transitions(t, transition_steps, True), end_value)


# Decays that come back.


def cosine_restarts(
    t, init_value, period, end_value=0.0, period_multiplier=1.0, peak_multiplier=1.0
):
    cycle = _cycle(t, period, period_multiplier)
    start = _cycle_start(cycle, period, period_multiplier)
    share = max(t - start, Decimal(0)) / (period * period_multiplier**cycle)
    peak = init_value * peak_multiplier**cycle
    return end_value + (peak - end_value) * _half_wave(share)


def _cycle(t, first, multiplier):
    """How many cycles are over: those of lengths first, first·m, first·m², …"""
    if multiplier == 1:
        return _periods(t, first)[0]
    cycle = max(_floor((1 + t * (multiplier - 1) / first).ln() / multiplier.ln()) - 1, Decimal(0))
    while _cycle_start(cycle + 1, first, multiplier) <= t * (1 + LAST_DIGIT):
        cycle += 1
    return cycle


def _cycle_start(cycle, first, multiplier):
    if multiplier == 1:
        return first * cycle
    return first * (multiplier**cycle - 1) / (multiplier - 1)


def cyclic(
    t, init_value, peak_value, up_steps, down_steps=None, decay_rate=1.0, decay_every="cycle"
):
    down_steps = up_steps if down_steps is None else down_steps
    period = up_steps + down_steps
    if period < Decimal("1e-20"):  # 0, and next to it, where slopes are measured
        return init_value
    cycle, since = _periods(t, period)
    height = since / up_steps if since < up_steps else (period - since) / down_steps
    faded = decay_rate ** (cycle if decay_every == "cycle" else t)
    return max(init_value + (peak_value - init_value) * height * faded, Decimal(0))


def sine_wave(t, init_value, peak_value, up_steps, decay_rate=1.0, decay_every="cycle"):
    arches, since = _periods(t, 2 * up_steps)
    height = _cos(PI * (since / up_steps - 1) / 2) if since else 0
    faded = decay_rate ** (arches if decay_every == "cycle" else t)
    return max(init_value + (peak_value - init_value) * faded * height, Decimal(0))


# Compositions.


def warmup(t, schedule, warmup_steps, init_value=0.0, shape="linear", first_step="init"):
    if t >= warmup_steps:
        return schedule(t - warmup_steps)
    done = t if first_step == "init" else min(t + 1, warmup_steps)
    share = done / warmup_steps
    if shape == "sqrt":  # the mirror image of a cooldown by 1 - √p
        return _between(schedule(Decimal(0)), init_value, 1 - share, "sqrt")
    return _between(init_value, schedule(Decimal(0)), share, shape)


def cooldown(t, schedule, begin, transition_steps, end_value=0.0, power=0.5, shape="linear"):
    if t < begin:
        return schedule(t)
    share = _share(t - begin, transition_steps)
    if shape == "power":
        return _between(schedule(begin), end_value, _power(share, power))
    return _between(schedule(begin), end_value, share, "linear" if shape == "power" else shape)


def join(t, schedules, lengths):
    starts = [sum(lengths[:index], Decimal(0)) for index in range(len(schedules))]
    now = max(index for index, start in enumerate(starts) if start <= t or index == 0)
    since = t - starts[now]
    return schedules[now](min(since, lengths[now]) if now < len(lengths) else since)


def hold(t, schedule, begin):
    return schedule(min(t, begin))


def delay(t, schedule, delay_steps):
    return schedule(max(t - delay_steps, Decimal(0)))


def advance(t, schedule, advance_steps):
    return schedule(t + advance_steps)


def repeat(t, schedule, period):
    return schedule(_periods(t, period)[1])


def per_epoch(t, schedule, steps_per_epoch):
    return schedule(_periods(t, steps_per_epoch)[0])


def count_units(t, schedule, units_per_step):
    return schedule(t * units_per_step)


def extend(t, schedule, at, new_transition_steps, transition_steps=None):
    if t <= at:
        return schedule(t)
    end = schedule.numbers["transition_steps"] if transition_steps is None else transition_steps
    rest, new_rest = max(end - at, Decimal(0)), new_transition_steps - at
    return schedule(at + rest * _share(t - at, new_rest))


def add(t, first, second):
    return first(t) + second(t)


def multiply(t, first, second):
    return first(t) * second(t)


def scale(t, schedule, factor):
    return schedule(t) * factor


def clip(t, schedule, lower=0.0, upper=None):
    value = max(schedule(t), lower)
    return value if upper is None else min(value, upper)


def reduce_on_plateau(t, schedule, **others):
    return schedule(t)  # no metric yet


def greedy(t, schedule, **others):
    return schedule(t)  # no metric yet


# Compounds: phases one after the other, each from one value to another in some shape.


def _phases(t, *phases):
    """(steps, from, to, shape): a phase of no steps is over at once; the last value is held."""
    for steps, start, end, shape in phases:
        if t < steps:
            return _between(start, end, t / steps, shape)
        t -= steps
    return phases[-1][2]


def _warmed(t, warmup_steps, init_value, *phases):
    """Phases after a warm-up to what they begin with."""
    return _phases(t, (warmup_steps, init_value, _phases(Decimal(0), *phases), "linear"), *phases)


def warmup_cosine(
    t, peak_value, warmup_steps, transition_steps, init_value=0.0, end_value=0.0, power=1.0
):
    if t < warmup_steps:
        peak = cosine(Decimal(0), peak_value, transition_steps, end_value, power)
        return _between(init_value, peak, t / warmup_steps)
    return cosine(t - warmup_steps, peak_value, transition_steps, end_value, power)


def warmup_linear(t, peak_value, warmup_steps, transition_steps, init_value=0.0, end_value=0.0):
    return _warmed(
        t,
        warmup_steps,
        init_value,
        (transition_steps, peak_value, end_value, "linear"),
    )


def warmup_stable_decay(
    t,
    peak_value,
    warmup_steps,
    stable_steps,
    transition_steps,
    init_value=0.0,
    end_value=0.0,
    shape="sqrt",
):
    return _warmed(
        t,
        warmup_steps,
        init_value,
        (stable_steps, peak_value, peak_value, "linear"),
        (transition_steps, peak_value, end_value, shape),
    )


def infinite_schedule(
    t,
    peak_value,
    stable_value,
    end_value,
    warmup_steps,
    cooldown_steps,
    stable_steps,
    transition_steps,
    init_value=0.0,
):
    return _warmed(
        t,
        warmup_steps,
        init_value,
        (cooldown_steps, peak_value, stable_value, "cosine"),
        (stable_steps, stable_value, stable_value, "linear"),
        (transition_steps, stable_value, end_value, "exponential"),
    )


def one_cycle(
    t,
    peak_value,
    transition_steps,
    warmup_fraction=0.3,
    initial_divisor=25.0,
    final_divisor=1e4,
    shape="cosine",
    three_phase=False,
):
    start = peak_value / initial_divisor
    end = start / final_divisor
    if t >= transition_steps:
        return end
    up = warmup_fraction * transition_steps
    if three_phase:
        down = (up, peak_value, start, shape)
        return _phases(
            t,
            (up, start, peak_value, shape),
            down,
            (transition_steps - 2 * up, start, end, shape),
        )
    return _phases(
        t,
        (up, start, peak_value, shape),
        (transition_steps - up, peak_value, end, shape),
    )


def slanted_triangular(t, peak_value, transition_steps, warmup_fraction=0.1, initial_divisor=32.0):
    if t >= transition_steps:
        return peak_value / initial_divisor
    up = warmup_fraction * transition_steps
    return _phases(
        t,
        (up, peak_value / initial_divisor, peak_value, "linear"),
        (transition_steps - up, peak_value, peak_value / initial_divisor, "linear"),
    )


FORMULAS: Mapping[str, Callable[..., Decimal]] = {
    each.__name__: each
    for each in (
        *(constant, piecewise_constant, piecewise_linear, interpolate),
        *(linear, polynomial, cosine, k_decay, tanh_decay, rex, inverse_linear),
        *(hyperbolic, exponential_hyperbolic),
        *(exponential, natural_exponential, inverse_time, inverse_sqrt, noam, power_law),
        *(step_decay, multi_step, discrete_staircase),
        *(cosine_restarts, cyclic, sine_wave),
        *(warmup, cooldown, join, hold, delay, advance, repeat, per_epoch, count_units, extend),
        *(add, multiply, scale, clip, reduce_on_plateau, greedy),
        *(warmup_cosine, warmup_linear, warmup_stable_decay, infinite_schedule),
        *(one_cycle, slanted_triangular),
    )
}


def _between(start, end, share, shape="linear"):
    """A phase's value at a share of its steps; its ends are its ends."""
    if share in (0, 1):
        return end if share else start
    if shape == "exponential":
        return start ** (1 - share) * end**share if start > 0 and end > 0 else Decimal(0)
    if shape == "inverse":
        return 1 / ((1 - share) / start + share / end) if start > 0 and end > 0 else Decimal(0)
    weight = {"linear": 1 - share, "cosine": _half_wave(share), "sqrt": 1 - share.sqrt()}[shape]
    return end + (start - end) * weight


def _share(t: Decimal, transition_steps: Decimal) -> Decimal:
    return min(t, transition_steps) / transition_steps if transition_steps > 0 else Decimal(1)


def _transitions(t: Decimal, transition_steps: Decimal | int, staircase: bool) -> Decimal:
    return _periods(t, transition_steps)[0] if staircase else t / transition_steps


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    return base**exponent if base > 0 else Decimal(exponent == 0)  # also of Optax, Keras, PyTorch


def _floor(number: Decimal) -> Decimal:
    return number.to_integral_value(decimal.ROUND_FLOOR)


def _periods(t: Decimal, period: Decimal) -> tuple[Decimal, Decimal]:
    """How many are over, and the steps since: none within the last digit of a whole number.

    What is smaller than any rounding of float64 is a difference of `slopes`, and counts.
    """
    quotient = t / period
    nearest = quotient.to_integral_value()
    if abs(quotient - nearest) <= quotient * LAST_DIGIT:
        since = t - nearest * period
        return nearest, since if 0 < since < Decimal("3e-16") else Decimal(0)
    return _floor(quotient), t - period * _floor(quotient)


def _half_wave(share: Decimal) -> Decimal:
    return (1 + _cos(PI * share)) / 2 if share < 1 else Decimal(0)


def _cos(angle: Decimal) -> Decimal:
    term, total, order = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal("1e-62"):
        order += 2
        term *= -angle * angle / (order * (order - 1))
        total += term
    return total


def _sinh(number: Decimal) -> Decimal:
    if abs(number) < Decimal("1e-20"):  # where the difference below has lost its digits
        return number * (1 + number * number / 6)
    return (number.exp() - (-number).exp()) / 2


def _cosh(number: Decimal) -> Decimal:
    return (number.exp() + (-number).exp()) / 2


# A formula with its numbers.


@dataclasses.dataclass(frozen=True)
class Reference:
    """A formula with its numbers: called with a step, it gives the exact value as a float."""

    family: str
    arguments: Mapping[str, Any]

    def __call__(self, step: int | float) -> float:
        with decimal.localcontext(DIGITS):
            return float(Operand(self)(Decimal(step)))

    def slopes(
        self, paths: Sequence[str], steps: Sequence[float]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By path of a number, the derivatives to its left and right; they differ at a corner.

        All counts are those that float32 holds. Differences over 1e-25 of numbers with 60 digits
        are derivatives for every purpose here.
        """
        small = Decimal("1e-25")
        with decimal.localcontext(DIGITS):
            decimals = [Decimal(step) for step in steps]

            def values(changes: Mapping[str, Decimal]) -> list[Decimal]:
                formula = Operand(self, changes, floats=True)
                return [formula(t) for t in decimals]

            def difference(above: list[Decimal], below: list[Decimal]) -> np.ndarray:
                return np.array([float((a - b) / small) for a, b in zip(above, below, strict=True)])

            here = values({})
            return {
                path: (
                    difference(here, values({path: -small})),
                    difference(values({path: small}), here),
                )
                for path in paths
            }

    def with_float_counts(self) -> Reference:
        """The same formula with its integer counts as those that float32 holds."""

        def change(value: Any) -> Any:
            if isinstance(value, Reference):
                return value.with_float_counts()
            if isinstance(value, list | tuple):
                return [change(each) for each in value]
            whole = isinstance(value, int) and not isinstance(value, bool)
            return float(np.float32(value)) if whole else value

        return Reference(self.family, {name: change(v) for name, v in self.arguments.items()})

    def counts(self) -> Iterator[int]:
        """Every whole number of steps among the hyperparameters."""
        for value in self.arguments.values():
            for each in value if isinstance(value, Sequence) else [value]:
                if isinstance(each, Reference):
                    yield from each.counts()
                elif isinstance(each, int) and not isinstance(each, bool):
                    yield each


class Operand:
    """A schedule or a number as a formula sees it: a function of a Decimal; its numbers.

    Args:
        value: a reference, or a number that stands for a constant schedule.
        changes: by the path of a number, what is added to it.
        floats: whether counts are those that float32 holds too.
        path: where it stands in the whole.
    """

    def __init__(
        self,
        value: Any,
        changes: Mapping[str, Decimal] | None = None,
        floats: bool = False,
        path: str = "",
    ) -> None:
        self.changes, self.floats = changes or {}, floats
        if isinstance(value, Reference):
            place = f"{path}." if path else ""
            self.formula = FORMULAS[value.family]
            self.numbers = {
                name: self._resolved(name, each, place + name)
                for name, each in value.arguments.items()
            }
        else:
            self.formula = constant
            self.numbers = {"value": self._resolved("value", value, path)}

    def __call__(self, t: Decimal) -> Decimal:
        return self.formula(max(t, Decimal(0)), **self.numbers)

    def _resolved(self, name: str, value: Any, path: str) -> Any:
        if name in ("schedule", "first", "second"):
            return Operand(value, self.changes, self.floats, path)
        if isinstance(value, Sequence) and not isinstance(value, str):
            one = "schedule" if name == "schedules" else name
            return [self._resolved(one, each, f"{path}.{i}") for i, each in enumerate(value)]
        if isinstance(value, bool | str) or value is None:
            return value
        if isinstance(value, int) and not self.floats:
            return Decimal(value)
        exact = name in EXACT.get(self.formula.__name__, ())
        number = Decimal(float(value if exact else np.float32(value)))
        return number + self.changes.get(path, 0)
