"""Populations: stack and concat; indexing; calls are those of each schedule alone."""

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
from mixed_schedules import LINE, MIXED, WAVE, alone

import jaxdecay
from jaxdecay import AdaptiveSchedule, Population


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
        *(pytest.param(each, marks=pytest.mark.slow) for each in (0, np.int8(7), 2.5)),
        np.arange(6).reshape(2, 3),
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
