"""The built-in population: its rates, and that it suits any optimizer and length."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import jaxdecay
from jaxdecay.catalogue import default_population

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.mark.slow
def test_the_built_in_rates_suit_the_optimizer():
    def largest(optimizer):
        population = default_population(15, optimizer).resolve(steps=660, steps_per_epoch=44)
        return population(np.arange(660)).max()

    assert largest("sgd") == pytest.approx(0.5)
    assert largest("adamw") == pytest.approx(0.01)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_nothing_is_found_wrong_with_the_built_in_schedules(optimizer):
    population = default_population(15, optimizer).resolve(steps=660, steps_per_epoch=44)
    for schedule in population:
        assert jaxdecay.check_schedule(schedule, 660) == [], schedule


def test_the_built_in_population_is_a_wide_choice():
    population = default_population(15).resolve(steps=660, steps_per_epoch=44)
    assert len({schedule.family for schedule in population}) >= 14
    assert not population.is_adaptive  # its own metric would set a member apart from its pair


def test_the_built_in_population_suits_any_length():
    call = jax.jit(lambda population, step: population(step))
    for steps, steps_per_epoch in [(1, 1), (2, 1), (10, 10), (660, 44), (28_125, 1_875)]:
        epochs = max(1, steps // steps_per_epoch)
        population = default_population(epochs).resolve(
            steps=steps, steps_per_epoch=steps_per_epoch
        )
        rates = np.asarray(call(population, np.linspace(0, 2 * steps, 200).astype(int)))
        assert np.isfinite(rates).all()
        assert (rates >= 0).all()
