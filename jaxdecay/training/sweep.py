"""Training a population: every schedule with every seed, block by block, one program for all."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxdecay.machine import machine, versions
from jaxdecay.population import Population
from jaxdecay.training.block import (
    Program,
    Rounds,
    arrange,
    even_block,
    member_mesh,
    own_devices,
)
from jaxdecay.training.block_size import fastest_block
from jaxdecay.training.checkpoint import (
    CheckpointError,
    Checkpoints,
    Snapshot,
    Writer,
    packed,
    unpacked,
)
from jaxdecay.training.checks import check_training
from jaxdecay.training.identity import identity
from jaxdecay.training.limits import bytes_of, check_limits
from jaxdecay.training.optimizers import Optimizer, name_of
from jaxdecay.training.processes import agreed, all_equal, any_of, exchanged
from jaxdecay.training.result import SweepResult
from jaxdecay.training.task import Task
from jaxdecay.training.train import (
    check_integers,
    check_mode,
    clock_of,
    monitored,
    resolved_for_run,
    steps_per_epoch,
)


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
    checkpoints: Checkpoints | None = None,
    stop_diverged: bool = False,
    should_stop: Callable[[], bool] | None = None,
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
        optimizer: makes an Optax optimizer from a learning rate. Schedules count its updates,
            which are fewer than batches where `optax.MultiSteps` accumulates gradients.
        epochs: passes through the training data, at least 1.
        batch_size: examples a step.
        seeds: K, how many seeds, at least 1.
        seed: the first of them; the others follow.
        monitor: the name in the history that schedules with state follow: after each epoch each
            member's schedule sees the member's own value. Where larger is better, as the task
            declares of "test_accuracy", the schedule needs `mode="max"`.
        block: the most members that one device trains at the same time, at least 1. None for up
            to 8 on a CPU and up to 64 elsewhere; where a device's share is more than 64, for the
            number that a short measurement finds to be the fastest on this machine, which is then
            remembered. It changes results by rounding errors only.
        precision: of matrix products, as of `jax.default_matmul_precision`: "default" (the
            fastest that the device has), "float32" and others.
        checkpoints: where the sweep is kept at the ends of epochs. Called again with the same
            arguments, it goes on from there, and finds what it would have found without a break:
            the same numbers to the last bit with the same block on devices of the same kind,
            whatever their number. More `epochs` than before are possible; schedules keep their
            lengths.
        stop_diverged: whether to stop when no member is left that has not diverged.
        should_stop: asked after each epoch, on all processes; where it is true on one, all stop
            there. The result then has fewer epochs.
        callback: called after each epoch, counted from 0, with its history: arrays [S, K]; of a
            sweep that goes on, first with the epochs that are done.
        progress: called when training begins and after each round of blocks with the number of
            epochs of single members that are done, and of all of them.

    Returns:
        A `SweepResult`.

    Raises:
        TypeError: `population` is not a `Population`, `optimizer` not a function of the rate, or
            a function of the task returns something else than it must.
        ValueError: `epochs`, `batch_size`, `seeds`, `seed` or `block` out of range, a `monitor`
            that is not in the history, inputs and labels that do not fit each other, a loss that
            is not one float, metrics that are not declared or need the complete test set, an
            optimizer that needs more than a step has, more members than memory or disk hold,
            checkpoints of another sweep (also if a function of the task, the optimizer or an own
            decay was edited), or checkpoints of one whose functions hold what cannot be
            compared, such as a lock.
        CheckpointError: checkpoints cannot be written or read.
        ProcessError: another process of the sweep has ended.

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
    check_arguments(task, population, optimizer, seeds, seed, monitor, block)
    steps = steps_per_epoch(task.data, epochs, batch_size)
    check_training(task, optimizer, task.data, batch_size)
    population = resolved_for_run(population, task, optimizer, steps, epochs, batch_size)
    started = time.perf_counter()
    program = Program(task, optimizer, batch_size, precision, member_mesh())
    share = math.ceil(len(population) * seeds / jax.process_count())
    # Now with blocks of one, as to put millions of members into blocks takes memory of its own.
    check_limits(program, share, 1, steps, len(population), checkpoints)
    numbers = tuple(range(seed, seed + seeds))
    about = {} if checkpoints is None else identity(program, population, numbers, monitor)
    rounds = _arranged(program, len(population), seeds, block, checkpoints, about)
    members = rounds.real.size
    check_limits(program, members, rounds.block, steps, len(population), checkpoints)
    training = _Training(program, population, numbers, rounds, steps, monitor)
    saved = None if checkpoints is None else checkpoints.restore(training.mine)
    done = 0 if saved is None else saved.epochs
    if not all_equal(done):
        raise CheckpointError("the processes read checkpoints of different epochs; try again")
    if done > epochs:
        raise ValueError(f"{done} epochs are done already, got epochs={epochs}; ask for as many")
    if done < epochs:
        training.compile()
    compiled = time.perf_counter()
    if saved is None:
        training.init()
    else:
        training.resume(saved)
        del saved  # its memory
    if callback is not None:
        for epoch, history in enumerate(training.history):
            callback(epoch, history)
    with _writer(checkpoints, about, rounds.block, done) as writer:
        if progress is not None and done < epochs:
            members = int(training.mine.sum())
            progress(members * done, members * epochs)
        for epoch in range(done, epochs):
            history = training.run_epoch(epoch, epochs, progress)
            all_lost = stop_diverged and bool((training.diverged_at >= 0).all())
            stop = any_of(should_stop is not None and should_stop()) or all_lost
            if writer is not None and (stop or writer.is_due(epoch + 1, epochs)):
                writer.wait()
                writer.save(training.snapshot(time.perf_counter() - compiled))
            if callback is not None:
                callback(epoch, history)
            if stop:
                break
    return training.result(
        {
            "data": task.data.name,
            "test_examples": int(np.shape(task.data.test_labels)[0]),
            "optimizer": name_of(optimizer),
            "epochs": epochs,
            "batch_size": batch_size,
            "seeds": seeds,
            "seed": seed,
            "block": rounds.block,
            "devices": jax.device_count(),
            "precision": precision,
            **({"monitor": monitor} if population.is_adaptive else {}),
        },
        compile_seconds=compiled - started,
        run_seconds=time.perf_counter() - compiled,
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
        self.seeds = tuple(seeds)
        self.rounds = rounds
        self.steps = steps
        self.monitor = monitor
        self.history: list[dict[str, np.ndarray]] = []
        self.diverged_at = np.full((len(population), len(seeds)), -1, np.int32)
        self.mine = np.zeros(self.diverged_at.shape, bool)
        for index, real in enumerate(rounds.real):
            self._put(index, self.mine, real)
        self._seconds_before = 0.0
        self._data = program.everywhere(program.task.data)
        keys = jnp.stack([jax.random.key(number) for number in seeds])
        self._keys = [program.by_device(keys[each]) for each in rounds.seeds]
        self._states = jax.vmap(lambda key: population.init_states())(keys)
        clock = clock_of(program.task, program.optimizer, steps)
        self._counts = [clock.start]  # before each epoch
        self._count = jax.jit(clock.epoch)
        self._members: list[Any] = []
        self._rates_at = jax.jit(_learning_rates)
        self._follow = jax.jit(jax.vmap(population.update_states))

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
        # One member: without the axes of devices, seeds and schedules.
        self._like = jax.tree.map(
            lambda each: jax.ShapeDtypeStruct(each.shape[3:], each.dtype), members
        )
        arguments = members, rates, keys, self._epoch(0), self._data
        monitored(jax.eval_shape(self.program.run_epoch, *arguments)[1], self.monitor)
        self._run = self.program.compile(self.program.run_epoch, *arguments, donate_argnums=0)

    def init(self) -> None:
        """Members before their first step."""
        first = self.learning_rates(0)
        for index, keys in enumerate(self._keys):
            self._members.append(self._init(self._rates(index, first)[:, 0], keys))

    def resume(self, saved: Snapshot) -> None:
        """Members as they were at the end of an epoch, and the results until then."""
        self.diverged_at = saved.diverged_at
        self._seconds_before = saved.run_seconds
        for epoch in range(saved.epochs):
            self._follow_metrics({name: each[epoch] for name, each in saved.history.items()})
        if not hasattr(self, "_run"):
            return  # all epochs are done
        row = np.zeros(self.mine.shape, int)  # where a block is filled up, any member will do
        row[*saved.places.T] = np.arange(len(saved.places))
        like, structure = jax.tree.flatten(self._like)
        kept = saved.members
        if not len(kept):  # all that this process trains are copies of another's members
            kept = np.zeros((1, bytes_of(like)), np.uint8)
        for index in range(len(self._keys)):
            rows = row[self.rounds.places(index)]
            leaves = unpacked(kept[rows.ravel()], jax.eval_shape(_without_keys, like))
            leaves = [leaf.reshape(*rows.shape, *leaf.shape[1:]) for leaf in leaves]
            leaves = _with_keys(leaves, like)
            self._members.append(self.program.by_device(structure.unflatten(leaves)))

    def snapshot(self, seconds: float) -> Snapshot:
        """What a checkpoint keeps, after `seconds` of this process."""
        reals = self.rounds.real
        ends = np.cumsum(reals.sum(axis=(1, 2, 3)))
        places = np.empty((ends[-1], 2), np.int32)
        rows = np.empty((ends[-1], bytes_of(self._like)), np.uint8)
        for index, (members, real, end) in enumerate(zip(self._members, reals, ends, strict=True)):
            its = slice(end - real.sum(), end)
            places[its] = np.stack([each[real] for each in self.rounds.places(index)], axis=1)
            leaves = _without_keys(jax.tree.leaves(members))
            rows[its] = packed([np.asarray(leaf)[real] for leaf in leaves])
        return Snapshot(
            places=places,
            members=rows,
            history=self._whole_history(),
            diverged_at=self.diverged_at.copy(),
            run_seconds=self._seconds_before + seconds,
        )

    def run_epoch(
        self,
        epoch: int,
        epochs: int,
        progress: Callable[[int, int], None] | None,
    ) -> dict[str, np.ndarray]:
        """Trains all members for an epoch, round by round; its history, arrays [S, K]."""
        table = self.learning_rates(epoch)
        found: dict[str, np.ndarray] = {}
        diverged_at = self.diverged_at.copy()
        members = int(self.mine.sum())
        for index, (keys, real) in enumerate(zip(self._keys, self.rounds.real, strict=True)):
            self._members[index], history = self._run(
                self._members[index],
                self._rates(index, table),
                keys,
                self._epoch(epoch),
                self._data,
            )
            history, diverged = jax.device_get((history, self._members[index].diverged_at))
            for name, values in history.items():
                empty = np.zeros(self.mine.shape, values.dtype)
                self._put(index, found.setdefault(name, empty), values)
            self._put(index, diverged_at, diverged)
            if progress is not None:
                before = members * epoch + self.rounds.real[:index].sum()
                progress(int(before + real.sum()), members * epochs)
        found = exchanged({**found, "diverged_at": diverged_at}, self.mine)
        self.diverged_at = found.pop("diverged_at")
        self._follow_metrics(found)
        return found

    def result(
        self, settings: Mapping[str, Any], compile_seconds: float, run_seconds: float
    ) -> SweepResult:
        """What was found in the epochs that are done."""
        final_rates = self.learning_rates(len(self.history))[..., 0]
        shape = len(self.seeds), len(self.population)
        return SweepResult(
            population=self.population,
            seeds=self.seeds,
            history=self._whole_history(),
            diverged_at=self.diverged_at,
            final_learning_rate=np.broadcast_to(final_rates, shape).T,
            settings=settings,
            steps=len(self.history) * self.steps,
            compile_seconds=compile_seconds,
            run_seconds=self._seconds_before + run_seconds,
            machine=machine(),
            versions=versions(),
            measures=tuple(self.program.task.measures),
            ranks_by=self.program.task.ranks_by,
        )

    def learning_rates(self, epoch: int) -> np.ndarray:
        """Those of an epoch, [S, steps], or [K, S, steps] where states make members differ."""
        states = self._states if self.population.is_adaptive else None
        return np.asarray(self._rates_at(self.population, states, self._updates(epoch)))

    def _updates(self, epoch: int) -> Array:
        """How many updates are done before each batch of an epoch, [steps]."""
        while len(self._counts) <= epoch:
            self._counts.append(self._count(self._counts[-1])[0])
        return self._count(self._counts[epoch])[1]

    def _rates(self, index: int, table: np.ndarray) -> Array:
        """Learning rates [D, steps, k, s] of a round."""
        seeds, schedules = self.rounds.seeds[index], self.rounds.schedules[index]
        if self.population.is_adaptive:
            rates = table[seeds[:, :, None], schedules[:, None, :]]
        else:
            rates = np.repeat(table[schedules][:, None], seeds.shape[1], axis=1)
        return self.program.by_device(np.moveaxis(rates, -1, 1))

    def _follow_metrics(self, found: dict[str, np.ndarray]) -> None:
        """Adds an epoch to the history, and shows it to the schedules that follow a metric.

        Their states are what the metrics until now make of them, so no checkpoint needs them.
        """
        if self.population.is_adaptive:
            self._states = self._follow(self._states, monitored(found, self.monitor).T)
        self.history.append(found)

    def _whole_history(self) -> dict[str, np.ndarray]:
        return {name: np.stack([each[name] for each in self.history]) for name in self.history[0]}

    def _put(self, index: int, whole: np.ndarray, values: np.ndarray) -> None:
        """Puts what a round found, [D, k, s], in its places, [S, K]."""
        real = self.rounds.real[index]
        schedules, seeds = self.rounds.places(index)
        whole[schedules[real], seeds[real]] = values[real]

    def _epoch(self, epoch: int) -> Array:
        return self.program.everywhere(jnp.asarray(epoch))


def _arranged(
    program: Program,
    schedules: int,
    seeds: int,
    block: int | None,
    checkpoints: Checkpoints | None,
    about: Mapping[str, Any],
) -> Rounds:
    """This process's blocks: of the size that was asked for, or is kept, or is the fastest."""
    if checkpoints is not None:
        kept = checkpoints.block(about)
        block = kept if block is None else block
    if block is None:
        share = math.ceil(schedules * seeds / jax.device_count())  # no device stays idle
        fastest = fastest_block(program, members=share)
        block = even_block(schedules, seeds, fastest, jax.device_count())
    rounds = arrange(schedules, seeds, agreed(block), jax.device_count())
    return rounds.of_devices(own_devices())


@contextlib.contextmanager
def _writer(
    checkpoints: Checkpoints | None, about: Mapping[str, Any], block: int, done: int
) -> Iterator[Writer | None]:
    if checkpoints is None:
        yield None
        return
    with checkpoints.writer(about, block, done) as writer:
        yield writer


def _without_keys(leaves: list[Any]) -> list[Any]:
    """Arrays of numbers instead of JAX's random keys, which some optimizers have in their state."""
    return [jax.random.key_data(leaf) if _is_key(leaf) else leaf for leaf in leaves]


def _with_keys(leaves: list[Any], like: list[Any]) -> list[Any]:
    pairs = zip(leaves, like, strict=True)
    return [
        jax.random.wrap_key_data(leaf, dtype=its.dtype) if _is_key(its) else leaf
        for leaf, its in pairs
    ]


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _learning_rates(population: Population, states: Any, steps: Array) -> Array:
    if states is None:
        return population(steps)
    return jax.vmap(population, in_axes=(None, 0))(steps, states)


def check_arguments(
    task: Any,
    population: Any,
    optimizer: Any,
    seeds: int,
    seed: int,
    monitor: str,
    block: int | None,
) -> None:
    """TypeError or ValueError for what `sweep` does not take."""
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
    for group in population.groups:
        check_mode(task, group, monitor)
    check_integers(seeds=seeds, seed=seed, block=1 if block is None else block)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, got {block}; None measures what is fastest")
    if not 0 <= seed <= seed + seeds <= 2**32:
        raise ValueError(f"seeds must be within 0 … 2³²−1, got {seeds} from {seed} on")
