"""What Optax promises of its schedules, by `from_optax`; and the few promises that we do not keep.

Each behaviour is a table of steps and values, from the formula, and holds of Optax itself too, so
that the table is not ours alone.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from random_live import ONE_STEP, optax_schedule
from rows import called

from jaxdecay import Schedule, from_optax

RTOL = 1e-6


class Behaviour(NamedTuple):
    function: str
    arguments: dict[str, Any]
    values: dict[int, float]


def half_wave(high: float, low: float, over: float, exponent: float = 1.0) -> float:
    return low + (high - low) * ((1 + math.cos(math.pi * over)) / 2) ** exponent


LINE = {"init_value": 3.0, "end_value": 5.0, "transition_steps": 8}
SQUARE = {"init_value": 9.0, "end_value": 1.0, "power": 2, "transition_steps": 4}
GROWTH = {"init_value": 0.5, "transition_steps": 4, "decay_rate": 3.0}
FALL = {"init_value": 0.8, "transition_steps": 4, "decay_rate": 0.25}
RISE = {"init_value": 0.1, "peak_value": 0.9, "warmup_steps": 4}
SCALES = {6: 0.5, 2: 3.0}  # in no order
CYCLES = [
    {"init_value": 0.0, "peak_value": peak, "warmup_steps": 10, "decay_steps": length}
    for peak, length in [(0.8, 40), (0.4, 60), (0.2, 50)]
]

BEHAVIOURS = {
    "a constant": Behaviour("constant_schedule", {"value": 7}, {0: 7, 1: 7, 10**6: 7}),
    "a line up, held": Behaviour("linear_schedule", LINE, {0: 3, 2: 3.5, 7: 4.75, 8: 5, 99: 5}),
    "a square": Behaviour("polynomial_schedule", SQUARE, {0: 9, 1: 5.5, 2: 3, 3: 1.5, 4: 1, 50: 1}),
    "a square that waits": Behaviour(
        "polynomial_schedule", {**SQUARE, "transition_begin": 10}, {0: 9, 10: 9, 12: 3, 14: 1}
    ),
    "a begin below 0": Behaviour(
        "polynomial_schedule", {**SQUARE, "transition_begin": -10}, {0: 9, 2: 3, 4: 1}
    ),
    "a power of 0": Behaviour("polynomial_schedule", {**SQUARE, "power": 0}, {0: 9, 4: 9, 99: 9}),
    **{
        f"a transition of {steps} steps": Behaviour(
            "polynomial_schedule", {**SQUARE, "transition_steps": steps}, {0: 9, 1: 9, 99: 9}
        )
        for steps in (0, -1)
    },
    "scales": Behaviour(
        "piecewise_constant_schedule",
        {"init_value": 0.2, "boundaries_and_scales": SCALES},
        {0: 0.2, 1: 0.2, 2: 0.6, 5: 0.6, 6: 0.3, 99: 0.3},
    ),
    "no scales": Behaviour("piecewise_constant_schedule", {"init_value": 0.2}, {0: 0.2, 99: 0.2}),
    "a rate of 1": Behaviour(
        "exponential_decay", {**GROWTH, "decay_rate": 1.0}, {0: 0.5, 3: 0.5, 999: 0.5}
    ),
    "a rate of 0": Behaviour("exponential_decay", {**GROWTH, "decay_rate": 0}, {0: 0.5, 9: 0.5}),
    **{
        f"a growth in {steps} steps": Behaviour(
            "exponential_decay", {**GROWTH, "transition_steps": steps}, {0: 0.5, 9: 0.5}
        )
        for steps in (0, -1)
    },
    "a growth": Behaviour("exponential_decay", GROWTH, {0: 0.5, 2: 0.5 * 3**0.5, 4: 1.5, 8: 4.5}),
    "a growth that waits": Behaviour(
        "exponential_decay", {**GROWTH, "transition_begin": 5}, {0: 0.5, 5: 0.5, 9: 1.5, 13: 4.5}
    ),
    "stairs": Behaviour(
        "exponential_decay", {**FALL, "staircase": True}, {0: 0.8, 3: 0.8, 4: 0.2, 7: 0.2, 8: 0.05}
    ),
    "a floor": Behaviour(
        "exponential_decay", {**FALL, "end_value": 0.3}, {0: 0.8, 2: 0.4, 3: 0.3, 99: 0.3}
    ),
    "a floor of stairs": Behaviour(
        "exponential_decay",
        {**FALL, "end_value": 0.1, "staircase": True, "transition_begin": 3},
        {0: 0.8, 6: 0.8, 7: 0.2, 11: 0.1, 99: 0.1},
    ),
    "a ceiling": Behaviour(
        "exponential_decay",
        {**GROWTH, "end_value": 1.2},
        {0: 0.5, 3: 0.5 * 3**0.75, 4: 1.2, 9: 1.2},
    ),
    "a cosine": Behaviour(
        "cosine_decay_schedule",
        {"init_value": 0.6, "decay_steps": 6},
        {step: half_wave(0.6, 0, min(step, 6) / 6) for step in (0, 1, 2, 3, 5, 6, 40)},
    ),
    "a cosine down to a share": Behaviour(
        "cosine_decay_schedule",
        {"init_value": 0.6, "decay_steps": 6, "alpha": 0.25},
        {step: half_wave(0.6, 0.15, min(step, 6) / 6) for step in (0, 1, 3, 5, 6, 40)},
    ),
    "a power of a cosine": Behaviour(
        "cosine_decay_schedule",
        {"init_value": 0.6, "decay_steps": 6, "exponent": 2},
        {step: half_wave(0.6, 0, step / 6, 2) for step in (0, 1, 3, 5, 6)},
    ),
    "more steps than an integer of JAX holds": Behaviour(
        "cosine_decay_schedule",
        {"init_value": 600.0, "decay_steps": 10**10},
        {step: half_wave(600, 0, step / 1e10) for step in (0, 10**9, 2 * 10**9)},
    ),
    "a warm-up": Behaviour("warmup_constant_schedule", RISE, {0: 0.1, 1: 0.3, 4: 0.9, 99: 0.9}),
    "a warm-up and a cosine": Behaviour(
        "warmup_cosine_decay_schedule",
        {**RISE, "decay_steps": 12, "end_value": 0.2, "exponent": 2.0},
        {0: 0.1, 2: 0.5, 4: 0.9, 8: half_wave(0.9, 0.2, 0.5, 2), 12: 0.2, 99: 0.2},
    ),
    "a peak of 0": Behaviour(
        "warmup_cosine_decay_schedule",
        {**RISE, "peak_value": 0, "decay_steps": 12, "end_value": 0.0},
        {0: 0.1, 2: 0.05, 4: 0, 8: 0, 99: 0},
    ),
    "a warm-up and an exponential": Behaviour(
        "warmup_exponential_decay_schedule",
        {**RISE, "transition_steps": 4, "decay_rate": 0.25, "transition_begin": 2},
        {0: 0.1, 2: 0.5, 4: 0.9, 6: 0.9, 10: 0.225},
    ),
    "warm restarts": Behaviour(
        "sgdr_schedule",
        {"cosine_kwargs": CYCLES},
        {0: 0, 10: 0.8, 25: 0.4, 40: 0, 50: 0.4, 100: 0, 110: 0.2, 150: 0, 999: 0},
    ),
    "lines between boundaries": Behaviour(
        "piecewise_interpolate_schedule",
        {"interpolate_type": "linear", "init_value": 60.0, "boundaries_and_scales": SCALES},
        {0: 60, 1: 120, 2: 180, 4: 135, 6: 90, 99: 90},
    ),
    "half waves between boundaries": Behaviour(
        "piecewise_interpolate_schedule",
        {"interpolate_type": "cosine", "init_value": 60.0, "boundaries_and_scales": SCALES},
        {0: 60, 1: 120, 2: 180, 3: half_wave(180, 90, 0.25), 4: 135, 6: 90, 99: 90},
    ),
    "an interval of no steps": Behaviour(
        "piecewise_interpolate_schedule",
        {
            "interpolate_type": "linear",
            "init_value": 5.0,
            "boundaries_and_scales": {0: 2.0, 4: 3.0},
        },
        {0: 10, 2: 20, 4: 30},
    ),
    **{
        f"no boundaries: {scales}": Behaviour(
            "piecewise_interpolate_schedule",
            {
                "interpolate_type": "cosine",
                "init_value": 5.0,
                "boundaries_and_scales": scales,
            },
            {0: 5, 3: 5},
        )
        for scales in (None, {})
    },
    "one cycle of lines": Behaviour(
        "linear_onecycle_schedule",
        {
            "transition_steps": 20,
            "peak_value": 40.0,
            "pct_start": 0.2,
            "pct_final": 0.7,
            "div_factor": 4.0,
            "final_div_factor": 10.0,
        },
        {0: 10, 1: 17.5, 4: 40, 9: 25, 14: 10, 17: 5.5, 20: 1, 99: 1},
    ),
    "one cycle of half waves": Behaviour(
        "cosine_onecycle_schedule",
        {
            "transition_steps": 20,
            "peak_value": 40.0,
            "pct_start": 0.2,
            "div_factor": 4.0,
            "final_div_factor": 10.0,
        },
        {0: 10, 2: 25, 4: 40, 12: 20.5, 20: 1, 99: 1},
    ),
    "one after another": Behaviour(
        "join_schedules",
        {
            "schedules": [
                ("constant_schedule", {"value": 2.0}),
                ("linear_schedule", {**LINE, "transition_steps": 4}),
                ("constant_schedule", {"value": 0.5}),
            ],
            "boundaries": [3, 6],
        },
        {0: 2, 2: 2, 3: 3, 4: 3.5, 5: 4, 6: 0.5, 99: 0.5},
    ),
}


def ours(behaviour: Behaviour) -> Schedule:
    given = dict(behaviour.arguments)
    if "schedules" in given:
        given["schedules"] = [from_optax(name, **each) for name, each in given["schedules"]]
    return from_optax(behaviour.function, **given)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_behaves_as_optax(name: str) -> None:
    behaviour = BEHAVIOURS[name]
    steps, values = list(behaviour.values), list(behaviour.values.values())
    schedule = ours(behaviour)
    for call in (schedule, lambda many: called(schedule, many)):
        found = np.asarray(call(jnp.asarray(steps)), np.float64)
        np.testing.assert_allclose(found, values, rtol=RTOL, atol=0)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_optax_behaves_so(name: str, relaxed_promotion: None) -> None:
    behaviour = BEHAVIOURS[name]
    steps, values = list(behaviour.values), list(behaviour.values.values())
    with jax.enable_x64(True):
        schedule = optax_schedule(behaviour.function, behaviour.arguments)
        one = behaviour.function in ONE_STEP
        found = (jax.vmap(schedule) if one else schedule)(jnp.asarray(steps))
        found = np.broadcast_to(np.asarray(found, np.float64), len(steps))
    np.testing.assert_allclose(found, values, rtol=RTOL, atol=1e-15)


def test_every_function_has_a_behaviour() -> None:
    public = vars(optax.schedules).items()
    functions = {
        name
        for name, each in public
        if inspect.isfunction(each) and name.endswith(("_schedule", "_schedules", "_decay"))
    }
    assert {each.function for each in BEHAVIOURS.values()} == functions


def test_a_higher_exponent_is_never_above_a_lower_one() -> None:
    given = {**RISE, "decay_steps": 30, "end_value": 0.2}
    steps = np.arange(31)
    flat = np.asarray(from_optax("warmup_cosine_decay_schedule", **given, exponent=1.0)(steps))
    steep = np.asarray(from_optax("warmup_cosine_decay_schedule", **given, exponent=2.0)(steps))
    assert np.all(np.diff(flat[:5]) > 0)
    assert np.all(np.diff(flat[4:]) <= 0)
    assert np.all(steep[4:] <= flat[4:])


# What Optax refuses, ours refuses.

REFUSED_BY_BOTH = {
    "a cosine of no steps": ("cosine_decay_schedule", {"init_value": 0.1, "decay_steps": 0}),
    "a decay inside its warm-up": (
        "warmup_cosine_decay_schedule",
        {**RISE, "decay_steps": 4, "end_value": 0.0},
    ),
    "an interpolation": (
        "piecewise_interpolate_schedule",
        {"interpolate_type": "cubic", "init_value": 0.1, "boundaries_and_scales": {3: 0.5}},
    ),
    "a scale below 0": (
        "piecewise_interpolate_schedule",
        {"interpolate_type": "linear", "init_value": 0.1, "boundaries_and_scales": {3: -0.5}},
    ),
    "a factor below 0": (
        "piecewise_constant_schedule",
        {"init_value": 0.1, "boundaries_and_scales": {3: -0.5}},
    ),
    **{
        f"a {kind} cycle of no steps": (
            f"{kind}_onecycle_schedule",
            {"transition_steps": 0, "peak_value": 0.1},
        )
        for kind in ("cosine", "linear")
    },
}


@pytest.mark.parametrize("what", REFUSED_BY_BOTH)
def test_what_optax_refuses(what: str) -> None:
    function, arguments = REFUSED_BY_BOTH[what]
    with pytest.raises(ValueError, match=r".+"):
        optax_schedule(function, arguments)
    with pytest.raises(ValueError, match=f"Optax's {function}"):
        from_optax(function, **arguments)


# What Optax takes, and ours refuses: the deliberate differences, each with what is said.

DELIBERATE = {
    "a rate below 0, which climbs the loss": (
        "piecewise_constant_schedule",
        {"init_value": -0.2, "boundaries_and_scales": SCALES},
        "must be numbers ≥ 0, got -0.2",
    ),
    "an end below 0": (
        "warmup_cosine_decay_schedule",
        {**RISE, "decay_steps": 12, "end_value": -2.0},
        "end_value must be a number ≥ 0, got -2.0",
    ),
    "a warm-up that Optax never leaves": (
        "warmup_constant_schedule",
        {**RISE, "warmup_steps": 0},
        "Optax stays at init_value if the warm-up has no steps",
    ),
    "a cycle whose phases Optax drops": (
        "linear_onecycle_schedule",
        {"transition_steps": 1, "peak_value": 0.1},
        "skips those that share a step",
    ),
    "boundaries that Optax leaves out": (
        "join_schedules",
        {"schedules": [], "boundaries": [3]},
        "Optax ignores surplus schedules and boundaries",
    ),
}


@pytest.mark.parametrize("what", DELIBERATE)
def test_a_deliberate_difference(what: str) -> None:
    function, arguments, message = DELIBERATE[what]
    assert callable(optax_schedule(function, arguments))
    with pytest.raises(ValueError, match=f"Optax's {function}") as caught:
        from_optax(function, **arguments)
    assert message in str(caught.value)
