"""One list of schedules, each with a reference; every law runs over all of them.

The references are the formulas of the catalogue, written a second time: literally, in decimal
arithmetic of 60 digits, without the care that float32 needs, and without JAX. They are evaluated
at the hyperparameters as float32 holds them. Counts of steps that are integers stay exact.
"""

from __future__ import annotations

import dataclasses
import decimal
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

import jaxdecay

LAST_STEP = 2**31 - 1
DIGITS = decimal.Context(prec=60, Emax=10**9, Emin=-(10**9), traps=[decimal.InvalidOperation])
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620900")

# The formulas. t is a step, not below 0; every number is a Decimal.


def constant(t, value):
    return value


def piecewise_constant(t, values, boundaries):
    return values[sum(boundary <= t for boundary in boundaries)]


def linear(t, init_value, end_value, transition_steps):
    return polynomial(t, init_value, end_value, Decimal(1), transition_steps)


def polynomial(t, init_value, end_value, power, transition_steps, cycle=False):
    if cycle and transition_steps > 0:
        transition_steps *= max(1, _ceil(t / transition_steps))
    remaining = 1 - _share(t, transition_steps)
    return end_value + (init_value - end_value) * _power(remaining, power)


def cosine(t, init_value, transition_steps, end_value=0.0, exponent=1.0):
    half_wave = (1 + _cos(PI * _share(t, transition_steps))) / 2 if t < transition_steps else 0
    return end_value + (init_value - end_value) * _power(half_wave, exponent)


def exponential(t, init_value, decay_rate, transition_steps=1, end_value=None, staircase=False):
    value = init_value * decay_rate ** _transitions(t, transition_steps, staircase)
    if end_value is None or decay_rate == 1:
        return value
    return max(value, end_value) if decay_rate < 1 else min(value, end_value)


def natural_exponential(t, init_value, decay_rate, transition_steps=1, staircase=False):
    return init_value * (-decay_rate * _transitions(t, transition_steps, staircase)).exp()


def inverse_time(t, init_value, decay_rate, transition_steps=1, staircase=False):
    return init_value / (1 + decay_rate * _transitions(t, transition_steps, staircase))


def inverse_sqrt(t, init_value, scale=1.0, transition_steps=1, offset=1.0, staircase=False):
    return init_value * scale / (offset + _transitions(t, transition_steps, staircase)).sqrt()


def step_decay(t, init_value, decay_rate, transition_steps):
    return init_value * decay_rate ** _transitions(t, transition_steps, True)


def discrete_staircase(t, init_value, decay_rate, transition_steps=1, end_value=0.0):
    return max(init_value - decay_rate * _transitions(t, transition_steps, True), end_value)


def warmup(t, schedule, warmup_steps, init_value=0.0, first_step="init"):
    if t >= warmup_steps:
        return _value(schedule, t - warmup_steps)
    done = t if first_step == "init" else min(t + 1, warmup_steps)
    return init_value + (_value(schedule, Decimal(0)) - init_value) * done / warmup_steps


def join(t, schedules, lengths):
    starts = [sum(lengths[:index], Decimal(0)) for index in range(len(lengths))]
    now = max(index for index, start in enumerate(starts) if start <= t or index == 0)
    return _value(schedules[now], min(t - starts[now], lengths[now]))


def per_epoch(t, schedule, steps_per_epoch):
    return _value(schedule, _floor(t / steps_per_epoch))


def add(t, first, second):
    return _value(first, t) + _value(second, t)


def multiply(t, first, second):
    return _value(first, t) * _value(second, t)


def scale(t, schedule, factor):
    return _value(schedule, t) * factor


FORMULAS: Mapping[str, Callable[..., Decimal]] = {
    each.__name__: each
    for each in (
        *(constant, piecewise_constant, linear, polynomial, cosine, exponential),
        *(natural_exponential, inverse_time, inverse_sqrt, step_decay, discrete_staircase),
        *(warmup, join, per_epoch, add, multiply, scale),
    )
}


def _value(schedule: Any, t: Decimal) -> Decimal:
    return schedule(t) if callable(schedule) else schedule


def _share(t: Decimal, transition_steps: Decimal) -> Decimal:
    return min(t, transition_steps) / transition_steps if transition_steps > 0 else Decimal(1)


def _transitions(t: Decimal, transition_steps: Decimal | int, staircase: bool) -> Decimal:
    return _floor(t / transition_steps) if staircase else t / transition_steps


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    return base**exponent if base > 0 else Decimal(0)  # the end is the end, even with power 0


def _floor(number: Decimal) -> Decimal:
    return number.to_integral_value(decimal.ROUND_FLOOR)


def _ceil(number: Decimal) -> Decimal:
    return number.to_integral_value(decimal.ROUND_CEILING)


def _cos(angle: Decimal) -> Decimal:
    term, total, order = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal("1e-62"):
        order += 2
        term *= -angle * angle / (order * (order - 1))
        total += term
    return total


# The same schedule twice: as the library makes it and as its formula.


@dataclasses.dataclass(frozen=True)
class Reference:
    """A formula with its numbers: called with a step, it gives the exact value as a float."""

    family: str
    arguments: Mapping[str, Any]

    def __call__(self, step: int | float) -> float:
        with decimal.localcontext(DIGITS):
            return float(self.exact(Decimal(step)))

    def exact(
        self,
        t: Decimal,
        change: Mapping[str, Decimal] | None = None,
        floats: bool = False,
        place: str = "",
    ) -> Decimal:
        """The value, with some numbers changed by some amount, and with all counts as float32."""

        def resolve(value: Any, path: str) -> Any:
            if isinstance(value, Reference):
                return lambda t: value.exact(t, change, floats, path + ".")
            if isinstance(value, Sequence) and not isinstance(value, str):
                return [resolve(each, f"{path}.{i}") for i, each in enumerate(value)]
            if isinstance(value, bool | str) or value is None:
                return value
            exact = isinstance(value, int) and not floats
            number = Decimal(value) if exact else Decimal(float(np.float32(value)))
            return number + (change or {}).get(path, 0)

        numbers = {name: resolve(value, place + name) for name, value in self.arguments.items()}
        return FORMULAS[self.family](max(t, Decimal(0)), **numbers)

    def slopes(self, path: str, step: float) -> tuple[float, float]:
        """The derivatives by one number to its left and its right; they differ at a corner.

        Differences over 1e-25 of numbers with 60 digits are derivatives for every purpose here.
        """
        small = Decimal("1e-25")
        with decimal.localcontext(DIGITS):
            here = self.exact(Decimal(step), floats=True)
            below = self.exact(Decimal(step), {path: -small}, floats=True)
            above = self.exact(Decimal(step), {path: small}, floats=True)
            return float((here - below) / small), float((above - here) / small)

    def counts(self) -> Iterator[int]:
        """Every whole number of steps among the hyperparameters."""
        for value in self.arguments.values():
            for each in value if isinstance(value, Sequence) else [value]:
                if isinstance(each, Reference):
                    yield from each.counts()
                elif isinstance(each, int) and not isinstance(each, bool):
                    yield each


@dataclasses.dataclass(frozen=True)
class Case:
    """One schedule: a name, the schedule, its reference, and how exact its values are."""

    name: str
    schedule: jaxdecay.Schedule
    reference: Reference
    tolerance: float = 1e-6
    also_at: tuple[int, ...] = ()

    def boundaries(self) -> list[int]:
        """Steps at which something may happen: counts, their sums, multiples and products."""
        counts = [count for count in self.reference.counts() if count > 1]
        found = {0, sum(counts), *np.cumsum(counts, dtype=object)}
        for first in counts:
            found |= {first, 2 * first, 3 * first, 100 * first, *(first * each for each in counts)}
            found |= {first + each for each in counts}
        return sorted(step for step in found if step <= LAST_STEP)

    def steps(self, around: int = 3, random: int = 40) -> list[int]:
        """Steps to test at: the first ones, those around boundaries, powers of ten, random ones."""
        found = {*range(21), 10**3, 10**6, 10**7, 10**8, LAST_STEP, LAST_STEP - 1}
        for boundary in [*self.boundaries(), *self.also_at]:
            found.update(range(boundary - around, boundary + around + 1))
        for boundary in self.boundaries()[-1:]:
            found.update(range(boundary - 100, boundary + 101))
        generator = np.random.default_rng(len(self.name) + len(found))
        found.update(int(step) for step in 2 ** generator.uniform(0, 31, random))
        return sorted(step for step in found if 0 <= step <= LAST_STEP)


def case(
    family: str,
    note: str = "",
    tolerance: float = 1e-6,
    also_at: tuple[int, ...] = (),
    **arguments: Any,
) -> Case:
    """A case from one set of arguments; an argument may be a case (for a schedule) itself."""

    signature = inspect.signature(FORMULAS[family]).parameters.values()
    defaults = {each.name: each.default for each in signature if each.default is not each.empty}

    def pick(value: Any, attribute: str) -> Any:
        if isinstance(value, Case):
            return getattr(value, attribute)
        return [pick(each, attribute) for each in value] if isinstance(value, list) else value

    of_library = {name: pick(value, "schedule") for name, value in arguments.items()}
    of_formula = {name: pick(value, "reference") for name, value in arguments.items()}
    of_formula = defaults | of_formula
    return Case(
        name=f"{family}: {note}",
        schedule=getattr(jaxdecay, family)(**of_library),
        reference=Reference(family, of_formula),
        tolerance=tolerance,
        also_at=also_at,
    )


def _constant_values() -> list[Case]:
    def pieces(note: str, values: list[float], boundaries: list[int]) -> Case:
        return case("piecewise_constant", note, values=values, boundaries=boundaries)

    return [
        case("constant", "usual", value=0.1),
        case("constant", "zero", value=0.0),
        case("constant", "integer", value=1),
        pieces("falling", [0.1, 0.05, 0.01], [10, 20]),
        pieces("rising", [0.0, 0.05, 0.1], [7, 8]),
        pieces("equal boundaries", [0.3, 0.2, 0.1], [10, 10]),
        pieces("from the start", [0.3, 0.2], [0]),
        pieces("no boundary", [0.3], []),
        pieces("long", [0.3, 0.2, 0.1], [10**6, LAST_STEP]),
    ]


def _linear() -> list[Case]:
    def line(note: str, init_value: float, end_value: float, transition_steps: float) -> Case:
        return case(
            "linear",
            note,
            init_value=init_value,
            end_value=end_value,
            transition_steps=transition_steps,
        )

    return [
        line("to zero", 0.1, 0.0, 1000),
        line("falling", 0.1, 0.03, 997),
        line("rising from zero", 0.0, 0.3, 30),
        line("rising", 0.03, 0.1, 391),
        line("level", 0.1, 0.1, 100),
        line("one step", 0.1, 0.01, 1),
        line("no step", 0.1, 0.01, 0),
        line("length is no integer", 0.1, 0.01, 1000.5),
        line("million", 0.1, 0.0, 10**6),
        line("longest falling", 0.1, 0.0, LAST_STEP),
        line("longest rising", 0.0, 0.1, LAST_STEP),
    ]


def _polynomial() -> list[Case]:
    def power(
        note: str, init_value: float, end_value: float, power: float, steps: int, **options: bool
    ) -> Case:
        return case(
            "polynomial",
            note,
            init_value=init_value,
            end_value=end_value,
            power=power,
            transition_steps=steps,
            **options,
        )

    return [
        power("root", 0.1, 0.0, 0.5, 1000),
        power("falls late", 0.1, 0.0, 0.9, 1000),
        power("falls early", 0.1, 0.001, 2.0, 1000),
        power("rising", 0.0, 0.1, 3.0, 300),
        power("rising late", 0.01, 0.1, 0.4, 77),
        power("power 0", 0.1, 0.01, 0.0, 50),
        power("power 1", 0.1, 0.01, 1, 50),
        power("no step", 0.1, 0.01, 2.0, 0),
        power("million", 0.1, 0.0, 0.9, 10**6),
        power("longest", 0.1, 0.0, 2.0, LAST_STEP),
        power("longest rising", 0.0, 0.1, 2.0, LAST_STEP),
        power("cycle to zero", 0.1, 0.0, 0.9, 100, cycle=True),
        power("cycle falling", 0.1, 0.02, 2.0, 7, cycle=True),
        power("cycle rising", 0.02, 0.1, 2.0, 13, cycle=True),
        power("cycle of one step", 0.1, 0.01, 2.0, 1, cycle=True),
        power("cycle of no step", 0.1, 0.01, 2.0, 0, cycle=True),
        power("cycle of a million", 0.1, 0.0, 0.5, 10**6, cycle=True),
    ]


def _cosine() -> list[Case]:
    def wave(note: str, init_value: float, transition_steps: int, **others: float) -> Case:
        return case(
            "cosine", note, init_value=init_value, transition_steps=transition_steps, **others
        )

    return [
        wave("to zero", 0.1, 1000),
        wave("falling", 0.1, 10**4, end_value=0.01),
        wave("rising", 0.0, 100, end_value=0.3),
        wave("squared", 0.1, 500, exponent=2.0),
        wave("root", 0.1, 500, end_value=0.001, exponent=0.5),
        wave("exponent 0", 0.1, 20, end_value=0.01, exponent=0.0),
        wave("one step", 0.1, 1),
        wave("no step", 0.1, 0, end_value=0.02),
        wave("million", 0.1, 10**6),
        wave("longest", 0.1, LAST_STEP),
        wave("longest rising", 0.0, LAST_STEP, end_value=0.1),
    ]


def _exponential() -> list[Case]:
    def falls(note: str, decay_rate: float, steps: int = 1, **others: Any) -> Case:
        return case(
            "exponential",
            note,
            tolerance=1e-5,
            init_value=0.1,
            decay_rate=decay_rate,
            transition_steps=steps,
            **others,
        )

    def natural(note: str, decay_rate: float, steps: int, **options: bool) -> Case:
        return case(
            "natural_exponential",
            note,
            tolerance=1e-5,
            init_value=0.3,
            decay_rate=decay_rate,
            transition_steps=steps,
            **options,
        )

    def drops(note: str, decay_rate: float, steps: int) -> Case:
        return case(
            "step_decay",
            note,
            tolerance=1e-5,
            init_value=0.1,
            decay_rate=decay_rate,
            transition_steps=steps,
        )

    return [
        falls("each step", 0.9),
        falls("smooth", 0.96, 1000),
        falls("stairs", 0.96, 1000, staircase=True),
        falls("stairs of ten million", 0.5, 10_800_001, staircase=True),
        falls("slow", 0.9999999),
        falls("floor", 0.5, 10, end_value=0.004),
        falls("floor of stairs", 0.5, 10, end_value=0.004, staircase=True),
        falls("ceiling", 1.5, 10, end_value=0.7),
        falls("level", 1.0, 10, end_value=0.7),
        falls("rising slowly", 1.1, 10**8),
        falls("longest", 0.1, LAST_STEP),
        natural("smooth", 0.5, 1000),
        natural("stairs", 0.5, 1000, staircase=True),
        natural("each step", 1e-4, 1),
        natural("level", 0.0, 1),
        drops("usual", 0.5, 28_125),
        drops("each step", 0.99, 1),
        drops("rising slowly", 2.0, 10**8),
    ]


SHARES = (0.3, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0)


def _inverse() -> list[Case]:
    def time(note: str, decay_rate: float, steps: int = 1, **options: bool) -> Case:
        return case(
            "inverse_time",
            note,
            init_value=0.1,
            decay_rate=decay_rate,
            transition_steps=steps,
            **options,
        )

    def root(note: str, **others: Any) -> Case:
        return case("inverse_sqrt", note, init_value=0.1, **others)

    def staircase(note: str, init_value: float, decay_rate: float, *others: float) -> Case:
        names = ("transition_steps", "end_value")
        given = dict(zip(names, others, strict=False))
        drops = init_value / decay_rate if decay_rate else 1
        near_zero = [int(share * drops * (given.get("transition_steps", 1))) for share in SHARES]
        return case(
            "discrete_staircase",
            note,
            also_at=tuple(near_zero),
            init_value=init_value,
            decay_rate=decay_rate,
            **given,
        )

    return [
        time("each step", 1e-4),
        time("smooth", 0.5, 1000),
        time("stairs", 0.5, 1000, staircase=True),
        time("level", 0.0),
        root("each step"),
        root("epochs", scale=2.0, transition_steps=28_125, staircase=True),
        root("after warm-up", offset=4000.0),
        root("timescale", scale=0.5, transition_steps=10_000, offset=0.25),
        staircase("each step", 0.1, 1e-4),
        staircase("epochs", 1.0, 0.07, 10),
        staircase("floor", 0.3, 0.011, 7, 0.01),
        staircase("level", 0.3, 0.0, 7, 0.01),
        staircase("below its floor", 0.1, 0.01, 10, 0.5),
        staircase("slow", 0.1, 3e-9),
        staircase("slowest", 0.7, 5e-10),
    ]


def _compositions() -> list[Case]:
    wave = case("cosine", init_value=0.3, transition_steps=200, end_value=0.01)
    line = case("linear", init_value=0.1, end_value=0.0, transition_steps=50)
    power = case("polynomial", init_value=0.1, end_value=0.0, power=0.9, transition_steps=30)
    root = case("inverse_sqrt", init_value=0.1)
    warm = case("warmup", schedule=wave, warmup_steps=20, init_value=0.001)
    epochs = case("per_epoch", schedule=power, steps_per_epoch=1875)
    phases = case("join", schedules=[line, wave, 0.02], lengths=[50, 100, 10])
    drops = case("step_decay", init_value=1.0, decay_rate=0.5, transition_steps=10)
    return [
        case("warmup", "usual", schedule=wave, warmup_steps=10),
        case("warmup", "1/W", schedule=wave, warmup_steps=10, first_step="one_over_w"),
        case("warmup", "from a rate", schedule=root, warmup_steps=30, init_value=0.01),
        case("warmup", "falling", schedule=line, warmup_steps=9, init_value=0.5),
        case(
            "warmup",
            "1/W from a rate",
            schedule=line,
            warmup_steps=9,
            init_value=0.05,
            first_step="one_over_w",
        ),
        case("warmup", "of a number", schedule=0.1, warmup_steps=1000),
        case("warmup", "no step", schedule=line, warmup_steps=0, init_value=0.5),
        case("warmup", "1/W of one step", schedule=line, warmup_steps=1, first_step="one_over_w"),
        case("warmup", "million", schedule=wave, warmup_steps=10**6),
        case("warmup", "longest", schedule=0.1, warmup_steps=LAST_STEP),
        case(
            "warmup",
            "longest, 1/W",
            schedule=0.1,
            warmup_steps=LAST_STEP,
            first_step="one_over_w",
        ),
        case("join", "phases", schedules=[0.5, line, wave], lengths=[100, 50, 300]),
        case("join", "cut short", schedules=[wave, root, line], lengths=[40, 1000, 10]),
        case("join", "skipped", schedules=[0.5, line, wave, 0.02], lengths=[10, 0, 7, 3]),
        case("join", "nothing before", schedules=[0.5, line], lengths=[0, 60]),
        case("join", "one", schedules=[line], lengths=[20]),
        case("join", "long", schedules=[root, wave, 0.1], lengths=[10**6, 10**9, 10**9]),
        case("per_epoch", "usual", schedule=power, steps_per_epoch=1875),
        case("per_epoch", "drops", tolerance=1e-5, schedule=drops, steps_per_epoch=28_125),
        case("per_epoch", "of a number", schedule=0.1, steps_per_epoch=10),
        case("per_epoch", "one step", schedule=line, steps_per_epoch=1),
        case("add", "two", first=wave, second=line),
        case("add", "number", first=0.01, second=root),
        case("multiply", "two", first=wave, second=root),
        case("multiply", "number", first=power, second=0.5),
        case("scale", "usual", schedule=wave, factor=0.1),
        case("scale", "zero", schedule=root, factor=0.0),
        case("scale", "number", schedule=0.2, factor=3.0),
        case(
            "scale",
            "of a warm-up of a join",
            schedule=case("warmup", schedule=phases, warmup_steps=5),
            factor=0.5,
        ),
        case(
            "add",
            "of a product of epochs",
            first=0.001,
            second=case("multiply", first=epochs, second=warm),
        ),
        case(
            "join",
            "of warm-ups of epochs",
            schedules=[
                case("warmup", schedule=epochs, warmup_steps=100),
                case("scale", schedule=warm, factor=2),
            ],
            lengths=[20_000, 500],
        ),
        case(
            "per_epoch",
            "of a join of warm-ups",
            schedule=case("join", schedules=[warm, line], lengths=[100, 50]),
            steps_per_epoch=469,
        ),
    ]


CASES: list[Case] = [
    *_constant_values(),
    *_linear(),
    *_polynomial(),
    *_cosine(),
    *_exponential(),
    *_inverse(),
    *_compositions(),
]
"""Every schedule that the laws are tested on."""

BY_NAME = {each.name: each for each in CASES}
assert len(BY_NAME) == len(CASES), "two cases of one name"


def one_of_each_family() -> list[Case]:
    """The first case of every family."""
    first: dict[str, Case] = {}
    for each in CASES:
        first.setdefault(each.schedule.family, each)
    return list(first.values())


def representable(step: int) -> bool:
    """Whether float32 holds a step exactly."""
    return math.isfinite(step) and int(np.float32(step)) == step
