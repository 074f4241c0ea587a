"""Training a population: every schedule with every seed, block by block, one program for all."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxdecay.population import Population
from jaxdecay.schedule import Schedule
from jaxdecay.training.block import Program, Rounds, arrange, member_mesh
from jaxdecay.training.block_size import fastest_block
from jaxdecay.training.task import Task
from jaxdecay.training.train import Optimizer, monitored, steps_per_epoch


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
        compile_seconds: time it took to compile, and to measure blocks where none is known.
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
    block: int | None = None,
    precision: str = "default",
    callback: Callable[[int, Mapping[str, np.ndarray]], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SweepResult:
    """Trains every schedule of a population with every seed, on all devices of this process.

    All schedules of a seed start from the same weights and see the same batches in the same
    order, so that they can be compared in pairs. Members are trained in blocks of one shape, so
    that one program trains any number of them. With B members in a block and D devices, each of
    which holds the data, the N members need about, in bytes,

        N · (parameters and optimizer state) + D · B · 3 · parameters + S · 4 · steps per epoch

    (N rounded up to a multiple of D · B) for themselves, the gradients of the blocks in training,
    and the table of learning rates.

    On a CPU it is faster if each core is a device that trains blocks of its own, which JAX has to
    be told first, say for 8 cores: `jax.config.update("jax_num_cpu_devices", 8)`. The command line
    does so.

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
        block: the most members that one device trains at the same time, at least 1; None for a
            device's share of them, or of more than 32 (more than 64 not on a CPU) the number that
            a short measurement finds to be the fastest on this machine, which is then
            remembered. It changes results by rounding errors only.
        precision: of matrix products, as of `jax.default_matmul_precision`: "default" (the
            fastest that the device has), "float32" and others.
        callback: called after each epoch, counted from 0, with its history: arrays [S, K].
        progress: called after each round of blocks with the number of epochs of single members
            that are done, and of all of them.

    Returns:
        A `SweepResult`.

    Raises:
        TypeError: `population` is not a `Population`, or `optimizer` not a function of the rate.
        ValueError: `epochs`, `batch_size`, `seeds`, `seed` or `block` out of range, a `monitor`
            that is not in the history, or inputs and labels that do not fit each other.

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
    _check_arguments(task, population, optimizer, seeds, seed, monitor, block)
    steps = steps_per_epoch(task.data, epochs, batch_size)
    started = time.perf_counter()
    program = Program(task, optimizer, batch_size, precision, member_mesh())
    if block is None:
        share = math.ceil(len(population) * seeds / program.mesh.size)  # no device stays idle
        block = fastest_block(program, members=share)
    rounds = arrange(len(population), seeds, block, program.mesh.size)
    numbers = tuple(range(seed, seed + seeds))
    training = _Training(program, population, numbers, rounds, steps, monitor)
    training.compile()
    compiled = time.perf_counter()
    training.init()
    for epoch in range(epochs):
        history = training.run_epoch(epoch, epochs, progress)
        if callback is not None:
            callback(epoch, history)
    finished = time.perf_counter()
    final_rates = training.learning_rates(epochs)[..., 0]
    return SweepResult(
        population=population,
        seeds=numbers,
        history={
            name: np.stack([each[name] for each in training.history])
            for name in training.history[0]
        },
        diverged_at=training.diverged_at,
        final_learning_rate=np.broadcast_to(final_rates, (seeds, len(population))).T,
        settings={
            "data": task.data.name,
            "optimizer": getattr(optimizer, "__name__", repr(optimizer)),
            "epochs": epochs,
            "batch_size": batch_size,
            "seeds": seeds,
            "seed": seed,
            "block": rounds.block,
            "devices": program.mesh.size,
            "precision": precision,
            **({"monitor": monitor} if population.has_state else {}),
        },
        steps=epochs * steps,
        compile_seconds=compiled - started,
        run_seconds=finished - compiled,
    )


class _Training:
    """A sweep while it runs: the members of each round, and the states of the schedules."""

    def __init__(
        self,
        program: Program,
        population: Population,
        seeds: Sequence[int],
        rounds: Rounds,
        steps: int,
        monitor: str,
    ) -> None:
        self.program = program
        self.population = population
        self.rounds = rounds
        self.steps = steps
        self.monitor = monitor
        self.history: list[dict[str, np.ndarray]] = []
        self.diverged_at = np.full((len(population), len(seeds)), -1)
        self._data = program.everywhere(program.task.data)
        keys = jnp.stack([jax.random.key(number) for number in seeds])
        self._keys = [program.by_device(keys[each]) for each in rounds.seeds]
        self._states = jax.vmap(lambda key: population.init())(keys)
        self._members: list[Any] = []
        self._rates_at = jax.jit(_learning_rates)
        self._follow = jax.jit(jax.vmap(population.update))

    def compile(self) -> None:
        """Compiles all that a sweep runs, whatever its number of members."""
        keys, rates = self._keys[0], self._rates(0, self.learning_rates(0))
        first = rates[:, 0]
        self._init = self.program.compile(self.program.init, first, keys)
        members = jax.eval_shape(self.program.init, first, keys)
        members = jax.tree.map(
            lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype, sharding=rates.sharding),
            members,
        )
        arguments = members, rates, keys, self._epoch(0), self._data
        monitored(jax.eval_shape(self.program.run_epoch, *arguments)[1], self.monitor)
        self._run = self.program.compile(self.program.run_epoch, *arguments, donate_argnums=0)

    def init(self) -> None:
        """Members before their first step."""
        first = self.learning_rates(0)
        for index, keys in enumerate(self._keys):
            self._members.append(self._init(self._rates(index, first)[:, 0], keys))

    def run_epoch(
        self, epoch: int, epochs: int, progress: Callable[[int, int], None] | None
    ) -> dict[str, np.ndarray]:
        """Trains all members for an epoch, round by round; its history, arrays [S, K]."""
        table = self.learning_rates(epoch)
        found: dict[str, np.ndarray] = {}
        for index, (keys, real) in enumerate(zip(self._keys, self.rounds.real, strict=True)):
            self._members[index], history = self._run(
                self._members[index],
                self._rates(index, table),
                keys,
                self._epoch(epoch),
                self._data,
            )
            history, diverged_at = jax.device_get((history, self._members[index].diverged_at))
            for name, values in history.items():
                self._put(index, found.setdefault(name, self._empty(values.dtype)), values)
            self._put(index, self.diverged_at, diverged_at)
            if progress is not None:
                before = self.diverged_at.size * epoch + self.rounds.real[:index].sum()
                progress(int(before + real.sum()), self.diverged_at.size * epochs)
        if self.population.has_state:
            self._states = self._follow(self._states, monitored(found, self.monitor).T)
        self.history.append(found)
        return found

    def learning_rates(self, epoch: int) -> np.ndarray:
        """Those of an epoch, [S, steps], or [K, S, steps] where states make members differ."""
        states = self._states if self.population.has_state else None
        steps = epoch * self.steps + jnp.arange(self.steps)
        return np.asarray(self._rates_at(self.population, states, steps))

    def _rates(self, index: int, table: np.ndarray) -> Array:
        """Learning rates [D, steps, k, s] of a round."""
        seeds, schedules = self.rounds.seeds[index], self.rounds.schedules[index]
        if self.population.has_state:
            rates = table[seeds[:, :, None], schedules[:, None, :]]
        else:
            rates = np.repeat(table[schedules][:, None], seeds.shape[1], axis=1)
        return self.program.by_device(np.moveaxis(rates, -1, 1))

    def _put(self, index: int, whole: np.ndarray, values: np.ndarray) -> None:
        """Puts what a round found, [D, k, s], in its places, [S, K]."""
        seeds, schedules = self.rounds.seeds[index], self.rounds.schedules[index]
        real = self.rounds.real[index]
        places = np.broadcast_arrays(schedules[:, None, :], seeds[:, :, None])
        whole[places[0][real], places[1][real]] = values[real]

    def _empty(self, dtype: Any) -> np.ndarray:
        return np.zeros(self.diverged_at.shape, dtype)

    def _epoch(self, epoch: int) -> Array:
        return self.program.everywhere(jnp.asarray(epoch))


def _learning_rates(population: Population, states: Any, steps: Array) -> Array:
    if states is None:
        return population(steps)
    return jax.vmap(population, in_axes=(None, 0))(steps, states)


def _check_arguments(
    task: Any,
    population: Any,
    optimizer: Any,
    seeds: int,
    seed: int,
    monitor: str,
    block: int | None,
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
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, got {block}; None measures what is fastest")
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
