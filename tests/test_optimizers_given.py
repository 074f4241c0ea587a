"""What a step gives to an optimizer of Optax."""

from __future__ import annotations

import chex
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from least_squares import (
    BATCH_SIZE,
    EXAMPLES,
    SCHEDULE,
    by_optax,
    least_squares,
    multi_steps,
    some_of,
    swept,
    trained,
)

import jaxdecay
from jaxdecay.cli.inputs import optimizer_named
from jaxdecay.training.train import take

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    return least_squares()


def lbfgs(rate):
    return optax.lbfgs(rate, linesearch=optax.scale_by_backtracking_linesearch(5))


def with_plateau(rate):
    return optax.chain(
        optax.sgd(rate), optax.contrib.reduce_on_plateau(factor=0.5, patience=1, rtol=0.2)
    )


VALUE = {"value": lambda value, gradients, batch: value}


def line_search(task):
    return {
        **VALUE,
        "grad": lambda value, gradients, batch: gradients,
        "value_fn": lambda value, gradients, batch: lambda parameters: task.loss(parameters, batch),
    }


FOLLOWING = {
    "momo": (optax.contrib.momo, BATCH_SIZE),
    "momo_adam": (optax.contrib.momo_adam, BATCH_SIZE),
    "polyak_sgd": (lambda rate: optax.polyak_sgd(scaling=rate), BATCH_SIZE),
    "plateau": (with_plateau, BATCH_SIZE),
    "accumulated": (lambda rate: multi_steps(with_plateau(rate), 2), BATCH_SIZE),
    # Of batches that differ, line searches make chaos of rounding errors.
    "lbfgs, zoom": (optax.lbfgs, EXAMPLES),
    "lbfgs, backtracking": (lbfgs, EXAMPLES),
}
"""Optimizers, and how large their batches are."""


def followed(task, name):
    """The optimizer, settings of a training, and what a loop with Optax alone finds."""
    make, size = FOLLOWING[name]
    extra = line_search(task) if size == EXAMPLES else VALUE
    settings = {"epochs": 6 if size == EXAMPLES else 3, "batch_size": size}
    return make, settings, by_optax(task, make(0.1), **settings, **extra)


@pytest.mark.quick_each(2)
@pytest.mark.parametrize("name", FOLLOWING)
def test_optimizers_that_follow_the_loss_get_it(task, name):
    make, settings, (expected, _, losses) = followed(task, name)
    alone = trained(task, make, jaxdecay.constant(0.1), **settings)
    chex.assert_trees_all_close(alone.parameters, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alone.history["train_loss"], losses, rtol=1e-4)


@pytest.mark.parametrize("name", some_of(FOLLOWING, ("accumulated", "lbfgs, backtracking")))
def test_optimizers_that_follow_the_loss_get_it_in_a_sweep(task, name):
    make, settings, (_, _, losses) = followed(task, name)
    result = swept(task, make, jaxdecay.constant(0.1), **settings)
    assert (result.diverged_at == -1).all()
    np.testing.assert_allclose(result.history["train_loss"][:, 1, 0], losses, rtol=1e-4)


@pytest.mark.parametrize("depth", ["alone", "chained"])
def test_schedule_free_is_tested_with_its_average(task, depth):
    def free(rate):
        return optax.contrib.schedule_free(optax.sgd(rate), rate, b1=0.9)

    def chained(rate):
        return optax.chain(optax.clip_by_global_norm(10.0), free(rate))

    make = free if depth == "alone" else chained
    parameters, state, _ = by_optax(task, make(0.1))
    average = optax.contrib.schedule_free_eval_params(
        state if depth == "alone" else state[1], parameters
    )
    alone = trained(task, make, jaxdecay.constant(0.1))
    chex.assert_trees_all_close(alone.parameters, average, rtol=1e-5, atol=1e-6)
    data = task.data
    batch = take(data.test_inputs, data.test_labels, jnp.arange(7), 1.0)
    expected = float(task.loss(average, batch))
    assert abs(expected - float(task.loss(parameters, batch))) > 1e-3 * expected
    np.testing.assert_allclose(alone.history["test_loss"][-1], expected, rtol=1e-5)
    result = swept(task, make, jaxdecay.constant(0.1))
    np.testing.assert_allclose(result.history["test_loss"][-1, 1, 0], expected, rtol=1e-4)


def looking_ahead(rate):
    return optax.lookahead(optax.sgd(rate), 5, 0.5)


def asks_for_more(rate):
    def update(updates, state, params=None, *, hessian, **extra):
        return updates, state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def grows(rate):
    def update(updates, state, params=None):
        return updates, jnp.append(state, 0.0)

    return optax.GradientTransformation(lambda params: jnp.zeros(1), update)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (looking_ahead, "optimizer looking_ahead cannot be used here: it trains optax.LookaheadPa"),
        (asks_for_more, "optimizer asks_for_more cannot be used here: .*hessian.*that needs no mo"),
        (grows, "optimizer grows changes the shapes or types of its state"),
        (lambda rate: None, "lambda.*must return an Optax optimizer.*got NoneType"),
        (
            lambda rate: optax.masked(optax.sgd(rate), {"other": True}),
            "optimizer <lambda> cannot be used here: ",
        ),
    ],
)
def test_an_optimizer_that_needs_more_is_one_line(task, optimizer, message):
    for run in (swept, trained):
        with pytest.raises(ValueError, match=message) as caught:
            run(task, optimizer, SCHEDULE)
        assert "\n" not in str(caught.value)


def known_optimizers() -> list[str]:
    with pytest.raises(ValueError, match="unknown optimizer") as caught:
        optimizer_named("")
    return str(caught.value).rpartition("known are ")[2].split(", ")


@pytest.mark.filterwarnings("ignore:Specifying a key:UserWarning")
@pytest.mark.parametrize("name", some_of(known_optimizers(), known_optimizers()[::3]))
def test_every_optimizer_of_the_command_line_trains_with_its_rate(task, name):
    result = jaxdecay.sweep(
        task,
        jaxdecay.grid(jaxdecay.constant, value=[1e-3, 2e-3]),
        optimizer=optimizer_named(name),
        epochs=2,
        batch_size=BATCH_SIZE,
    )
    assert (result.diverged_at == -1).all()
    first, second = result.history["train_loss"][:, 0, 0]
    assert first != second
    assert result.history["train_loss"][1, 0, 0] != result.history["train_loss"][1, 1, 0]
