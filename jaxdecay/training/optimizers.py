"""Optimizers of Optax, each step with its own learning rate.

An optimizer is made anew from the learning rate of each step, and keeps its state from one step to
the next. Here is what some of them need besides the gradient, and what of their state depends on
the rate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

Optimizer = Callable[[Any], optax.GradientTransformation | optax.MultiSteps]
"""Makes an optimizer from a learning rate: `optax.sgd`, `lambda rate: optax.chain(...)`, …"""


def init_state(optimizer: Optimizer, learning_rate: Array, parameters: Any) -> Any:
    """The state of an optimizer before its first update."""
    return _made(optimizer, learning_rate).init(parameters)


def update(
    optimizer: Optimizer,
    learning_rate: Array,
    state: Any,
    parameters: Any,
    gradients: Any,
    value: Array,
    value_fn: Callable[[Any], Array],
) -> tuple[Any, Any]:
    """The updates of one step, and the state after it.

    Args:
        optimizer: makes the optimizer.
        learning_rate: of this step.
        state: of `init_state`, or of the step before.
        parameters: which are updated.
        gradients: of the loss.
        value: the loss, which Polyak's step size, MoMo and plateaus follow.
        value_fn: the loss of other parameters, for line searches.
    """
    made = _made(optimizer, learning_rate)
    if any(map(_is_injected, jax.tree.leaves(state, is_leaf=_is_injected))):
        state = _with_hyperparameters(state, made.init(parameters))
    return made.update(gradients, state, parameters, value=value, grad=gradients, value_fn=value_fn)


def _made(optimizer: Optimizer, learning_rate: Array) -> optax.GradientTransformationExtraArgs:
    made = optimizer(learning_rate)
    if isinstance(made, optax.MultiSteps):
        change: Any = made.update  # its own `gradient_transformation` would not pass the loss on
        return optax.GradientTransformationExtraArgs(made.init, change)
    if not isinstance(made, optax.GradientTransformation):
        raise TypeError(
            f"{name_of(optimizer)} must make an optimizer of Optax from a learning rate, "
            f"got {type(made).__name__}"
        )
    return optax.with_extra_args_support(made)


def name_of(optimizer: Optimizer) -> str:
    """The name of the function, or of the type of what is called."""
    return getattr(optimizer, "__name__", type(optimizer).__name__)


def _is_injected(node: Any) -> bool:
    return isinstance(node, optax.InjectHyperparamsState | optax.InjectStatefulHyperparamsState)


def _with_hyperparameters(state: Any, first: Any) -> Any:
    """`optax.inject_hyperparams` takes numbers from its state: there go those of this step."""

    def put(old: Any, new: Any) -> Any:
        if not _is_injected(old):
            return old
        inner = _with_hyperparameters(old.inner_state, new.inner_state)
        return old._replace(hyperparams=new.hyperparams, inner_state=inner)

    return jax.tree.map(put, state, first, is_leaf=_is_injected)


def parameters_to_test(state: Any, parameters: Any) -> Any:
    """The parameters to test: those in training, but for `optax.contrib.schedule_free`."""
    free = _nodes(state, optax.contrib.ScheduleFreeState)
    return optax.contrib.schedule_free_eval_params(free[0], parameters) if free else parameters


@dataclasses.dataclass(frozen=True)
class UpdateClock:
    """How many updates an optimizer has done before each batch.

    Schedules count updates. These are fewer than batches where `optax.MultiSteps` accumulates the
    gradients of several: the schedule is one of `optax.MultiSteps(optax.sgd(schedule), 4)`.

    Attributes:
        start: the state of the clock before the first batch.
        epoch: from the state before an epoch the state after it, and the updates done before each
            of its batches, [steps].
    """

    start: Any
    epoch: Callable[[Any], tuple[Any, Array]]

    def updates(self, epochs: int) -> int:
        """How many updates are done after some epochs."""
        state, after_epoch = self.start, jax.jit(lambda state: self.epoch(state)[0])
        for _ in range(epochs):
            state = after_epoch(state)
        return int(self.epoch(state)[1][0])


def update_clock(optimizer: Optimizer, parameters: Any, steps: int) -> UpdateClock:
    """The clock of an optimizer.

    Args:
        optimizer: makes the optimizer.
        parameters: their shapes.
        steps: batches in an epoch.

    Raises:
        ValueError: it accumulates gradients in several places, or skips updates by their values:
            then no number of updates is right for all parameters, or known before an epoch.
    """
    rate = jnp.asarray(1e-3)
    like = jax.eval_shape(lambda each: init_state(optimizer, rate, each), parameters)
    if not _nodes(like, optax.MultiStepsState):
        return UpdateClock(jnp.asarray(0), lambda first: (first + steps, first + jnp.arange(steps)))
    _check_accumulation(optimizer, like)

    def first() -> tuple[Any, Any]:
        # No count depends on a gradient, so zeros will do, and are not computed with.
        zeros = jax.tree.map(lambda each: jnp.zeros(each.shape, each.dtype), parameters)
        return zeros, init_state(optimizer, rate, zeros)

    def step(counts: list[Array], _: None) -> tuple[list[Array], Array]:
        zeros, state = first()
        state, loss = _with_counts(state, counts), jnp.zeros(())
        _, after = update(optimizer, rate, state, zeros, zeros, loss, lambda _: loss)
        return _counts(after), _updates_done(state)

    def epoch(counts: list[Array]) -> tuple[list[Array], Array]:
        return jax.lax.scan(step, counts, length=steps)

    return UpdateClock(_counts(first()[1]), epoch)


def _check_accumulation(optimizer: Optimizer, state: Any) -> None:
    found = _nodes(state, optax.MultiStepsState)
    if not found:
        return
    apart = _nodes(state, optax.transforms.PartitionState)
    if len(found) > 1 or any(_nodes(each, optax.MultiStepsState) for each in apart):
        raise ValueError(
            f"{name_of(optimizer)} accumulates the gradients of some parameters apart from others, "
            "but a schedule counts the updates of all; put optax.MultiSteps around the complete "
            "optimizer"
        )
    if jax.tree.leaves(found[0].skip_state):
        raise ValueError(
            f"{name_of(optimizer)} skips updates by their values (should_skip_update_fn of "
            "optax.MultiSteps), so which update a batch is part of is not known before an epoch; "
            "leave the option out (diverged members are marked without it)"
        )
    _check_accumulation(optimizer, found[0].inner_opt_state)


def _nodes(state: Any, kind: Any) -> list[Any]:
    """The outermost parts of a state that are of a kind."""
    leaves = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, kind))
    return [leaf for leaf in leaves if isinstance(leaf, kind)]


def _updates_done(state: Any) -> Array:
    """Of the innermost accumulation, which is the one that the learning rate is in."""
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
