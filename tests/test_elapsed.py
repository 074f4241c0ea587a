"""Schedules of elapsed time in Optax: a real loop, compiled, chained, and used wrongly."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxdecay

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

EVERY_MINUTE = jaxdecay.discrete_staircase(0.25, decrement=0.0625, transition_steps=60.0)


def test_a_loop_follows_the_clock() -> None:
    optimizer = optax.chain(
        optax.inject_hyperparams(optax.sgd)(learning_rate=1.0, momentum=0.5),
        jaxdecay.scale_by_elapsed(EVERY_MINUTE),
    )

    @jax.jit
    @chex.assert_max_traces(n=1)
    def train_step(weights: Any, state: Any, seconds: Any) -> Any:
        gradients = jax.grad(lambda weights: jnp.sum(jnp.square(weights)))(weights)
        updates, state = optimizer.update(gradients, state, weights, elapsed=seconds)
        return optax.apply_updates(weights, updates), state

    weights = jnp.array([1.0, -2.0])
    state = optimizer.init(weights)
    expected, momentum = np.array([1.0, -2.0]), np.zeros(2)
    for seconds in (0.0, 0.25, 59.9, 60.0, 61.5, 150.0, 1e9):
        weights, state = train_step(weights, state, seconds)
        momentum = 0.5 * momentum + 2 * expected
        expected = expected - max(0.25 - 0.0625 * (seconds // 60), 0) * momentum
        np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)


def test_time_passes_two_billion() -> None:
    scale = jaxdecay.scale_by_elapsed(jaxdecay.linear(1.0, end_value=0.0, transition_steps=8e9))
    ones = jnp.ones(2)
    for update in (scale.update, jax.jit(scale.update)):
        updates, _ = update(ones, scale.init(ones), elapsed=6e9)
        np.testing.assert_allclose(updates, 0.25, rtol=1e-6)
        updates, _ = update(ones, scale.init(ones), elapsed=-1.0)
        np.testing.assert_array_equal(updates, 1.0)


def test_updates_keep_their_types_and_holes() -> None:
    scale = jaxdecay.scale_by_elapsed(lambda tokens: 0.5 * tokens)
    updates = {"half": jnp.ones(3, jnp.bfloat16), "none": None, "whole": jnp.ones(())}
    scaled, state = scale.update(updates, scale.init(updates), elapsed=3)
    assert state == scale.init(updates) == optax.EmptyState()
    assert scaled["half"].dtype == jnp.bfloat16
    assert scaled["none"] is None
    assert float(scaled["whole"]) == float(scaled["half"][0]) == 1.5


def test_it_can_be_differentiated() -> None:
    def moved(rate: Any, seconds: Any) -> Any:
        scale = jaxdecay.scale_by_elapsed(jaxdecay.natural_exponential(rate, decay_rate=0.1))
        return scale.update(jnp.float32(2.0), scale.init(None), elapsed=seconds)[0]

    slopes = jax.jit(jax.grad(moved, argnums=(0, 1)))(0.5, 10.0)
    np.testing.assert_allclose(slopes, [2 / np.e, -0.1 / np.e], rtol=1e-5)


def test_wrong_use_is_refused() -> None:
    optimizer = optax.chain(optax.sgd(1.0), jaxdecay.scale_by_elapsed(EVERY_MINUTE))
    weights = jnp.ones(2)
    with pytest.raises(TypeError, match=r"update needs elapsed=…, the time since the start"):
        optimizer.update(weights, optimizer.init(weights), weights)
    with pytest.raises(TypeError, match=r"takes a schedule, such as .*, got 0\.1"):
        jaxdecay.scale_by_elapsed(0.1)
    with pytest.raises(ValueError, match=r"cannot pass a metric to reduce_on_plateau\(schedule="):
        jaxdecay.scale_by_elapsed(jaxdecay.reduce_on_plateau(0.1))


def test_a_vector_of_times_is_refused() -> None:
    scale = jaxdecay.scale_by_elapsed(jaxdecay.linear(1.0, end_value=0.0, transition_steps=10.0))
    with pytest.raises(ValueError, match="elapsed must be one number, got shape"):
        scale.update(jnp.ones(2), scale.init(jnp.ones(2)), elapsed=jnp.array([0.0, 5.0]))
