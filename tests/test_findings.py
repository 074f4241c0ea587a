"""What check_schedule finds in schedules, and that it finds nothing in good ones."""

from __future__ import annotations

import re

import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import elapsed
from jaxdecay.domain import NonNegative, Steps
from jaxdecay.extent import end_of
from jaxdecay.inspection.phases import to_the_end


def of_function(function) -> jaxdecay.Schedule:
    return jaxdecay.from_function(function, init_value=0.1)


def divided_by_zero(step, init_value):
    return init_value * elapsed(step - 5, 1) / elapsed(step - 5, 1)


def without_floor(step, init_value):
    return init_value - 0.01 * elapsed(step, 1)


def infinite_once(step, init_value):
    return init_value / jnp.where(step == 128, 0.0, 1.0)


def warm(schedule: jaxdecay.ScheduleLike, steps: int) -> jaxdecay.Schedule:
    return jaxdecay.warmup(schedule, warmup_steps=steps, first_step="one_over_w")


MISTAKES = {
    "Optax's warm-up": (
        jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=900), warmup_steps=100),
        [("zero", 0, 'the first update .* init_value of warmup or first_step="one_over_w"')],
    ),
    "a compound from 0": (
        jaxdecay.warmup_cosine(0.1, warmup_steps=100, transition_steps=900),
        [("zero", 0, "start above 0, with the init_value of warmup_cosine")],
    ),
    "a table from 0": (
        jaxdecay.interpolate([0.0, 0.1, 0.01], transition_steps=500),
        [("zero", 0, "the first update is at rate 0 and changes nothing; start above 0")],
    ),
    "warm-up that goes down": (
        jaxdecay.warmup(
            jaxdecay.cosine(0.1, transition_steps=900), warmup_steps=100, init_value=0.5
        ),
        [("down", 0, "the warm-up goes down, from 0.5 to 0.1")],
    ),
    "run of a warm-up": (
        warm(jaxdecay.cosine(0.1, transition_steps=900), 1000),
        [("unreached", 1000, "the schedule after the warm-up begins at step 1,000, as the run")],
    ),
    "run of a warm-up by hand": (
        jaxdecay.join(
            [
                jaxdecay.linear(0.01, end_value=0.1, transition_steps=1000),
                jaxdecay.cosine(0.1, transition_steps=900),
            ],
            lengths=[1000, 900],
        ),
        [("unreached", 1000, r"schedules\[1\] of join begins at step 1,000, as the run ends")],
    ),
    "cooldown with the end": (
        jaxdecay.cooldown(
            jaxdecay.cosine(0.1, transition_steps=2000), begin=1000, transition_steps=100
        ),
        [("unreached", 1000, "the cooldown begins at step 1,000, as the run ends")],
    ),
    "cooldown after the end": (
        jaxdecay.infinite_schedule(
            0.1,
            stable_value=0.05,
            end_value=0.01,
            warmup_steps=10,
            cooldown_steps=100,
            stable_steps=1000,
            transition_steps=100,
            init_value=0.001,
        ),
        [("unreached", 1000, "the cooldown in infinite_schedule begins at step 1,110")],
    ),
    "decay as long as the run, and a warm-up": (
        warm(jaxdecay.cosine(0.1, transition_steps=1000), 100),
        [("cut", 1000, "cosine ends at step 1,100, .* 100 steps shorter .* its warm-up")],
    ),
    "warm-up longer than the run": (
        warm(jaxdecay.cosine(0.1, transition_steps=900), 2000),
        [("unreached", 1000, "the schedule after the warm-up begins at step 2,000")],
    ),
    "joined decay too short": (
        jaxdecay.join(
            [
                0.5,
                jaxdecay.linear(0.5, end_value=0.1, transition_steps=50),
                jaxdecay.cosine(0.1, transition_steps=400),
            ],
            lengths=[500, 100, 400],
        ),
        [("early", 550, "linear ends at step 550 .* its length in join")],
    ),
    "joined decay too long": (
        jaxdecay.join(
            [
                jaxdecay.linear(0.5, end_value=0.1, transition_steps=500),
                jaxdecay.cosine(0.1, transition_steps=700),
            ],
            lengths=[300, 700],
        ),
        [("cut", 300, "200 steps shorter"), ("jump", 300, "falls from 0.261 to 0.1")],
    ),
    "join longer than the run": (
        jaxdecay.join(
            [0.5, jaxdecay.linear(0.5, end_value=0.1, transition_steps=300), 0.1],
            lengths=[800, 300, 100],
        ),
        [
            ("unreached", 1000, r"schedules\[2\] of join begins at step 1,100"),
            ("cut", 1000, "linear ends at step 1,100"),
        ],
    ),
    "joined schedule that stands still at its length": (
        jaxdecay.join([0.1, jaxdecay.inverse_sqrt(0.1)], lengths=[100, 100]),
        [("early", 200, "join ends at step 200 and stays at 0.00995 for the 800 steps")],
    ),
    "short ramp to another value": (
        jaxdecay.join(
            [
                jaxdecay.linear(0.01, end_value=1.0, transition_steps=10),
                jaxdecay.cosine(0.1, transition_steps=990),
            ],
            lengths=[10, 990],
        ),
        [("jump", 10, "falls from 0.901 to 0.1 in one step")],
    ),
    "short ramps to another value": (
        jaxdecay.repeat(
            jaxdecay.join(
                [
                    jaxdecay.linear(0.01, end_value=0.1, transition_steps=2),
                    jaxdecay.cosine(1.0, transition_steps=498),
                ],
                lengths=[2, 498],
            ),
            period=500,
        ),
        [("jump", 2, "rises from 0.055 to 1 in one step")],
    ),
    "ramp cut a step early": (
        jaxdecay.join(
            [
                jaxdecay.linear(0.01, end_value=0.1, transition_steps=4),
                jaxdecay.cosine(0.1, transition_steps=997),
            ],
            lengths=[3, 997],
        ),
        [("cut", 3, "linear ends at step 4, .* make it 1 step shorter")],
    ),
    "stairs below what comes before": (
        jaxdecay.join(
            [
                jaxdecay.linear(1.0, end_value=0.5, transition_steps=10),
                jaxdecay.step_decay(0.1, decay_rate=0.9, transition_steps=5),
            ],
            lengths=[10, 990],
        ),
        [("jump", 10, "falls from 0.55 to 0.1 in one step")],
    ),
    "parts that do not meet": (
        jaxdecay.join(
            [
                jaxdecay.linear(0.5, end_value=0.4, transition_steps=500),
                jaxdecay.cosine(0.1, transition_steps=500),
            ],
            lengths=[500, 500],
        ),
        [("jump", 500, "falls from 0.4 to 0.1 in one step")],
    ),
    "training goes on after the end": (
        jaxdecay.cosine(0.1, transition_steps=500),
        [("zero", 500, "the last 500 updates are at rate 0 .* or the run at 500")],
    ),
    "endless until it is 0": (
        jaxdecay.step_decay(0.1, decay_rate=0.5, transition_steps=5),
        [("zero", 615, r"last 385 updates .* jaxdecay.clip\(.*\), or end the run at 615")],
    ),
    "stands at its end": (
        jaxdecay.cosine(0.1, transition_steps=500, end_value=0.01) * 2.0,
        [("early", 500, "cosine ends at step 500 and stays at 0.02")],
    ),
    "epochs taken for steps": (
        jaxdecay.linear(0.1, end_value=0.01, transition_steps=10),
        [("early", 10, "for the 990 steps")],
    ),
    "steps taken for epochs": (
        jaxdecay.per_epoch(jaxdecay.cosine(0.1, transition_steps=1000), steps_per_epoch=100),
        [("cut", 1000, "cosine ends at step 100,000, .* make it 0.01 times as long")],
    ),
    "batches of tokens forgotten": (
        warm(
            jaxdecay.count_units(
                jaxdecay.cosine(0.1, transition_steps=1e9), units_per_step=300_000
            ),
            100,
        ),
        [("cut", 1000, "cosine ends at step 3,434, but the run ends at 1,000; .* 0.27 times")],
    ),
    "no drop": (
        jaxdecay.per_epoch(
            jaxdecay.step_decay(0.1, decay_rate=0.5, transition_steps=30), steps_per_epoch=100
        ),
        [("unreached", 1000, "the first drop of step_decay begins at step 3,000")],
    ),
    "boundary after the end": (
        jaxdecay.piecewise_constant([0.1, 0.01, 0.001], boundaries=[500, 5000]),
        [("unreached", 1000, "a boundary of piecewise_constant begins at step 5,000")],
    ),
    "unit of time forgotten": (
        jaxdecay.inverse_time(0.1, decay_rate=30.0),
        [("jump", 1, "falls from 0.1 to 0.00323")],
    ),
    "cycles through 0": (
        jaxdecay.polynomial(0.1, end_value=0.0, power=1.0, transition_steps=250, cycle=True),
        [("zero", 250, r"updates in the middle .*\(3 of them\)")],
    ),
    "nothing at all": (jaxdecay.constant(0.0), [("zero", 0, "all updates")]),
    "far too large": (jaxdecay.constant(1e7), [("large", 0, "1e\\+07, .* at 1,000 more steps")]),
    "not a number": (of_function(divided_by_zero), [("nan", 5, "the rate is nan; .* jnp.where")]),
    "below 0": (of_function(without_floor), [("negative", 11, "-0.01.* at 989 more steps")]),
    "infinite": (of_function(infinite_once), [("infinite", 128, "rate is inf; .* jnp.where")]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_found(name):
    schedule, expected = MISTAKES[name]
    found = jaxdecay.check_schedule(schedule, 1000)
    assert [(each.kind, each.step) for each in found] == [each[:2] for each in expected], found
    for finding, (kind, step, message) in zip(found, expected, strict=True):
        assert re.fullmatch(f"{kind} at step {step:,}: .*{message}.*", str(finding))


def test_of_very_long_runs_the_ends_of_phases_are_looked_at():
    billion, begin = 10**9, 123_456_789
    schedule = jaxdecay.join(
        [0.1, jaxdecay.cosine(0.01, transition_steps=billion)], lengths=[begin, billion]
    )
    found = jaxdecay.check_schedule(jaxdecay.warmup(schedule, warmup_steps=12_345), begin + billion)
    assert [(each.kind, each.step) for each in found] == [
        ("zero", 0),
        ("jump", begin + 12_345),
        ("cut", begin + billion),
    ]


def test_runs_of_few_updates():
    assert jaxdecay.check_schedule(jaxdecay.linear(0.1, end_value=0.0, transition_steps=1), 1) == []
    assert jaxdecay.check_schedule(jaxdecay.linear(0.1, end_value=0.0, transition_steps=2), 2) == []
    (finding,) = jaxdecay.check_schedule(jaxdecay.linear(0.1, end_value=0.0, transition_steps=2), 3)
    assert str(finding).startswith("zero at step 2: the last update is at rate 0")


def test_what_cannot_be_checked():
    population = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2])
    with pytest.raises(TypeError, match=r"check_schedule takes one schedule, .* got Population"):
        jaxdecay.check_schedule(population, 10)
    with pytest.raises(ValueError, match="steps must be an integer 1 …"):
        jaxdecay.check_schedule(jaxdecay.constant(0.1), 0)
    with pytest.raises(ValueError, match="stacked schedules"):
        jaxdecay.check_schedule(jaxdecay.constant(0.1).replace(value=np.ones(3)), 10)
    with pytest.raises(ValueError, match="stacked schedules"):
        jaxdecay.check_schedule(jaxdecay.repeat(0.1, period=5).replace(period=np.array([5, 6])), 10)


def test_every_family_declares_its_phases():
    for name, family in jaxdecay.families.items():
        if family.__module__.startswith("jaxdecay."):
            known = family.decay.is_compound or family.decay.phases is not None
            assert known, f"{name}: declare it with @decay(phases=…)"


def test_a_join_of_scaled_constants_is_stairs_made_by_hand():
    half = 0.5 * jaxdecay.constant(0.2)
    schedule = jaxdecay.join([0.2, half, 0.05], lengths=[30, 30, 40])
    assert jaxdecay.check_schedule(schedule, 100) == []
    rises = half + jaxdecay.linear(0.0, end_value=0.01, transition_steps=30)
    falls = jaxdecay.join([0.2, rises], lengths=[30, 30])
    assert [each.kind for each in jaxdecay.check_schedule(falls, 60)] == ["jump"]


def test_a_decay_of_ones_own_may_declare_its_phases_and_its_end(monkeypatch):
    monkeypatch.setattr("jaxdecay.registry.families", dict(jaxdecay.families))

    def parabola(step, init_value: NonNegative, *, transition_steps: Steps):
        return init_value * jnp.maximum(1 - step / transition_steps, 0) ** 2

    silent = jaxdecay.decay(parabola)(0.1, transition_steps=90)
    assert [each.kind for each in jaxdecay.check_schedule(silent, 80)] == []
    assert end_of(silent) is None
    declared = jaxdecay.decay(phases=to_the_end, end=at_transition_steps)(parabola)
    told = declared(0.1, transition_steps=90)
    (finding,) = jaxdecay.check_schedule(told, 80)
    assert (finding.kind, finding.step) == ("cut", 80)
    assert end_of(told) == 90


def test_a_run_may_end_where_its_next_phase_would_begin():
    schedule = jaxdecay.from_transformers(
        "cosine", lr=0.1, num_warmup_steps=100, num_training_steps=1000
    )
    assert [each.kind for each in jaxdecay.check_schedule(schedule, 1000)] == ["zero"]
    half = jaxdecay.from_torch("CosineAnnealingLR", lr=0.1, T_max=100)
    assert jaxdecay.check_schedule(jaxdecay.hold(half, begin=100), 100) == []
    rise = jaxdecay.linear(0.01, end_value=0.1, transition_steps=100)
    assert jaxdecay.check_schedule(jaxdecay.hold(rise, begin=100), 100) == []
