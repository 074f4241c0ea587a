"""Areas, means, steps at a value, refined schedules and findings, against sums in float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay

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
