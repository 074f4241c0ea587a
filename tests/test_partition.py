"""`partition`: what has a gradient, by name, and how to put it back."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from case import Case
from cases import one_of_each_family

import jaxdecay
from jaxdecay import value_at

STEPS = np.array([0, 3, 40, 1_000], np.int32)
every_family = pytest.mark.parametrize("case", one_of_each_family(), ids=lambda case: case.name)


@pytest.mark.quick_each(3)
@every_family
def test_gradients_of_every_order_go_through_it(case: Case) -> None:
    """Slopes by name, finite to the second order: `jax.hessian` is jacfwd of jacrev."""
    floats, rebuild = case.schedule.partition()
    assert rebuild(floats) == case.schedule

    def value(floats: dict, step: jax.Array) -> jax.Array:
        return value_at(rebuild(floats), step)

    def derivatives(floats: dict) -> tuple:
        def at(step: jax.Array) -> tuple:
            return jax.grad(value)(floats, step), jax.hessian(value)(floats, step)

        return jax.vmap(at)(STEPS)

    gradient, hessian = jax.jit(derivatives)(floats)
    assert gradient.keys() == floats.keys()
    for name, slopes in gradient.items():
        assert np.isfinite(slopes).all(), name
        for other in floats:
            assert np.isfinite(hessian[name][other]).all(), (name, other)


def test_slopes_are_those_of_differences() -> None:
    schedule = jaxdecay.warmup(
        jaxdecay.exponential(0.1, decay_rate=0.97, transition_steps=50), warmup_steps=10
    )
    floats, rebuild = schedule.partition()
    assert floats == {
        "schedule.init_value": 0.1,
        "schedule.decay_rate": 0.97,
        "init_value": 0.0,
    }
    with jax.enable_x64(True):
        gradient = jax.grad(lambda floats: rebuild(floats)(300))(floats)
        for name, value in floats.items():
            high, low = (rebuild({**floats, name: value + each})(300) for each in (1e-6, -0.0))
            assert float(gradient[name]) == pytest.approx(float(high - low) / 1e-6, rel=1e-4)


def test_integers_stay_integers() -> None:
    schedule = jaxdecay.linear(0.1, end_value=0.0, transition_steps=100)
    floats, rebuild = schedule.partition()
    assert set(floats) == {"init_value", "end_value"}
    assert rebuild({**floats, "init_value": 0.2}) == schedule.replace(init_value=0.2)


def test_a_population_is_partitioned_too() -> None:
    population = jaxdecay.concat(
        jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3]),
        jaxdecay.grid(jaxdecay.step_decay, init_value=0.1, decay_rate=0.97, transition_steps=9),
    )
    floats, rebuild = population.partition()
    assert set(floats) == {"groups.0.value", "groups.1.init_value", "groups.1.decay_rate"}
    slopes = jax.grad(lambda floats: rebuild(floats)(9).sum())(floats)
    np.testing.assert_allclose(slopes["groups.0.value"], [1, 1])
    np.testing.assert_allclose(slopes["groups.1.decay_rate"], [0.1], rtol=1e-6)
