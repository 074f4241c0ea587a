"""A small task for optimizers, trained by Optax alone, by `train` and by `sweep`."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay.data import Data
from jaxdecay.training.train import epoch_order, take

EPOCHS, BATCH_SIZE, EXAMPLES = 3, 4, 38
STEPS = EXAMPLES // BATCH_SIZE
"""Nine batches an epoch, of which no number of accumulated ones here is a divisor but three."""


def least_squares() -> jaxdecay.Task:
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


def some_of(names, fast):
    """Parameters of a test, all but some of them slow."""
    return [pytest.param(each, marks=[] if each in fast else pytest.mark.slow) for each in names]
