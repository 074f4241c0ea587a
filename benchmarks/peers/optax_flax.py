"""Plain Optax and Flax as in their documentation: a compiled step in a Python loop."""

from importlib.metadata import version

import jax
import jax.numpy as jnp
import mnist_files
import numpy as np
import optax
from flax import nnx

settings = mnist_files.arguments()
train_images, train_labels = mnist_files.images(settings.data_dir, "train")
test_images, test_labels = mnist_files.images(settings.data_dir, "t10k")
glorot = nnx.initializers.glorot_uniform()


class Network(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(784, 128, kernel_init=glorot, rngs=rngs)
        self.output = nnx.Linear(128, 10, kernel_init=glorot, rngs=rngs)

    def __call__(self, inputs):
        return self.output(nnx.relu(self.hidden(inputs)))


def loss(model, inputs, labels):
    return optax.softmax_cross_entropy_with_integer_labels(model(inputs), labels).mean()


@nnx.jit
def train_step(model, optimizer, inputs, labels):
    gradients = nnx.grad(loss)(model, inputs, labels)
    optimizer.update(model, gradients)


def run() -> float:
    model = Network(nnx.Rngs(0))
    schedule = optax.exponential_decay(0.1, 1_000, 0.96, staircase=True)
    optimizer = nnx.Optimizer(model, optax.sgd(schedule), wrt=nnx.Param)
    order = np.random.default_rng(0).permutation(len(train_images))
    for batch in order[: settings.steps * mnist_files.BATCH_SIZE].reshape(settings.steps, -1):
        train_step(model, optimizer, train_images[batch], train_labels[batch])
    predicted = model(jnp.asarray(test_images)).argmax(-1)
    return float((np.asarray(predicted) == test_labels).mean())


mnist_files.report(
    run, settings.steps, settings.runs, {"jax": jax.__version__, "flax": version("flax")}
)
