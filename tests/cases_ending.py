"""Cases of values that are held, and of decays that end."""

from __future__ import annotations

import functools

from case import PRIME, Case, case
from references import LAST_STEP


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


ENDING: list[Case] = [
    *_held_values(),
    *_linear(),
    *_polynomial(),
    *_cosine(),
    *_k_decay(),
    *_tanh(),
    *_to_the_end(),
    *_hyperbolic(),
]
