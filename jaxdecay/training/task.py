"""What is trained: how to make parameters, what to minimise, what to measure, on which data."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from jaxdecay.data import Data, check_data
from jaxdecay.training.layout import kernel_first

Parameters = Any
"""The parameters of a network: a pytree of float arrays."""


class Batch(NamedTuple):
    """Some examples: inputs [n, ...] as floats, already divided by the scale; labels [n]."""

    inputs: Array
    labels: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What is trained: pure functions, and the data.

    Attributes:
        init: `init(key) -> parameters`.
        loss: `loss(parameters, batch) -> scalar`, the mean over the batch; it is minimised, and
            measured on the test data after each epoch as `test_loss`.
        metrics: `metrics(parameters, batch) -> {name: scalar}`, means over the batch, other
            things to measure on the test data, as `test_<name>`; `accuracy` ranks schedules.
        data: what to train and to test on.
    """

    init: Callable[[Array], Parameters]
    loss: Callable[[Parameters, Batch], Array]
    metrics: Callable[[Parameters, Batch], Mapping[str, Array]]
    data: Data


class MLP(nnx.Module):
    """Flatten → Dense with ReLU → Dense: the network of the MNIST example of Keras.

    Weights are Glorot-uniform and biases 0, as in Keras.

    Args:
        inputs: numbers in one example, 784 for MNIST.
        hidden: width of the hidden layer.
        classes: number of classes.
        rngs: Flax's random streams.
    """

    def __init__(self, inputs: int, hidden: int = 128, classes: int = 10, *, rngs: nnx.Rngs):
        glorot = nnx.initializers.glorot_uniform()
        layer = functools.partial(
            nnx.Linear, kernel_init=glorot, dot_general=kernel_first, rngs=rngs
        )
        self.hidden = layer(inputs, hidden)
        self.output = layer(hidden, classes)

    def __call__(self, inputs: Array) -> Array:
        """Logits [n, classes] of inputs [n, ...]."""
        flat = inputs.reshape(inputs.shape[0], -1)
        return self.output(nnx.relu(self.hidden(flat)))


def classifier(data: Data, model: Callable[[nnx.Rngs], nnx.Module] | None = None) -> Task:
    """The task of classifying `data` with softmax cross-entropy.

    Args:
        data: what to train and to test on.
        model: makes a Flax NNX module from `nnx.Rngs`; the module maps inputs [n, ...] to
            logits [n, classes]. Default: an `MLP` with 128 hidden units.

    Returns:
        A `Task` whose metric is `accuracy`.

    Raises:
        ValueError: labels that are not integers from 0, inputs that are not finite real numbers,
            inputs and labels that do not fit each other, a scale that is not above 0, or a module
            that has state other than `nnx.Param`, such as dropout or batch statistics.

    Example:
        >>> import jaxdecay
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> task.data
        <Data digits: train (1437, 8, 8), test (360, 8, 8)>
    """
    classes = _classes(data)
    _check_inputs(data)
    make = model or _mlp_for(data, classes)
    graph, _, rest = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), nnx.Param, ...)
    if jax.tree.leaves(rest):
        kinds = sorted({type(each).__name__ for _, each in nnx.to_flat_state(rest)})
        raise ValueError(
            f"a task's module can have nnx.Param only, this one has {', '.join(kinds)} too; "
            "build it without dropout and batch statistics, or write a jaxdecay.Task by hand"
        )

    def init(key: Array) -> Parameters:
        return nnx.state(make(nnx.Rngs(key)), nnx.Param)

    def logits(parameters: Parameters, inputs: Array) -> Array:
        return nnx.merge(graph, parameters, rest)(inputs)

    def loss(parameters: Parameters, batch: Batch) -> Array:
        outputs = logits(parameters, batch.inputs)
        return optax.softmax_cross_entropy_with_integer_labels(outputs, batch.labels).mean()

    def metrics(parameters: Parameters, batch: Batch) -> Mapping[str, Array]:
        outputs = logits(parameters, batch.inputs)
        return {"accuracy": jnp.mean(outputs.argmax(axis=-1) == batch.labels, dtype=float)}

    _check_logits(data, jax.eval_shape(init, jax.random.key(0)), logits, classes)
    return Task(init, loss, metrics, data)


def _check_logits(data: Data, parameters: Any, logits: Any, classes: int) -> None:
    """ValueError if a network does not take these inputs, or has too few outputs for the labels."""
    shape = (2, *np.shape(data.train_inputs)[1:])
    try:
        found = jax.eval_shape(logits, parameters, jax.ShapeDtypeStruct(shape, float)).shape
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{data.name}: the module does not take inputs of shape {shape}: {reason}"
        ) from error
    if len(found) != 2 or found[0] != shape[0] or found[1] < classes:
        raise ValueError(
            f"{data.name}: the module must map {shape} to logits of shape ({shape[0]}, at least "
            f"{classes}), for labels 0 … {classes - 1}; it gives {found}"
        )


def check_loss(task: Task, batch_size: int) -> None:
    """ValueError if the loss is not one float."""
    inputs, labels = np.asarray(task.data.train_inputs), np.asarray(task.data.train_labels)

    def loss(key: Array) -> Any:
        batch = Batch(
            jnp.zeros((batch_size, *inputs.shape[1:])),
            jnp.zeros((batch_size, *labels.shape[1:]), jnp.asarray(labels[:1]).dtype),
        )
        return jnp.asarray(task.loss(task.init(key), batch))

    found = jax.eval_shape(loss, jax.random.key(0))
    if found.shape or not jnp.issubdtype(found.dtype, jnp.floating):
        raise ValueError(
            "the loss of a task must be one float, the mean over the batch; "
            f"got an array of shape {found.shape} and type {found.dtype}"
        )


def _mlp_for(data: Data, classes: int) -> Callable[[nnx.Rngs], nnx.Module]:
    inputs = int(np.prod(np.shape(data.train_inputs)[1:]))
    return lambda rngs: MLP(inputs, classes=classes, rngs=rngs)


def _classes(data: Data) -> int:
    """How many there are; ValueError for labels that are not integers from 0."""
    for labels in map(np.asarray, (data.train_labels, data.test_labels)):
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            columns = labels.ndim == 2 and labels.shape[1] > 1
            remedy = (
                "labels.argmax(axis=1) makes integers of columns"
                if columns
                else "np.unique(np.ravel(all_labels), return_inverse=True)[1], of those to train "
                "and to test on together, makes integers"
            )
            raise ValueError(
                f"{data.name}: labels must be integers from 0, one for each example, got an array "
                f"of {labels.dtype} and shape {labels.shape}; {remedy}"
            )
    check_data(data)
    labels = np.concatenate([np.asarray(data.train_labels), np.asarray(data.test_labels)])
    if labels.min() < 0:
        raise ValueError(f"{data.name}: labels must be integers from 0, got {labels.min()}")
    return int(labels.max()) + 1


def _check_inputs(data: Data) -> None:
    """ValueError for inputs, or a scale of them, with which no network can be trained."""
    for inputs in (data.train_inputs, data.test_inputs):
        kind = np.asarray(inputs).dtype
        if not any(jnp.issubdtype(kind, each) for each in (np.floating, np.integer, np.bool_)):
            raise ValueError(f"{data.name}: inputs must be real numbers, got an array of {kind}")
        with np.errstate(over="ignore"):
            floats = jnp.issubdtype(kind, np.floating)
            finite = not floats or np.isfinite(np.asarray(inputs, np.float32)).all()
        if not finite:
            raise ValueError(f"{data.name}: inputs must be finite as float32, some are not")
    if not isinstance(data.scale, numbers.Real) or not 0 < data.scale < math.inf:
        raise ValueError(f"{data.name}: scale must be a number above 0, got {data.scale!r}")
