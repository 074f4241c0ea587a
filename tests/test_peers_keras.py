"""Against Keras, where it is right: the same numbers; and whose plateaus equal ours."""

from __future__ import annotations

import os
from functools import partial

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import keras
import numpy as np
import pytest
import test_adaptive_peers
from live_peers import (
    SEEDS,
    Arguments,
    Chance,
    Drawn,
    Live,
    Peer,
    assert_equal,
    held_from,
    keras_in_float64,
    length,
    number,
    rate,
    steps_to,
)
from parity import claim, equal, families_in, wrong

import jaxdecay

pytestmark = pytest.mark.usefixtures("on_cpu")


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
equal("Keras", [claim("reduce_on_plateau")], test_adaptive_peers.test_keras.__name__)
equal("Optax", [claim("reduce_on_plateau")], test_adaptive_peers.test_optax.__name__)
wrong("Optax", "reduce_on_plateau")(
    test_adaptive_peers.test_a_negative_metric_that_stands_still_is_where_optax_is_wrong
)
