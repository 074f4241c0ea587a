"""Cases of compositions."""

from __future__ import annotations

import functools

from case import Case, case
from references import LAST_STEP

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


COMPOSED: list[Case] = [
    *_in_phases(),
    *_cooldown(),
    *_in_time(),
    *_arithmetic(),
    *_with_state(),
]
NESTED: list[Case] = _nested()
