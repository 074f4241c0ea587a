"""Areas, means, steps at a value, refined schedules and findings, against sums in float64."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import elapsed
from jaxdecay.domain import NonNegative, Steps
from jaxdecay.extent import end_of
from jaxdecay.inspection.phases import to_the_end

MILLION = 10**6
TENTH = float(np.float32(0.1))


def formulas(t):
    """Schedules that last a million steps, and their values in float64."""
    p = t / MILLION
    return {
        "constant": (jaxdecay.constant(0.1), TENTH + 0 * t),
        "linear": (jaxdecay.linear(0.1, end_value=0.0, transition_steps=MILLION), TENTH * (1 - p)),
        "cosine": (
            jaxdecay.cosine(0.1, transition_steps=MILLION),
            TENTH * (1 + np.cos(np.pi * p)) / 2,
        ),
        "inverse_sqrt": (jaxdecay.inverse_sqrt(0.1), TENTH / np.sqrt(1 + t)),
    }


# Areas.


def test_areas_of_a_million_steps_keep_their_digits():
    for name, (schedule, values) in formulas(np.arange(MILLION, dtype=np.float64)).items():
        area = float(jaxdecay.integral(schedule, MILLION))
        assert area == pytest.approx(np.sum(values), rel=2e-7), name
        assert float(jaxdecay.mean_value(schedule, MILLION)) == pytest.approx(
            np.mean(values), rel=3e-7
        )


def test_a_plain_sum_in_float32_would_lose_digits():
    values = np.full(MILLION, 0.1, np.float32)
    assert abs(np.cumsum(values)[-1] / (MILLION * TENTH) - 1) > 1e-5


@pytest.mark.parametrize("steps", [0, 1, 3, 2**16 - 1, 2**16 + 1])
def test_every_update_counts_once(steps):
    # 1 for half of the steps and 2 for the others: one that is left out or counted twice shows.
    halves = jaxdecay.piecewise_constant([1.0, 2.0], boundaries=[steps // 2])
    assert float(jaxdecay.integral(halves, steps)) == 2 * steps - steps // 2


def test_areas_of_a_population_are_those_of_its_schedules():
    schedules, values = zip(*formulas(np.arange(1000.0)).values(), strict=True)
    population = jaxdecay.stack(schedules)
    np.testing.assert_allclose(
        jaxdecay.integral(population, 1000), np.sum(values, axis=1), rtol=1e-6
    )
    np.testing.assert_allclose(
        jaxdecay.mean_value(population, 1000), np.mean(values, axis=1), rtol=1e-6
    )


def test_the_gradient_of_an_area_is_the_sum_of_gradients():
    rate, length, t = 0.5, 1e5, np.arange(MILLION, dtype=np.float64)
    schedule = jaxdecay.exponential(0.1, decay_rate=rate, transition_steps=length)
    gradient = jax.jit(jax.grad(lambda schedule: jaxdecay.integral(schedule, MILLION)))(schedule)
    power = rate ** (t / length)
    assert float(gradient.init_value) == pytest.approx(np.sum(power), rel=1e-5)
    by_rate = TENTH * t / length * power / rate
    assert float(gradient.decay_rate) == pytest.approx(np.sum(by_rate), rel=1e-5)
    by_length = -TENTH * power * np.log(rate) * t / length**2
    assert float(gradient.transition_steps) == pytest.approx(np.sum(by_length), rel=1e-5)


def test_areas_map_over_hyperparameters():
    rates = jnp.array([0.1, 0.2, 0.4])
    areas = jax.vmap(
        lambda rate: jaxdecay.integral(
            jaxdecay.linear(rate, end_value=0.0, transition_steps=100), 100
        )
    )(rates)
    np.testing.assert_allclose(areas, [5.05, 10.1, 20.2], rtol=1e-6)


@pytest.mark.parametrize("function", [jaxdecay.integral, jaxdecay.mean_value])
@pytest.mark.parametrize("steps", [-1, 2**31, 10.0, None, True])
def test_steps_that_are_no_number_of_updates(function, steps):
    with pytest.raises(ValueError, match="steps must be an integer"):
        function(jaxdecay.constant(0.1), steps)


def test_no_updates_have_no_mean():
    with pytest.raises(ValueError, match="steps must be an integer 1 …"):
        jaxdecay.mean_value(jaxdecay.constant(0.1), 0)


@pytest.mark.parametrize("schedule", [0.1, jaxdecay.cosine, [jaxdecay.constant(0.1)]])
def test_what_is_not_a_schedule(schedule):
    got = rf"jaxdecay.constant\(0.1\), .*got {type(schedule).__name__}$"
    with pytest.raises(TypeError, match=f"integral takes a schedule, .*{got}"):
        jaxdecay.integral(schedule, 10)
    with pytest.raises(TypeError, match=f"mean_value takes a schedule, .*{got}"):
        jaxdecay.mean_value(schedule, 10)
    with pytest.raises(TypeError, match=f"step_at takes a schedule, .*{got}"):
        jaxdecay.step_at(schedule, 0.1, 10)
    with pytest.raises(TypeError, match=f"check_schedule takes one schedule, .*{got}"):
        jaxdecay.check_schedule(schedule, 10)


# Steps at a value.


def first_crossing(values: np.ndarray, value: float) -> int:
    """Step by step, as the definition says it."""
    for step, each in enumerate(values):
        if each == value or (each > value) != (values[0] > value):
            return step
    return -1


def test_steps_at_values_are_those_of_a_search():
    def find(schedule, value):
        return jaxdecay.step_at(schedule, value, 1200)

    find = jax.jit(jax.vmap(find, in_axes=(None, 0)))
    schedule = jaxdecay.warmup(
        jaxdecay.step_decay(0.1, decay_rate=0.5, transition_steps=300),
        warmup_steps=100,
        init_value=0.06,
    )
    curve = np.asarray(jax.jit(schedule)(np.arange(1201)))
    values = np.float32([0.0, 0.03, 0.05, 0.06, 0.0999, 0.1, 0.2, *curve[[1, 77, 100, 1000]]])
    expected = [first_crossing(curve, value) for value in values]
    assert find(schedule, values).tolist() == expected
    assert -1 in expected
    assert 700 in expected


def test_the_last_step_counts():
    ramp = jaxdecay.linear(0.0, end_value=1.0, transition_steps=2**16)
    assert int(jaxdecay.step_at(ramp, 1.0, 2**16)) == 2**16
    assert int(jaxdecay.step_at(ramp, 1.0, 2**16 - 1)) == -1


def test_steps_at_values_of_a_population():
    population = jaxdecay.grid(
        jaxdecay.linear, init_value=[0.5, 1.0], end_value=0.0, transition_steps=100
    )
    assert jaxdecay.step_at(population, 0.25, 100).tolist() == [50, 75]
    assert jaxdecay.step_at(population, jnp.array([0.5, 0.0]), 99).tolist() == [0, -1]


def test_a_value_that_is_not_a_number_is_never_reached():
    assert (
        int(jaxdecay.step_at(jaxdecay.linear(0.1, end_value=0.0, transition_steps=10), np.nan, 10))
        == -1
    )


def test_values_that_no_schedule_reaches():
    population = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2])
    with pytest.raises(ValueError, match=r"number or an array of shape \(2,\), got shape \(3,\)"):
        jaxdecay.step_at(population, np.ones(3), 10)
    with pytest.raises(ValueError, match=r"value must be a number, got shape \(2,\)"):
        jaxdecay.step_at(jaxdecay.constant(0.1), np.ones(2), 10)
    with pytest.raises(TypeError, match=r"value must be a learning rate, got 'half'"):
        jaxdecay.step_at(population, "half", 10)


# Refined schedules.


def refined(norms: list[float], smoothing: float, power: float) -> list[float]:
    """Algorithm 1 of arXiv 2310.07831 in plain loops, one norm after another."""
    half, last = int(smoothing * len(norms)) // 2, len(norms) - 1
    smooth = []
    for t in range(len(norms)):
        places = [max(place, 0) for place in range(t - half, t + half + 1)]
        mirrored = [2 * last - place if place > last else place for place in places]
        smooth.append(float(np.median([norms[place] for place in mirrored])))
    weights = [norm**-power for norm in smooth]
    rates = [weight * sum(weights[t + 1 :]) for t, weight in enumerate(weights)]
    return [rate / max(rates) for rate in rates]


@pytest.mark.parametrize(("optimizer", "power"), [("sgd", 2), ("adam", 1)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.37, 1.0])
def test_refined_schedules_are_those_of_the_algorithm(optimizer, power, smoothing):
    norms = np.random.default_rng(0).lognormal(size=101) * np.linspace(3, 1, 101)
    schedule = jaxdecay.from_gradient_norms(norms, 0.3, smoothing=smoothing, optimizer=optimizer)
    expected = 0.3 * np.array(refined(norms.tolist(), smoothing, power))
    np.testing.assert_allclose(np.asarray(schedule.values), expected, rtol=1e-6)


def test_the_same_norms_give_a_straight_line():
    schedule = jaxdecay.from_gradient_norms(np.full(51, 7.0), peak_value=0.5, transition_steps=20)
    line = 0.5 * (1 - np.arange(1001) / 1000)
    np.testing.assert_allclose(jax.jit(schedule)(np.arange(1001)), line, rtol=1e-5)
    assert float(schedule(1000)) == 0.0


def test_norms_of_any_size_can_be_refined():
    small = jaxdecay.from_gradient_norms(np.array([3.0, 2.0, 1.0, 1.0]) * 1e-200, smoothing=0.0)
    usual = jaxdecay.from_gradient_norms([3.0, 2.0, 1.0, 1.0], smoothing=0.0)
    np.testing.assert_allclose(small.values, usual.values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gradient_norms": [1.0, 0.0, 2.0]}, r"numbers > 0, got 0.0 at index 1"),
        ({"gradient_norms": [1.0, np.nan]}, r"got nan at index 1"),
        ({"gradient_norms": [1.0]}, r"shape \(1,\)"),
        ({"gradient_norms": [[1.0, 2.0]]}, r"shape \(1, 2\)"),
        (
            {"gradient_norms": [1.0, 2.0], "smoothing": 1.5},
            r"from_gradient_norms: smoothing must be .*≤ 1",
        ),
        (
            {"gradient_norms": [1.0, 2.0], "smoothing": "a"},
            r"from_gradient_norms: smoothing .* got 'a'",
        ),
        (
            {"gradient_norms": ["a", "b"]},
            r"from_gradient_norms: gradient_norms must be .*\['a', 'b'\]",
        ),
        ({"gradient_norms": [1.0, 2.0], "peak_value": [1.0]}, r"peak_value .*shape \(1,\)"),
        ({"gradient_norms": [1.0, 2.0], "optimizer": "adamw"}, r"'sgd' or 'adam', got 'adamw'"),
        (
            {"gradient_norms": [1.0, 2.0], "peak_value": -1.0},
            r"from_gradient_norms: peak_value must .*-1.0",
        ),
        (
            {"gradient_norms": [1.0, 2.0], "transition_steps": 0},
            r"from_gradient_norms: transition_steps",
        ),
    ],
)
def test_what_cannot_be_refined(arguments, message):
    with pytest.raises(ValueError, match=message):
        jaxdecay.from_gradient_norms(**arguments)


# Findings.


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
        [("unreached", 1000, "what follows the warm-up comes at step 1,000, as the run ends")],
    ),
    "run of a warm-up by hand": (
        jaxdecay.join(
            [
                jaxdecay.linear(0.01, end_value=0.1, transition_steps=1000),
                jaxdecay.cosine(0.1, transition_steps=900),
            ],
            lengths=[1000, 900],
        ),
        [("unreached", 1000, r"schedules\[1\] of join comes at step 1,000, as the run ends")],
    ),
    "cooldown with the end": (
        jaxdecay.cooldown(
            jaxdecay.cosine(0.1, transition_steps=2000), begin=1000, transition_steps=100
        ),
        [("unreached", 1000, "the cooldown comes at step 1,000, as the run ends")],
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
        [("unreached", 1000, "the cooldown in infinite_schedule comes at step 1,110")],
    ),
    "decay as long as the run, and a warm-up": (
        warm(jaxdecay.cosine(0.1, transition_steps=1000), 100),
        [("cut", 1000, "cosine ends at step 1,100, .* 100 steps shorter .* its warm-up")],
    ),
    "warm-up longer than the run": (
        warm(jaxdecay.cosine(0.1, transition_steps=900), 2000),
        [("unreached", 1000, "follows the warm-up comes at step 2,000")],
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
            ("unreached", 1000, r"schedules\[2\] of join comes at step 1,100"),
            ("cut", 1000, "linear ends at step 1,100"),
        ],
    ),
    "joined schedule that stands still at its length": (
        jaxdecay.join([0.1, jaxdecay.inverse_sqrt(0.1)], lengths=[100, 100]),
        [("early", 200, "join ends at step 200 and stands at 0.00995 for the 800 steps")],
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
        [("early", 500, "cosine ends at step 500 and stands at 0.02")],
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
        [("unreached", 1000, "the first drop of step_decay comes at step 3,000")],
    ),
    "boundary after the end": (
        jaxdecay.piecewise_constant([0.1, 0.01, 0.001], boundaries=[500, 5000]),
        [("unreached", 1000, "a boundary of piecewise_constant comes at step 5,000")],
    ),
    "unit of time forgotten": (
        jaxdecay.inverse_time(0.1, decay_rate=30.0),
        [("jump", 1, "falls from 0.1 to 0.00323")],
    ),
    "cycles through 0": (
        jaxdecay.polynomial(0.1, end_value=0.0, power=1.0, transition_steps=250, cycle=True),
        [("zero", 250, r"updates on the way .*\(3 of them\)")],
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


GOOD = {
    "constant": 0.1 * jaxdecay.constant(1.0),
    "line to 0": jaxdecay.linear(0.1, end_value=0.0, transition_steps=1000),
    "line": jaxdecay.linear(0.1, end_value=0.01, transition_steps=1000),
    "root": jaxdecay.polynomial(0.1, end_value=0.0, power=0.5, transition_steps=1000),
    "cycles": jaxdecay.polynomial(0.1, end_value=0.01, power=1.0, transition_steps=250, cycle=True),
    "k decay": jaxdecay.k_decay(0.1, end_value=0.0, transition_steps=1000, k=3.0),
    "tanh": jaxdecay.tanh_decay(0.1, end_value=0.0, transition_steps=1000),
    "rex": jaxdecay.rex(0.1, transition_steps=1000),
    "inverse of a line": jaxdecay.inverse_linear(0.1, end_value=0.001, transition_steps=1000),
    "hyperbola": jaxdecay.hyperbolic(0.1, end_value=0.001, transition_steps=1000, upper_bound=2000),
    "exponential hyperbola": jaxdecay.exponential_hyperbolic(
        0.1, end_value=0.001, transition_steps=1000
    ),
    "exponential": jaxdecay.exponential(0.1, decay_rate=0.01, transition_steps=1000),
    "stairs": jaxdecay.exponential(0.1, decay_rate=0.01, transition_steps=300, staircase=True),
    "equal stairs": jaxdecay.discrete_staircase(0.1, decrement=0.01, transition_steps=100),
    "hyperbola in time": jaxdecay.inverse_time(0.1, decay_rate=0.01),
    "inverse root": jaxdecay.inverse_sqrt(0.1),
    "noam": jaxdecay.noam(512, warmup_steps=100),
    "power law": jaxdecay.power_law(0.1, power=0.5, transition_steps=100),
    "milestones": jaxdecay.multi_step(0.1, decay_rate=0.1, boundaries=[500, 800]),
    "milestones after a warm-up": warm(
        jaxdecay.multi_step(0.1, decay_rate=0.1, boundaries=[500]), 100
    ),
    "pieces": jaxdecay.piecewise_constant([0.1, 0.01, 0.001], boundaries=[500, 800]),
    "points": jaxdecay.piecewise_linear([0.01, 0.1, 0.05, 0.0], boundaries=[0, 100, 100, 1000]),
    "table": jaxdecay.interpolate(np.linspace(0.1, 0.01, 11), transition_steps=100),
    "restarts": jaxdecay.cosine_restarts(0.1, period=250),
    "longer restarts": jaxdecay.cosine_restarts(
        0.1, period=100, end_value=0.001, period_multiplier=2.0, peak_multiplier=0.9
    ),
    "triangles": jaxdecay.cyclic(0.01, peak_value=0.1, up_steps=100, decay_rate=0.5),
    "sine": jaxdecay.sine_wave(0.01, peak_value=0.1, up_steps=100),
    "drops by epoch": jaxdecay.per_epoch(
        jaxdecay.step_decay(0.1, decay_rate=0.1, transition_steps=3), steps_per_epoch=100
    ),
    "curve by epoch": warm(
        jaxdecay.per_epoch(jaxdecay.cosine(0.1, transition_steps=9), steps_per_epoch=100), 100
    ),
    "tokens": jaxdecay.count_units(
        jaxdecay.cosine(0.1, transition_steps=4_095_500), units_per_step=4096
    ),
    "warm-up": warm(jaxdecay.cosine(0.1, transition_steps=900), 100),
    "warm-up from a rate": jaxdecay.warmup(0.1, warmup_steps=100, init_value=0.001),
    "warm-up, stable, decay": jaxdecay.warmup_stable_decay(
        0.1, warmup_steps=100, stable_steps=700, transition_steps=200, init_value=0.001
    ),
    "warm-up in a compound": jaxdecay.warmup_cosine(
        0.1, warmup_steps=100, transition_steps=900, init_value=0.001
    ),
    "three stages": jaxdecay.warmup_stable_decay(
        0.1,
        warmup_steps=100,
        stable_steps=500,
        transition_steps=400,
        end_value=0.001,
        init_value=0.001,
        shape="exponential",
    ),
    "infinite": jaxdecay.infinite_schedule(
        0.1,
        stable_value=0.05,
        end_value=0.001,
        warmup_steps=100,
        cooldown_steps=300,
        stable_steps=400,
        transition_steps=200,
        init_value=0.001,
    ),
    "one cycle": jaxdecay.one_cycle(0.1, transition_steps=1000),
    "one cycle of three phases": jaxdecay.one_cycle(0.1, transition_steps=1000, three_phase=True),
    "slanted triangle": jaxdecay.slanted_triangular(0.1, transition_steps=1000),
    "cooldown of a decay": jaxdecay.cooldown(
        jaxdecay.cosine(0.1, transition_steps=2000), begin=900, transition_steps=100
    ),
    "cycle of which half is seen": jaxdecay.from_torch("CosineAnnealingLR", lr=0.1, T_max=1000),
    "held where the run ends": jaxdecay.hold(
        jaxdecay.linear(0.01, end_value=0.1, transition_steps=1000), begin=1000
    ),
    "milestone at the end": jaxdecay.multi_step(0.1, decay_rate=0.1, boundaries=[500, 1000]),
    "already begun": warm(
        jaxdecay.advance(jaxdecay.cosine(0.1, transition_steps=1000), advance_steps=100), 100
    ),
    "drop at a seam": jaxdecay.join(
        [
            jaxdecay.step_decay(0.1, decay_rate=0.25, transition_steps=100),
            jaxdecay.cosine(0.1 / 256, transition_steps=600),
        ],
        lengths=[400, 600],
    ),
    "held": jaxdecay.hold(jaxdecay.linear(0.1, end_value=0.0, transition_steps=1000), begin=900),
    "repeated": jaxdecay.repeat(jaxdecay.cosine(0.1, transition_steps=250), period=250),
    "prolonged": jaxdecay.extend(
        jaxdecay.cosine(0.1, transition_steps=500), at=300, new_transition_steps=1000
    ),
    "clipped": jaxdecay.clip(jaxdecay.inverse_sqrt(0.1), lower=0.005),
    "join": jaxdecay.join(
        [0.5, jaxdecay.linear(0.5, end_value=0.0, transition_steps=500)], lengths=[500, 500]
    ),
    "join of numbers": jaxdecay.join(
        [0.1, 0.01, jaxdecay.cosine(0.01, transition_steps=400)], lengths=[300, 300, 400]
    ),
    "ramp times a curve": jaxdecay.linear(0.01, end_value=1.0, transition_steps=100)
    * jaxdecay.cosine(0.1, transition_steps=1000),
    "curve above a floor": jaxdecay.cosine(0.1, transition_steps=1000) + 0.001,
    "plateau": jaxdecay.reduce_on_plateau(jaxdecay.cosine(0.1, transition_steps=1000)),
    "own": of_function(lambda step, init_value: init_value * 0.5 ** jnp.floor(step / 100)),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_schedules_have_no_findings(name):
    assert jaxdecay.check_schedule(GOOD[name], 1000) == []


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
