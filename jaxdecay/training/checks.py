"""Checks of a task and an optimizer by the shapes they produce, before any training."""

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
"""The types that JAX accepts as arrays."""


SETTINGS = {
    "jax_disable_jit": "a sweep is a compiled program",
    "jax_debug_nans": "a sweep records members that diverge, and this ends it at the first",
    "jax_debug_infs": "a sweep records members that diverge, and this ends it at the first",
}
"""Settings of JAX with which no sweep can be trained, and why."""


def check_training(task: Task, optimizer: Optimizer, data: Data, batch_size: int) -> None:
    """Traces one step and one test of a task, without computing anything.

    Raises:
        TypeError: `init`, `loss` or `metrics` do not return what a task's functions return.
        ValueError: the loss is not one float, parameters are not floats, the metrics differ from
            the declared ones or need the complete test set, or the optimizer needs more than a
            step provides.
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
    arrays = [
        jax.ShapeDtypeStruct((size, *jnp.shape(array)[1:]), _type(array))
        for array in (inputs, labels)
    ]
    indices = jax.ShapeDtypeStruct((size,), jnp.int32)
    return jax.eval_shape(functools.partial(take, scale=scale), *arrays, indices)


def _type(array: Any) -> Any:
    return jax.dtypes.canonicalize_dtype(array.dtype)


def _check_parameters(parameters: Parameters) -> None:
    leaves = jax.tree.leaves_with_path(parameters)
    if not leaves:
        raise ValueError(
            "init of a task must return its parameters, a tree of float arrays; got "
            f"{parameters!r}, which contains no array"
        )
    for path, leaf in leaves:
        kind = jnp.result_type(leaf)
        if not jnp.issubdtype(kind, jnp.inexact):
            raise ValueError(
                "init of a task must return float arrays, as gradients are taken of them; got "
                f"{kind} at {jax.tree_util.keystr(path) or 'the top'}; convert it with "
                ".astype(float), or use it in the loss without returning it if it is not trained"
            )


def _check_loss(loss: Any) -> None:
    wanted = "the loss of a task must be one float, the mean over the batch; got"
    if not isinstance(loss, NUMBERS):
        remedy = "; return only the loss, and measure everything else in metrics"
        raise ValueError(f"{wanted} a {type(loss).__name__}{remedy}")
    shape, kind = jnp.shape(loss), jnp.result_type(loss)
    if shape or not jnp.issubdtype(kind, jnp.floating):
        raise ValueError(f"{wanted} an array of shape {shape} and type {kind}")


def _check_metrics(task: Task, measured: Any, batch: int, examples: int) -> None:
    """Checks that every metric is declared and can be computed from batches of the test set."""
    if not isinstance(measured, Mapping):
        raise TypeError(
            "metrics of a task must return {name: values}, or {} if it has none, got "
            f"{'None' if measured is None else 'a ' + type(measured).__name__}"
        )
    declared = {metric.name: metric for metric in task.measures}
    if "loss" in measured:
        raise ValueError(
            "metrics of a task return 'loss', which is measured anyway; leave it out, or give "
            "the metric another name"
        )
    for name in [name for name in measured if name not in declared]:
        raise ValueError(
            f"metrics of the task return {name!r}, which it does not declare; add "
            f"jaxdecay.Metric({name!r}, larger_is_better=…) to measures of the Task"
        )
    for name in [name for name in declared if name not in measured]:
        raise ValueError(
            f"the task declares the metric {name!r}, which its metrics do not return; "
            "return it, or remove it from measures"
        )
    for name, value in measured.items():
        finish = declared[name].finish
        _check_metric(name, value, finish is not None, batch, examples)
        if finish is not None:
            metric = finish(jax.tree.map(lambda values: jnp.mean(values, dtype=float), value))
            if jnp.shape(metric):
                raise ValueError(
                    f"finish of metric {name!r} must compute one number from the means, got an "
                    f"array of shape {jnp.shape(metric)}"
                )


def _check_metric(name: str, value: Any, finished: bool, batch: int, examples: int) -> None:
    wanted = f"metric {name!r} must be one value for each example, an array of shape ({batch},)"
    if not finished and not isinstance(value, NUMBERS):
        raise TypeError(f"{wanted}; got {'None' if value is None else 'a ' + type(value).__name__}")
    leaves = jax.tree.leaves(value)
    if not leaves or not all(isinstance(leaf, NUMBERS) for leaf in leaves):
        raise TypeError(f"{wanted}, or a tuple of such arrays; got {value!r}")
    for leaf in leaves:
        shape = jnp.shape(leaf)
        if shape == () and examples > TEST_BATCH:
            raise ValueError(
                f"{wanted}, not one number: the {examples:,} test examples are measured in batches "
                f"of {TEST_BATCH:,}, and the mean over batches may not be the metric; compute "
                "what needs all examples, such as a root, in finish of its jaxdecay.Metric"
            )
        if shape not in ((), (batch,)):
            raise ValueError(f"{wanted}, got shape {shape}")


def _check_optimizer(
    task: Task, optimizer: Optimizer, parameters: Parameters, batch: Batch
) -> None:
    """Checks that an Optax optimizer needs only gradients, parameters and the loss."""
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
    except Exception as error:  # optimizers raise anything if an argument is missing
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"optimizer {name_of(optimizer)} cannot be used here: {reason}; a step provides "
            "gradients, parameters and the loss (value=, grad=, value_fn=): use an optimizer that "
            "needs no more, such as the one inside this one"
        ) from error
    if _shapes(state) != _shapes(after):
        raise ValueError(
            f"optimizer {name_of(optimizer)} changes the shapes or types of its state, which must "
            "stay the same from step to step"
        )


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]


def check_settings_of_jax() -> None:
    """Raises a ValueError for a setting of JAX with which no sweep can be trained."""
    for name, reason in SETTINGS.items():
        if getattr(jax.config, name):
            raise ValueError(
                f"{name.upper()} is set, but {reason}; unset it, or in Python "
                f"jax.config.update({name!r}, False)"
            )


def check_integers(**values: Any) -> None:
    """Raises a TypeError that names the first value that is not an integer."""
    for name, value in values.items():
        try:
            operator.index(value)
        except TypeError:
            raise TypeError(f"{name} must be an integer, got {value!r}") from None
