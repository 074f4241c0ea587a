"""Optimizers of Optax: what a step gives them, and which step a schedule is at."""

from __future__ import annotations

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay.cli.inputs import optimizer_named
from jaxdecay.data import Data
from jaxdecay.training.train import epoch_order, take

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

EPOCHS, BATCH_SIZE, EXAMPLES = 3, 4, 38
STEPS = EXAMPLES // BATCH_SIZE
"""Nine batches an epoch, of which no number of accumulated ones here is a divisor but three."""


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    """Least squares with a matrix and a vector, so that all optimizers have what they need."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(EXAMPLES, 3)).astype(np.float32)
    labels = (inputs @ rng.normal(size=(3, 2)) + 0.5).astype(np.float32)

    def loss(parameters, batch):
        outputs = batch.inputs @ parameters["kernel"] + parameters["bias"]
        return jnp.mean(jnp.square(outputs - batch.labels))

    return jaxdecay.Task(
        init=lambda key: {"kernel": jax.random.normal(key, (3, 2)), "bias": jnp.zeros(2)},
        loss=loss,
        metrics=lambda parameters, batch: {},
        data=Data(inputs, labels, inputs[:7], labels[:7]),
    )


def by_optax(task, optimizer, epochs=EPOCHS, batch_size=BATCH_SIZE, **extra):
    """A loop as in Optax's documentation, the schedule inside the optimizer; and the losses."""
    key = jax.random.key(0)
    parameters = task.init(jax.random.fold_in(key, 0))
    if not isinstance(optimizer, optax.MultiSteps):
        optimizer = optax.with_extra_args_support(optimizer)
    state, data = optimizer.init(parameters), task.data

    @jax.jit
    def step(parameters, state, indices):
        batch = take(data.train_inputs, data.train_labels, indices, data.scale)
        value, gradients = jax.value_and_grad(task.loss)(parameters, batch)
        more = {name: make(value, gradients, batch) for name, make in extra.items()}
        updates, state = optimizer.update(gradients, state, parameters, **more)
        return optax.apply_updates(parameters, updates), state, value

    losses = []
    for epoch in range(epochs):
        for indices in epoch_order(key, jnp.asarray(epoch), data, batch_size):
            parameters, state, value = step(parameters, state, indices)
            losses.append(value)
    return parameters, state, np.array(losses).reshape(epochs, -1).mean(axis=1)


def trained(task, optimizer, schedule, epochs=EPOCHS, batch_size=BATCH_SIZE):
    run = functools.partial(
        jaxdecay.train, task=task, optimizer=optimizer, epochs=epochs, batch_size=batch_size
    )
    return jax.jit(run)(schedule, jax.random.key(0), task.data)


def swept(task, optimizer, schedule, epochs=EPOCHS, batch_size=BATCH_SIZE, **settings):
    population = jaxdecay.stack([jaxdecay.constant(0.001), schedule])
    return jaxdecay.sweep(
        task,
        population,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        seeds=2,
        **settings,
    )


SCHEDULE = jaxdecay.linear(0.2, end_value=0.0, transition_steps=8)


def every(updates):
    """Two batches to an update, later three."""
    return jnp.where(updates < 4, 2, 3)


def multi_steps(inner, every=4, **options):
    return optax.MultiSteps(inner, every, **options)


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


def some_of(names, fast):
    """Parameters of a test, all but some of them slow."""
    return [pytest.param(each, marks=[] if each in fast else pytest.mark.slow) for each in names]


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


# What a step gives to an optimizer.


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
