"""Cases of compounds."""

from __future__ import annotations

import functools

from case import PRIME, Case, case


def _warmed_up() -> list[Case]:
    cosine, linear, stable, endless = (
        functools.partial(case, each)
        for each in ("warmup_cosine", "warmup_linear", "warmup_stable_decay", "infinite_schedule")
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
    ]


def _one_cycle() -> list[Case]:
    cycle, slanted = (functools.partial(case, each) for each in ("one_cycle", "slanted_triangular"))
    return [
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


COMPOUNDS: list[Case] = [*_warmed_up(), *_one_cycle()]
