"""Training one member: one schedule, one seed. `train` reads from top to bottom.

Everything here is a pure function of arrays. `jaxdecay.training.sweep` maps the same functions
over members, so a member of a sweep does the same arithmetic as a call of `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.data import Data, check_data
from jaxdecay.feedback import AdaptiveSchedule, value_at
from jaxdecay.population import Population
from jaxdecay.resolution import has_lengths
from jaxdecay.results.metric import LOSS, larger_is_better
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import nearest
from jaxdecay.training.checks import check_integers, check_training
from jaxdecay.training.optimizers import (
    Optimizer,
    UpdateClock,
    init_state,
    parameters_to_test,
    update,
    update_clock,
)
from jaxdecay.training.task import TEST_BATCH, Batch, Parameters, Task, as_parameters, take


class Member(NamedTuple):
    """A network in training.

    Attributes:
        parameters: the parameters of the network.
        optimizer_state: the state of the Optax optimizer.
        diverged_at: the first step at which the training loss or the network was not finite, or -1.
    """

    parameters: Parameters
    optimizer_state: Any
    diverged_at: Array


class Trained(NamedTuple):
    """What `train` returns.

    Attributes:
        parameters: the parameters of the network: those to test with, if
            `optax.contrib.schedule_free` trains others.
        history: by name, one number per epoch: `learning_rate` (at the epoch's first step),
            `train_loss` (the mean over the epoch's batches, while training), `test_<metric>`. From
            the epoch in which the network diverged, all but the learning rate are NaN.
        diverged_at: the first step at which the training loss or the network was not finite, or -1.
    """

    parameters: Parameters
    history: dict[str, Array]
    diverged_at: Array


def train(
    schedule: Callable[[ArrayLike], Array],
    key: Array,
    data: Data,
    *,
    task: Task,
    optimizer: Optimizer = optax.sgd,
    epochs: int = 1,
    batch_size: int = 32,
    monitor: str = "test_loss",
) -> Trained:
    """Trains one network with one schedule: a pure function to jit, map or differentiate.

    Args:
        schedule: learning rate as a function of step; a `Schedule` may have state. Steps count
            updates, which are fewer than batches if `optax.MultiSteps` accumulates gradients.
        key: a JAX random key, which decides the first weights and the order of the examples.
        data: the examples to train and to test on, usually `task.data`. It is a separate argument
            so that the compiled program does not contain it.
        task: what to train (static).
        optimizer: builds an Optax optimizer from a learning rate (static).
        epochs: passes through the training data, at least 1 (static).
        batch_size: examples per step (static). Each epoch draws a new order, and skips the
            examples that do not fill its last batch.
        monitor: the name in the history that a schedule with state follows: after each epoch
            the schedule sees its last value (static).

    Returns:
        A `Trained`.

    Raises:
        TypeError: a function of the task, or the optimizer, returns the wrong type.
        ValueError: `epochs` or `batch_size` is below 1, or `batch_size` exceeds the number of
            examples; `monitor` is not in the history, or a plateau's `mode` is not its direction;
            or `check_training` in `jaxdecay.training.checks` refuses the task or the optimizer.

    Example:
        >>> import functools, jax, jaxdecay
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> run = jax.jit(functools.partial(jaxdecay.train, task=task, epochs=5))
        >>> trained = run(jaxdecay.inverse_time(0.3, decay_rate=0.01), jax.random.key(0), task.data)
        >>> bool(trained.history["test_accuracy"][-1] > 0.9)
        True
    """
    steps = steps_per_epoch(data, epochs, batch_size)
    check_training(task, optimizer, data, batch_size)
    if isinstance(schedule, Schedule):
        check_mode(task, schedule, monitor)
        schedule = resolved_for_run(schedule, task, optimizer, steps, epochs, batch_size)
    clock = clock_of(task, optimizer, steps)
    first_state, learning_rate, follow = _with_state(schedule)
    member = init_member(task, optimizer, learning_rate(0, first_state), key)

    def run_epoch(carry: tuple[Member, Any, Any], epoch: Array) -> tuple[Any, dict[str, Array]]:
        member, state, counts = carry
        counts, updates = clock.epoch(counts)
        member, history = train_epoch(
            lambda *step: train_step(task, optimizer, *step),
            lambda member: evaluate_member(task, member, data),
            member,
            epoch * steps,
            jax.vmap(lambda step: learning_rate(step, state))(updates),
            epoch_order(key, epoch, data, batch_size),
            data,
        )
        return (member, follow(state, monitored(history, monitor)), counts), history

    start = member, first_state, clock.start
    (member, *_), history = jax.lax.scan(run_epoch, start, jnp.arange(epochs))
    parameters = parameters_to_test(member.optimizer_state, member.parameters)
    return Trained(parameters, history, member.diverged_at)


Resolvable = TypeVar("Resolvable", Schedule, Population)


def resolved_for_run(
    schedules: Resolvable,
    task: Task,
    optimizer: Optimizer,
    steps: int,
    epochs: int,
    batch_size: int,
) -> Resolvable:
    """A schedule or population whose relative lengths become numbers of updates in this run."""
    if not has_lengths(schedules):
        return schedules
    parameters = _shapes_of_parameters(task)
    with jax.ensure_compile_time_eval():
        updates = max(1, update_clock(optimizer, parameters, steps).updates(epochs))
    per_epoch, remainder = divmod(updates, epochs)
    return schedules.resolve(
        steps=updates,
        steps_per_epoch=updates / epochs if remainder else per_epoch,
        samples_per_step=batch_size * epochs * steps / updates,
    )


def clock_of(task: Task, optimizer: Optimizer, steps: int) -> UpdateClock:
    """The clock that counts the updates before each of an epoch's batches."""
    return update_clock(optimizer, _shapes_of_parameters(task), steps)


def _shapes_of_parameters(task: Task) -> Parameters:
    return jax.eval_shape(lambda: as_parameters(task.init(jax.random.key(0))))


def check_mode(task: Task, schedule: Schedule, monitor: str) -> None:
    """Refuses to reduce a rate because an accuracy rises, or because a loss falls.

    Args:
        task: declares the directions of its metrics.
        schedule: a schedule, or a group of a population.
        monitor: the name in the history that the schedule follows.

    Raises:
        ValueError: the schedule's mode is not the direction of the metric.
    """
    larger = larger_is_better(task.measures).get(monitor)
    if larger is None or not isinstance(schedule, AdaptiveSchedule):
        return
    better = "max" if larger else "min"
    mode = schedule.options.get("mode", better)
    if mode != better:
        raise ValueError(
            f'{schedule.family}: mode must be "{better}" with monitor="{monitor}", got "{mode}"'
        )


def _with_state(
    schedule: Callable[[ArrayLike], Array],
) -> tuple[Any, Callable[[ArrayLike, Any], Array], Callable[[Any, Array], Any]]:
    """The first state, the value and the update of a schedule or of a plain function."""
    if isinstance(schedule, AdaptiveSchedule):
        return (
            schedule.init(),
            lambda step, state: value_at(schedule, step, state),
            lambda state, metric: schedule.update(state, value=metric),
        )
    return (), lambda step, state: jnp.asarray(schedule(step), float), lambda state, metric: state


def monitored(history: Mapping[str, Any], monitor: str) -> Any:
    """The metric that schedules with state follow; ValueError if it is not measured."""
    if monitor not in history:
        raise ValueError(
            f"monitor must be a name of the history, {', '.join(history)}; "
            f"got {monitor!r}{nearest(monitor, history)}"
        )
    return history[monitor]


def init_member(task: Task, optimizer: Optimizer, learning_rate: Array, key: Array) -> Member:
    """Creates a member."""
    parameters = as_parameters(task.init(jax.random.fold_in(key, 0)))
    state = init_state(optimizer, learning_rate, parameters)
    return Member(parameters, state, jnp.asarray(-1))


def epoch_order(key: Array, epoch: Array, data: Data, batch_size: int) -> Array:
    """The order of the examples in an epoch: indices [steps, batch_size]."""
    examples = jnp.shape(data.train_inputs)[0]
    shuffled = jax.random.permutation(jax.random.fold_in(key, 1 + epoch), examples)
    steps = examples // batch_size
    return shuffled[: steps * batch_size].reshape(steps, batch_size)


def train_step(
    task: Task,
    optimizer: Optimizer,
    member: Member,
    step: Array,
    learning_rate: Array,
    batch: Batch,
) -> tuple[Member, Array]:
    """One update of one member, and the loss before it."""
    loss, gradients = jax.value_and_grad(task.loss)(member.parameters, batch)
    updates, optimizer_state = update(
        optimizer,
        learning_rate,
        member.optimizer_state,
        member.parameters,
        gradients,
        loss,
        lambda parameters: task.loss(parameters, batch),
    )
    diverged_now = (member.diverged_at < 0) & ~jnp.isfinite(loss)
    return Member(
        optax.apply_updates(member.parameters, updates),
        optimizer_state,
        jnp.where(diverged_now, step, member.diverged_at),
    ), loss


def train_epoch(
    train_one: Callable[[Member, Array, Array, Batch], tuple[Member, Array]],
    measure: Callable[[Member], Mapping[str, Array]],
    member: Member,
    first_step: Array,
    rates: Array,
    order: Array,
    data: Data,
) -> tuple[Member, dict[str, Array]]:
    """One epoch of one member, or of many if `train_one` and `measure` are mapped over members.

    `rates` and `order` contain the learning rate and the examples for each step. Rates are computed
    in advance for all steps at once, so schedules of any family cost nothing in the loop.
    """

    def batch_of(examples: Array) -> Batch:
        return take(data.train_inputs, data.train_labels, examples, data.scale)

    def run_step(
        carry: tuple[Member, Array, Array], inputs: tuple[Array, Array]
    ) -> tuple[Any, None]:
        (member, step, total), (rate, examples) = carry, inputs
        member, loss = train_one(member, step, rate, batch_of(examples))
        return (member, step + 1, total + loss), None

    zero = jnp.zeros_like(member.diverged_at, dtype=float)
    start = (member, first_step, zero)
    (member, step, total), _ = jax.lax.scan(run_step, start, (rates, order))
    # The last update follows the last training loss, so the last batch is evaluated again. The
    # test loss cannot show divergence: it may be infinite or NaN for a sound network.
    _, loss_after = train_one(member, step, rates[-1], batch_of(order[-1]))
    sound = jnp.isfinite(loss_after) & finite(member.parameters, zero.shape)
    diverged_now = (member.diverged_at < 0) & ~sound
    member = member._replace(diverged_at=jnp.where(diverged_now, step, member.diverged_at))
    diverged = member.diverged_at >= 0
    measured = {"train_loss": total / len(order)}
    measured |= {f"test_{name}": value for name, value in measure(member).items()}
    history = {name: jnp.where(diverged, jnp.nan, value) for name, value in measured.items()}
    return member, {"learning_rate": rates[0], **history}


def finite(parameters: Parameters, members: tuple[int, ...]) -> Array:
    """Whether all numbers in a network are finite; `members` are the first axes if it is many."""
    sound = jnp.ones(members, bool)
    for leaf in jax.tree.leaves(parameters):
        sound &= jnp.isfinite(leaf).all(axis=tuple(range(len(members), leaf.ndim)))
    return sound


def evaluate_member(task: Task, member: Member, data: Data) -> dict[str, Array]:
    """The metrics and the loss of a member on the test set."""
    return evaluate(task, parameters_to_test(member.optimizer_state, member.parameters), data)


def evaluate(
    task: Task, parameters: Parameters, data: Data, batch_size: int = TEST_BATCH
) -> dict[str, Array]:
    """The task's metrics and loss on the test set, in batches to bound the memory.

    `finish` of a metric is applied to the mean over all examples.
    """
    examples = jnp.shape(data.test_inputs)[0]
    in_full_batches = examples // batch_size * batch_size

    def measure(indices: Array) -> dict[str, Any]:
        batch = take(data.test_inputs, data.test_labels, indices, data.scale)
        values = {**task.metrics(parameters, batch), LOSS: task.loss(parameters, batch)}
        return jax.tree.map(lambda value: jnp.mean(value, dtype=float) * len(indices), values)

    sums = []
    if in_full_batches:
        totals = jax.lax.map(measure, jnp.arange(in_full_batches).reshape(-1, batch_size))
        sums.append(jax.tree.map(lambda total: total.sum(0), totals))
    if in_full_batches < examples:
        sums.append(measure(jnp.arange(in_full_batches, examples)))
    means = jax.tree.map(lambda *parts: sum(parts) / examples, *sums)
    finish = {metric.name: metric.finish or jnp.asarray for metric in task.measures}
    return {name: finish.get(name, jnp.asarray)(mean) for name, mean in means.items()}


def steps_per_epoch(data: Data, epochs: int, batch_size: int) -> int:
    """The number of steps in an epoch; raises a ValueError if data or numbers allow none."""
    check_integers(epochs=epochs, batch_size=batch_size)
    check_data(data)
    examples = jnp.shape(data.train_inputs)[0]
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if not 1 <= batch_size <= examples:
        raise ValueError(
            f"batch size must be from 1 to {examples}, the number of training examples "
            f"of {data.name}, got {batch_size}"
        )
    return examples // batch_size
