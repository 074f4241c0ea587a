"""Trains MNIST with exponential decay in plain Flax and Optax, step by step.

The recipe is from the Keras documentation, `ExponentialDecay(0.1, 1000, 0.96, staircase=True)`: a
network of 784-128-10 units, batches of 32, 15 epochs. Prints the learning rate at the start of each
epoch. Only the schedule comes from jaxdecay.

    python examples/mnist_exponential_decay.py --data-dir FOLDER_OF_THE_MNIST_FILES
"""

import argparse

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxdecay

# 1. Settings.

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
parser.add_argument("--data-dir", help="folder of the MNIST files [JAXDECAY_DATA, or download]")
parser.add_argument("--epochs", type=int, default=15)
arguments = parser.parse_args()
batch_size = 32

# 2. The data: bytes from 0 to 255 become floats from 0 to 1.

data = jaxdecay.mnist(arguments.data_dir)
train_images = np.asarray(data.train_inputs, np.float32) / 255
test_images = np.asarray(data.test_inputs, np.float32) / 255
train_labels, test_labels = np.asarray(data.train_labels), np.asarray(data.test_labels)

# 3. The network: Flatten → Dense 128 with ReLU → Dense 10.

glorot = nnx.initializers.glorot_uniform()
rngs = nnx.Rngs(0)
model = nnx.Sequential(
    lambda images: images.reshape(len(images), -1),
    nnx.Linear(784, 128, kernel_init=glorot, rngs=rngs),
    nnx.relu,
    nnx.Linear(128, 10, kernel_init=glorot, rngs=rngs),
)

# 4. The schedule is the optimizer's learning rate; Optax calls it with the step. Keras rounds 0.96
# to float32; without rounding, the last rate is 0.0318855950 instead of 0.0318855755.

schedule = jaxdecay.exponential(
    0.1, decay_rate=np.float32(0.96), transition_steps=1_000, staircase=True
)
optimizer = nnx.Optimizer(model, optax.sgd(learning_rate=schedule), wrt=nnx.Param)

# 5. One training step, and the evaluation on the test set.


def loss_and_logits(model, images, labels):
    logits = model(images)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), logits


@nnx.jit
def train_step(model, optimizer, images, labels):
    (loss, _), gradients = nnx.value_and_grad(loss_and_logits, has_aux=True)(model, images, labels)
    optimizer.update(model, gradients)
    return loss


@nnx.jit
def evaluate(model, images, labels):
    loss, logits = loss_and_logits(model, images, labels)
    return loss, (logits.argmax(axis=-1) == labels).mean()


# 6. Training.

order = np.random.default_rng(0)
for epoch in range(arguments.epochs):
    rate = schedule(optimizer.step[...])
    print(f"Epoch {epoch + 1}/{arguments.epochs}, learning rate {rate:.10f}", flush=True)
    shuffled = order.permutation(len(train_images))
    losses = []
    for batch in shuffled.reshape(-1, batch_size):
        losses.append(train_step(model, optimizer, train_images[batch], train_labels[batch]))
    loss, accuracy = evaluate(model, test_images, test_labels)
    mean = jnp.mean(jnp.stack(losses))
    print(
        f"  train loss {mean:.4f}, test loss {loss:.4f}, test accuracy {accuracy:.4f}", flush=True
    )

# 7. The result.

print(f"Steps: {optimizer.step[...]}")
print(f"Final learning rate: {schedule(optimizer.step[...]):.10f}")
