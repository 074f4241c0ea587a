"""Sweeps with your own network, optimizer and data.

    python examples/bring_your_own.py

The first part sweeps a small convolutional network in Flax NNX with AdamW: the peak of the learning
rate, the length of the warm-up, and the weight decay. The second part sweeps logistic regression,
written as plain functions without Flax. Replace `data` with your arrays and `Network` with your
module.
"""

import argparse

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import jaxdecay

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
parser.add_argument("--epochs", type=int, default=5)
epochs = parser.parse_args().epochs
batch_size, seeds = 32, 2

# Your data: NumPy arrays with examples along the first axis, and labels from 0. Inputs may be
# bytes; each batch is divided by `scale`.

digits = jaxdecay.digits()
data = jaxdecay.Data(
    name="my digits",
    train_inputs=digits.train_inputs,
    train_labels=digits.train_labels,
    test_inputs=digits.test_inputs,
    test_labels=digits.test_labels,
    scale=16.0,
)

# 1. Your network: a Flax module that maps inputs [n, ...] to logits [n, classes].


class Network(nnx.Module):
    """Two convolutions and a linear layer."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.second = nnx.Conv(8, 16, (3, 3), strides=2, rngs=rngs)
        self.output = nnx.Linear(16 * 4 * 4, 10, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        hidden = nnx.relu(self.first(inputs[..., None]))
        hidden = nnx.relu(self.second(hidden))
        return self.output(hidden.reshape(len(inputs), -1))


# The optimizer is a function of the learning rate. The population varies the schedule, such as its
# warm-up. Each value of another hyperparameter, here the weight decay, needs its own sweep.

population = jaxdecay.concat(
    *(
        jaxdecay.grid(
            jaxdecay.warmup_cosine,
            peak_value=[1e-3, 3e-3, 1e-2],
            warmup_steps=jaxdecay.percent(warmup),
            transition_steps=jaxdecay.percent(100 - warmup),  # all end with the run
        )
        for warmup in (0, 10)
    )
)
task = jaxdecay.classifier(data, Network)
for weight_decay in (0.0, 1e-2):
    result = jaxdecay.sweep(
        task,
        population,
        optimizer=lambda rate, weight_decay=weight_decay: optax.adamw(
            rate, weight_decay=weight_decay
        ),
        epochs=epochs,
        batch_size=batch_size,
        seeds=seeds,
    )
    best = int(result.ranking()[0])
    accuracy = result.metrics["test_accuracy"][best].mean()
    print(f"weight decay {weight_decay}: {accuracy:.4f} with {result.best()!r}")

# 2. Without Flax: a task is three functions and the data.


def init(key):
    """Initial parameters from a random key: any pytree of float arrays."""
    return {"kernel": 0.01 * jax.random.normal(key, (64, 10)), "bias": jnp.zeros(10)}


def logits(parameters, batch):
    flat = batch.inputs.reshape(len(batch.inputs), -1)
    return flat @ parameters["kernel"] + parameters["bias"]


def loss(parameters, batch):
    """The loss to minimise: one float, the mean over the batch."""
    return optax.softmax_cross_entropy_with_integer_labels(
        logits(parameters, batch), batch.labels
    ).mean()


def metrics(parameters, batch):
    """Metrics to measure on the test set: one value for each example."""
    return {"accuracy": logits(parameters, batch).argmax(axis=-1) == batch.labels}


accuracy = jaxdecay.Metric("accuracy", larger_is_better=True, is_share=True)
task = jaxdecay.Task(init, loss, metrics, data, measures=[accuracy], ranks_by="accuracy")
population = jaxdecay.grid(jaxdecay.inverse_sqrt, init_value=[0.1, 0.3, 1.0])
result = jaxdecay.sweep(task, population, epochs=epochs, batch_size=batch_size, seeds=seeds)
print(f"logistic regression: {result.best()!r}")
