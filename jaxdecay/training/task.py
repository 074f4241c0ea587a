"""Tasks: how to create parameters, what to minimise and what to measure, on which data."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.data import Data, not_finite
from jaxdecay.results.metric import ACCURACY, LOSS, Metric, check_metrics
from jaxdecay.training.labels import (
    count_classes,
    missing_classes,
    untrained_classes,
    with_class_numbers,
)
from jaxdecay.training.layout import kernel_first

Parameters = Any
"""The parameters of a network: a pytree of float arrays."""

_log = logging.getLogger("jaxdecay")

TEST_BATCH = 1_000
"""The number of test examples measured at a time, which bounds the memory needed."""


class Batch(NamedTuple):
    """Some examples: inputs [n, ...] as floats, already divided by the scale; labels [n]."""

    inputs: Array
    labels: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A network to train: pure functions, the data, and the metrics.

    Attributes:
        init: `init(key) -> parameters`.
        loss: `loss(parameters, batch) -> scalar`, the mean over the batch. It is minimised, and
            measured on the test set after each epoch as `test_loss`.
        metrics: `metrics(parameters, batch) -> {name: values}`, more measurements on the test
            set, with one value per example, [n]; their mean over the test set is `test_<name>`.
        data: the examples to train and to test on.
        measures: the declarations of the metrics, with their directions; see `Metric`.
        ranks_by: the name of the metric that ranks schedules, or "loss".

    Raises:
        TypeError: `measures` is not a list of metrics.
        ValueError: a metric is declared twice, or `ranks_by` is not one of them.
    """

    init: Callable[[Array], Parameters]
    loss: Callable[[Parameters, Batch], Array]
    metrics: Callable[[Parameters, Batch], Mapping[str, Any]]
    data: Data
    measures: Sequence[Metric] = ()
    ranks_by: str = LOSS

    def __post_init__(self) -> None:
        check_metrics(self.measures, self.ranks_by)


def take(inputs: ArrayLike, labels: ArrayLike, indices: Array, scale: float) -> Batch:
    """The examples at `indices`, with inputs as floats divided by `scale`."""
    return Batch(jnp.asarray(inputs)[indices].astype(float) / scale, jnp.asarray(labels)[indices])


def as_parameters(parameters: Parameters) -> Parameters:
    """Parameters as JAX arrays: `init` may also return Python numbers or NumPy arrays."""
    return jax.tree.map(
        lambda leaf: leaf if isinstance(leaf, Array) else jnp.asarray(leaf, jnp.result_type(leaf)),
        parameters,
    )


class MLP(nnx.Module):
    """Flatten → Dense with ReLU → Dense: the network of Keras's MNIST example.

    Weights are Glorot-uniform and biases 0, as in Keras.

    Args:
        inputs: the size of one example, 784 for MNIST.
        hidden: the width of the hidden layer.
        classes: the number of classes.
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
        """Logits [n, classes] for inputs [n, ...]."""
        flat = inputs.reshape(inputs.shape[0], -1)
        return self.output(nnx.relu(self.hidden(flat)))


def classifier(data: Data, model: Callable[[nnx.Rngs], nnx.Module] | None = None) -> Task:
    """The task of classifying `data` with softmax cross-entropy.

    Args:
        data: the examples to train and to test on.
        model: builds a Flax NNX module from `nnx.Rngs`; the module maps inputs [n, ...] to
            logits [n, classes]. Default: an `MLP` with 128 hidden units.

    Returns:
        A `Task` with the metric `accuracy`, which ranks its schedules.

    Raises:
        ValueError: labels are not class numbers from 0, or most classes have no example; inputs
            are not finite real numbers; inputs and labels do not match; the scale is out of range;
            or the module has state other than `nnx.Param`, such as dropout or batch statistics.

    Example:
        >>> import jaxdecay
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> task.data
        <Data digits: train (1437, 8, 8), test (360, 8, 8)>
    """
    data = with_class_numbers(data)
    classes, missing = count_classes(data), missing_classes(data)
    _check_inputs(data)
    if (untrained := untrained_classes(data)) is not None:
        _log.warning("%s: %s", data.name, untrained)
    if missing is not None and model is None:
        raise ValueError(f"{data.name}: {missing}")
    make = model or _mlp_for(data, classes)
    graph, _, rest = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), nnx.Param, ...)
    if jax.tree.leaves(rest):
        kinds = sorted({type(each).__name__ for _, each in nnx.to_flat_state(rest)})
        raise ValueError(
            f"a task's module can have nnx.Param only, this one also has {', '.join(kinds)}; "
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
        return {"accuracy": outputs.argmax(axis=-1) == batch.labels}

    _check_logits(data, jax.eval_shape(init, jax.random.key(0)), logits, classes, missing)
    return Task(init, loss, metrics, data, measures=(ACCURACY,), ranks_by=ACCURACY.name)


def _check_logits(
    data: Data, parameters: Any, logits: Any, classes: int, missing: str | None
) -> None:
    """Raises a ValueError if a network cannot take the inputs or has too few outputs."""
    shape = (2, *np.shape(data.train_inputs)[1:])
    try:
        output_shape = jax.eval_shape(
            logits, parameters, jax.ShapeDtypeStruct(shape, jnp.result_type(float))
        ).shape
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{data.name}: the module does not take inputs of shape {shape}: {reason}"
        ) from error
    if len(output_shape) != 2 or output_shape[0] != shape[0] or output_shape[1] < classes:
        raise ValueError(
            f"{data.name}: the module must map {shape} to logits of shape ({shape[0]}, at least "
            f"{classes}), for labels 0 … {classes - 1}; it returns {output_shape}"
            f"{'' if missing is None else '; ' + missing}"
        )


def _mlp_for(data: Data, classes: int) -> Callable[[nnx.Rngs], nnx.Module]:
    inputs = int(np.prod(np.shape(data.train_inputs)[1:]))
    return lambda rngs: MLP(inputs, classes=classes, rngs=rngs)


def _check_inputs(data: Data) -> None:
    """Raises a ValueError for inputs that no network can be trained with."""
    if any(name.endswith("inputs") for name in not_finite(data)):
        small = f" when divided by scale {data.scale:g}" if data.scale < 1 else ""
        remedy = ", or use a larger scale" if small else ""
        raise ValueError(
            f"{data.name}: inputs must be finite{small}, some are not; fill or drop missing "
            f"values{remedy}"
        )
