"""Against Optax, where it is right: the same numbers."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import optax
import pytest
from live_peers import (
    SEEDS,
    Arguments,
    Chance,
    Drawn,
    Live,
    Peer,
    assert_equal,
    held_from,
    in_float64,
    length,
    number,
    rate,
    steps_to,
)
from parity import claim, equal, families_in

import jaxdecay
from jaxdecay import Schedule

pytestmark = pytest.mark.usefixtures("on_cpu")


def optax_schedule(scheduler: str, arguments: Arguments) -> Peer:
    given = dict(arguments)
    if "schedules" in given:
        given["schedules"] = [optax_schedule(*each) for each in given["schedules"]]
    return getattr(optax.schedules, scheduler)(**given)


def from_optax(scheduler: str, arguments: Arguments) -> Schedule:
    given = dict(arguments)
    if "schedules" in given:
        given["schedules"] = [from_optax(*each) for each in given["schedules"]]
    return jaxdecay.from_optax(scheduler, **given)


def optax_constant(chance: Chance) -> Drawn:
    return Drawn({"value": rate(chance)}, 10)


def optax_linear(chance: Chance) -> Drawn:
    end_value, steps = rate(chance, or_zero=True), length(chance)
    begin = int(chance.integers(-10, 100))
    arguments = {
        "init_value": rate(chance),
        "end_value": end_value,
        "transition_steps": steps,
        "transition_begin": begin,
    }
    return Drawn(arguments, max(begin, 0) + steps, end_value)


def optax_polynomial(chance: Chance) -> Drawn:
    line = optax_linear(chance)
    return line._replace(arguments={**line.arguments, "power": number(chance.uniform(0.3, 4))})


def optax_no_steps(chance: Chance) -> Drawn:
    line = optax_linear(chance)
    return Drawn({**line.arguments, "transition_steps": -int(chance.integers(0, 2))}, 10)


def optax_exponential(chance: Chance, *, staircase: bool = False, limit: str = "none") -> Drawn:
    init_value, steps = rate(chance), int(chance.integers(1, 300))
    growing = limit == "ceiling"
    decay_rate = number(chance.uniform(1.1, 2) if growing else chance.uniform(0.3, 0.99))
    arguments = {
        "init_value": init_value,
        "transition_steps": steps,
        "decay_rate": decay_rate,
        "staircase": staircase,
        # After 3 of 6 transitions the limit is reached.
        "end_value": None if limit == "none" else number(init_value * decay_rate**3),
        "transition_begin": int(chance.integers(0, 2)) * 50,
    }
    return Drawn(arguments, 6 * steps + 50)


def optax_cosine(chance: Chance) -> Drawn:
    steps = length(chance)
    arguments = {
        "init_value": rate(chance),
        "decay_steps": steps,
        "alpha": chance.choice([0, number(chance.uniform(0, 1))]).item(),
        "exponent": chance.choice([1.0, number(chance.uniform(0.3, 3))]).item(),
    }
    return Drawn(arguments, steps)


def optax_warmup_cosine(chance: Chance) -> Drawn:
    warmup_steps, left = length(chance), length(chance)
    arguments = {
        "init_value": rate(chance, or_zero=True),
        "peak_value": rate(chance),
        "warmup_steps": warmup_steps,
        "decay_steps": warmup_steps + left,
        "end_value": rate(chance),
        "exponent": number(chance.uniform(0.5, 2)),
    }
    return Drawn(arguments, warmup_steps + left)


def optax_sgdr(chance: Chance) -> Drawn:
    cycles = [optax_warmup_cosine(chance).arguments for _ in range(3)]
    end = sum(cycle["decay_steps"] for cycle in cycles)
    return Drawn({"cosine_kwargs": cycles}, min(end, 4_000))


def optax_warmup_constant(chance: Chance) -> Drawn:
    peak_value, steps = rate(chance), length(chance)
    arguments = {"init_value": 0.0, "peak_value": peak_value, "warmup_steps": steps}
    return Drawn(arguments, steps, peak_value)


def optax_warmup_exponential(chance: Chance, *, limit: str) -> Drawn:
    drawn = optax_exponential(chance, limit=limit)
    arguments = {**drawn.arguments, "warmup_steps": int(chance.integers(1, 300))}
    arguments["peak_value"], arguments["init_value"] = arguments["init_value"], 0.0
    if limit == "beyond":  # the decay begins at its limit
        arguments["end_value"] = number(2 * arguments["peak_value"])
    return Drawn(arguments, drawn.end + 300)


def boundaries_and_scales(chance: Chance) -> dict[int, float]:
    boundaries = np.sort(chance.choice(np.arange(1, 500), 4, replace=False)).tolist()
    return {each: number(chance.uniform(0.1, 1.5)) for each in boundaries}


def optax_piecewise_constant(chance: Chance) -> Drawn:
    scales = boundaries_and_scales(chance)
    return Drawn({"init_value": rate(chance), "boundaries_and_scales": scales}, 500)


def optax_piecewise_interpolate(chance: Chance, *, interpolate_type: str) -> Drawn:
    drawn = optax_piecewise_constant(chance)
    return drawn._replace(arguments={**drawn.arguments, "interpolate_type": interpolate_type})


def optax_onecycle(chance: Chance, *, linear: bool) -> Drawn:
    steps = int(chance.integers(20, 900))
    arguments = {
        "transition_steps": steps,
        "peak_value": rate(chance),
        "pct_start": number(chance.uniform(0.1, 0.5)),
        "div_factor": number(chance.uniform(2, 50)),
        "final_div_factor": number(chance.uniform(2, 1e4)),
    }
    if linear:
        arguments["pct_final"] = number(chance.uniform(0.6, 0.9))
    return Drawn(arguments, steps)


def optax_join(chance: Chance) -> Drawn:
    first, second = int(chance.integers(1, 400)), int(chance.integers(1, 400))
    schedules = [
        ("linear_schedule", {**optax_linear(chance).arguments, "transition_begin": 0}),
        ("polynomial_schedule", optax_polynomial(chance).arguments),
        ("cosine_decay_schedule", optax_cosine(chance).arguments),
    ]
    schedules[0][1]["transition_steps"] = first + 5  # cut short
    arguments = {"schedules": schedules, "boundaries": [first, first + second]}
    return Drawn(arguments, first + second + 900)


OPTAX = {
    "constant_schedule": Live(optax_constant, claim("constant")),
    "linear_schedule": Live(optax_linear, claim("linear delay")),
    "polynomial_schedule": Live(optax_polynomial, claim("polynomial delay")),
    "polynomial_schedule of no steps": Live(
        lambda chance: optax_no_steps(chance)._replace(
            arguments={**optax_no_steps(chance).arguments, "power": 2.0}
        ),
        claim(""),
    ),
    **{
        f"exponential_decay staircase={staircase} limit={limit}": Live(
            partial(optax_exponential, staircase=staircase, limit=limit), claim("exponential")
        )
        for staircase in (False, True)
        for limit in ("none", "floor", "ceiling")
    },
    "cosine_decay_schedule": Live(optax_cosine, claim("cosine")),
    "warmup_cosine_decay_schedule": Live(
        optax_warmup_cosine, claim("warmup_cosine", "`decay_steps` include the warm-up")
    ),
    "warmup_constant_schedule": Live(optax_warmup_constant, claim("warmup")),
    **{
        f"warmup_exponential_decay_schedule limit={limit}": Live(
            partial(optax_warmup_exponential, limit=limit),
            claim("constant" if limit == "beyond" else "exponential"),
        )
        for limit in ("none", "floor", "beyond")
    },
    "piecewise_constant_schedule": Live(
        optax_piecewise_constant, claim("piecewise_constant", "factors, not rates")
    ),
    **{
        f"piecewise_interpolate_schedule {kind}": Live(
            partial(optax_piecewise_interpolate, interpolate_type=kind),
            claim("piecewise_linear", "factors, not rates"),
        )
        for kind in ("linear", "cosine")
    },
    "linear_onecycle_schedule": Live(
        partial(optax_onecycle, linear=True), claim("piecewise_linear", "factors, not rates")
    ),
    "cosine_onecycle_schedule": Live(
        partial(optax_onecycle, linear=False), claim("piecewise_linear", "factors, not rates")
    ),
    "sgdr_schedule": Live(optax_sgdr, claim("join")),
    "join_schedules": Live(optax_join, claim("join")),
}
ONE_STEP = ("piecewise_interpolate", "linear_onecycle", "cosine_onecycle")
"""Schedules that Optax cannot call with an array of steps."""


@pytest.mark.parametrize("name", OPTAX)
def test_equals_optax(name: str, relaxed_promotion: None) -> None:
    scheduler, used = name.partition(" ")[0], set()
    for seed in SEEDS:
        drawn = OPTAX[name].draw(np.random.default_rng(seed))
        ours = from_optax(scheduler, drawn.arguments)

        def theirs(drawn: Drawn = drawn) -> Peer:
            schedule = optax_schedule(scheduler, drawn.arguments)
            return jax.vmap(schedule) if scheduler.startswith(ONE_STEP) else schedule

        steps = steps_to(drawn.end)
        expected = in_float64(held_from(drawn.end, drawn.held, theirs), steps)
        expected = np.where(expected < 1e-37, 0, expected)  # below float32
        assert_equal(ours, steps, expected, constants=seed == 0)
        used |= families_in(ours)
    assert used >= set(OPTAX[name].claim.families)


def test_every_schedule_of_optax_is_converted() -> None:
    functions = {
        name for name in optax.schedules.__dict__ if name.endswith(("_schedule", "_decay"))
    }
    functions.remove("_schedule")  # a module
    assert {name.partition(" ")[0] for name in OPTAX} >= functions | {"join_schedules"}


equal("Optax", [live.claim for live in OPTAX.values()], "test_equals_optax")
