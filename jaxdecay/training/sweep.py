"""Training a population: every schedule with every seed, in one compiled program."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.population import Population
from jaxdecay.schedule import Schedule
from jaxdecay.training.task import Task
from jaxdecay.training.train import (
    Member,
    Optimizer,
    epoch_order,
    evaluate,
    init_member,
    monitored,
    steps_per_epoch,
    train_epoch,
    train_step,
)


@dataclasses.dataclass(frozen=True, eq=False)
class SweepResult:
    """What a sweep found. S schedules, K seeds, E epochs.

    Attributes:
        population: the schedules.
        seeds: the K seeds; member (s, k) is `train(population[s], jax.random.key(seeds[k]), …)`.
        history: by name, an array [E, S, K]: `learning_rate` (at the epoch's first step),
            `train_loss` (the mean over the epoch's batches, while training), `test_<metric>`.
        diverged_at: [S, K], the first step whose loss was not finite, or -1.
        final_learning_rate: [S, K], the schedules' values after the last step.
        settings: epochs, batch size and so on, as written to `sweep.json`.
        steps: updates of each member.
        compile_seconds: time it took to compile.
        run_seconds: time it took to train and to test, without compiling.
    """

    population: Population
    seeds: tuple[int, ...]
    history: Mapping[str, np.ndarray]
    diverged_at: np.ndarray
    final_learning_rate: np.ndarray
    settings: Mapping[str, Any]
    steps: int
    compile_seconds: float
    run_seconds: float

    def __repr__(self) -> str:
        schedules, seeds = self.diverged_at.shape
        diverged = int((self.diverged_at >= 0).sum())
        return (
            f"<SweepResult: {schedules} schedules × {seeds} seeds on {self.settings['data']}, "
            f"{self.steps} steps, {diverged} members diverged>"
        )

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """By name, the history's last epoch: arrays [S, K]."""
        return {name: values[-1] for name, values in self.history.items()}

    @property
    def member_steps_per_second(self) -> float:
        """Updates of single networks in a second, tests included, compiling not."""
        return self.diverged_at.size * self.steps / self.run_seconds

    def ranking(self) -> np.ndarray:
        """Indices of the schedules, best first.

        By mean test accuracy over seeds (by mean test loss where the task has no accuracy), then
        by mean test loss; a schedule with a diverged member comes after all without.
        """
        keys = [self.metrics["test_loss"].mean(axis=1)]
        if "test_accuracy" in self.metrics:
            keys.append(-self.metrics["test_accuracy"].mean(axis=1))
        keys.append((self.diverged_at >= 0).any(axis=1))
        return np.lexsort(keys)

    def best(self) -> Schedule:
        """The best schedule of the ranking; ValueError if every schedule has a diverged member."""
        if (self.diverged_at >= 0).any(axis=1).all():
            raise ValueError("every schedule diverged; try smaller learning rates")
        return self.population[int(self.ranking()[0])]

    def status(self, schedule: int, seed: int) -> str:
        """ "finished" or "diverged at step N" for a member, by its indices."""
        step = int(self.diverged_at[schedule, seed])
        return "finished" if step < 0 else f"diverged at step {step}"

    def save(self, folder: Any, *, overwrite: bool = False) -> None:
        """Writes `members.csv`, `history.csv`, `curves.png` and `sweep.json` into a folder.

        Args:
            folder: made if need be.
            overwrite: write even if the folder holds another sweep.

        Raises:
            FileExistsError: the folder holds another sweep.
        """
        from jaxdecay.report.files import save

        save(self, folder, overwrite=overwrite)


def sweep(
    task: Task,
    population: Population,
    *,
    optimizer: Optimizer = optax.sgd,
    epochs: int = 1,
    batch_size: int = 32,
    seeds: int = 1,
    seed: int = 0,
    monitor: str = "test_loss",
    callback: Callable[[int, Mapping[str, np.ndarray]], None] | None = None,
) -> SweepResult:
    """Trains every schedule of a population with every seed, all at once.

    All schedules of a seed start from the same weights and see the same batches in the same
    order, so that they can be compared in pairs.

    Args:
        task: what is trained.
        population: S schedules.
        optimizer: makes an Optax optimizer from a learning rate.
        epochs: passes through the training data, at least 1.
        batch_size: examples a step.
        seeds: K, how many seeds, at least 1.
        seed: the first of them; the others follow.
        monitor: the name in the history that schedules with state follow: after each epoch each
            member's schedule sees the member's own value. Where more is better, as of
            "test_accuracy", the schedule needs `mode="max"`.
        callback: called after each epoch, counted from 0, with its history: arrays [S, K].

    Returns:
        A `SweepResult`.

    Raises:
        TypeError: `population` is not a `Population`, or `optimizer` not a function of the rate.
        ValueError: `epochs`, `batch_size`, `seeds` or `seed` out of range, a `monitor` that is
            not in the history, or inputs and labels that do not fit each other.

    Example:
        >>> import jaxdecay
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> rates = jaxdecay.grid(jaxdecay.cosine, init_value=[0.001, 0.3], transition_steps=220)
        >>> result = jaxdecay.sweep(task, rates, epochs=5, seeds=2)
        >>> result.metrics["test_accuracy"].shape
        (2, 2)
        >>> result.best()
        cosine(init_value=0.3, transition_steps=220)
    """
    _check_arguments(task, population, optimizer, seeds, seed, monitor)
    steps = steps_per_epoch(task.data, epochs, batch_size)
    numbers = tuple(range(seed, seed + seeds))
    program = _Program(task, optimizer, batch_size, steps, monitor)

    started = time.perf_counter()
    data = jax.device_put(task.data)
    keys = jnp.stack([jax.random.key(number) for number in numbers])
    init = jax.jit(program.init).lower(population, keys).compile()
    members, states = jax.eval_shape(program.init, population, keys)
    run_epoch = jax.jit(program.run_epoch, donate_argnums=(0, 1))
    run_epoch = run_epoch.lower(members, states, population, keys, jnp.asarray(0), data).compile()
    compiled = time.perf_counter()

    (members, states), histories = init(population, keys), []
    for epoch in range(epochs):
        members, states, history = run_epoch(
            members, states, population, keys, jnp.asarray(epoch), data
        )
        histories.append(jax.device_get(history))
        if callback is not None:
            callback(epoch, histories[-1])
    finished = time.perf_counter()

    diverged_at = np.asarray(members.diverged_at)
    final_rates = np.asarray(learning_rates(population, states, epochs * steps))
    return SweepResult(
        population=population,
        seeds=numbers,
        history=jax.tree.map(lambda *epochs: np.stack(epochs), *histories),
        diverged_at=diverged_at.T,
        final_learning_rate=np.broadcast_to(final_rates, diverged_at.shape).T,
        settings={
            "data": task.data.name,
            "optimizer": getattr(optimizer, "__name__", repr(optimizer)),
            "epochs": epochs,
            "batch_size": batch_size,
            "seeds": seeds,
            "seed": seed,
            **({"monitor": monitor} if population.has_state else {}),
        },
        steps=epochs * steps,
        compile_seconds=compiled - started,
        run_seconds=finished - compiled,
    )


def _check_arguments(
    task: Any, population: Any, optimizer: Any, seeds: int, seed: int, monitor: str
) -> None:
    if not isinstance(task, Task):
        raise TypeError(
            "sweep takes a jaxdecay.Task, such as jaxdecay.classifier(data), "
            f"got {type(task).__name__}"
        )
    if not isinstance(population, Population):
        raise TypeError(
            "sweep takes a jaxdecay.Population, such as jaxdecay.stack([schedule]), "
            f"got {type(population).__name__}"
        )
    if not callable(optimizer):
        raise TypeError(
            "sweep takes a function that makes an optimizer from a learning rate, such as "
            f"optax.sgd or lambda rate: optax.sgd(rate, momentum=0.9), got {optimizer!r}"
        )
    _check_mode(population, monitor)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if not 0 <= seed <= seed + seeds <= 2**32:
        raise ValueError(f"seeds must be within 0 … 2³²−1, got {seeds} from {seed} on")


def _check_mode(population: Population, monitor: str) -> None:
    """Refuses to reduce a rate because an accuracy rises, or because a loss falls."""
    better = "max" if monitor.endswith("accuracy") else "min" if monitor.endswith("loss") else None
    for group in population.groups:
        mode = group.options.get("mode", better) if group.decay.feedback is not None else better
        if better is not None and mode != better:
            raise ValueError(
                f'{group.family}: mode must be "{better}" with monitor="{monitor}", got "{mode}"'
            )


def learning_rates(population: Population, states: Any, step: ArrayLike) -> Array:
    """The rates at a step: [S], or [K, S] where states, stacked by seed, make members differ."""
    if not population.has_state:
        return population(step)
    return jax.vmap(population, in_axes=(None, 0))(step, states)


@dataclasses.dataclass(frozen=True)
class _Program:
    """The functions of `train`, mapped over seeds and schedules: members have axes [K, S].

    The states of the schedules are those of the population, stacked by seed.
    """

    task: Task
    optimizer: Optimizer
    batch_size: int
    steps_per_epoch: int
    monitor: str

    def init(self, population: Population, keys: Array) -> tuple[Member, Any]:
        def init(rate: Array, key: Array) -> Member:
            return init_member(self.task, self.optimizer, rate, key)

        over_schedules = jax.vmap(init, in_axes=(0, None))
        members = jax.vmap(over_schedules, in_axes=(None, 0))(population(0), keys)
        return members, jax.vmap(lambda key: population.init())(keys)

    def run_epoch(
        self,
        members: Member,
        states: Any,
        population: Population,
        keys: Array,
        epoch: Array,
        data: Any,
    ) -> tuple[Member, Any, dict[str, Array]]:
        def update(member: Member, step: Array, rate: Array, batch: Any) -> tuple[Member, Array]:
            return train_step(self.task, self.optimizer, member, step, rate, batch)

        def measure(parameters: Any) -> dict[str, Array]:
            return evaluate(self.task, parameters, data)

        # All schedules of a seed share a batch: mapped over schedules it stays one array, and the
        # first layer of all of them is one large matrix product.
        over_schedules = jax.vmap(update, in_axes=(0, None, 0, None))
        rates = 0 if population.has_state else None
        over_members = jax.vmap(over_schedules, in_axes=(0, None, rates, 0))
        orders = jax.vmap(lambda key: epoch_order(key, epoch, data, self.batch_size), out_axes=1)
        members, history = train_epoch(
            over_members,
            jax.vmap(jax.vmap(measure)),
            lambda step: learning_rates(population, states, step),
            members,
            epoch * self.steps_per_epoch,
            orders(keys),
            data,
        )
        shape = members.diverged_at.shape
        history = {name: jnp.broadcast_to(v, shape) for name, v in history.items()}
        states = jax.vmap(population.update)(states, monitored(history, self.monitor))
        return members, states, {name: values.T for name, values in history.items()}
