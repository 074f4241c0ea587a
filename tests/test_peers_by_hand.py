"""Against Optax and Keras: families that they have under another name, by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import keras
import numpy as np
import optax
import pytest
from live_peers import (
    SEEDS,
    Chance,
    Peer,
    assert_equal,
    in_float64,
    keras_in_float64,
    length,
    number,
    rate,
    steps_to,
)
from parity import Claim, claim, equal, families_in

import jaxdecay
from jaxdecay import Schedule

pytestmark = pytest.mark.usefixtures("on_cpu")


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
