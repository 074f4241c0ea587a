"""Optax optimizers with a different learning rate in each step.

Each step builds the optimizer from its learning rate and passes on the state of the step before.
This module also provides what some optimizers need besides the gradient, and updates those parts of
their state that depend on the rate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

Optimizer = Callable[[Any], optax.GradientTransformation | optax.MultiSteps]
"""Builds an optimizer from a learning rate: `optax.sgd`, `lambda rate: optax.chain(...)`, …"""


def init_state(optimizer: Optimizer, learning_rate: Array, parameters: Any) -> Any:
    """The state of an optimizer before its first update."""
    return _built(optimizer, learning_rate).init(parameters)


def update(
    optimizer: Optimizer,
    learning_rate: Array,
    state: Any,
    parameters: Any,
    gradients: Any,
    value: Array,
    value_fn: Callable[[Any], Array],
) -> tuple[Any, Any]:
    """The updates of one step, and the optimizer state after it.

    Args:
        optimizer: builds the optimizer from the learning rate.
        learning_rate: the rate of this step.
        state: from `init_state`, or from the previous step.
        parameters: the parameters to update.
        gradients: the gradients of the loss.
        value: the loss, for Polyak's step size, MoMo and plateaus.
        value_fn: the loss as a function of the parameters, for line searches.
    """
    built = _built(optimizer, learning_rate)
    if any(map(_is_injected, jax.tree.leaves(state, is_leaf=_is_injected))):
        state = _with_hyperparameters(state, built.init(parameters))
    return built.update(
        gradients, state, parameters, value=value, grad=gradients, value_fn=value_fn
    )


def _built(optimizer: Optimizer, learning_rate: Array) -> optax.GradientTransformationExtraArgs:
    built = optimizer(learning_rate)
    if isinstance(built, optax.MultiSteps):
        update_fn: Any = built.update  # its `gradient_transformation` would not pass the loss on
        return optax.GradientTransformationExtraArgs(built.init, update_fn)
    if not isinstance(built, optax.GradientTransformation):
        raise TypeError(
            f"{name_of(optimizer)} must return an Optax optimizer for a learning rate, "
            f"got {type(built).__name__}"
        )
    return optax.with_extra_args_support(built)


def name_of(optimizer: Optimizer) -> str:
    """The name of the function, or of its type if it has none."""
    return getattr(optimizer, "__name__", type(optimizer).__name__)


def _is_injected(node: Any) -> bool:
    return isinstance(node, optax.InjectHyperparamsState | optax.InjectStatefulHyperparamsState)


def _with_hyperparameters(state: Any, first: Any) -> Any:
    """Puts the hyperparameters of this step into the states of `optax.inject_hyperparams`."""

    def replaced(old: Any, new: Any) -> Any:
        if not _is_injected(old):
            return old
        inner = _with_hyperparameters(old.inner_state, new.inner_state)
        return old._replace(hyperparams=new.hyperparams, inner_state=inner)

    return jax.tree.map(replaced, state, first, is_leaf=_is_injected)


def parameters_to_test(state: Any, parameters: Any) -> Any:
    """The parameters to test: the trained ones, except with `optax.contrib.schedule_free`."""
    free = _nodes(state, optax.contrib.ScheduleFreeState)
    return optax.contrib.schedule_free_eval_params(free[0], parameters) if free else parameters


@dataclasses.dataclass(frozen=True)
class UpdateClock:
    """How many updates an optimizer has made before each batch.

    Schedules count updates, as in `optax.MultiSteps(optax.sgd(schedule), 4)`. Updates are fewer
    than batches if `optax.MultiSteps` accumulates the gradients of several batches.

    Attributes:
        start: the state of the clock before the first batch.
        epoch: maps the state before an epoch to the state after it and the number of updates
            before each of its batches, [steps].
    """

    start: Any
    epoch: Callable[[Any], tuple[Any, Array]]

    def updates(self, epochs: int) -> int:
        """The number of updates in the first `epochs` epochs."""
        state, epoch = self.start, jax.jit(self.epoch)
        for _ in range(epochs):
            state, _ = epoch(state)
        return int(np.asarray(epoch(state)[1])[0])


def update_clock(optimizer: Optimizer, parameters: Any, steps: int) -> UpdateClock:
    """The clock of an optimizer.

    Args:
        optimizer: builds the optimizer from the learning rate.
        parameters: the shapes of the parameters.
        steps: batches in an epoch.

    Raises:
        ValueError: the optimizer accumulates gradients in several places, so that the number of
            updates differs by parameter, or it skips updates by their values, so that the number
            is unknown before an epoch.
    """
    rate = jnp.asarray(1e-3)
    shapes = jax.eval_shape(lambda values: init_state(optimizer, rate, values), parameters)
    if not _nodes(shapes, optax.MultiStepsState):
        return UpdateClock(jnp.asarray(0), lambda done: (done + steps, done + jnp.arange(steps)))
    _check_accumulation(optimizer, shapes)

    def untrained() -> tuple[Any, Any]:
        # No count depends on a gradient, so XLA removes every computation with these zeros.
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), parameters)
        return zeros, init_state(optimizer, rate, zeros)

    def step(counts: list[Array], _: None) -> tuple[list[Array], Array]:
        zeros, state = untrained()
        state, loss = _with_counts(state, counts), jnp.zeros(())
        _, after = update(optimizer, rate, state, zeros, zeros, loss, lambda _: loss)
        return _counts(after), _updates_done(state)

    def epoch(counts: list[Array]) -> tuple[list[Array], Array]:
        return jax.lax.scan(step, counts, length=steps)

    return UpdateClock(_counts(untrained()[1]), epoch)


def _check_accumulation(optimizer: Optimizer, state: Any) -> None:
    accumulations = _nodes(state, optax.MultiStepsState)
    if not accumulations:
        return
    partitions = _nodes(state, optax.transforms.PartitionState)
    if len(accumulations) > 1 or any(_nodes(p, optax.MultiStepsState) for p in partitions):
        raise ValueError(
            f"{name_of(optimizer)} accumulates the gradients of some parameters separately, but "
            "a schedule counts the updates of all; put optax.MultiSteps around the complete "
            "optimizer"
        )
    if jax.tree.leaves(accumulations[0].skip_state):
        raise ValueError(
            f"{name_of(optimizer)} skips updates by their values (should_skip_update_fn of "
            "optax.MultiSteps), so the number of updates is not known before an epoch; leave the "
            "option out (diverged members are marked without it)"
        )
    _check_accumulation(optimizer, accumulations[0].inner_opt_state)


def _nodes(state: Any, kind: Any) -> list[Any]:
    """The outermost parts of a state that have the given type."""
    leaves = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, kind))
    return [leaf for leaf in leaves if isinstance(leaf, kind)]


def _updates_done(state: Any) -> Array:
    """The updates counted by the innermost accumulation, the one around the learning rate."""
    (accumulation,) = _nodes(state, optax.MultiStepsState)
    inner = _nodes(accumulation.inner_opt_state, optax.MultiStepsState)
    return _updates_done(accumulation.inner_opt_state) if inner else accumulation.gradient_step


def _is_count(leaf: Any) -> bool:
    return not leaf.shape and jnp.issubdtype(leaf.dtype, jnp.integer)


def _counts(state: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(state) if _is_count(leaf)]


def _with_counts(state: Any, counts: list[Array]) -> Any:
    following = iter(counts)
    return jax.tree.map(lambda leaf: next(following) if _is_count(leaf) else leaf, state)
