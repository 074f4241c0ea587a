"""Against Optax and Keras: the same numbers where they are right, ours where they are not.

Both run here, in float64 (JAX's x64 mode): in float32 their own rounding near the end of a decay
is larger than the tolerance. Ours run in the mode of the test run, by default float32. Random
hyperparameters are rounded to float32, so that both sides are given the same numbers. PyTorch's
epochs are recorded in `recorded/torch.json` by `recorded/record_torch.py`; the other peers, and
the rest of PyTorch, are in `test_recorded_peers.py`.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import test_adaptive
from compiler import AS_USERS_DO
from parity import Claim, claim, equal, families_in, wrong
from rows import called

import jaxdecay
from jaxdecay import Schedule

RTOL = 1e-6
LAST_STEP = 2**31 - 1
FOUNDING_NUMBER = 0.031885575503110886  # 0.1 · 0.96²⁸ as Keras computes it, in float32

Chance = np.random.Generator
Peer = Callable[[Any], Any]
Arguments = dict[str, Any]


@pytest.fixture
def float32() -> Iterator[None]:
    """Float32 also in a run with x64 on: for what is true of float32 only."""
    with jax.enable_x64(False):
        yield


@pytest.fixture(autouse=True)
def on_cpu() -> Iterator[None]:
    """What a peer's compiled program rounds to depends on the device."""
    with jax.default_device(jax.devices("cpu")[0]):
        yield


def number(value: float) -> float:
    return float(np.float32(value))


def rate(chance: Chance, *, or_zero: bool = False) -> float:
    zero = or_zero and chance.random() < 0.5
    return 0.0 if zero else number(10 ** chance.uniform(-4, 0))


def length(chance: Chance) -> int:
    return int(chance.integers(2, 900))


def steps_to(end: int) -> np.ndarray:
    """Every step to a little past the end, and some far past it."""
    steps = np.array([*range(end + 20), 10_000_000, LAST_STEP], np.int64)
    return np.pad(steps, (0, 4_096 - len(steps)), mode="edge")  # one shape compiles once


def in_float64(make: Callable[[], Peer], steps: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        values = make()(jnp.asarray(steps))
    return np.broadcast_to(np.asarray(values, np.float64), steps.shape)


def assert_equal(
    schedule: Schedule, steps: np.ndarray, expected: Any, *, constants: bool = False
) -> None:
    """Compiled, at every step, relative to the value there: 0 must be 0.

    With the hyperparameters as arguments, which compiles once for all of a family, and, for some
    settings, as constants of the program.
    """
    calls = [partial(called, schedule), *([jax.jit(schedule)] if constants else [])]
    for call in calls:
        values = np.asarray(call(jnp.asarray(steps)), np.float64)
        np.testing.assert_allclose(values, expected, rtol=RTOL, atol=0)


# Optax, where it is right. Each function draws arguments of one of its schedules, and the last
# step of interest.


class Drawn(NamedTuple):
    arguments: Arguments
    end: int
    held: float | None = None
    """The end value that the peer documents, where it does not keep it exactly.

    JAX divides an array of steps by T as t·(1/T), also in float64, and 1 − t/T is then not always
    0 at the end.
    """


class Live(NamedTuple):
    draw: Callable[[Chance], Drawn]
    claim: Claim


def held_from(end: int, end_value: float | None, make: Callable[[], Peer]) -> Callable[[], Peer]:
    if end_value is None:
        return make

    def made() -> Peer:
        schedule = make()
        return lambda steps: jnp.where(steps < end, schedule(steps), end_value)

    return made


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

SEEDS = range(2)


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


# Keras, where it is right.


def keras_in_float64(make: Callable[[], Peer], steps: np.ndarray) -> np.ndarray:
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        return in_float64(make, steps)
    finally:
        keras.config.set_floatx(before)


def keras_rate_decay(chance: Chance, *, staircase: bool, fastest: float) -> Drawn:
    decay_steps = int(chance.integers(1, 300))
    arguments = {
        "initial_learning_rate": rate(chance),
        "decay_steps": decay_steps,
        "decay_rate": number(chance.uniform(0.3, fastest)),
        "staircase": staircase,
    }
    return Drawn(arguments, 6 * decay_steps)


def keras_polynomial(chance: Chance, *, cycle: bool) -> Drawn:
    decay_steps, end_value = length(chance), rate(chance, or_zero=True)
    arguments = {
        "initial_learning_rate": rate(chance),
        "decay_steps": decay_steps,
        "end_learning_rate": end_value,
        "power": number(chance.uniform(0.3, 3)),
        "cycle": cycle,
    }
    return Drawn(arguments, 4 * decay_steps if cycle else decay_steps, None if cycle else end_value)


def keras_cosine(chance: Chance) -> Drawn:
    decay_steps = length(chance)
    alpha = chance.choice([0, number(chance.uniform(0.2, 1))]).item()
    arguments = {
        "initial_learning_rate": rate(chance),
        "decay_steps": decay_steps,
        "alpha": alpha,
        "warmup_steps": 10,  # not looked at without warmup_target
    }
    return Drawn(arguments, decay_steps)


def keras_warmup_cosine(chance: Chance) -> Drawn:
    warmup_steps, decay_steps = length(chance), length(chance)
    arguments = {
        "initial_learning_rate": rate(chance, or_zero=True),
        "decay_steps": decay_steps,
        "alpha": 0.25,
        "warmup_target": rate(chance),
        "warmup_steps": warmup_steps,
    }
    return Drawn(arguments, warmup_steps + decay_steps)


def keras_restarts(chance: Chance, *, t_mul: float) -> Drawn:
    first = int(chance.integers(50, 90))
    arguments = {
        "initial_learning_rate": rate(chance),
        "first_decay_steps": first,
        "t_mul": t_mul,
        "m_mul": chance.choice([1.0, number(chance.uniform(0.3, 1))]).item(),
        "alpha": number(chance.uniform(0.1, 0.5)),
    }
    return Drawn(arguments, int(first * (1 + t_mul + t_mul**2)))


def keras_piecewise_constant(chance: Chance) -> Drawn:
    boundaries = np.sort(chance.choice(np.arange(1, 500), 4, replace=False)).tolist()
    return Drawn({"boundaries": boundaries, "values": [rate(chance) for _ in range(5)]}, 500)


KERAS = {
    **{
        f"ExponentialDecay staircase={stairs}": Live(
            partial(keras_rate_decay, staircase=stairs, fastest=0.99), claim("exponential")
        )
        for stairs in (False, True)
    },
    **{
        f"InverseTimeDecay staircase={stairs}": Live(
            partial(keras_rate_decay, staircase=stairs, fastest=2.0), claim("inverse_time")
        )
        for stairs in (False, True)
    },
    "PolynomialDecay": Live(partial(keras_polynomial, cycle=False), claim("polynomial")),
    "PolynomialDecay cycle": Live(partial(keras_polynomial, cycle=True), claim("polynomial")),
    "CosineDecay": Live(keras_cosine, claim("cosine")),
    "CosineDecay warmup": Live(keras_warmup_cosine, claim("warmup warmup_cosine")),
    **{
        f"CosineDecayRestarts t_mul={t_mul}": Live(
            partial(keras_restarts, t_mul=t_mul), claim("cosine_restarts")
        )
        for t_mul in (1.0, 2.0, 3.0)
    },
    "PiecewiseConstantDecay": Live(
        keras_piecewise_constant, claim("piecewise_constant", "the old value at a boundary")
    ),
}


def keras_schedule(scheduler: str, arguments: Arguments) -> Peer:
    return getattr(keras.optimizers.schedules, scheduler)(**arguments)


def known_in_keras(name: str, drawn: Drawn, steps: np.ndarray) -> np.ndarray:
    """The steps at which Keras is right; see the tests of defects for the others."""
    if name.startswith("CosineDecayRestarts"):  # takes a logarithm in float32
        first, growth = drawn.arguments["first_decay_steps"], drawn.arguments["t_mul"]
        starts = [int(first * sum(growth**i for i in range(cycle))) for cycle in range(4)]
        near = np.min(np.abs(steps[:, None] - starts), axis=1) < 4
        return (steps < drawn.end) & (~near | (steps == 0))
    if name == "CosineDecay" and drawn.arguments["alpha"] == 0:  # a cosine in float32
        end = drawn.arguments["decay_steps"]
        return (steps <= 2 * end / 3) | (steps >= end)
    return np.ones(len(steps), bool)


@pytest.mark.parametrize("name", KERAS)
def test_equals_keras(name: str, relaxed_promotion: None) -> None:
    scheduler, used = name.partition(" ")[0], set()
    for seed in SEEDS:
        drawn = KERAS[name].draw(np.random.default_rng(seed))
        config = {"class_name": scheduler, "config": drawn.arguments}
        ours = jaxdecay.from_keras(config)
        # The object, and what Keras writes of it, say the same.
        peer = keras_schedule(scheduler, drawn.arguments)
        written = keras.optimizers.schedules.serialize(peer)
        assert jaxdecay.from_keras(peer) == jaxdecay.from_keras(written) == ours

        def theirs(drawn: Drawn = drawn) -> Peer:
            schedule = keras_schedule(scheduler, drawn.arguments)
            one_step = "warmup" in name or scheduler == "CosineDecayRestarts"
            return jax.vmap(schedule) if one_step else schedule

        steps = steps_to(drawn.end)
        known = known_in_keras(name, drawn, steps)
        steps = np.where(known, steps, 0)
        expected = keras_in_float64(held_from(drawn.end, drawn.held, theirs), steps)
        expected = np.where(expected < 1e-37, 0, expected)
        assert_equal(ours, steps, expected, constants=seed == 0)
        used |= families_in(ours)
    assert used >= set(KERAS[name].claim.families)


def test_every_schedule_of_keras_is_converted() -> None:
    classes = {name for name in dir(keras.optimizers.schedules) if "Decay" in name}
    assert {name.partition(" ")[0] for name in KERAS} == classes


equal("Keras", [live.claim for live in KERAS.values()], "test_equals_keras")
equal("Keras", [claim("reduce_on_plateau")], test_adaptive.test_keras.__name__)
equal("Optax", [claim("reduce_on_plateau")], test_adaptive.test_optax.__name__)
wrong("Optax", "reduce_on_plateau")(
    test_adaptive.test_a_negative_metric_that_stands_still_is_where_optax_is_wrong
)


# Families that a peer has under another name, by hand.


def one_cycle_of_whole_steps(chance: Chance, *, linear: bool) -> tuple[Schedule, Peer, int]:
    steps = 100 * int(chance.integers(1, 9))  # a quarter and a half are whole
    peak, first, last = rate(chance), number(chance.uniform(2, 50)), number(chance.uniform(2, 1e4))
    same = {"peak_value": peak, "div_factor": first, "final_div_factor": last, "pct_start": 0.25}
    if linear:
        theirs = optax.linear_onecycle_schedule(steps, **same, pct_final=0.5)
    else:
        theirs = optax.cosine_onecycle_schedule(steps, **same)
    ours = jaxdecay.one_cycle(
        peak,
        transition_steps=steps,
        warmup_fraction=0.25,
        initial_divisor=first,
        final_divisor=last,
        shape="linear" if linear else "cosine",
        three_phase=linear,
    )
    return ours, jax.vmap(theirs), steps


def stairs_of(chance: Chance, *, of_keras: bool) -> tuple[Schedule, Peer, int]:
    init_value, unit = rate(chance), int(chance.integers(1, 300))
    decay_rate = number(chance.uniform(0.3, 0.99))
    if of_keras:
        theirs = keras.optimizers.schedules.ExponentialDecay(init_value, unit, decay_rate, True)
    else:
        theirs = optax.exponential_decay(init_value, unit, decay_rate, staircase=True)
    return (
        jaxdecay.step_decay(init_value, decay_rate=decay_rate, transition_steps=unit),
        theirs,
        6 * unit,
    )


def line_of_keras(chance: Chance) -> tuple[Schedule, Peer, int]:
    init_value, end_value, end = rate(chance), rate(chance), length(chance)
    theirs = keras.optimizers.schedules.PolynomialDecay(init_value, end, end_value)
    return jaxdecay.linear(init_value, end_value=end_value, transition_steps=end), theirs, end


def line_after_warmup(chance: Chance) -> tuple[Schedule, Peer, int]:
    peak, end_value, warm, left = rate(chance), rate(chance), length(chance), length(chance)
    schedules = [
        optax.linear_schedule(0.0, peak, warm),
        optax.linear_schedule(peak, end_value, left),
    ]
    theirs = optax.join_schedules(schedules, [warm])
    return (
        jaxdecay.warmup_linear(
            peak, warmup_steps=warm, transition_steps=left, init_value=0.0, end_value=end_value
        ),
        theirs,
        warm + left,
    )


def factors_of_optax(chance: Chance) -> tuple[Schedule, Peer, int]:
    init_value, factor, scales = rate(chance), number(chance.uniform(0.1, 0.9)), [20, 150, 400]
    theirs = optax.piecewise_constant_schedule(init_value, dict.fromkeys(scales, factor))
    return jaxdecay.multi_step(init_value, decay_rate=factor, boundaries=scales), theirs, 500


def cycles_of_optax(chance: Chance) -> tuple[Schedule, Peer, int]:
    peak, end_value = rate(chance), rate(chance)
    same = {"init_value": peak, "warmup_steps": 0, "end_value": end_value}
    cycles = [
        {**same, "peak_value": peak * 0.5**cycle, "decay_steps": 50 * 2**cycle}
        for cycle in range(4)
    ]
    theirs = optax.sgdr_schedule(cycles)
    ours = jaxdecay.cosine_restarts(
        peak, period=50, end_value=end_value, period_multiplier=2, peak_multiplier=0.5
    )
    return jaxdecay.join([ours, end_value], lengths=[750, 0]), theirs, 750


def function_of_optax(chance: Chance) -> tuple[Schedule, Peer, int]:
    theirs = optax.exponential_decay(rate(chance), 100, 0.5)
    return jaxdecay.from_function(theirs), theirs, 90


BY_HAND: dict[tuple[str, str], tuple[Callable[[Chance], tuple[Schedule, Peer, int]], Claim]] = {
    ("Optax", "cosine_onecycle_schedule"): (
        partial(one_cycle_of_whole_steps, linear=False),
        claim("one_cycle", "phases are rounded to whole steps"),
    ),
    ("Optax", "linear_onecycle_schedule"): (
        partial(one_cycle_of_whole_steps, linear=True),
        claim("one_cycle", "phases are rounded to whole steps"),
    ),
    ("Optax", "exponential_decay"): (
        partial(stairs_of, of_keras=False),
        claim("step_decay", "`exponential_decay` with `staircase`"),
    ),
    ("Keras", "ExponentialDecay"): (
        partial(stairs_of, of_keras=True),
        claim("step_decay", "`ExponentialDecay` with `staircase`"),
    ),
    ("Keras", "PolynomialDecay"): (line_of_keras, claim("linear", "power 1")),
    ("Optax", "join_schedules"): (
        line_after_warmup,
        claim("warmup_linear", "`join_schedules` of two lines"),
    ),
    ("Optax", "a schedule"): (function_of_optax, claim("from_function")),
    ("Optax", "piecewise_constant_schedule"): (
        factors_of_optax,
        claim("multi_step", "`piecewise_constant_schedule`"),
    ),
    ("Optax", "sgdr_schedule"): (
        cycles_of_optax,
        claim("cosine_restarts", "`sgdr_schedule` of a finite list"),
    ),
}


@pytest.mark.parametrize(("peer", "name"), BY_HAND)
def test_equals_by_hand(peer: str, name: str, relaxed_promotion: None) -> None:
    draw, claimed = BY_HAND[peer, name]
    of_peer = keras_in_float64 if peer == "Keras" else in_float64
    for seed in SEEDS:

        def theirs(seed: int = seed) -> Peer:
            return draw(np.random.default_rng(seed))[1]

        ours, _, end = draw(np.random.default_rng(seed))
        expected = of_peer(theirs, steps_to(end))
        expected = np.where(expected < 1e-37, 0, expected)
        assert_equal(ours, steps_to(end), expected, constants=seed == 0)
        assert families_in(ours) >= set(claimed.families)


for (_peer, _), (_, _claim) in BY_HAND.items():
    equal(_peer, [_claim], "test_equals_by_hand")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_equals_a_callback_of_keras(relaxed_promotion: None) -> None:
    optimizer = keras.optimizers.SGD(0.5)
    callback = keras.callbacks.LearningRateScheduler(lambda epoch, _: 0.5 / (1 + epoch))
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    theirs = []
    for epoch in range(10):
        callback.on_epoch_begin(epoch)
        theirs += [float(optimizer.learning_rate.value)] * 7
    by_function = jaxdecay.from_function(lambda epoch: 0.5 / (1 + epoch))
    for each in (by_function, jaxdecay.inverse_time(0.5, decay_rate=1.0)):
        assert_equal(jaxdecay.per_epoch(each, steps_per_epoch=7), np.arange(70), theirs)


equal(
    "Keras",
    [claim("per_epoch from_function", "the callback `LearningRateScheduler`")],
    test_equals_a_callback_of_keras.__name__,
)


# PyTorch, recorded.

RECORD = json.loads((Path(__file__).parent / "recorded" / "torch.json").read_text())
CASES = RECORD["cases"]


def warmup_cosine(
    lr: float, start_factor: float, warmup: int, t_max: int, eta_min: float
) -> Schedule:
    return jaxdecay.warmup_cosine(
        lr,
        warmup_steps=warmup,
        transition_steps=t_max,
        init_value=lr * start_factor,
        end_value=eta_min,
    )


TORCH: dict[str, Callable[..., Schedule]] = {
    "ConstantLR": lambda lr, factor, total_iters: jaxdecay.piecewise_constant(
        [lr * factor, lr], boundaries=[total_iters]
    ),
    "ExponentialLR": partial(jaxdecay.from_torch, "ExponentialLR"),
    "StepLR": lambda lr, step_size, gamma: jaxdecay.step_decay(
        lr, decay_rate=gamma, transition_steps=step_size
    ),
    "MultiStepLR": lambda lr, milestones, gamma: jaxdecay.piecewise_constant(
        [lr * gamma**passed for passed in range(len(milestones) + 1)], boundaries=milestones
    ),
    "PolynomialLR": lambda lr, total_iters, power: jaxdecay.polynomial(
        lr, end_value=0.0, power=power, transition_steps=total_iters
    ),
    "LinearLR": lambda lr, start_factor, end_factor, total_iters: jaxdecay.linear(
        lr * start_factor, end_value=lr * end_factor, transition_steps=total_iters
    ),
    "CosineAnnealingLR": lambda lr, t_max, eta_min: jaxdecay.cosine(
        lr, transition_steps=t_max, end_value=eta_min
    ),
    "SequentialLR": warmup_cosine,
    "LambdaLR 1/(1+kt)": lambda lr, k: jaxdecay.inverse_time(lr, decay_rate=k),
    "LambdaLR k/sqrt(epoch)": lambda lr, k: jaxdecay.inverse_sqrt(lr, scale=k),
    "LambdaLR exp(-kt)": lambda lr, k: jaxdecay.natural_exponential(lr, decay_rate=k),
}


def torch_id(case: dict[str, Any]) -> str:
    return f"{case['scheduler']} {case['steps_per_epoch']} steps an epoch"


def recorded(case: dict[str, Any]) -> tuple[Schedule, int, np.ndarray]:
    """Our schedule of epochs, the last epoch for which PyTorch's is right, and all its rates."""
    arguments = {name.lower(): value for name, value in case["arguments"].items()}
    schedule = TORCH[case["scheduler"]](lr=case["lr"], **arguments)
    rates = np.array(case["rates"])
    epochs = len(rates) // case["steps_per_epoch"]
    last = epochs - 1
    if "t_max" in arguments:  # after which PyTorch's cosine rises again
        last = min(last, arguments["t_max"] + arguments.get("warmup", 0))
    return schedule, last, rates


def test_every_recorded_scheduler_is_compared() -> None:
    assert {case["scheduler"] for case in CASES} == set(TORCH)


@pytest.mark.parametrize("case", CASES, ids=torch_id)
def test_equals_torch(case: dict[str, Any]) -> None:
    schedule, last, rates = recorded(case)
    steps_per_epoch = case["steps_per_epoch"]
    if steps_per_epoch > 1:
        schedule = jaxdecay.per_epoch(schedule, steps_per_epoch=steps_per_epoch)
    steps = np.arange((last + 1) * steps_per_epoch)
    assert_equal(schedule, steps, rates[: len(steps)])


equal("PyTorch", [claim("exponential per_epoch")], "test_equals_torch")
equal(
    "PyTorch",
    [claim("warmup warmup_cosine", "`LinearLR` before another in `SequentialLR`")],
    "test_equals_torch",
)


STAIRS = [
    case
    for case in CASES
    if case["steps_per_epoch"] > 1 and case["scheduler"].startswith(("LambdaLR", "ExponentialLR"))
]


@pytest.mark.parametrize("case", STAIRS, ids=torch_id)
def test_stairs_of_one_epoch_equal_torch(case: dict[str, Any]) -> None:
    """Rates per epoch without `per_epoch`: stairs, with the steps of an epoch as their unit."""
    schedule, _, rates = recorded(case)
    schedule = schedule.replace(transition_steps=case["steps_per_epoch"], staircase=True)
    assert_equal(schedule, np.arange(len(rates)), rates)


# Where a peer is wrong. The hyperparameters and the program are those with which it was seen.


@wrong("Optax", "linear")
def test_jitted_optax_linear_misses_its_end(float32: None, relaxed_promotion: None) -> None:
    """Compiled, Optax's 1 − t/T is 1 − t·(1/T), which is not 0 at T, and even negative."""
    lengths = (3, 7, 11, 49, 1_000)
    compiled = functools.partial(jax.jit, compiler_options=AS_USERS_DO)
    theirs = [float(compiled(optax.linear_schedule(1.0, 0.0, end))(end)) for end in lengths]
    ours = [
        float(compiled(jaxdecay.linear(1.0, end_value=0.0, transition_steps=end))(end))
        for end in lengths
    ]
    assert any(value != 0 for value in theirs)
    assert any(value < 0 for value in theirs)
    assert ours == [0.0] * len(lengths)


@wrong("Optax", "polynomial")
def test_jitted_optax_polynomial_ends_in_nan(float32: None, relaxed_promotion: None) -> None:
    theirs = jax.jit(optax.polynomial_schedule(0.1, 0.0, 0.9, 1_000))
    ours = jax.jit(jaxdecay.polynomial(0.1, end_value=0.0, power=0.9, transition_steps=1_000))
    assert math.isnan(theirs(1_000))
    assert math.isnan(theirs(5_000))
    assert float(ours(1_000)) == float(ours(5_000)) == 0.0


TRACED: dict[str, tuple[Callable[..., Peer], Callable[..., Schedule], list[float], float]] = {
    # theirs, ours, values of the traced hyperparameter, our value at step 30 for the last of them
    "linear transition_steps": (
        lambda end: optax.linear_schedule(1.0, 0.0, end),
        lambda end: jaxdecay.linear(1.0, end_value=0.0, transition_steps=end),
        [50, 40],
        1 / 4,
    ),
    "polynomial transition_steps": (
        lambda end: optax.polynomial_schedule(1.0, 0.0, 2.0, end),
        lambda end: jaxdecay.polynomial(1.0, end_value=0.0, power=2.0, transition_steps=end),
        [50, 40],
        1 / 16,
    ),
    "cosine transition_steps": (
        lambda end: optax.cosine_decay_schedule(1.0, end),
        lambda end: jaxdecay.cosine(1.0, transition_steps=end),
        [50, 60],
        1 / 2,
    ),
    "exponential transition_steps": (
        lambda unit: optax.exponential_decay(1.0, unit, 0.5),
        lambda unit: jaxdecay.exponential(1.0, decay_rate=0.5, transition_steps=unit),
        [20, 10],
        1 / 8,
    ),
    "exponential decay_rate": (
        lambda decay_rate: optax.exponential_decay(1.0, 10, decay_rate),
        lambda decay_rate: jaxdecay.exponential(1.0, decay_rate=decay_rate, transition_steps=10),
        [0.25, 0.5],
        1 / 8,
    ),
    "delay delay_steps": (
        lambda begin: optax.linear_schedule(1.0, 0.0, 40, begin),
        lambda begin: jaxdecay.delay(
            jaxdecay.linear(1.0, end_value=0.0, transition_steps=40), delay_steps=begin
        ),
        [5, 10],
        1 / 2,
    ),
    "warmup_cosine peak_value": (
        lambda peak: optax.warmup_cosine_decay_schedule(0.0, peak, 10, 50),
        lambda peak: jaxdecay.warmup_cosine(peak, warmup_steps=10, transition_steps=40),
        [1.0, 0.5],
        1 / 4,
    ),
    "warmup warmup_steps": (
        lambda steps: optax.warmup_constant_schedule(0.0, 1.0, steps),
        lambda steps: jaxdecay.warmup(1.0, warmup_steps=steps),
        [40, 60],
        1 / 2,
    ),
    "one_cycle warmup_fraction": (
        lambda fraction: optax.cosine_onecycle_schedule(100, 1.0, fraction, 2.0),
        lambda fraction: jaxdecay.one_cycle(
            1.0, transition_steps=100, warmup_fraction=fraction, initial_divisor=2.0
        ),
        [0.5, 0.6],
        3 / 4,
    ),
    "one_cycle initial_divisor": (
        lambda divisor: optax.linear_onecycle_schedule(100, 1.0, 0.6, 0.85, divisor),
        lambda divisor: jaxdecay.one_cycle(
            1.0, transition_steps=100, warmup_fraction=0.6, initial_divisor=divisor, shape="linear"
        ),
        [4.0, 2.0],
        3 / 4,
    ),
    "piecewise_constant values": (
        lambda factor: optax.piecewise_constant_schedule(1.0, {10: factor}),
        lambda value: jaxdecay.piecewise_constant(jnp.stack([1.0, value]), boundaries=[10]),
        [0.5, 0.25],
        1 / 4,
    ),
    "piecewise_linear boundaries": (
        lambda boundary: optax.piecewise_interpolate_schedule("linear", 1.0, {boundary: 0.5}),
        lambda boundary: jaxdecay.piecewise_linear([1.0, 0.5], boundaries=jnp.stack([0, boundary])),
        [40, 60],
        3 / 4,
    ),
}


@wrong("Optax", " ".join(dict.fromkeys(name.split()[0] for name in TRACED)))
@pytest.mark.parametrize("name", TRACED)
def test_optax_cannot_be_traced(name: str, relaxed_promotion: None) -> None:
    theirs, ours, values, expected = TRACED[name]
    values = jnp.asarray(values)
    # Of JAX, because Python branches on a tracer or rounds it, or of Python, which cannot hash one.
    refused = "TracerBoolConversionError|ConcretizationTypeError|concrete value|unhashable"
    with pytest.raises(TypeError, match=refused):
        jax.jit(lambda value: theirs(value)(30))(values[-1])
    with pytest.raises(TypeError, match=refused):
        jax.vmap(lambda value: theirs(value)(30))(values)
    mapped = jax.jit(jax.vmap(lambda value: ours(value)(30)))(values)
    np.testing.assert_allclose(mapped[-1], expected, rtol=RTOL)


@wrong("Optax", "cosine")
@wrong("Keras", "cosine")
def test_cosine_keeps_its_digits_near_the_end(float32: None, relaxed_promotion: None) -> None:
    end = 10_000
    step = jnp.asarray(end - 1)
    exact = math.sin(math.pi / 2 / end) ** 2  # ½(1 + cos π(T − 1)/T)
    for theirs in (
        optax.cosine_decay_schedule(1.0, end),
        keras.optimizers.schedules.CosineDecay(1.0, end),
    ):
        assert abs(float(theirs(step)) / exact - 1) > 0.2
    schedule = jaxdecay.cosine(1.0, transition_steps=end)
    np.testing.assert_allclose(jax.jit(schedule)(step), exact, rtol=RTOL)


@wrong("Optax", "exponential step_decay")
@wrong("Keras", "exponential step_decay")
@pytest.mark.parametrize("compiled", [False, True])
def test_stairs_fall_at_their_step(compiled: bool, float32: None, relaxed_promotion: None) -> None:
    """⌊t/T⌋ in floats is a step early from 10 773 999 on, for T = 1000."""
    steps = jnp.array([10_773_998, 10_773_999, 10_774_000])
    schedules = (
        optax.exponential_decay(1.0, 1_000, 0.999, staircase=True),
        keras.optimizers.schedules.ExponentialDecay(1.0, 1_000, 0.999, staircase=True),
        jaxdecay.exponential(1.0, decay_rate=0.999, transition_steps=1_000, staircase=True),
        jaxdecay.step_decay(1.0, decay_rate=0.999, transition_steps=1_000),
    )
    calls = [jax.jit(schedule) if compiled else schedule for schedule in schedules]
    falls = [np.flatnonzero(np.diff(np.asarray(call(steps)))).tolist() for call in calls]
    assert falls == [[0], [0], [1], [1]]


@wrong("Optax", "exponential step_decay")
@wrong("Keras", "exponential step_decay")
@pytest.mark.parametrize("unit", [41, 47, 55, 1_001])
def test_compiled_stairs_fall_at_their_step(
    unit: int, float32: None, relaxed_promotion: None
) -> None:
    """⌊t·(1/T)⌋, as a compiler writes ⌊t/T⌋, is a step late at T itself for one T in ten."""
    schedules = (
        optax.exponential_decay(1.0, unit, 0.5, staircase=True),
        keras.optimizers.schedules.ExponentialDecay(1.0, unit, 0.5, staircase=True),
        jaxdecay.exponential(1.0, decay_rate=0.5, transition_steps=unit, staircase=True),
        jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=unit),
    )
    values = [float(jax.jit(schedule)(jnp.asarray(unit))) for schedule in schedules]
    late = unit in (41, 47, 55)
    assert values == [1.0 if late else 0.5] * 2 + [0.5, 0.5]


@wrong("Optax", "linear polynomial")
def test_optax_never_decays_in_no_steps(relaxed_promotion: None) -> None:
    for end in (0, -1):
        assert optax.linear_schedule(1.0, 0.25, end)(5) == 1.0
    for step in (0, 5):
        assert float(jaxdecay.linear(1.0, end_value=0.25, transition_steps=0)(step)) == 0.25
        assert (
            float(jaxdecay.polynomial(1.0, end_value=0.25, power=2.0, transition_steps=0)(step))
            == 0.25
        )
        assert float(jaxdecay.cosine(1.0, transition_steps=0, end_value=0.25)(step)) == 0.25


@wrong("Keras", "piecewise_constant")
def test_keras_keeps_the_old_value_at_a_boundary(relaxed_promotion: None) -> None:
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
    optaxs = optax.piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.5})
    ours = jaxdecay.piecewise_constant([1.0, 0.5, 0.25], boundaries=[10, 20])
    steps = (9, 10, 11, 19, 20, 21)
    new, old = [1.0, 0.5, 0.5, 0.5, 0.25, 0.25], [1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    assert [float(theirs(step)) for step in steps] == old
    assert [float(optaxs(step)) for step in steps] == new
    assert [float(ours(step)) for step in steps] == new


COSINES = [case for case in CASES if case["scheduler"] == "CosineAnnealingLR"]


@wrong("PyTorch", "cosine")
@pytest.mark.parametrize("case", COSINES, ids=torch_id)
def test_torch_cosine_rises_after_its_end(case: dict[str, Any]) -> None:
    schedule, end, rates = recorded(case)
    floor = case["arguments"]["eta_min"]
    each_epoch = rates[:: case["steps_per_epoch"]]
    after = each_epoch[end + 1 : 2 * end]
    assert len(after) > 5
    assert np.all(np.diff(after) > 0)
    steps = jnp.minimum(jnp.arange(end, end + 180), len(each_epoch) - 1)
    held = np.asarray(called(schedule, steps), np.float64)
    np.testing.assert_allclose(held, floor, rtol=RTOL, atol=0)


@wrong("Optax", "polynomial")
def test_gradient_at_the_end_of_a_power_below_1(float32: None, relaxed_promotion: None) -> None:
    values = (1.0, 0.25, 0.5, 100.0)
    theirs = jax.grad(lambda end: optax.polynomial_schedule(*values[:3], end)(100))(100.0)
    assert math.isnan(theirs)
    names = ("init_value", "end_value", "power", "transition_steps")
    ours = jax.jit(jax.grad(lambda named, step: jaxdecay.polynomial(**named)(step)))
    for step in (100, 130):
        slopes = ours(dict(zip(names, values, strict=True)), step)
        # From the end on the value is end_value, whatever the others are.
        assert [float(slopes[name]) for name in names] == [0.0, 1.0, 0.0, 0.0]


@wrong("Optax", "join")
def test_gradient_before_a_branch_of_join(float32: None, relaxed_promotion: None) -> None:
    """A branch α/√(t + 1) is no number at the negative steps that Optax shows it."""

    def theirs(alpha: Any) -> Any:
        branch = optax.join_schedules([lambda t: 0.5, lambda t: alpha / jnp.sqrt(t + 1.0)], [100])
        return branch(50)

    def ours(alpha: Any, step: int) -> Any:
        return jaxdecay.join([0.5, jaxdecay.inverse_sqrt(alpha)], lengths=[100, 100])(step)

    assert float(theirs(0.5)) == 0.5
    assert math.isnan(jax.grad(theirs)(0.5))
    assert float(jax.grad(ours)(0.5, 50)) == 0.0
    assert float(jax.grad(ours)(0.5, 103)) == 0.5  # 1/√4


@wrong("Optax", "exponential")
def test_gradient_before_an_exponential_begins(float32: None, relaxed_promotion: None) -> None:
    """½⁻²⁰⁰ is infinite, and in the branch that is not taken."""

    def theirs(decay_rate: Any) -> Any:
        return optax.exponential_decay(1.0, 100, decay_rate, transition_begin=20_000)(0)

    def ours(decay_rate: Any) -> Any:
        return jaxdecay.delay(
            jaxdecay.exponential(1.0, decay_rate=decay_rate, transition_steps=100),
            delay_steps=20_000,
        )(0)

    assert float(theirs(0.5)) == float(ours(0.5)) == 1.0
    assert math.isnan(jax.grad(theirs)(0.5))
    assert float(jax.grad(ours)(0.5)) == 0.0


@wrong("Optax", "one_cycle")
def test_gradient_of_a_fraction(float32: None, relaxed_promotion: None) -> None:
    """Optax rounds the fraction to a step, whose gradient is 0."""
    fraction, step, end = 0.3, 20, 100
    assert jax.grad(lambda f: optax.cosine_onecycle_schedule(end, 1.0, f)(step))(fraction) == 0
    ours = jax.jit(
        jax.grad(lambda f: jaxdecay.one_cycle(1.0, transition_steps=end, warmup_fraction=f)(step))
    )(fraction)
    angle = math.pi * step / (fraction * end)  # of 1/25 + (1 − 1/25)·½(1 − cos angle)
    np.testing.assert_allclose(ours, -0.96 * math.sin(angle) / 2 * angle / fraction, rtol=1e-5)


@wrong("Optax", "piecewise_linear")
def test_optax_interpolates_an_array_of_steps_wrongly(relaxed_promotion: None) -> None:
    theirs = optax.piecewise_interpolate_schedule("linear", 1.0, {5: 0.1})
    steps = np.arange(4)
    one_by_one = [float(theirs(step)) for step in steps]
    assert np.max(np.abs(np.asarray(theirs(steps)) - one_by_one)) > 1
    ours = jaxdecay.piecewise_linear([1.0, 0.1], boundaries=[0, 5])
    np.testing.assert_allclose(called(ours, jnp.asarray(steps)), one_by_one, rtol=RTOL)


@wrong("Optax", "one_cycle")
@pytest.mark.parametrize(
    ("make", "short"),
    [
        (optax.linear_onecycle_schedule, {"transition_steps": 1}),
        (optax.cosine_onecycle_schedule, {"transition_steps": 10, "pct_start": 1.0}),
    ],
)
def test_optax_drops_phases_of_a_short_cycle(
    make: Any, short: Arguments, relaxed_promotion: None
) -> None:
    """Three steps hold no warm-up of 0.9 steps: Optax starts at the peak."""
    assert float(make(3, 1.0)(0)) == 1.0
    assert float(
        called(jaxdecay.one_cycle(1.0, transition_steps=3), jnp.arange(3))[0]
    ) == np.float32(1 / 25)
    with pytest.raises(ValueError, match="skips those that share a step"):
        jaxdecay.from_optax(make.__name__, peak_value=1.0, **short)


@wrong("Optax", "warmup")
def test_optax_never_leaves_a_warmup_of_no_steps(relaxed_promotion: None) -> None:
    assert optax.warmup_constant_schedule(0.0, 1.0, 0)(100) == 0.0
    assert float(jaxdecay.warmup(1.0, warmup_steps=0)(100)) == 1.0
    with pytest.raises(ValueError, match=r"jaxdecay.constant\(1.0\)"):
        jaxdecay.from_optax(
            "warmup_constant_schedule", init_value=0.0, peak_value=1.0, warmup_steps=0
        )


@wrong("Keras", "cosine_restarts")
def test_keras_misses_restarts(float32: None, relaxed_promotion: None) -> None:
    """⌊log₁₀⌋ in floats of what should be 10, 100, 10000: the end of the cycle before."""
    theirs = keras.optimizers.schedules.CosineDecayRestarts(1.0, 10, t_mul=10.0)
    ours = jaxdecay.cosine_restarts(1.0, period=10, period_multiplier=10)
    restarts = jnp.array([0, 10, 110, 1_110, 11_110])
    np.testing.assert_allclose(jax.vmap(theirs)(restarts), [1, 0, 0, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(called(ours, restarts), np.ones(5))


@wrong("Optax", "cosine exponential")
@wrong("Keras", "exponential")
def test_digits_of_many_steps(float32: None, relaxed_promotion: None) -> None:
    """½(1 + cos) is 0 too early; 0.9999999 is 17 % off as a power, a rate of 1e-7 is not."""
    end, step = 1_000_000, 1_000_000 - 10
    assert float(optax.cosine_decay_schedule(1.0, end)(step)) == 0.0
    exact = math.sin(math.pi / 2 * 10 / end) ** 2
    np.testing.assert_allclose(jaxdecay.cosine(1.0, transition_steps=end)(step), exact, rtol=RTOL)

    step, exact = 10_000_000, 0.9999999**10_000_000
    for theirs in (
        optax.exponential_decay(1.0, 1, 0.9999999),
        keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.9999999),
    ):
        assert abs(float(theirs(step)) / exact - 1) > 0.15
    natural = jaxdecay.natural_exponential(1.0, decay_rate=number(1e-7))
    np.testing.assert_allclose(natural(step), math.exp(-number(1e-7) * step), rtol=RTOL)
    np.testing.assert_allclose(natural(step), exact, rtol=2e-6)


def test_tokens_do_not_wrap(float32: None, relaxed_promotion: None) -> None:
    """step · batch · length leaves int32 at a thousand steps; `in_units` counts on."""
    assert int(jnp.int32(1_000) * 4_096 * 1_024) < 0
    tokens = jaxdecay.count_units(
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=1e10), units_per_step=4_096.0 * 1_024
    )
    np.testing.assert_allclose(tokens(1_000), 1 - 0.4194304, rtol=RTOL)


def test_a_cooldown_is_not_negative_past_its_end(float32: None, relaxed_promotion: None) -> None:
    """min(1, (N − t)/C), as Big Vision and Scenic write it, falls below 0 after step N."""
    length, fall = 100, 20
    assert min(1, (length - 130) / fall) < 0
    schedule = jaxdecay.cooldown(
        jaxdecay.inverse_sqrt(1.0), begin=length - fall, transition_steps=fall
    )
    assert [float(schedule(step)) for step in (100, 130)] == [0.0, 0.0]


# The founding number: ExponentialDecay(0.1, 1000, 0.96, staircase=True), from Keras, after 28
# transitions. Keras holds 0.96 as a float32, which is 2·10⁻⁸ below it.

KERAS_BASE = np.float32(0.96)


def founding() -> Schedule:
    return jaxdecay.exponential(0.1, decay_rate=KERAS_BASE, transition_steps=1_000, staircase=True)


def test_founding_number_of_keras(float32: None, relaxed_promotion: None) -> None:
    theirs = keras.optimizers.schedules.ExponentialDecay(0.1, 1_000, 0.96, staircase=True)
    assert float(theirs(28_125)) == FOUNDING_NUMBER


FOUNDING: dict[str, Callable[[], Any]] = {
    "eager": lambda: founding()(28_125),
    "jitted with constants": lambda: jax.jit(lambda: founding()(28_125))(),
    "jitted step": lambda: jax.jit(founding())(28_125),
    "jitted schedule": lambda: jax.jit(lambda schedule: schedule(28_125))(founding()),
    "jitted hyperparameters": lambda: jax.jit(
        lambda **numbers: jaxdecay.exponential(**numbers, staircase=True)(28_125)
    )(init_value=0.1, decay_rate=KERAS_BASE, transition_steps=1_000),
    "mapped over steps": lambda: jax.vmap(founding())(jnp.array([3, 28_125]))[1],
    "array of steps": lambda: founding()(jnp.array([[3, 28_125]]))[0, 1],
    "mapped over rates": lambda: jax.vmap(
        lambda decay_rate: founding().replace(decay_rate=decay_rate)(28_125)
    )(jnp.array([0.5, 0.96]))[1],
    "population": lambda: population()(28_125)[2],
    "jitted population": lambda: jax.jit(lambda each: each(28_125))(population())[2],
    "one of a population": lambda: population()[2](28_125),
}


def population() -> jaxdecay.Population:
    others = [
        jaxdecay.exponential(0.3, decay_rate=0.5, transition_steps=10, staircase=True),
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=10),
    ]
    return jaxdecay.stack([*others, founding(), jaxdecay.constant(0.1)])


@pytest.mark.parametrize("way", FOUNDING)
def test_founding_number(way: str, float32: None) -> None:
    assert float(FOUNDING[way]()) == FOUNDING_NUMBER
