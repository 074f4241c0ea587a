"""Populations: stack, grid, sample and concat; indexing; calls; traces."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES

import jaxdecay
from jaxdecay import AdaptiveSchedule, Population

LINE = jaxdecay.linear(0.5, end_value=0.0, transition_steps=10)
WAVE = jaxdecay.cosine(0.25, transition_steps=10)
MIXED = [
    LINE,
    WAVE,
    jaxdecay.constant(0.1),
    LINE.replace(init_value=1.0),
    jaxdecay.warmup(WAVE, warmup_steps=5),
    jaxdecay.warmup(LINE, warmup_steps=5),
    jaxdecay.exponential(0.1, decay_rate=0.5),
    jaxdecay.exponential(0.1, decay_rate=0.5, staircase=True),
    jaxdecay.exponential(0.1, decay_rate=0.5, end_value=0.01),
    jaxdecay.piecewise_constant([0.1, 0.2], boundaries=[3]),
    jaxdecay.piecewise_constant([0.1, 0.2, 0.3], boundaries=[3, 5]),
    WAVE.replace(init_value=1.0),
]


def alone(schedules: Any, step: Any) -> np.ndarray:
    return np.stack([np.asarray(schedule(step)) for schedule in schedules])


def test_stack_keeps_the_order_of_mixed_families() -> None:
    population = jaxdecay.stack(MIXED)
    assert len(population) == len(MIXED)
    assert list(population) == MIXED
    assert len(population.groups) == 10  # lines, waves and one of each other


def test_every_schedule_can_be_in_a_population() -> None:
    schedules = [case.schedule for case in CASES]
    assert list(jaxdecay.stack(schedules)) == schedules


@pytest.mark.parametrize(
    "step",
    [
        *(pytest.param(each, marks=pytest.mark.slow) for each in (0, np.int8(7))),
        *(2.5, np.arange(6).reshape(2, 3)),
    ],
)
def test_values_are_those_of_each_schedule_alone(step: Any) -> None:
    population, expected = jaxdecay.stack(MIXED), alone(MIXED, np.asarray(step))
    for got in (
        population(np.asarray(step)),
        jax.jit(population)(np.asarray(step)),
        jax.jit(lambda population, step: population(step))(population, np.asarray(step)),
    ):
        assert (got.shape, got.dtype) == ((len(MIXED), *np.shape(step)), jnp.float32)
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_last_of_a_grid_varies_fastest() -> None:
    population = jaxdecay.grid(
        jaxdecay.exponential,
        init_value=[0.1, 0.2],
        decay_rate=(0.5, 0.9, 0.99),
        transition_steps=range(1, 3),
        staircase=[False, True],
    )
    expected = itertools.product([0.1, 0.2], [0.5, 0.9, 0.99], [1, 2], [False, True])
    found = [
        (each.init_value, each.decay_rate, each.transition_steps, each.staircase)
        for each in population
    ]
    assert found == list(expected)


def test_a_grid_takes_arrays_and_single_values() -> None:
    rates = np.array([0.1, 0.2])
    for given in (rates, jnp.asarray(rates), rates.tolist(), tuple(rates)):
        population = jaxdecay.grid(
            jaxdecay.linear, init_value=given, end_value=0.0, transition_steps=4
        )
        np.testing.assert_allclose(population(2), [0.05, 0.1], rtol=1e-6)
    assert len(jaxdecay.grid(jaxdecay.constant, value=0.1)) == 1


def test_a_grid_of_vectors_is_a_list_of_lists() -> None:
    one = jaxdecay.grid(jaxdecay.piecewise_constant, values=[0.1, 0.2], boundaries=[[3], [4]])
    assert [each.values.tolist() for each in one] == [[0.1, 0.2]] * 2
    assert [each.boundaries.tolist() for each in one] == [[3], [4]]
    two = jaxdecay.grid(
        jaxdecay.piecewise_constant, values=[[0.1, 0.2], [0.3, 0.4]], boundaries=np.array([[3]])
    )
    assert two(2).tolist() == pytest.approx([0.1, 0.3])


def test_a_grid_of_schedules_and_texts() -> None:
    population = jaxdecay.grid(
        jaxdecay.warmup,
        schedule=[LINE, WAVE, 0.5],
        warmup_steps=5,
        first_step=["init", "one_over_w"],
    )
    assert [each.schedule for each in population] == [LINE, LINE, WAVE, WAVE, 0.5, 0.5]
    assert [each.first_step for each in population] == ["init", "one_over_w"] * 3
    phases = jaxdecay.grid(jaxdecay.join, schedules=[LINE, WAVE], lengths=[[1, 2], [3, 4]])
    assert [each.schedules for each in phases] == [(LINE, WAVE)] * 2
    pairs = jaxdecay.grid(jaxdecay.join, schedules=[[LINE, WAVE], [WAVE, LINE]], lengths=[1, 2])
    assert [each.schedules for each in pairs] == [(LINE, WAVE), (WAVE, LINE)]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"value": []}, ValueError, "grid of constant: value has no values"),
        ({"value": [0.1, -0.2]}, ValueError, "constant: value must be a number ≥ 0, got -0.2"),
        ({"valeu": [0.1]}, TypeError, "did you mean 'value'"),
        ({}, TypeError, "missing a required argument: 'value'"),
    ],
)
def test_a_grid_that_is_wrong(values: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        jaxdecay.grid(jaxdecay.constant, **values)


@pytest.mark.parametrize("family", ["linear", "polynomial", "cosine", "inverse_time", "step_decay"])
def test_samples_are_in_the_search_range(family: str) -> None:
    decay, key = jaxdecay.family(family), jax.random.key(7)
    population = jaxdecay.sample(decay, 50, key)
    assert list(population) == list(jaxdecay.sample(decay, 50, key))
    assert list(population) != list(jaxdecay.sample(decay, 50, jax.random.key(8)))
    for name, parameter in decay.decay.parameters.items():
        drawn = [getattr(schedule, name) for schedule in population]
        if parameter.required:
            search = parameter.domain.search
            assert search.low <= min(drawn) < max(drawn) <= search.high
            assert len(set(drawn)) > 40
            assert all(isinstance(each, int if parameter.domain.count else float) for each in drawn)
        else:
            assert drawn == [parameter.default] * 50


def test_samples_of_given_ranges_and_values() -> None:
    population = jaxdecay.sample(
        jaxdecay.exponential,
        200,
        jax.random.key(1),
        init_value=(0.01, 1.0),
        decay_rate=0.5,
        transition_steps=(2, 4),
        end_value=(0.0, 1e-3),
        staircase=True,
    )
    rates = [each.init_value for each in population]
    assert 0.01 <= min(rates) < max(rates) <= 1.0
    assert np.median(rates) == pytest.approx(0.1, rel=0.4)  # on a logarithmic scale
    assert {each.transition_steps for each in population} == {2, 3, 4}
    assert {each.decay_rate for each in population} == {0.5}
    assert all(0 <= each.end_value <= 1e-3 for each in population)
    assert all(each.staircase for each in population)


def test_two_hyperparameters_are_drawn_independently() -> None:
    population = jaxdecay.sample(jaxdecay.linear, 500, jax.random.key(2), end_value=(1e-5, 0.1))
    first = np.log([each.init_value for each in population])
    second = np.log([each.end_value for each in population])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("number", "values", "error", "message"),
    [
        (0, {"value": 0.1}, ValueError, "number must be at least 1, got 0"),
        (2, {"value": (0.2, 0.1)}, ValueError, r"value has an empty range, \(0.2, 0.1\)"),
        (2, {"value": (-0.1, 0.1)}, ValueError, "value must be a number ≥ 0, got -0.1"),
        (2, {"valeu": (0.1, 0.2)}, TypeError, "did you mean 'value'"),
    ],
)
def test_a_sample_that_is_wrong(number: int, values: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        jaxdecay.sample(jaxdecay.constant, number, jax.random.key(0), **values)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="piecewise_constant: values cannot be drawn at random"):
        jaxdecay.sample(jaxdecay.piecewise_constant, 2, jax.random.key(0))
    with pytest.raises(ValueError, match="warmup: schedule cannot be drawn at random"):
        jaxdecay.sample(jaxdecay.warmup, 2, jax.random.key(0), warmup_steps=5)


def test_concat_keeps_the_order() -> None:
    parts = [jaxdecay.stack(MIXED[:5]), jaxdecay.stack(MIXED[5:6]), jaxdecay.stack(MIXED[6:])]
    population = jaxdecay.concat(*parts)
    assert list(population) == MIXED
    assert len(population.groups) == len(jaxdecay.stack(MIXED).groups)
    np.testing.assert_allclose(population(4), alone(MIXED, 4), rtol=1e-6)


def test_indexing() -> None:
    population = jaxdecay.stack(MIXED)
    for index in (0, 3, -1, -len(MIXED), np.int64(2)):
        assert population[index] == MIXED[index]
    for chosen in (slice(2, 9, 3), slice(None, None, -1), slice(-3, None)):
        assert isinstance(population[chosen], Population)
        assert list(population[chosen]) == MIXED[chosen]
    assert list(population[[5, 0, 5]]) == [MIXED[5], MIXED[0], MIXED[5]]
    mask = np.arange(len(MIXED)) % 3 == 1
    assert list(population[mask]) == list(itertools.compress(MIXED, mask))
    assert list(population[np.argsort(-np.asarray(population(3)))][:1]) == [
        MIXED[int(np.argmax(alone(MIXED, 3)))]
    ]


def test_indexing_that_is_wrong() -> None:
    population = jaxdecay.stack(MIXED)
    for index in (len(MIXED), -len(MIXED) - 1):
        with pytest.raises(IndexError, match=f"index {index} is out of range for a population"):
            population[index]
    with pytest.raises(ValueError, match="selects none of the 12 schedules"):
        population[np.zeros(len(MIXED), bool)]
    with pytest.raises(IndexError):
        population[np.zeros(3, bool)]


def test_rows_of_a_population_of_arrays() -> None:
    population = jaxdecay.stack([LINE.replace(init_value=jnp.float32(x)) for x in (0.5, 1.0)])
    assert [float(schedule(5)) for schedule in population] == [0.25, 0.5]


def test_stack_that_is_wrong() -> None:
    with pytest.raises(ValueError, match="at least one schedule, got none"):
        jaxdecay.stack([])
    with pytest.raises(ValueError, match="at least one schedule, got none"):
        jaxdecay.concat()
    with pytest.raises(TypeError, match=r"stack takes schedules, .* got 0\.1"):
        jaxdecay.stack([LINE, 0.1])


def test_gradients_through_a_population() -> None:
    population = jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.1, 0.2], decay_rate=[0.5, 2.0])
    floats, others = _partition(population)

    def total(floats: Any, step: Any) -> Any:
        leaves = [b if a is None else a for a, b in zip(floats, others, strict=True)]
        return jnp.sum(jax.tree.unflatten(jax.tree.structure(population), leaves)(step))

    rates = np.array([(i, r) for i in (0.1, 0.2) for r in (0.5, 2.0)])
    by_init, by_rate = 1 / (1 + 3 * rates[:, 1]), -3 * rates[:, 0] / (1 + 3 * rates[:, 1]) ** 2
    for slope in (jax.grad(total)(floats, 3), jax.jit(jax.grad(total))(floats, 3)):
        np.testing.assert_allclose(slope[0], by_init, rtol=1e-5)
        np.testing.assert_allclose(slope[1], by_rate, rtol=1e-5)
    each_step = jax.vmap(total, in_axes=(None, 0))(floats, np.arange(5))
    expected = [float(jnp.sum(population(step))) for step in range(5)]
    np.testing.assert_allclose(each_step, expected, rtol=1e-6)


def _partition(population: Population) -> tuple[list[Any], list[Any]]:
    """The leaves that are floats, as float32, and the others; None where it is of the other."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(population)]
    floats = [leaf.astype(np.float32) if leaf.dtype.kind == "f" else None for leaf in leaves]
    return floats, [leaf if leaf.dtype.kind != "f" else None for leaf in leaves]


def test_a_population_of_traced_schedules() -> None:
    def values(rates: Any) -> Any:
        schedules = [LINE.replace(init_value=rate) for rate in rates]
        return jaxdecay.stack([*schedules, WAVE])(5)

    np.testing.assert_allclose(jax.jit(values)(jnp.array([0.5, 1.0])), [0.25, 0.5, 0.125])


def test_many_values_cost_one_trace() -> None:
    traces = 0

    @jax.jit
    def call(population: Population, step: Any) -> Any:
        nonlocal traces
        traces += 1
        return population(step)

    for size in range(1, 5):
        rates = (np.linspace(0.1, 1, 1000) * size).tolist()
        population = jaxdecay.grid(
            jaxdecay.linear, init_value=rates, end_value=0.0, transition_steps=10 * size
        )
        np.testing.assert_allclose(call(population, 5 * size), np.array(rates) / 2, rtol=1e-6)
    assert traces == 1


def test_integers_and_floats_share_a_group() -> None:
    population = jaxdecay.grid(
        jaxdecay.linear, init_value=[1, 0.5], end_value=[0, 0.1], transition_steps=10
    )
    assert len(population.groups) == 1
    assert population(5).tolist() == pytest.approx([0.5, 0.55, 0.25, 0.3])


def test_a_population_survives_every_journey() -> None:
    population = jaxdecay.stack(MIXED)
    leaves, structure = jax.tree.flatten(population)
    for again in (
        structure.unflatten(leaves),
        copy.copy(population),
        copy.deepcopy(population),
        pickle.loads(pickle.dumps(population)),
    ):
        assert list(again) == MIXED


def test_repr() -> None:
    population = jaxdecay.concat(
        jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.1, 0.3], decay_rate=[0.5, 1.0]),
        jaxdecay.grid(jaxdecay.exponential, init_value=0.1, decay_rate=0.5, staircase=True),
        jaxdecay.stack(
            [jaxdecay.warmup(LINE, warmup_steps=5), jaxdecay.warmup(LINE, warmup_steps=6)]
        ),
    )
    assert repr(population).splitlines() == [
        "Population of 7 schedules",
        "  4 inverse_time    init_value 0.1 … 0.3, decay_rate 0.5 … 1",
        "  1 exponential     init_value 0.1, decay_rate 0.5, staircase True",
        "  2 warmup(linear)  schedule.init_value 0.5, schedule.end_value 0, "
        "schedule.transition_steps 10, warmup_steps 5 … 6",
    ]


def test_one_is_picked_by_any_integer() -> None:
    population = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2, 0.3])
    for index in (1, np.int64(1), np.array(1), jnp.argmax(population(0)[:2])):
        assert population[index] == jaxdecay.constant(0.2)


def test_populations_of_anything_print() -> None:
    population = jaxdecay.grid(
        jaxdecay.linear, init_value=[0.1, 0.2], end_value=0.0, transition_steps=9
    )
    for leaf in (
        lambda leaf: None,
        lambda leaf: "x",
        lambda leaf: jax.ShapeDtypeStruct((2,), jnp.float32),
    ):
        assert "linear" in repr(jax.tree.map(leaf, population))
    slopes = jax.grad(lambda population: population(3).sum(), allow_int=True)(population)
    assert "linear" in repr(slopes)


def test_what_is_no_decay_and_no_population_is_refused() -> None:
    population = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2])
    with pytest.raises(TypeError, match=r"expected a decay.*got 'cosine'"):
        jaxdecay.grid("cosine", init_value=0.1)
    with pytest.raises(TypeError, match="expected a decay"):
        jaxdecay.sample(jaxdecay.constant(0.1), 3, jax.random.key(0))
    with pytest.raises(TypeError, match="as separate arguments, got list"):
        jaxdecay.concat([population, population])


def test_a_population_with_state_gives_each_schedule_its_own_metric() -> None:
    schedules = [
        jaxdecay.reduce_on_plateau(0.5, factor=0.5, patience=0),
        WAVE,
        jaxdecay.greedy(0.25, factor=0.5, patience=0),
        jaxdecay.reduce_on_plateau(LINE, factor=0.25, patience=1),
        jaxdecay.reduce_on_plateau(1.0, factor=0.5, patience=0, mode="max"),
        jaxdecay.reduce_on_plateau(1.0, factor=0.1, patience=0),
    ]
    population = jaxdecay.stack(schedules)
    assert population.is_adaptive
    assert not jaxdecay.stack(MIXED).is_adaptive
    assert not population._in_order()
    rows = np.random.default_rng(0).integers(1, 4, (5, 6)).astype(float)

    @jax.jit
    def follow_all(population: Population, rows: Any) -> Any:
        def update(states: Any, row: Any) -> Any:
            return population.update_states(states, row), None

        states, _ = jax.lax.scan(update, population.init_states(), rows)
        return population(np.arange(4), states), population(3, states)

    @jax.jit
    def follow(schedule: Any, metrics: Any) -> Any:
        if not isinstance(schedule, AdaptiveSchedule):
            return schedule(np.arange(4)), schedule(3), jnp.ones(())

        def update(state: Any, metric: Any) -> Any:
            return schedule.update(state, value=metric), None

        state, _ = jax.lax.scan(update, schedule.init(), metrics)
        steps = state._replace(count=np.arange(4)), state._replace(count=3)
        return *map(schedule, steps), state.feedback.scale

    values, one_step = follow_all(population, rows)
    expected = [follow(*pair) for pair in zip(schedules, rows.T, strict=True)]
    np.testing.assert_allclose(values, [each for each, _, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(one_step, [each for _, each, _ in expected], rtol=1e-6)
    assert len({float(scale) for _, _, scale in expected}) > 3


def test_a_population_without_state_ignores_metrics() -> None:
    population = jaxdecay.stack(MIXED[:3])
    states = population.update_states(population.init_states(), np.arange(3.0))
    assert not jax.tree.leaves(states)
    np.testing.assert_array_equal(population(3, states), population(3))


def test_metrics_that_do_not_fit_are_refused() -> None:
    population = jaxdecay.grid(jaxdecay.reduce_on_plateau, schedule=0.5, patience=[0, 1])
    for metrics in (1.0, [1.0], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="population of 2 schedules takes one metric each"):
            population.update_states(population.init_states(), metrics)


def test_vectors_of_a_grid_may_be_of_different_length() -> None:
    population = jaxdecay.grid(
        jaxdecay.multi_step, init_value=0.1, decay_rate=0.5, boundaries=[[10], [10, 20]]
    )
    assert [len(schedule.boundaries) for schedule in population] == [1, 2]


def test_a_number_of_samples_is_an_integer() -> None:
    with pytest.raises(ValueError, match="number must be at least 1, got"):
        jaxdecay.sample(jaxdecay.constant, jax.random.key(0), 4)


@pytest.mark.parametrize("family", sorted(jaxdecay.families))
def test_every_family_of_numbers_can_be_sampled(family: str) -> None:
    decay = jaxdecay.families[family]
    needed = [each for each in decay.decay.parameters.values() if each.required]
    if all(each.kind == "number" and each.domain.search for each in needed):
        assert len(jaxdecay.sample(decay, 64, jax.random.key(0))) == 64
