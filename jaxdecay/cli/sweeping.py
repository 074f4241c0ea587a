"""Runs a sweep of the command line: trains, stores it in its folder, shows how it goes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import typer
from rich.console import Console

import jaxdecay
from jaxdecay.cli.display import RESUME, Display, SweepSize
from jaxdecay.cli.exits import complain, fail, note
from jaxdecay.cli.finishing import finish
from jaxdecay.cli.folders import Output, alone
from jaxdecay.cli.interrupts import Interrupts
from jaxdecay.cli.processes import is_first
from jaxdecay.cli.run import Run
from jaxdecay.results.files import CHECKPOINTS, RUN
from jaxdecay.results.metric import larger_is_better
from jaxdecay.results.result import SweepResult
from jaxdecay.results.wording import remedy_for_divergence
from jaxdecay.training.about import CheckpointError
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.processes import most_of, together
from jaxdecay.training.sweep import check_arguments
from jaxdecay.training.train import steps_per_epoch

REPORT_BYTES = 2**20
"""About the size of the report of a small sweep; most of it is Plotly."""
MEMBER_BYTES = 512
"""About what a member needs in `members.csv`, `sweep.json` and the report."""
EPOCH_BYTES = 2 * 80
"""About what an epoch of a member needs in `history.csv`, which is written once more at the end."""


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
    first = is_first()
    with contextlib.ExitStack() as until_the_end:
        with together():
            population = run.population()
            check_arguments(task, population, run.config)
            if first:
                until_the_end.enter_context(alone(folder))
        with Interrupts(_show_stopping, lambda: _show_stopped(run, folder)) as interrupts:
            config = dataclasses.replace(
                run.config,
                checkpoints=_checkpoints(run, folder, resume),
                should_stop=lambda: interrupts.number is not None,
            )
            output = Output(run, folder) if first else None
            shown = display if first else Display()
            with _saying_how_to_resume(run, folder):
                result, fault = _sweep(task, population, config, output, shown)
                number = _stopped_by(interrupts.number, result, run)
        code = _end(result, run, folder, display, target) if first else 0
        if fault is not None:
            complain(f"{fault}; all epochs are trained, and the results need no checkpoint")
            code = code or 1
    if number:
        raise typer.Exit(128 + number)
    if code:
        raise typer.Exit(code)
    if result.diverged.all():
        fail(f"every member diverged; {remedy_for_divergence(result.diverged_at)}", code=1)


def _stopped_by(number: int | None, result: SweepResult, run: Run) -> int:
    """The signal that stopped this process, or all through another of them; 0 for none."""
    if result.epochs == run.config.epochs:
        return number or 0
    of_any = most_of(number or 0)
    if of_any and number is None:
        note("stopped, as another process of this sweep was interrupted")
    return of_any


def _checkpoints(run: Run, folder: Path, resume: bool) -> jaxdecay.Checkpoints:
    members = len(run.schedules) * run.config.seeds
    return jaxdecay.Checkpoints(
        folder / CHECKPOINTS,
        every=run.checkpoint_every,
        keep=run.keep,
        anew=not resume,
        reserve=REPORT_BYTES + members * (MEMBER_BYTES + EPOCH_BYTES * run.config.epochs),
    )


def _sweep(
    task: jaxdecay.Task,
    population: jaxdecay.Population,
    config: SweepConfig,
    output: Output | None,
    display: Display,
) -> tuple[SweepResult, CheckpointError | None]:
    """The result, and the error if only the last checkpoint could not be written."""

    def trained(done: int, total: int) -> None:
        if output is not None:
            output.begin()  # the first time, now that nothing more can be refused
        with contextlib.suppress(OSError):  # nobody reads it any more, or its disk is full
            display.trained(done, total)

    def add_epoch(epoch: int, history: Mapping[str, np.ndarray]) -> None:
        if output is not None:
            output.add_epoch(epoch, history)
        with contextlib.suppress(OSError):
            display.add_epoch(epoch, history)

    with display.running(_size_of(task, population, config)):
        shown = dataclasses.replace(config, callback=add_epoch, progress=trained)
        try:
            return jaxdecay.sweep(task, population, **vars(shown)), None
        except CheckpointError as error:
            if error.result is None:
                raise
            return error.result, error


@contextlib.contextmanager
def _saying_how_to_resume(run: Run, folder: Path) -> Iterator[None]:
    """As where the disk is full."""
    try:
        yield
    except OSError:
        if is_first() and (folder / RUN).exists():
            note(f"note: to resume the sweep later, run: {run.command(RESUME, folder)}")
        raise


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


def _end(
    result: SweepResult, run: Run, folder: Path, display: Display, target: float | None
) -> int:
    """Writes and shows what was found, or how to resume; returns the exit code."""
    is_complete = result.epochs == run.config.epochs
    if not is_complete and not (run.config.stop_diverged and result.diverged.all()):
        with contextlib.suppress(OSError):
            display.has_stopped(run, folder, result.epochs)
        return 0
    return finish(result, run, folder, display, target)


def _show_stopping() -> None:
    note("\nstopping after this epoch; interrupt again to stop at once")


def _show_stopped(run: Run, folder: Path) -> None:
    with contextlib.suppress(OSError):
        Console().show_cursor(True)
    resume = run.command(RESUME, folder)
    note(f"\nstopped; to resume from the last checkpoint, run: {resume}")
