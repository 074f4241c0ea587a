"""Training a population: every schedule with every seed, block by block, one program for all."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxdecay.data import Data, not_finite
from jaxdecay.population import Population
from jaxdecay.results.provenance import machine, versions
from jaxdecay.results.result import SweepResult
from jaxdecay.spelling import counted
from jaxdecay.training.about import CheckpointError
from jaxdecay.training.block import Blocks
from jaxdecay.training.block_size import fastest_block
from jaxdecay.training.checkpoint import Checkpoints, Snapshot, Writer
from jaxdecay.training.checks import check_settings_of_jax, check_training
from jaxdecay.training.config import SweepConfig, options_of
from jaxdecay.training.devices import member_mesh, own_devices
from jaxdecay.training.differences import check_same
from jaxdecay.training.identity import identity
from jaxdecay.training.limits import check_limits
from jaxdecay.training.plan import Plan, even_block, full_plan
from jaxdecay.training.processes import agreed, any_of, together
from jaxdecay.training.program import Program
from jaxdecay.training.state import (
    SweepState,
    compact,
    final_rates,
    part,
    rates_of_epoch,
    restore,
    run_epoch,
    snapshot,
    start,
    untrained,
)
from jaxdecay.training.task import Task
from jaxdecay.training.train import check_mode, resolved_for_run, steps_per_epoch

_log = logging.getLogger("jaxdecay")


@options_of(SweepConfig)
def sweep(task: Task, population: Population, config: SweepConfig) -> SweepResult:
    """Trains every schedule of a population with every seed, on all devices of this process.

    With the same seed, all schedules start from the same weights and see the same batches in the
    same order, so that they can be compared in pairs. Members are trained in blocks of one shape,
    so one program trains any number of them. N members, in blocks of B on D devices, need about

        N · (parameters and optimizer state) + D · B · 3 · parameters + S · 4 · steps per epoch

    bytes (N rounded up to a multiple of D · B) for themselves, the gradients of the blocks in
    training, and the table of learning rates. Each device also stores the data.

    On a CPU, training is faster if each core is a JAX device that trains its own blocks. Set this
    before you use JAX, here for 8 cores: `jax.config.update("jax_num_cpu_devices", 8)`. The command
    line does so itself.

    Args:
        task: the networks to train, and the data.
        population: S schedules.
        **options: the fields of `jaxdecay.SweepConfig`, each by its name: optimizer, epochs,
            batch_size, seeds, checkpoints, …

    Returns:
        A `SweepResult`.

    Raises:
        TypeError: `population` is not a `Population`, `optimizer` is not a function, or a function
            of the task returns the wrong type.
        ValueError: `epochs`, `batch_size`, `seeds`, `seed` or `block` is out of range; `monitor`
            is not in the history; inputs and labels do not match; the loss is not one float;
            metrics are not declared or need the complete test set; the optimizer needs more than
            a step provides; memory or disk space is too small; the checkpoints belong to another
            sweep (for example because a function of the task, the optimizer or a decay of your own
            changed); with checkpoints or several processes, a function contains something that
            cannot be compared, such as a lock; or the processes were given different arguments.
        CheckpointError: checkpoints cannot be written or read. If all epochs were trained, its
            `result` is what the sweep would have returned.
        ProcessError: another process of the sweep has failed or ended.

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
    with together():
        check_arguments(task, population, config)
        steps = steps_per_epoch(task.data, config.epochs, config.batch_size)
        check_training(task, config.optimizer, task.data, config.batch_size)
    _warn_of_not_finite(task.data)
    started = time.perf_counter()
    program, plan, about = prepared(task, population, config, steps)
    saved = None if config.checkpoints is None else config.checkpoints.restore(plan.mine)
    done = 0 if saved is None else saved.epochs
    _check_done(done, config.epochs)
    if done < config.epochs:
        program.compile()
    compiled = time.perf_counter()
    seconds_before = 0.0 if saved is None else saved.run_seconds
    plan, state = _restored(program, plan, saved)
    del saved  # frees its memory
    fault: CheckpointError | None = None
    try:
        with _writer(config.checkpoints, about, plan.block, done) as writer:
            progress = _Progress(plan, config, done)
            for epoch in range(done, config.epochs):
                rates = rates_of_epoch(program, state)
                parted = part(program, plan, rates)
                if epoch == 0:
                    plan, state = parted, start(program, parted, state, rates)
                plan, state = compact(program, plan, state, parted)
                state = run_epoch(program, plan, state, rates, progress.add)
                stop = any_of(_should_stop(config, state))
                if writer is not None and (stop or writer.is_due(epoch + 1, config.epochs)):
                    writer.wait()
                    seconds = seconds_before + time.perf_counter() - compiled
                    writer.save(snapshot(program, plan, state, seconds))
                if config.callback is not None:
                    config.callback(epoch, state.epoch(epoch))
                if stop:
                    break
    except CheckpointError as error:
        if state.epochs < config.epochs:
            raise
        fault = error  # all is trained, so nobody loses the result
    seconds = seconds_before + time.perf_counter() - compiled
    result = _result(program, plan, state, compile_seconds=compiled - started, run_seconds=seconds)
    if fault is not None:
        fault.result = result
        raise fault
    return result


def _warn_of_not_finite(data: Data) -> None:
    """Logs where the data have NaN or infinity, which the loss of a task may ignore, or not."""
    if names := not_finite(data):
        _log.warning(
            "%s: numbers in %s are NaN or infinite; if the loss uses them, members diverge "
            "whatever their learning rate",
            *(data.name, " and ".join(names)),
        )


def prepared(
    task: Task, population: Population, config: SweepConfig, steps: int
) -> tuple[Program, Plan, Mapping[str, Any]]:
    """The program of a sweep, its plan, and its identity for checkpoints.

    Raises:
        ValueError: memory or disk space is too small, or the folder contains the checkpoints of
            another sweep.
    """
    with together():
        population = resolved_for_run(
            population, task, config.optimizer, steps, config.epochs, config.batch_size
        )
        blocks = Blocks(task, config, member_mesh())
        schedules, checkpoints = len(population), config.checkpoints
        processes = jax.process_count()
        share = math.ceil(schedules * config.seeds / processes)
        # Checked first for blocks of one member: a plan of millions of members itself needs memory.
        check_limits(blocks, share, 1, steps, min(share, schedules))
        is_compared = checkpoints is not None or processes > 1
        about = identity(blocks, population) if is_compared else {}
    check_same({**config.to_dict(), "checkpoints": _comparable(checkpoints), **about})
    with together():
        block = _block(blocks, schedules, about)
    plan = full_plan(
        schedules=schedules,
        seeds=config.seeds,
        block=agreed(block),
        devices=jax.device_count(),
        own=own_devices(),
    )
    with together():
        check_limits(blocks, plan.most_members, plan.block, steps, len(plan.schedules))
    return Program(blocks, population, steps, plan.shape, plan.schedules), plan, about


def _comparable(checkpoints: Checkpoints | None) -> dict[str, Any] | None:
    """Where and how often checkpoints are stored, as the processes compare it."""
    if checkpoints is None:
        return None
    return {**vars(checkpoints), "folder": str(Path(checkpoints.folder).resolve())}


def _block(blocks: Blocks, schedules: int, about: Mapping[str, Any]) -> int:
    """The block size: the requested one, the stored one, or the fastest."""
    config = blocks.config
    stored = None if config.checkpoints is None else config.checkpoints.block(about)
    block = stored if config.block is None else config.block
    if block is None:
        share = math.ceil(
            schedules * config.seeds / jax.device_count()
        )  # so that no device is idle
        fastest = fastest_block(blocks, members=share)
        block = even_block(schedules, config.seeds, fastest, jax.device_count())
    return block


def _restored(program: Program, plan: Plan, saved: Snapshot | None) -> tuple[Plan, SweepState]:
    """The plan and the state with which training begins; calls `callback` for earlier epochs."""
    config, state = program.config, untrained(program)
    if saved is None:
        return plan, state
    plan, state = restore(program, plan, saved, members=saved.epochs < config.epochs)
    if config.callback is not None:
        for epoch in range(saved.epochs):
            config.callback(epoch, state.epoch(epoch))
    return plan, state


def _should_stop(config: SweepConfig, state: SweepState) -> bool:
    all_lost = config.stop_diverged and bool((state.diverged_at >= 0).all())
    return all_lost or (config.should_stop is not None and config.should_stop())


def _check_done(done: int, epochs: int) -> None:
    if done > epochs:
        raise ValueError(
            f"the checkpoints already contain {counted(done, 'epoch')}, got epochs={epochs}; "
            f"give at least epochs={done}"
        )


class _Progress:
    """Counts the member-epochs that this process has trained, for `progress`."""

    def __init__(self, plan: Plan, config: SweepConfig, done: int) -> None:
        members = int(plan.mine.sum())
        self._done, self._total = members * done, members * config.epochs
        self._show = config.progress if done < config.epochs else None
        self.add(0)

    def add(self, members: int) -> None:
        """Counts one epoch of some members."""
        self._done += members
        if self._show is not None:
            self._show(self._done, self._total)


@contextlib.contextmanager
def _writer(
    checkpoints: Checkpoints | None, about: Mapping[str, Any], block: int, done: int
) -> Iterator[Writer | None]:
    if checkpoints is None:
        yield None
        return
    with checkpoints.writer(about, block, done) as writer:
        yield writer


def _result(program: Program, plan: Plan, state: SweepState, **seconds: float) -> SweepResult:
    """The result of the completed epochs."""
    task, population, config = program.task, program.population, program.config
    return SweepResult(
        population=population,
        seeds=config.all_seeds,
        history=state.history,
        diverged_at=state.diverged_at,
        final_learning_rate=final_rates(program, state),
        settings={
            "data": task.data.name,
            "test_examples": int(np.shape(task.data.test_labels)[0]),
            **config.to_dict(),
            "block": plan.block,
            "devices": jax.device_count(),
        },
        steps=state.epochs * program.steps,
        member_steps=state.member_steps,
        machine=machine(),
        versions=versions(),
        measures=tuple(task.measures),
        ranks_by=task.ranks_by,
        **seconds,
    )


def check_arguments(task: Any, population: Any, config: SweepConfig) -> None:
    """Raises a TypeError or ValueError for arguments that `sweep` does not take."""
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
    check_settings_of_jax()
    for group in population.groups:
        check_mode(task, group, config.monitor)
