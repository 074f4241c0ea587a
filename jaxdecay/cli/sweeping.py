"""Runs a sweep of the command line: trains, stores it in its folder, shows how it goes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import typer
from rich.console import Console

import jaxdecay
from jaxdecay.cli.display import Display, SweepSize
from jaxdecay.cli.exits import fail
from jaxdecay.cli.folders import Output, alone
from jaxdecay.cli.interrupts import Interrupts
from jaxdecay.cli.processes import is_first, meet
from jaxdecay.cli.run import Run
from jaxdecay.results.files import CHECKPOINTS
from jaxdecay.results.metric import larger_is_better
from jaxdecay.results.result import SweepResult
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.sweep import check_arguments
from jaxdecay.training.train import steps_per_epoch


def train(
    run: Run,
    task: jaxdecay.Task,
    folder: Path,
    *,
    resume: bool,
    display: Display,
    target: float | None,
) -> None:
    """Trains what is left of a sweep, and exits with the code that tells how it ended.

    Args:
        run: the settings of the sweep.
        task: what is trained.
        folder: for its files.
        resume: whether to begin with the checkpoints in the folder.
        display: shows it, in the first process.
        target: of the metric that ranks schedules.
    """
    population, first = run.population(), is_first()
    check_arguments(task, population, run.config)
    with alone(folder) if first else contextlib.nullcontext():
        meet()
        with Interrupts(_show_stopping, _show_stopped) as interrupts:
            config = dataclasses.replace(
                run.config,
                checkpoints=jaxdecay.Checkpoints(
                    folder / CHECKPOINTS, every=run.checkpoint_every, keep=run.keep, anew=not resume
                ),
                should_stop=lambda: interrupts.number is not None,
            )
            output = Output(run, folder) if first else None
            shown = display if first else Display()
            result = _sweep(task, population, config, output, shown)
        if first:
            _finish(result, run, folder, display, target)
    if interrupts.number is not None:
        raise typer.Exit(128 + interrupts.number)
    if result.diverged.all():
        fail("every member diverged; try smaller learning rates", code=1)


def _sweep(
    task: jaxdecay.Task,
    population: jaxdecay.Population,
    config: SweepConfig,
    output: Output | None,
    display: Display,
) -> SweepResult:
    def trained(done: int, total: int) -> None:
        if output is not None:
            output.begin()  # the first time, now that nothing more can be refused
        display.trained(done, total)

    def add_epoch(epoch: int, history: Mapping[str, np.ndarray]) -> None:
        if output is not None:
            output.add_epoch(epoch, history)
        display.add_epoch(epoch, history)

    with display.running(_size_of(task, population, config)):
        shown = dataclasses.replace(config, callback=add_epoch, progress=trained)
        return jaxdecay.sweep(task, population, **vars(shown))


def _size_of(
    task: jaxdecay.Task, population: jaxdecay.Population, config: SweepConfig
) -> SweepSize:
    metric = f"test_{task.ranks_by}"
    return SweepSize(
        schedules=len(population),
        seeds=config.seeds,
        epochs=config.epochs,
        steps=steps_per_epoch(task.data, config.epochs, config.batch_size),
        batch_size=config.batch_size,
        data=task.data.name,
        metric=metric,
        larger_is_better=larger_is_better(task.measures)[metric],
    )


def _finish(
    result: SweepResult, run: Run, folder: Path, display: Display, target: float | None
) -> None:
    """Writes and shows what was found, or how to resume."""
    is_complete = result.epochs == run.config.epochs
    if not is_complete and not (run.config.stop_diverged and result.diverged.all()):
        display.has_stopped(run, folder, result.epochs)
        return
    jaxdecay.write_report(result, folder, target=target)
    result.save(folder, overwrite=True, target=target)
    display.has_result(result, run, folder, target)


def _show_stopping() -> None:
    typer.echo("\nstopping after this epoch; interrupt again to stop at once", err=True)


def _show_stopped() -> None:
    Console().show_cursor(True)
    typer.echo("\nstopped; --resume resumes from the last checkpoint", err=True)
