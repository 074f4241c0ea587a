"""Populations that are grids and samples."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mixed_schedules import LINE, WAVE

import jaxdecay


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
