"""One list of schedules, each with its reference; every law runs over all of them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from decimal import Decimal, localcontext
from typing import Any

import jax
import numpy as np
import pytest
from references import FORMULAS, LAST_STEP, Reference

import jaxdecay


@dataclasses.dataclass(frozen=True)
class Case:
    """One schedule: a name, the schedule, its reference, and how exact its values are."""

    name: str
    schedule: jaxdecay.Schedule
    reference: Reference
    tolerance: float = 1e-6
    also_at: tuple[int, ...] = ()

    def boundaries(self) -> list[int]:
        """Steps at which something changes: counts and their sums."""
        counts = [count for count in self.reference.counts() if count > 1]
        found = {0, *counts, *np.cumsum(counts, dtype=object), *self.also_at}
        return sorted(step for step in found if step <= LAST_STEP)

    def steps(self, around: int = 100, random: int = 40) -> list[int]:
        """Steps to test at: around boundaries, their sums and multiples, powers of ten, some more.

        There are more steps around what changes than elsewhere, and some of every size.
        """
        found = {*range(21), 1, 10**3, 10**6, 10**7, 10**8, LAST_STEP, LAST_STEP - 1}
        boundaries = self.boundaries()
        for first in boundaries:
            found.update(range(first - around, first + around + 1))
            sums = {first + each for each in boundaries}
            products = {first * each for each in (2, 3, 100, *boundaries[:9])}
            found |= {step + near for step in sums | products for near in (-1, 0, 1)}
        generator = np.random.default_rng(len(self.name) + len(boundaries))
        found.update(int(step) for step in 2 ** generator.uniform(0, 31, random))
        return sorted(step for step in found if 0 <= step <= LAST_STEP)


def case(
    family: str,
    note: str = "",
    *numbers: Any,
    tolerance: float = 1e-6,
    also_at: tuple[int, ...] = (),
    **named: Any,
) -> Case:
    """A case from one set of arguments; an argument may be a case (for a schedule) itself."""
    signature = inspect.signature(FORMULAS[family])
    arguments = signature.bind(None, *numbers, **named).arguments
    given = {name: value for name, value in arguments.items() if name not in ("t", "others")}
    given |= arguments.get("others", {})
    defaults = {
        each.name: each.default
        for each in signature.parameters.values()
        if each.default is not each.empty
    }

    def pick(value: Any, attribute: str) -> Any:
        if isinstance(value, Case):
            return getattr(value, attribute)
        return [pick(each, attribute) for each in value] if isinstance(value, list) else value

    return Case(
        name=f"{family}: {note}",
        schedule=jaxdecay.families[family](
            **{name: pick(value, "schedule") for name, value in given.items()}
        ),
        reference=Reference(
            family, defaults | {name: pick(value, "reference") for name, value in given.items()}
        ),
        tolerance=tolerance,
        also_at=also_at,
    )


PRIME = 99_991


def _held_values() -> list[Case]:
    pieces = functools.partial(case, "piecewise_constant")
    points = functools.partial(case, "piecewise_linear")
    table = functools.partial(case, "interpolate")
    return [
        case("constant", "usual", 0.1),
        case("constant", "zero", 0.0),
        case("constant", "integer", 1),
        pieces("falling", [0.1, 0.05, 0.01], [10, 20]),
        pieces("rising", [0.0, 0.05, 0.1], [7, 8]),
        pieces("equal boundaries", [0.3, 0.2, 0.1], [10, 10]),
        pieces("from the start", [0.3, 0.2], [0]),
        pieces("no boundary", [0.3], []),
        pieces("long", [0.3, 0.2, 0.1], [10**6, LAST_STEP]),
        points("usual", [0.1, 0.5, 0.02], [10, 20, 1000]),
        points("to zero", [0.1, 0.0], [0, 997]),
        points("a jump", [0.1, 0.3, 0.2, 0.0], [5, 50, 50, 80]),
        points("two jumps", [0.1, 0.3, 0.2, 0.05, 0.01], [7, 7, 7, 30, 30]),
        points("one", [0.3], [10]),
        points("long", [0.0, 0.3, 0.1, 0.0], [1, 10**6, 2**24 + 1, LAST_STEP]),
        points("cosine", [0.1, 0.5, 0.02], [10, 20, 1000], shape="cosine"),
        points("cosine with a jump", [0.1, 0.3, 0.2, 0.0], [0, 9, 9, 80], shape="cosine"),
        points("long cosine", [0.0, 0.3, 0.0], [1, 10**6, LAST_STEP], shape="cosine"),
        table("each step", [0.0, 0.1, 0.05, 0.02]),
        table("usual", [0.3, 0.1, 0.2, 0.0], 100),
        table("one", [0.3], 10),
        table("length is no integer", [0.3, 0.1, 0.2], 2.5),
        table("million", [0.3, 0.1, 0.2, 0.0], 10**6),
        table("longest", [0.3, 0.0], LAST_STEP),
    ]


def _linear() -> list[Case]:
    line = functools.partial(case, "linear")
    return [
        line("to zero", 0.1, 0.0, 1000),
        line("length is a decimal", 1.0, 0.0, 213.81696250580424),
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
    power = functools.partial(case, "polynomial")
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
    wave = functools.partial(case, "cosine")
    return [
        wave("to zero", 0.1, 1000),
        wave("falling", 0.1, 10**4, end_value=0.01),
        wave("rising", 0.0, 100, end_value=0.3),
        wave("squared", 0.1, 500, power=2.0),
        wave("cycle", 0.1, 100, 0.01, cycle=True),
        wave("cycle of a prime", 0.1, PRIME, cycle=True),
        wave("cycle of a decimal", 0.3, 390.6, cycle=True),
        wave("squared cycle", 0.1, 7, power=2.0, cycle=True),
        wave("length is a decimal", 0.3, 178.3655594379358),
        wave("root", 0.1, 500, end_value=0.001, power=0.5),
        wave("exponent 0", 0.1, 20, end_value=0.01, power=0.0),
        wave("one step", 0.1, 1),
        wave("no step", 0.1, 0, end_value=0.02),
        wave("million", 0.1, 10**6),
        wave("longest", 0.1, LAST_STEP),
        wave("longest rising", 0.0, LAST_STEP, end_value=0.1),
    ]


def _k_decay() -> list[Case]:
    warped = functools.partial(case, "k_decay")
    return [
        warped("usual", 0.1, 0.01, 1000, 2.0),
        warped("to zero", 0.1, 0.0, 1000, 1.5),
        warped("early", 0.1, 0.0, PRIME, 0.4),
        warped("late and squared", 0.3, 0.001, 997, 5.0, 2.0),
        warped("rising", 0.0, 0.1, 300, 2.0, 0.5),
        warped("k 1", 0.1, 0.01, 100, 1),
        warped("k 0", 0.1, 0.01, 20, 0.0),
        warped("power 0", 0.1, 0.01, 20, 2.0, 0.0),
        warped("one step", 0.1, 0.01, 1, 2.0),
        warped("no step", 0.1, 0.01, 0, 2.0),
        warped("million", 0.1, 0.0, 10**6, 2.0),
        warped("longest", 0.1, 0.0, LAST_STEP, 2.0),
        warped("polynomial", 0.1, 0.01, 1000, 2.0, shape="polynomial"),
        warped("polynomial to zero", 0.1, 0.0, 1000, 0.5, 0.9, shape="polynomial"),
        warped("polynomial rising", 0.0, 0.1, 77, 3.0, 2.0, shape="polynomial"),
        warped("polynomial, no step", 0.1, 0.01, 0, 2.0, shape="polynomial"),
        warped("polynomial, k 0", 0.1, 0.01, 20, 0.0, shape="polynomial"),
        warped("longest polynomial", 0.1, 0.0, LAST_STEP, 1.5, shape="polynomial"),
    ]


def _tanh() -> list[Case]:
    curve = functools.partial(case, "tanh_decay")
    exact = functools.partial(case, "tanh_decay", normalized=True)
    return [
        curve("usual", 0.1, 0.01, 1000),
        curve("to zero", 0.1, 0.0, PRIME),
        curve("rising", 0.0, 0.1, 300, -3.0, 4.0),
        curve("level", 0.1, 0.0, 100, 0.5, 0.5),
        curve("one step", 0.1, 0.01, 1),
        curve("no step", 0.1, 0.01, 0),
        curve("million", 0.1, 0.0, 10**6, -8.0, 8.0, tolerance=1e-5),
        curve("longest", 0.1, 0.0, LAST_STEP),
        exact("normalized", 0.1, 0.01, 1000),
        exact("normalized to zero", 0.1, 0.0, 997),
        exact("normalized rising", 0.0, 0.1, 300, -3.0, 4.0),
        exact("normalized line", 0.1, 0.0, 100, 0.5, 0.5),
        exact("normalized, nearly a line", 0.1, 0.0, 100, 0.5, 0.5001),
        exact("normalized, one step", 0.1, 0.01, 1),
        exact("normalized, no step", 0.1, 0.01, 0),
        exact("normalized, longest", 0.1, 0.0, LAST_STEP),
    ]


def _to_the_end() -> list[Case]:
    rex, inverse = (functools.partial(case, each) for each in ("rex", "inverse_linear"))
    return [
        rex("to zero", 0.1, 1000),
        rex("falling", 0.1, PRIME, 0.01),
        rex("rising", 0.01, 300, 0.1),
        rex("one step", 0.1, 1),
        rex("no step", 0.1, 0, 0.02),
        rex("million", 0.1, 10**6),
        rex("longest", 0.1, LAST_STEP),
        inverse("falling", 0.1, 0.001, 1000),
        inverse("far", 1.0, 1e-6, PRIME),
        inverse("rising", 0.01, 0.1, 300),
        inverse("level", 0.1, 0.1, 100),
        inverse("one step", 0.1, 0.01, 1),
        inverse("no step", 0.1, 0.01, 0),
        inverse("million", 0.1, 1e-4, 10**6),
        inverse("longest", 0.1, 0.01, LAST_STEP),
    ]


def _hyperbolic() -> list[Case]:
    plain = functools.partial(case, "hyperbolic")
    power = functools.partial(case, "exponential_hyperbolic", tolerance=1e-5)
    return [
        plain("usual", 0.1, 0.001, 200, 250),
        plain("to its infimum", 0.1, 0.001, 200),
        plain("to zero", 0.1, 0.0, 997),
        plain("far from its bound", 0.1, 0.01, 100, 10**6),
        plain("level", 0.1, 0.1, 100, 150),
        plain("one step", 0.1, 0.01, 1, 2),
        plain("no step", 0.1, 0.01, 0),
        plain("no step, bound", 0.1, 0.01, 0, 10),
        plain("million", 0.1, 0.001, 10**6, 10**6 + 1),
        plain("longest", 0.1, 0.0, LAST_STEP),
        power("usual", 0.1, 0.001, 200, 250),
        power("to its infimum", 0.1, 1e-6, 997),
        power("far from its bound", 0.1, 0.01, 100, 10**6),
        power("level", 0.1, 0.1, 100, 150),
        power("one step", 0.1, 0.01, 1, 2),
        power("no step", 0.1, 0.01, 0),
        power("million", 0.1, 0.001, 10**6, 10**6 + 1),
        power("longest", 0.1, 0.01, LAST_STEP),
    ]


def _exponential() -> list[Case]:
    falls = functools.partial(case, "exponential", init_value=0.1)
    natural = functools.partial(case, "natural_exponential", init_value=0.3)
    drops = functools.partial(case, "step_decay")
    steps = functools.partial(case, "multi_step")
    return [
        falls("each step", decay_rate=0.9),
        falls("smooth", decay_rate=0.96, transition_steps=1000),
        falls("stairs", decay_rate=0.96, transition_steps=1000, staircase=True),
        falls("many stairs", decay_rate=0.5, transition_steps=10_800_001, staircase=True),
        falls("slow", decay_rate=0.9999999),
        falls("floor", decay_rate=0.5, transition_steps=10, end_value=0.004),
        falls(
            "floor of stairs", decay_rate=0.5, transition_steps=10, end_value=0.004, staircase=True
        ),
        falls("ceiling", decay_rate=1.5, transition_steps=10, end_value=0.7),
        falls("level", decay_rate=1.0, transition_steps=10, end_value=0.7),
        falls("rising slowly", decay_rate=1.1, transition_steps=10**8),
        falls("longest", decay_rate=0.1, transition_steps=LAST_STEP),
        natural("smooth", decay_rate=0.5, transition_steps=1000),
        natural("stairs", decay_rate=0.5, transition_steps=1000, staircase=True),
        natural("each step", decay_rate=1e-4, transition_steps=1),
        natural("level", decay_rate=0.0, transition_steps=1),
        drops("usual", 0.1, 0.5, 28_125),
        drops("each step", 0.1, 0.99, 1),
        drops("rising slowly", 0.1, 2.0, 10**8),
        steps("usual", 0.1, 0.1, [30, 60, 80]),
        steps("unsorted", 0.1, 0.5, [60, 30, 80]),
        steps("equal boundaries", 0.1, 0.1, [30, 30, 80]),
        steps("rising", 0.1, 2.0, [0, 7, 8]),
        steps("no boundary", 0.1, 0.1, []),
        steps("long", 0.1, 0.3, [1, 10**6, LAST_STEP]),
    ]


SHARES = (0.3, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0)


def _inverse() -> list[Case]:
    time = functools.partial(case, "inverse_time", init_value=0.1)
    root = functools.partial(case, "inverse_sqrt", init_value=0.1)
    model = functools.partial(case, "noam")
    law = functools.partial(case, "power_law")

    def staircase(
        note: str, init_value: float, decay_rate: float, steps: int = 1, end_value: float = 0.0
    ) -> Case:
        drops = init_value / decay_rate if decay_rate else 1
        near_zero = tuple(int(share * drops * steps) for share in SHARES)
        numbers = (init_value, decay_rate, steps, end_value)
        return case("discrete_staircase", note, *numbers, also_at=near_zero)

    return [
        time("each step", decay_rate=1e-4),
        time("smooth", decay_rate=0.5, transition_steps=1000),
        time("stairs", decay_rate=0.5, transition_steps=1000, staircase=True),
        time("level", decay_rate=0.0),
        time("squared", decay_rate=1e-3, transition_steps=10, power=2.0),
        time("root", decay_rate=0.1, power=0.5),
        time("stairs with a power", decay_rate=0.1, transition_steps=7, power=1.3, staircase=True),
        time("power 0", decay_rate=0.1, power=0.0),
        root("each step"),
        root("epochs", scale=2.0, transition_steps=28_125, staircase=True),
        root("after warm-up", offset=4000.0),
        root("timescale", scale=0.5, transition_steps=10_000, offset=0.25),
        model("one step", 512.0, 1),
        model("usual", 512, 4000),
        model("scaled", 768, 997, 2.0),
        model("million", 64, 10**6),
        model("longest", 1.0, LAST_STEP),
        law("usual", 0.02, 0.51, 1000),
        law("each step", 0.1, 0.5),
        law("floor", 0.1, 0.5, 100, 0.01),
        law("steep", 1.0, 1.0, PRIME, 1e-6),
        law("level", 0.1, 0.0, 100),
        law("at its floor", 0.1, 0.5, 100.5, 0.1),
        law("million", 0.1, 0.7, 10**6),
        law("longest", 0.1, 0.5, LAST_STEP),
        staircase("each step", 0.1, 1e-4),
        staircase("epochs", 1.0, 0.07, 10),
        staircase("floor", 0.3, 0.011, 7, 0.01),
        staircase("level", 0.3, 0.0, 7, 0.01),
        staircase("at its floor", 0.5, 0.01, 10, 0.5),
        staircase("slow", 0.1, 3e-9),
        staircase("slowest", 0.7, 5e-10),
    ]


def _restarts() -> list[Case]:
    def waves(note: str, steps: float, multiplier: float, *others: float) -> Case:
        """The first restarts and the last are boundaries."""
        starts, length = [Decimal(0)], Decimal(repr(steps))
        with localcontext(prec=60):
            while starts[-1] <= LAST_STEP and len(starts) < 3000:
                starts.append(starts[-1] + length)
                length *= Decimal(multiplier)
        numbers = (0.1, steps, *(others[:1] or (0.0,)), multiplier, *others[1:])
        restarts = map(math.ceil, [*starts[:6], *starts[-9:-1]])
        return case("cosine_restarts", note, *numbers, also_at=tuple(restarts))

    return [
        waves("equal", 100, 1),
        waves("doubled", 10, 2, 0.001),
        waves("tripled", 7, 3, 0.0, 0.5),
        waves("times ten", 1, 10, 0.001, 0.9),
        waves("times ten, to zero", 10, 10),
        waves("equal and lower", 50, 1, 0.0, 0.8),
        waves("each step", 1, 1, 0.01),
        waves("doubled from one step", 1, 2),
        waves("prime", PRIME, 3, 0.02, 0.7),
        waves("rising", 30, 2, 0.2, 0.5),
        waves("million", 10**6, 2),
        waves("longest", LAST_STEP, 2),
        waves("half more", 16, 1.5, 0.001, 0.5),
        waves("a tenth more", 100, 1.1, 0.001),
        waves("slightly more", 100, 1.001, 0.01, 0.999),
        waves("doubled and a half", 1, 2.5, 0.01),
        waves("length is no integer", 12.5, 2.0),
    ]


def _periodic() -> list[Case]:
    triangle = functools.partial(case, "cyclic")
    wave = functools.partial(case, "sine_wave")
    return [
        triangle("uneven", 0.01, 0.1, 30, 71),
        triangle("usual", 0.001, 0.006, 2000),
        triangle("halved", 0.001, 0.1, 100, 100, 0.5),
        triangle("downwards", 0.1, 0.01, 7, 3, 0.9),
        triangle("from zero", 0.0, 0.1, 1, 4),
        triangle("jump up", 0.01, 0.1, 0, 10),
        triangle("jump down", 0.01, 0.1, 10, 0),
        triangle("no step", 0.01, 0.1, 0, 0),
        triangle("no step at all", 0.01, 0.1, 0),
        triangle("prime", 0.0, 0.1, PRIME, PRIME + 1),
        triangle("million", 0.0, 0.1, 10**6, 10**5),
        triangle("longest", 0.0, 0.1, 2**30),
        triangle("each step fades", 0.001, 0.1, 100, 60, 0.999, decay_every="step"),
        triangle("fades, equal sides", 0.001, 0.1, 50, decay_rate=0.99, decay_every="step"),
        wave("downwards", 0.1, 0.01, 7, 0.9),
        wave("usual", 0.001, 0.1, 100),
        wave("halved", 0.0, 0.1, 997, 0.5),
        wave("each step", 0.01, 0.1, 1),
        wave("million", 0.0, 0.1, 10**6),
        wave("longest", 0.0, 0.1, LAST_STEP),
        wave("each step fades", 0.0, 0.1, 100, 0.999, decay_every="step"),
    ]


def _digits() -> list[Case]:
    """Bases and lengths of which float32 holds too few digits, repeated many times."""
    falls, drops, waves, again = (
        functools.partial(case, each)
        for each in ("exponential", "step_decay", "cosine_restarts", "repeat")
    )
    gamma, far = 0.99999979673105275, {"also_at": (10**6, 5 * 10**6, 10**7)}
    stairs = [
        drops(f"every {length} steps", 0.1, 0.97, length, also_at=(int(200 * length),))
        for length in (0.6, 1.1, 1.2, 2.4, 4.8, 4.9, 24.1, 390.6)
    ]
    growing = case("linear", "", 0.0, 1.0, 10**4)
    return [
        *stairs,
        falls("decimal base", 0.1, 0.97),
        falls("decimal length", 0.1, 0.97, 390.6),
        falls("decimal stairs", 0.1, 0.97, 2.4, staircase=True),
        falls("next to 1", 0.1, gamma, **far),
        falls("a little further from 1", 0.1, 0.99999, **far),
        falls("above 1", 0.1, 1.0000003, 100, **far),
        falls("next to 1, to a floor", 0.1, gamma, 1, 0.02, **far),
        drops("next to 1", 0.1, 0.999999, 10, **far),
        case("multi_step", "decimal base", 0.1, 0.97, [10 * i for i in range(1, 60)]),
        case("natural_exponential", "far down", 0.1, 0.03, 1.1),
        case("natural_exponential", "decimal stairs", 0.1, 0.03, 1.1, staircase=True),
        case("inverse_time", "decimal stairs", 0.1, 0.03, 2.4, staircase=True),
        case("inverse_sqrt", "decimal stairs", 0.1, 1.0, 4.9, staircase=True),
        case("discrete_staircase", "decimal stairs", 1.0, 0.001, 1.1),
        case("polynomial", "cycle of a decimal length", 0.1, 0.01, 2.0, 24.1, cycle=True),
        case("interpolate", "decimal length", [0.1 + i / 100 for i in range(50)], 2.4),
        # Where a step has 9 digits, 48 bits of its length are 6 digits of the share of a cycle.
        waves("decimal length", 0.1, 2.4, 0.01, tolerance=1e-5),
        waves("decimal multipliers", 0.1, 100, 0.0, 1.1, 0.9),
        waves("peaks next to 1", 0.1, 3, 0.0, 1.0, gamma, **far),
        waves("decimal length, doubled", 0.1, 4.9, 0.01, 2.0, 0.97),
        case("cyclic", "next to 1", 0.001, 0.006, 2000, None, gamma, decay_every="step", **far),
        case("cyclic", "decimal lengths", 0.001, 0.006, 24.1, 4.9, 0.97),
        case("sine_wave", "next to 1", 0.001, 0.006, 2000, gamma, decay_every="step", **far),
        case("sine_wave", "decimal length", 0.001, 0.006, 4.9, 0.97),
        again("decimal length", growing, 24.1),
        case("per_epoch", "decimal epochs", growing, 390.6),
        case("per_epoch", "of decimal stairs", stairs[3], 390),
    ]


WAVE = case("cosine", "", 0.3, 200, 0.01)
LINE = case("linear", "", 0.1, 0.0, 50)
POWER = case("polynomial", "", 0.1, 0.0, 0.9, 30)
ROOT = case("inverse_sqrt", "", 0.1)


def _in_phases() -> list[Case]:
    warm, join = (functools.partial(case, each) for each in ("warmup", "join"))
    return [
        warm("usual", WAVE, 10),
        warm("1/W", LINE, 10, first_step="one_over_w"),
        warm("from a rate", ROOT, 30, 0.01),
        warm("falling", WAVE, 9, 0.5),
        warm("1/W from a rate", LINE, 9, 0.05, first_step="one_over_w"),
        warm("of a number", 0.1, 1000),
        warm("no step", WAVE, 0, 0.5),
        warm("1/W of one step", LINE, 1, first_step="one_over_w"),
        warm("million", WAVE, 10**6),
        warm("longest", 0.1, LAST_STEP),
        warm("longest, 1/W", 0.1, LAST_STEP, first_step="one_over_w"),
        warm("cosine", WAVE, 10, 0.001, shape="cosine"),
        warm("cosine from zero", WAVE, 997, shape="cosine"),
        warm("cosine, 1/W", WAVE, 9, shape="cosine", first_step="one_over_w"),
        warm("longest cosine", WAVE, LAST_STEP, shape="cosine"),
        warm("no step of a cosine", WAVE, 0, 0.5, shape="cosine"),
        warm("sqrt", WAVE, 10, 0.001, shape="sqrt"),
        warm("sqrt from zero", WAVE, 997, shape="sqrt"),
        warm("sqrt, 1/W", WAVE, 9, shape="sqrt", first_step="one_over_w"),
        warm("longest sqrt", WAVE, LAST_STEP, shape="sqrt"),
        join("phases", [0.5, LINE, WAVE], [100, 50, 300]),
        join("cut short", [WAVE, ROOT, LINE], [40, 1000, 10]),
        join("skipped", [0.5, LINE, WAVE, 0.02], [10, 0, 7, 3]),
        join("nothing before", [0.5, LINE], [0, 60]),
        join("one", [LINE], [20]),
        join("goes on", [LINE, WAVE, ROOT], [50, 100]),
        join("long", [ROOT, WAVE, 0.1], [10**6, 10**9, 10**9]),
    ]


def _cooldown() -> list[Case]:
    cool = functools.partial(case, "cooldown")
    return [
        cool("usual", ROOT, 100, 50),
        cool("of a number", 0.1, 1000, 100, 0.01),
        cool("rising", WAVE, 40, 30, 0.3),
        cool("at once", WAVE, 0, 30, 0.001),
        cool("no step", WAVE, 10, 0, 0.001),
        cool("one step", WAVE, 10, 1, 0.001),
        cool("longest", 0.1, 0, LAST_STEP),
        cool("long", ROOT, 10**6, 10**9),
        cool("cosine", ROOT, 100, 50, shape="cosine"),
        cool("longest cosine", ROOT, 1, LAST_STEP - 1, shape="cosine"),
        cool("sqrt", ROOT, 100, 50, shape="sqrt"),
        cool("sqrt to a rate", ROOT, 10, 997, 0.001, shape="sqrt"),
        cool("longest sqrt", ROOT, 1, LAST_STEP - 1, shape="sqrt"),
        cool("power", ROOT, 100, 50, 0.0, 2.0, shape="power"),
        cool("usual power", ROOT, 10, 997, 0.001, shape="power"),
        cool("small power", ROOT, 10, 100, 0.01, 0.1, shape="power"),
        cool("power 0", ROOT, 10, 20, 0.01, 0.0, shape="power"),
        cool("inverse", ROOT, 100, 50, 1e-4, shape="inverse"),
        cool("inverse, no step", ROOT, 100, 0, 1e-4, shape="inverse"),
        cool("longest inverse", ROOT, 1, LAST_STEP - 1, 0.001, shape="inverse"),
        cool("exponential", ROOT, 100, 50, 1e-4, shape="exponential", tolerance=1e-5),
        cool("exponential, no step", ROOT, 100, 0, 1e-4, shape="exponential"),
        cool(
            *("longest exponential", ROOT, 1, LAST_STEP - 1, 1e-6),
            shape="exponential",
            tolerance=1e-5,
        ),
    ]


def _in_time() -> list[Case]:
    held, late, early, again, units, longer = (
        functools.partial(case, each)
        for each in ("hold", "delay", "advance", "repeat", "count_units", "extend")
    )
    drops = case("step_decay", "", 1.0, 0.5, 10)
    stairs = case("step_decay", "", 1.0, 0.5, 10**8)
    tokens = case("linear", "", 0.1, 0.0, 2**31 - 1)
    return [
        held("usual", WAVE, 70),
        held("at once", WAVE, 0),
        held("a number", 0.1, 10),
        held("long", WAVE, 10**9),
        late("usual", WAVE, 70),
        late("not at all", WAVE, 0),
        late("long", WAVE, 10**9),
        late("longest", WAVE, LAST_STEP),
        early("usual", WAVE, 70),
        early("not at all", WAVE, 0),
        early("longest", WAVE, LAST_STEP),
        again("usual", ROOT, 150),
        again("each step", ROOT, 1),
        again("prime", ROOT, 997),
        again("long", ROOT, 10**9),
        case("per_epoch", "usual", POWER, 1875),
        case("per_epoch", "drops", drops, 28_125),
        case("per_epoch", "of a number", 0.1, 10),
        case("per_epoch", "one step", POWER, 1),
        units("usual", WAVE, 7),
        units("tokens", tokens, 4096 * 512, also_at=(1023, 1024)),
        units("of a wave", WAVE, 2**20),
        units("past the largest integer", ROOT, 2**20),
        units("one", LINE, 1),
        units("half", WAVE, 0.5),
        units("a float", WAVE, 2.0**20),
        longer("usual", LINE, 20, 80),
        longer("further", case("linear", "", 0.1, 0.03, 200), 100, 1000),
        longer("of a wave", WAVE, 100, 150),
        longer("at once", LINE, 0, 100),
        longer("at its end", LINE, 50, 100),
        longer("over", LINE, 30, 20),
        longer("at the new end", LINE, 30, 30),
        longer("long", case("linear", "", 0.1, 0.0, 10**6), 10**5, LAST_STEP),
        longer("of long stairs", stairs, 5 * 10**8, 2 * 10**9, 10**9, also_at=(8 * 10**8,)),
        longer("of a warm-up", case("warmup", "", WAVE, 10), 50, 500, 210),
        longer("a number", 0.1, 10, 100, 50),
    ]


def _arithmetic() -> list[Case]:
    between = functools.partial(case, "clip")
    return [
        case("add", "two", WAVE, ROOT),
        case("add", "number", 0.01, ROOT),
        case("multiply", "two", WAVE, ROOT),
        case("multiply", "number", POWER, 0.5),
        case("scale", "usual", WAVE, 0.1),
        case("scale", "zero", ROOT, 0.0),
        case("scale", "number", 0.2, 3.0),
        between("usual", WAVE, 0.05, 0.2),
        between("floor", WAVE, 0.01),
        between("ceiling", WAVE, upper=0.03),
        between("nothing", WAVE),
        between("to one value", WAVE, 0.1, 0.1),
    ]


def _with_state() -> list[Case]:
    return [
        case("reduce_on_plateau", "usual", WAVE),
        case("reduce_on_plateau", "largest", WAVE, mode="max", threshold_mode="absolute"),
        case("reduce_on_plateau", "as Keras", ROOT, patience_rule="reaches"),
        case("greedy", "usual", WAVE),
        case("greedy", "largest", WAVE, mode="max", threshold_mode="relative"),
    ]


def _compounds() -> list[Case]:
    cosine, linear, stable, endless, cycle, slanted = (
        functools.partial(case, each)
        for each in (
            *("warmup_cosine", "warmup_linear", "warmup_stable_decay"),
            *("infinite_schedule", "one_cycle", "slanted_triangular"),
        )
    )
    stages = functools.partial(stable, shape="exponential")
    return [
        cosine("usual", 0.1, 100, 900, 0.001, 0.01),
        cosine("to zero", 0.1, 10, PRIME),
        cosine("squared", 0.1, 10, 997, power=2.0),
        cosine("no warm-up", 0.1, 0, 100, 0.5),
        cosine("no decay", 0.1, 10, 0, 0.0, 0.02),
        cosine("nothing", 0.1, 0, 0, 0.5, 0.02),
        cosine("long", 0.1, 10**6, 2 * 10**9),
        linear("usual", 0.1, 100, 900, 0.001, 0.01),
        linear("to zero", 0.1, 10, PRIME),
        linear("no warm-up", 0.1, 0, 100, 0.5),
        linear("nothing", 0.1, 0, 0, 0.5, 0.02),
        linear("long", 0.1, 10**6, 2 * 10**9),
        stable("usual", 0.1, 100, 600, 300, 0.001, 0.01),
        stable("to zero", 0.1, 10, PRIME, 997),
        stable("nothing stable", 0.1, 10, 0, 50),
        stable("nothing", 0.1, 0, 0, 0, 0.5, 0.02),
        stable("long", 0.1, 10**6, 10**9, 10**9),
        stable("linear", 0.1, 10, 60, 30, shape="linear"),
        stable("cosine", 0.1, 10, 60, 30, shape="cosine"),
        stable("inverse", 0.1, 10, 60, 30, 0.0, 0.001, shape="inverse"),
        stable("exponential", 0.1, 10, 60, 30, 0.0, 0.001, shape="exponential"),
        stages("three stages", 0.1, 100, 600, 300, 0.01, 0.001),
        stages("three stages from zero", 0.1, 10, PRIME, 997, 0.0, 1e-6, tolerance=1e-5),
        stages("three stages of nothing", 0.1, 0, 0, 0, 0.5, 0.02),
        stages("three long stages", 0.1, 10**6, 10**9, 10**9, 0.0, 0.001, tolerance=1e-5),
        endless("usual", 0.3, 0.1, 0.01, 10, 50, 100, 30, 0.001),
        endless("from zero", 0.3, 0.1, 0.01, 10, 997, 100, 30),
        endless("nothing", 0.3, 0.1, 0.01, 0, 0, 0, 0, 0.5),
        endless("nothing constant", 0.3, 0.1, 0.01, 10, 20, 0, 30),
        endless("long", 0.3, 0.1, 0.01, 10**6, 10**9, 10**6, 10**9, tolerance=1e-5),
        cycle("usual", 0.1, 1000),
        cycle("prime", 0.1, 997, 0.25, 10.0, 100.0),
        cycle("one step", 0.1, 1),
        cycle("two steps", 0.1, 2, 0.5),
        cycle("no step", 0.1, 0),
        cycle("only up", 0.1, 100, 1.0),
        cycle("only down", 0.1, 100, 0.0),
        cycle("longest that is exact", 0.1, 2**24),
        cycle("linear", 0.1, 1000, shape="linear"),
        cycle("three phases", 0.1, 1000, three_phase=True),
        cycle("two and nothing", 0.1, 100, 0.5, three_phase=True),
        cycle("three, linear", 0.1, 997, 0.45, shape="linear", three_phase=True),
        slanted("usual", 0.1, 1000),
        slanted("prime", 0.1, 997, 0.3, 10.0),
        slanted("level", 0.1, 100, 0.3, 1.0),
        slanted("one step", 0.1, 1),
        slanted("no step", 0.1, 0),
        slanted("only up", 0.1, 100, 1.0),
        slanted("only down", 0.1, 100, 0.0),
        slanted("longest that is exact", 0.1, 2**24),
    ]


def _nested() -> list[Case]:
    """Compositions of compositions of compositions."""
    warm = case("warmup", "", WAVE, 20, 0.001)
    epochs = case("per_epoch", "", POWER, 1875)
    phases = case("join", "", [LINE, WAVE, 0.02], [50, 100, 10])
    cooled = case("cooldown", "", warm, 100, 30)
    late = case("delay", "", case("hold", "", WAVE, 90), 9)
    longer = case("extend", "", case("one_cycle", "", 0.1, 100), 50, 200)
    return [
        case("scale", "of a warm-up of a join", case("warmup", "", phases, 5), 0.5),
        case("add", "of a product of epochs", 0.001, case("multiply", "", epochs, warm)),
        case(
            *("join", "of warm-ups of epochs"),
            [case("warmup", "", epochs, 100), case("scale", "", warm, 2)],
            [20_000, 500],
        ),
        case("per_epoch", "of a join", case("join", "", [warm, LINE], [100, 50]), 469),
        case("clip", "of a cooldown of a warm-up", cooled, 0.0005, 0.25),
        case("repeat", "of a delay of a hold", late, 120),
        case("count_units", "of an extended cycle", longer, 8),
        case("reduce_on_plateau", "of a cooldown of a warm-up", cooled),
    ]


CASES: list[Case] = [
    *_held_values(),
    *_linear(),
    *_polynomial(),
    *_cosine(),
    *_k_decay(),
    *_tanh(),
    *_to_the_end(),
    *_hyperbolic(),
    *_exponential(),
    *_inverse(),
    *_restarts(),
    *_periodic(),
    *_digits(),
    *_in_phases(),
    *_cooldown(),
    *_in_time(),
    *_arithmetic(),
    *_with_state(),
    *_compounds(),
    *_nested(),
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


def one_of_each_kind() -> list[Case]:
    """Cases of another family, other options or another choice of hyperparameters that are None."""
    first: dict[Any, Case] = {}
    for each in CASES:
        nothing = [value is None for value in each.schedule.hyperparameters.values()]
        key = (each.schedule.family, *each.schedule.options.items(), *nothing)
        first.setdefault(key, each)
    return list(first.values())


def by_structure(integers: bool = True) -> list[list[Case]]:
    """Cases that are traced alike, together: family, options, nesting, None, shapes.

    Also by which counts are integers, or not, as where all of them are made floats.
    """
    together: dict[Any, list[Case]] = {}
    for each in CASES:
        leaves, structure = jax.tree.flatten(each.schedule)
        types = [np.asarray(leaf).dtype.kind for leaf in leaves] if integers else []
        together.setdefault((structure, *map(np.shape, leaves), *types), []).append(each)
    return list(together.values())


def beyond_the_first(case: Case) -> Any:
    """The marks of a case: it is slow if it is not the first of its family."""
    return [] if case in one_of_each_family() else [pytest.mark.slow]


def structures(integers: bool = True) -> list[Any]:
    """One parameter of a test for each structure, those beyond the first of a family slow."""
    return [
        pytest.param(each, id=each[0].name, marks=beyond_the_first(each[0]))
        for each in by_structure(integers)
    ]


def kinds() -> list[Any]:
    """One parameter of a test for each kind, those beyond the first of a family slow."""
    return [
        pytest.param(each, id=each.name, marks=beyond_the_first(each))
        for each in one_of_each_kind()
    ]


def representable(step: int) -> bool:
    """Whether float32 holds a step exactly."""
    return math.isfinite(step) and int(np.float32(step)) == step
