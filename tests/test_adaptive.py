"""Adaptive schedules by themselves: their rules, traced, as values, and in a loop."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from following import noisy_descent, plateau_scales, watched

import jaxdecay
from jaxdecay import AdaptiveSchedule, AdaptiveState, Schedule
from jaxdecay.adaptive.greedy_scale import LARGEST_WINDOW
from jaxdecay.schedules_file import read_schedules

RULES = [
    {"mode": mode, "threshold_mode": threshold_mode, "patience_rule": rule}
    for mode in ("min", "max")
    for threshold_mode in ("relative", "absolute")
    for rule in ("exceeds", "reaches")
]


@pytest.mark.usefixtures("double")
def test_every_rule_at_metrics_of_both_signs_and_those_that_are_no_numbers() -> None:
    chance = np.random.default_rng(3)
    schedules, columns = [], []
    for rule in RULES:
        for sign in (-1, 1):
            metrics = np.array(noisy_descent(chance, 60, sign)) - 16 * sign * chance.integers(2)
            metrics[chance.random(60) < 0.1] = np.nan
            metrics[0] = chance.choice([np.nan, metrics[0], np.inf])
            numbers = {
                "factor": float(chance.uniform(0.2, 0.9)),
                "patience": int(chance.integers(0, 4)),
                "threshold": float(chance.choice([0.0, 1 / 256, 1 / 64])),
                "cooldown": int(chance.integers(0, 4)),
                "min_scale": float(chance.choice([0.0, 0.05])),
                "accumulation_size": int(chance.choice([1, 1, 2, 4])),
            }
            schedules.append(jaxdecay.reduce_on_plateau(1.0, **numbers, **rule))
            columns.append(metrics)
    got = watched(schedules, np.transpose(columns))
    for schedule, metrics, scales in zip(schedules, columns, got.T, strict=True):
        arguments = {**schedule.hyperparameters, **schedule.options}
        arguments.pop("schedule")
        expected = plateau_scales(metrics, **arguments)
        np.testing.assert_allclose(scales, expected, rtol=1e-6, err_msg=repr(schedule))
        assert expected[-1] < 1


def test_a_higher_metric_is_better_just_as_a_lower_one_of_the_other_sign() -> None:
    metrics = np.array(noisy_descent(np.random.default_rng(4), 60))
    for decay in (jaxdecay.reduce_on_plateau, jaxdecay.greedy):
        low, high = decay(0.1, patience=1), decay(0.1, patience=1, mode="max")
        got = watched([low, high], np.stack([metrics, -metrics], axis=1))
        np.testing.assert_array_equal(got[:, 0], got[:, 1])
        assert len(set(got[:, 0])) > 3


def test_a_metric_that_was_no_number_leaves_the_mean_when_it_leaves_the_window() -> None:
    metrics = [2.0, np.nan, *(2.0 - 0.125 * step for step in range(1, 9))]
    schedule = jaxdecay.greedy(1.0, factor=0.5, patience=3, window=3)
    rates = watched([schedule], np.array(metrics)[:, None])[:, 0]
    assert rates.tolist() == [1.0] * 8 + [2.0, 2.0, 2.0]


def test_an_increase_starts_the_count_towards_a_reset_again() -> None:
    schedule = jaxdecay.greedy(
        1.0, factor=0.5, patience=0, min_scale=0.5, max_scale=1.0, reset_after=2
    )
    rates = watched([schedule], np.array([3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0])[:, None])[:, 0]
    # These are the rates of GreedyLR in Transformers 5.23.
    assert rates.tolist() == [1.0, 1.0, 0.5, 1.0, 0.5, 1.0, 1.0, 0.5]


def test_the_value_is_that_of_the_schedule_times_the_scale() -> None:
    inner, steps = jaxdecay.cosine(0.5, transition_steps=100), np.arange(0, 120, 7)
    for decay in (jaxdecay.reduce_on_plateau, jaxdecay.greedy):
        schedule = decay(inner)
        first = schedule.init()
        for scale in (first.feedback.scale, jnp.asarray(0.25, float)):
            state = AdaptiveState(steps, first.feedback._replace(scale=scale))
            expected = np.asarray(inner(steps)) * float(scale)
            np.testing.assert_array_equal(schedule(state), expected)
            np.testing.assert_array_equal(jaxdecay.value_at(schedule, steps, state), expected)
        np.testing.assert_array_equal(jaxdecay.value_at(schedule, steps), inner(steps))


# Traced, mapped, differentiated.


def total(schedule: AdaptiveSchedule, metrics: Any) -> Any:
    def follow(state: Any, metric: Any) -> Any:
        state = schedule.update(state, value=metric)
        return state, schedule(state)

    return jnp.sum(jax.lax.scan(follow, schedule.init(), metrics)[1])


METRICS = [4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, *[1.0] * 8]


@pytest.mark.parametrize(
    ("schedule", "that_count"),
    [
        (
            jaxdecay.reduce_on_plateau(0.5, factor=0.5, patience=1, min_scale=0.2),
            ("schedule", "factor", "min_scale"),
        ),
        (
            jaxdecay.greedy(0.5, factor=0.5, patience=1, min_scale=0.2, max_scale=1.7),
            ("schedule", "factor", "min_scale", "max_scale"),
        ),
    ],
    ids=["reduce_on_plateau", "greedy"],
)
def test_every_number_can_be_traced_and_differentiated(
    schedule: Schedule, that_count: Sequence[str]
) -> None:
    numbers = {name: jnp.asarray(x, float) for name, x in schedule.hyperparameters.items()}
    metrics = jnp.array(METRICS)

    def of_numbers(numbers: Any, metrics: Any) -> Any:
        return total(schedule.decay(**numbers), metrics)

    value, (slopes, by_metric) = jax.jit(jax.value_and_grad(of_numbers, argnums=(0, 1)))(
        numbers, metrics
    )
    np.testing.assert_allclose(value, total(schedule, metrics), rtol=1e-6)
    assert not np.any(by_metric)
    compiled = jax.jit(of_numbers)
    for each, slope in slopes.items():
        if each in that_count:
            assert slope != 0, each
            up, down = ({**numbers, each: numbers[each] + h} for h in (1e-3, -1e-3))
            difference = (compiled(up, metrics) - compiled(down, metrics)) / 2e-3
            np.testing.assert_allclose(slope, difference, rtol=2e-3, atol=2e-3, err_msg=each)
        else:
            assert slope == 0, each


def test_one_trace_for_a_grid_of_factor_and_patience() -> None:
    factors, patiences = [0.3, 0.5, 0.9], [0, 1, 2, 5]
    population = jaxdecay.grid(
        jaxdecay.reduce_on_plateau, schedule=0.5, factor=factors, patience=patiences
    )
    assert len(population.groups) == 1
    assert population.is_adaptive
    got = watched(list(population), np.repeat(np.array(METRICS)[:, None], 12, 1))
    for schedule, rates in zip(population, got.T, strict=True):
        expected = plateau_scales(METRICS, schedule.factor, schedule.patience)
        np.testing.assert_allclose(rates, 0.5 * np.array(expected), rtol=2e-6)
    traces = 0

    @jax.jit
    def update(schedule: AdaptiveSchedule, state: Any, metric: Any) -> Any:
        nonlocal traces
        traces += 1
        return schedule.update(state, value=metric)

    for schedule in population:
        update(schedule, schedule.init(), 1.0)
    assert traces == 1


def test_a_state_keeps_its_structure_and_types() -> None:
    for schedule in (
        jaxdecay.reduce_on_plateau(0.1, patience=2.5, cooldown=1.0),
        jaxdecay.greedy(0.1, patience=2.5, cooldown=1, warmup=2.0, window=2.0, reset_after=3.0),
    ):
        state = schedule.init()
        after = jax.eval_shape(lambda state, each=schedule: each.update(state, value=1.0), state)
        assert jax.tree.map(lambda each: each.dtype, after) == jax.tree.map(
            lambda each: each.dtype, state
        )


def test_the_window_has_its_full_length() -> None:
    schedule = jaxdecay.greedy(1.0, window=LARGEST_WINDOW)
    metrics = np.r_[np.full(3, 50.0), np.zeros(120)]  # falling as long as a 50 is in the window

    def follow(state: Any, metric: Any) -> Any:
        state = schedule.update(state, value=metric)
        return state, state.feedback.best

    best = jax.lax.scan(follow, schedule.init(), jnp.asarray(metrics))[1]
    expected = [np.mean(metrics[max(0, n - 99) : n + 1]) for n in range(len(metrics))]
    np.testing.assert_allclose(best, expected, rtol=1e-6)


# As values, in files, in a loop, and used wrongly.

VALUES = [
    jaxdecay.reduce_on_plateau(0.1, factor=0.5, patience=3, mode="max"),
    jaxdecay.greedy(jaxdecay.cosine(0.3, transition_steps=100), window=5, reset_after=7),
]


@pytest.mark.parametrize("schedule", VALUES, ids=lambda schedule: schedule.family)
def test_journeys(schedule: Schedule, tmp_path: Path) -> None:
    again = [pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)]
    again += [eval(repr(schedule), vars(jaxdecay))]
    again += [Schedule.from_dict(json.loads(json.dumps(schedule.to_dict())))]
    again += list(jaxdecay.stack([schedule, schedule]))
    assert again == [schedule] * 6


def test_a_schedules_file_can_hold_a_grid_of_them(tmp_path: Path) -> None:
    path = tmp_path / "plateaus.toml"
    path.write_text(
        '[[schedule]]\nfamily = "reduce_on_plateau"\nschedule = 0.1\nmode = "max"\n'
        "factor = [0.1, 0.5]\npatience = [2, 5]\n"
    )
    assert [(each.factor, each.patience, each.mode) for each in read_schedules(path)] == [
        (factor, patience, "max") for factor in (0.1, 0.5) for patience in (2, 5)
    ]


@pytest.mark.usefixtures("relaxed_promotion")
def test_in_a_loop_with_optax() -> None:
    schedule = jaxdecay.reduce_on_plateau(0.25, factor=0.5, patience=0, threshold=0.5)

    @jax.jit
    def train_step(weight: Any, optimizer_state: Any, step: Any, state: Any) -> Any:
        loss, gradient = jax.value_and_grad(lambda weight: weight**2)(weight)
        optimizer = optax.sgd(jaxdecay.value_at(schedule, step, state), momentum=0.5)
        updates, optimizer_state = optimizer.update(gradient, optimizer_state)
        weight = optax.apply_updates(weight, updates)
        return weight, optimizer_state, schedule.update(state, value=loss)

    weight, state = jnp.float32(1.0), schedule.init()
    optimizer_state = optax.sgd(0.0, momentum=0.5).init(weight)
    expected, momentum, losses = 1.0, 0.0, []
    for step in range(12):
        weight, optimizer_state, state = train_step(weight, optimizer_state, step, state)
        rate = 0.25 * plateau_scales(losses, 0.5, 0, 0.5)[-1]
        losses.append(expected**2)
        momentum = 0.5 * momentum + 2 * expected
        expected -= rate * momentum
        np.testing.assert_allclose(weight, expected, rtol=1e-4)
    assert float(state.feedback.scale) < 0.2
    assert int(state.count) == 12


@pytest.mark.parametrize("outer", [jaxdecay.reduce_on_plateau, jaxdecay.greedy])
def test_a_schedule_with_state_is_refused_inside_another(outer: Any) -> None:
    inner = jaxdecay.reduce_on_plateau(0.1)
    message = "cannot follow a metric inside another schedule.*around the complete schedule"
    for wrap in (
        outer,
        lambda inner: jaxdecay.warmup(inner, warmup_steps=10),
        lambda inner: inner * 2,
    ):
        with pytest.raises(ValueError, match=message):
            wrap(inner)
    with pytest.raises(ValueError, match=message):
        jaxdecay.join([0.1, inner], lengths=[1, 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jaxdecay.reduce_on_plateau(0.1, factor=1.0), "factor must be a number > 0 and <"),
        (lambda: jaxdecay.greedy(0.1, factor=0.0), "factor must be a number > 0 and < 1, got 0"),
        (lambda: jaxdecay.greedy(0.1, window=101), "window must be a number ≥ 1 and ≤ 100"),
        (lambda: jaxdecay.greedy(0.1, window=0), "window must be a number ≥ 1 and ≤ 100"),
        (lambda: jaxdecay.greedy(0.1, min_scale=2, max_scale=1), "got 2.0 and 1.0"),
        (lambda: jaxdecay.reduce_on_plateau(0.1, patience=-1), "patience must be a number ≥ 0"),
        (lambda: jaxdecay.reduce_on_plateau(0.1, mode="auto"), "mode must be 'min' or 'max'"),
        (
            lambda: VALUES[0].update(VALUES[0].init(), value=[1.0, 2.0]),
            r"a metric is one number, got an array of shape \(2,\)",
        ),
    ],
)
def test_wrong_use_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("schedule", VALUES, ids=lambda schedule: schedule.family)
def test_each_update_is_a_step_and_reads_nothing_but_the_value(schedule: AdaptiveSchedule) -> None:
    first = schedule.init()
    assert (int(first.count), first.count.dtype) == (0, jnp.int32)
    state = schedule.update(first, value=3.0)
    others = schedule.update(first, value=3.0, grad=None, params=None)
    assert int(state.count) == 1
    assert jax.tree.map(np.array_equal, state, others) == jax.tree.map(lambda _: True, state)
    assert float(schedule(state, params=None)) == float(jaxdecay.value_at(schedule, 1, state))
    last = state._replace(count=jnp.int32(2**31 - 1))
    assert int(schedule.update(last, value=3.0).count) == 2**31 - 1


@pytest.mark.parametrize("schedule", VALUES, ids=lambda schedule: schedule.family)
def test_what_cannot_show_it_a_metric_is_refused(schedule: AdaptiveSchedule) -> None:
    for extra in ({}, {"value": None}, {"loss": 3.0}):
        with pytest.raises(TypeError, match=f"{schedule.family} follows a metric: .*value=loss"):
            schedule.update(schedule.init(), **extra)
    for step in (3, 3.0, jnp.int32(3), np.arange(4), None, schedule.init().feedback):
        with pytest.raises(TypeError, match=f"{schedule.family} .* must be called with its state"):
            schedule(step)
        with pytest.raises(TypeError, match=f"{schedule.family} .* must be called with its state"):
            schedule.update(step, value=3.0)


@pytest.mark.usefixtures("relaxed_promotion")
@pytest.mark.parametrize("inner", [0.5, jaxdecay.cosine(0.5, transition_steps=30)], ids=repr)
def test_an_optimizer_reduces_as_a_loop_by_hand_does(inner: Any) -> None:
    schedule = jaxdecay.reduce_on_plateau(inner, factor=0.5, patience=1, accumulation_size=2)
    optimizer = optax.chain(
        optax.clip(1.0), optax.inject_hyperparams(optax.sgd)(learning_rate=schedule, momentum=0.9)
    )
    weight, losses = jnp.ones(2), noisy_descent(np.random.default_rng(6), 40)
    state, rates = optimizer.init(weight), []
    update = jax.jit(lambda state, loss: optimizer.update(weight, state, weight, value=loss)[1])
    for loss in losses:
        state = update(state, loss)
        rates.append(float(state[1].hyperparams["learning_rate"]))
    scales = plateau_scales(losses, 0.5, 1, accumulation_size=2)
    by_hand = [scale * float(jaxdecay.value_at(inner, step)) for step, scale in enumerate(scales)]
    assert scales[-1] < 0.3
    # The loss of an update changes the rate of the next one.
    np.testing.assert_allclose(rates, by_hand[:-1], rtol=1e-6)
