"""Optimizers of Optax that accumulate batches: which steps count."""

from __future__ import annotations

import chex
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from least_squares import (
    EPOCHS,
    SCHEDULE,
    STEPS,
    by_optax,
    every,
    least_squares,
    multi_steps,
    some_of,
    swept,
    trained,
)

import jaxdecay

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    return least_squares()


def in_chain(rate):
    inner = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(rate, momentum=0.9))
    return optax.chain(multi_steps(inner).gradient_transformation(), optax.add_noise(0.0, 0.5, 0))


def injected(rate):
    return multi_steps(optax.inject_hyperparams(optax.adam)(learning_rate=rate, b1=0.8))


def around(rate):
    def inner(learning_rate):
        return multi_steps(optax.sgd(learning_rate), 5).gradient_transformation()

    return optax.inject_hyperparams(inner)(learning_rate=rate)


ACCUMULATING = {
    "sgd": (lambda rate: multi_steps(optax.sgd(rate)), lambda batch: batch // 4),
    "adam": (lambda rate: multi_steps(optax.adam(rate), 3), lambda batch: batch // 3),
    "transformation": (
        lambda rate: multi_steps(optax.sgd(rate)).gradient_transformation(),
        lambda batch: batch // 4,
    ),
    "function of the update": (
        lambda rate: multi_steps(optax.sgd(rate), every),
        lambda batch: batch // 2 if batch < 8 else 4 + (batch - 8) // 3,
    ),
    "chain": (in_chain, lambda batch: batch // 4),
    "sum": (lambda rate: multi_steps(optax.sgd(rate), 2, use_grad_mean=False), lambda b: b // 2),
    "twice": (
        lambda rate: multi_steps(multi_steps(optax.sgd(rate), 2).gradient_transformation(), 3),
        lambda batch: batch // 6,
    ),
    "wrapped": (
        lambda rate: optax.apply_if_finite(
            multi_steps(optax.sgd(rate)).gradient_transformation(), 3
        ),
        lambda batch: batch // 4,
    ),
    # A count that does not begin at 0: the first two batches are not accumulated.
    "late": (
        lambda rate: optax.chain(
            multi_steps(optax.sgd(rate)).gradient_transformation(),
            optax.GradientTransformation(
                lambda params: jnp.asarray(5), lambda updates, state, params: (updates, state + 1)
            ),
        ),
        lambda batch: batch // 4,
    ),
    "masked": (
        lambda rate: multi_steps(
            optax.chain(
                optax.masked(optax.add_decayed_weights(0.1), {"kernel": True, "bias": False}),
                optax.sgd(rate),
            )
        ),
        lambda batch: batch // 4,
    ),
}


def rates_of(name):
    """The rate before each epoch and after the last."""
    _, updates = ACCUMULATING[name]
    rates = np.float32([SCHEDULE(updates(epoch * STEPS)) for epoch in range(EPOCHS + 1)])
    assert len(set(rates.tolist())) > 2
    return rates


@pytest.mark.parametrize("name", ACCUMULATING)
def test_schedules_count_updates(task, name):
    optimizer, _ = ACCUMULATING[name]
    expected, _, losses = by_optax(task, optimizer(SCHEDULE))
    alone = trained(task, optimizer, SCHEDULE)
    chex.assert_trees_all_equal(alone.parameters, expected)
    np.testing.assert_array_equal(alone.history["learning_rate"], rates_of(name)[:-1])
    np.testing.assert_allclose(alone.history["train_loss"], losses, rtol=1e-5)


@pytest.mark.parametrize("name", some_of(ACCUMULATING, ("adam", "function of the update")))
def test_schedules_of_a_sweep_count_updates(task, name):
    optimizer, _ = ACCUMULATING[name]
    rates, losses = rates_of(name), by_optax(task, optimizer(SCHEDULE))[2]
    result = swept(task, optimizer, SCHEDULE)
    np.testing.assert_array_equal(result.history["learning_rate"][:, 1, 0], rates[:-1])
    np.testing.assert_array_equal(result.final_learning_rate[1], rates[[-1, -1]])
    np.testing.assert_allclose(result.history["train_loss"][:, 1, 0], losses, rtol=1e-5)


@pytest.mark.parametrize("make", [injected, around])
def test_injected_learning_rates_follow_their_schedule(task, make):
    """`inject_hyperparams` takes a number from its state, where only the first rate would be."""
    every = 4 if make is injected else 5
    adam = optax.inject_hyperparams(optax.adam)(learning_rate=lambda n: SCHEDULE(n), b1=0.8)
    inner = adam if make is injected else optax.sgd(SCHEDULE)
    expected, _, losses = by_optax(task, multi_steps(inner, every))
    chex.assert_trees_all_equal(trained(task, make, SCHEDULE).parameters, expected)
    result = swept(task, make, SCHEDULE)
    np.testing.assert_allclose(result.history["train_loss"][:, 1, 0], losses, rtol=1e-5)


@pytest.mark.parametrize("depth", [1, 2])
def test_injected_learning_rates_without_accumulation_too(task, depth):
    schedule = jaxdecay.linear(0.2, end_value=0.0, transition_steps=EPOCHS * STEPS)

    def make(rate):
        injected = optax.inject_hyperparams(optax.sgd)(learning_rate=rate, momentum=0.9)
        if depth == 1:
            return injected
        return optax.inject_hyperparams(
            lambda decay: optax.chain(optax.add_decayed_weights(decay), injected)
        )(decay=0.01)

    decay = [] if depth == 1 else [optax.add_decayed_weights(0.01)]
    expected, _, losses = by_optax(task, optax.chain(*decay, optax.sgd(schedule, momentum=0.9)))
    chex.assert_trees_all_close(trained(task, make, schedule).parameters, expected, rtol=1e-6)
    result = swept(task, make, schedule)
    np.testing.assert_allclose(result.history["train_loss"][:, 1, 0], losses, rtol=1e-5)


def test_updates_are_counted_after_a_resume(task, tmp_path):
    optimizer, _ = ACCUMULATING["function of the update"]
    whole = swept(task, optimizer, SCHEDULE)
    kept = jaxdecay.Checkpoints(tmp_path)
    for epochs in (1, 2, EPOCHS):
        parts = swept(task, optimizer, SCHEDULE, epochs, checkpoints=kept)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(parts.history[name], values)
    np.testing.assert_array_equal(parts.final_learning_rate, whole.final_learning_rate)


def test_a_plateau_reduces_the_rates_of_updates(task):
    schedule = jaxdecay.reduce_on_plateau(SCHEDULE, factor=0.5, patience=0, threshold=0.99)
    optimizer, updates = ACCUMULATING["sgd"]
    rates = swept(task, optimizer, schedule).history["learning_rate"][:, 1, 0]
    # The first loss is the best yet, and then none is better by 99 %.
    scales = [1.0, 1.0, 0.5]
    expected = [float(SCHEDULE(updates(9 * e))) * scale for e, scale in enumerate(scales)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def apart(rate):
    parts = {"kernel": multi_steps(optax.sgd(rate)).gradient_transformation()}
    parts["bias"] = optax.sgd(rate)
    return optax.partition(parts, {"kernel": "kernel", "bias": "bias"})


def beside(rate):
    accumulated = multi_steps(optax.sgd(rate)).gradient_transformation()
    return optax.chain(accumulated, accumulated)


def beside_within(rate):
    return multi_steps(beside(rate), 2)


def skipping(rate):
    return multi_steps(optax.sgd(rate), should_skip_update_fn=optax.skip_not_finite)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (apart, "apart accumulates the gradients of some parameters separately.*the complete opt"),
        (beside, "beside accumulates the gradients of some parameters separately, but"),
        (beside_within, "beside_within accumulates the gradients of some parameters separately"),
        (skipping, "skipping skips updates by their values .should_skip_update_fn.*leave the opt"),
    ],
)
def test_updates_that_cannot_be_counted_are_refused(task, optimizer, message):
    for run in (swept, trained):
        with pytest.raises(ValueError, match=message) as caught:
            run(task, optimizer, SCHEDULE)
        assert "\n" not in str(caught.value)
