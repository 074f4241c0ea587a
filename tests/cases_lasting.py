"""Cases of decays that go on or come back, and of counts that need all digits."""

from __future__ import annotations

import functools
import math
from decimal import Decimal, localcontext

from case import PRIME, Case, case
from references import LAST_STEP


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


LASTING: list[Case] = [
    *_exponential(),
    *_inverse(),
    *_restarts(),
    *_periodic(),
    *_digits(),
]
