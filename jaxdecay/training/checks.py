"""What a task and an optimizer must be, checked by their shapes before anything is trained."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxdecay.data import Data
from jaxdecay.training.optimizers import Optimizer, init_state, name_of, update
from jaxdecay.training.task import TEST_BATCH, Batch, Parameters, Task, as_parameters, take

NUMBERS = (jax.Array, np.ndarray, np.generic, bool, int, float)
"""What JAX takes for an array."""


def check_training(task: Task, optimizer: Optimizer, data: Data, batch_size: int) -> None:
    """Traces one step and one test of a task, without computing anything.

    Raises:
        TypeError: `init`, `loss` or `metrics` do not return what a task's functions return.
        ValueError: the loss is not one float, parameters are not floats, metrics are others than
            those declared or need the complete test set, or the optimizer needs what no step has.
    """

    def one_step(key: Array, train: Batch, test: Batch) -> None:
        parameters = task.init(key)
        _check_parameters(parameters)
        parameters = as_parameters(parameters)
        _check_loss(task.loss(parameters, train))
        examples = jnp.shape(data.test_labels)[0]
        _check_metrics(task, task.metrics(parameters, test), len(test.labels), examples)
        _check_optimizer(task, optimizer, parameters, train)

    examples = min(jnp.shape(data.test_labels)[0], TEST_BATCH)
    train = _batch(data.train_inputs, data.train_labels, batch_size, data.scale)
    test = _batch(data.test_inputs, data.test_labels, examples, data.scale)
    jax.eval_shape(one_step, jax.random.key(0), train, test)


def _batch(inputs: Any, labels: Any, size: int, scale: float) -> Batch:
    """The shapes of a batch."""
    one = [jax.ShapeDtypeStruct(jnp.shape(each)[1:], _type(each)) for each in (inputs, labels)]
    many = [jax.ShapeDtypeStruct((size, *each.shape), each.dtype) for each in one]
    indices = jax.ShapeDtypeStruct((size,), jnp.int32)
    return jax.eval_shape(functools.partial(take, scale=scale), *many, indices)


def _type(array: Any) -> Any:
    return jax.dtypes.canonicalize_dtype(array.dtype)


def _check_parameters(parameters: Parameters) -> None:
    leaves = jax.tree.leaves_with_path(parameters)
    if not leaves:
        raise ValueError(
            "init of a task must return its parameters, a tree of float arrays, got "
            f"{parameters!r} without any"
        )
    for path, leaf in leaves:
        kind = jnp.result_type(leaf)
        if not jnp.issubdtype(kind, jnp.inexact):
            raise ValueError(
                "init of a task must return float arrays, as they are differentiated; got "
                f"{kind} at {jax.tree_util.keystr(path) or 'the top'}; convert it with "
                ".astype(float), or close over what is not trained"
            )


def _check_loss(loss: Any) -> None:
    wanted = "the loss of a task must be one float, the mean over the batch; got"
    if not isinstance(loss, NUMBERS):
        more = "; return the loss alone, and measure all else in metrics"
        raise ValueError(f"{wanted} a {type(loss).__name__}{more}")
    shape, kind = jnp.shape(loss), jnp.result_type(loss)
    if shape or not jnp.issubdtype(kind, jnp.floating):
        raise ValueError(f"{wanted} an array of shape {shape} and type {kind}")


def _check_metrics(task: Task, found: Any, batch: int, examples: int) -> None:
    """That all metrics are declared, and each can be put together from the batches of a test."""
    if not isinstance(found, Mapping):
        raise TypeError(
            "metrics of a task must return {name: values}, {} for none, got "
            f"{'None' if found is None else 'a ' + type(found).__name__}"
        )
    declared = {metric.name: metric for metric in task.measures}
    if "loss" in found:
        raise ValueError("metrics of a task cannot be called 'loss', which is always measured")
    for name in [name for name in found if name not in declared]:
        raise ValueError(
            f"metrics of the task return {name!r}, which it does not declare; add "
            f"jaxdecay.Metric({name!r}, larger_is_better=…) to measures of the Task"
        )
    for name in [name for name in declared if name not in found]:
        raise ValueError(
            f"the task declares the metric {name!r}, which its metrics do not return; "
            "return it, or leave it out of measures"
        )
    for name, value in found.items():
        finish = declared[name].finish
        _check_metric(name, value, finish is not None, batch, examples)
        if finish is not None:
            made = finish(jax.tree.map(lambda each: jnp.mean(each, dtype=float), value))
            if jnp.shape(made):
                raise ValueError(
                    f"finish of metric {name!r} must make one number of the means, got an array "
                    f"of shape {jnp.shape(made)}"
                )


def _check_metric(name: str, value: Any, finished: bool, batch: int, examples: int) -> None:
    wanted = f"metric {name!r} must be one value for each example, an array of shape ({batch},)"
    if not finished and not isinstance(value, NUMBERS):
        raise TypeError(f"{wanted}; got {'None' if value is None else 'a ' + type(value).__name__}")
    leaves = jax.tree.leaves(value)
    if not leaves or not all(isinstance(leaf, NUMBERS) for leaf in leaves):
        raise TypeError(f"{wanted}, or a tuple of such; got {value!r}")
    for leaf in leaves:
        shape = jnp.shape(leaf)
        if shape == () and examples > TEST_BATCH:
            raise ValueError(
                f"{wanted}, not one number: the {examples:,} test examples are measured in batches "
                f"of {TEST_BATCH:,}, and the mean of these numbers need not be the metric; what is "
                "computed from means, such as a root, goes into finish of its jaxdecay.Metric"
            )
        if shape not in ((), (batch,)):
            raise ValueError(f"{wanted}, got one of shape {shape}")


def _check_optimizer(
    task: Task, optimizer: Optimizer, parameters: Parameters, batch: Batch
) -> None:
    """That an optimizer of Optax needs nothing but gradients, parameters and the loss."""
    rate, loss = jnp.asarray(1e-3), jnp.asarray(0.0)
    try:
        state = init_state(optimizer, rate, parameters)
        if isinstance(state, optax.LookaheadState):
            raise ValueError("it trains optax.LookaheadParams, two copies of the parameters")
        updates, after = update(
            optimizer,
            rate,
            state,
            parameters,
            parameters,
            loss,
            lambda others: task.loss(others, batch),
        )
        optax.apply_updates(parameters, updates)
    except Exception as error:  # whatever an optimizer says of what it does not get
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"optimizer {name_of(optimizer)} cannot be used here: {reason}; a step has gradients, "
            "parameters and the loss (value=, grad=, value_fn=): use an optimizer that needs no "
            "more, such as the one that this one wraps"
        ) from error
    if _shapes(state) != _shapes(after):
        raise ValueError(
            f"optimizer {name_of(optimizer)} changes the shapes or types of its state, which must "
            "stay the same from step to step"
        )


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]


def check_integers(**values: Any) -> None:
    """TypeError, with its name, for a value that is not an integer."""
    for name, value in values.items():
        try:
            operator.index(value)
        except TypeError:
            raise TypeError(f"{name} must be an integer, got {value!r}") from None
