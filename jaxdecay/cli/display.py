"""How a sweep is shown while it runs and when it ends: a bar or lines for people, JSON, or less."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxdecay.cli.ending import print_result
from jaxdecay.cli.run import Run
from jaxdecay.report import REPORT
from jaxdecay.results.files import DIGESTS, NAMES, SWEEP
from jaxdecay.results.result import SweepResult
from jaxdecay.results.sealed import SEAL, read_sealed
from jaxdecay.results.wording import metric_title, number
from jaxdecay.spelling import counted

RESUME = "sweep --resume"


@dataclasses.dataclass(frozen=True)
class SweepSize:
    """What a sweep is about to train.

    Attributes:
        schedules: how many.
        seeds: for each schedule.
        epochs: of all.
        steps: of each member in an epoch.
        batch_size: examples in a step.
        data: name of the data.
        metric: the name in the history of what ranks schedules.
        larger_is_better: its direction.
    """

    schedules: int
    seeds: int
    epochs: int
    steps: int
    batch_size: int
    data: str
    metric: str
    larger_is_better: bool

    @property
    def members(self) -> int:
        """Schedules × seeds."""
        return self.schedules * self.seeds


class Display:
    """Keeps count of a sweep's progress, and shows nothing.

    Its methods `trained` and `add_epoch` are the `progress` and the `callback` of `jaxdecay.sweep`.
    """

    size: SweepSize

    def __init__(self) -> None:
        self.epoch = 0
        self.diverged = 0
        self.best: float | None = None
        self._began: float | None = None
        self._before = self._done = self._total = 0

    def running(self, size: SweepSize) -> contextlib.AbstractContextManager[Any]:
        """Shows what is about to be trained; while entered, shows progress."""
        self.size = size
        with contextlib.suppress(OSError):  # as everything that is shown while training runs
            self.show_size()
        return contextlib.nullcontext()

    def trained(self, done: int, total: int) -> None:
        """Counts epochs of single members; the first time, those that were done before."""
        if self._began is None:
            self._began, self._before = time.perf_counter(), done
        self._done, self._total = done, total
        self.show()

    def add_epoch(self, epoch: int, history: Mapping[str, np.ndarray]) -> None:
        """Counts an epoch, trained now or read from a checkpoint: its history, arrays [S, K]."""
        means = history[self.size.metric].mean(axis=1)
        means = means[np.isfinite(means)]
        best = np.max if self.size.larger_is_better else np.min
        self.epoch = epoch + 1
        self.best = float(best(means)) if means.size else None
        self.diverged = int(np.isnan(history["train_loss"]).sum())
        if self._began is not None:
            self.show_epoch()

    @property
    def member_steps_per_second(self) -> float:
        """Updates of single networks in a second by this process, tests included."""
        if self._began is None or self._done == self._before:
            return 0.0
        seconds = time.perf_counter() - self._began
        return (self._done - self._before) * self.size.steps / seconds

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the speed so far; None before there is one."""
        speed = self.member_steps_per_second
        return (self._total - self._done) * self.size.steps / speed if speed > 0 else None

    def show_size(self) -> None:
        """Called before training begins."""

    def show(self) -> None:
        """Called after each round of blocks."""

    def show_epoch(self) -> None:
        """Called after each epoch that was trained."""

    def has_stopped(self, run: Run, folder: Path, done: int) -> None:
        """Called when a sweep was stopped after some of its epochs."""

    def has_result(self, result: SweepResult, run: Run, folder: Path, target: float | None) -> None:
        """Called when the results of a sweep have been stored."""

    def has_written(self, folder: Path) -> None:
        """Called when all files have been written, the report included."""

    def has_finished(self, folder: Path, epochs: int) -> None:
        """Called for a sweep that had ended before."""


class Ending(Display):
    """Only how a sweep ends, for people."""

    def has_stopped(self, run: Run, folder: Path, done: int) -> None:
        """Prints how to resume it."""
        resume = run.command(RESUME, folder)
        typer.echo(f"stopped after epoch {done} of {run.config.epochs}; resume with: {resume}")

    def has_result(self, result: SweepResult, run: Run, folder: Path, target: float | None) -> None:
        """Prints the leaderboard, the best schedule and advice."""
        print_result(result, run, folder, target)

    def has_written(self, folder: Path) -> None:
        """Prints the names of the files."""
        typer.echo(f"Written to {folder}: {', '.join((REPORT, *NAMES))}")

    def has_finished(self, folder: Path, epochs: int) -> None:
        """Prints that nothing is left to train."""
        typer.echo(
            f"The sweep in {folder} is finished ({counted(epochs, 'epoch')}); "
            "more --epochs train it longer"
        )


class Lines(Ending):
    """A line for each epoch, without control characters: for files and logs."""

    def show_size(self) -> None:
        """Prints what is about to be trained."""
        size = self.size
        typer.echo(
            f"{counted(size.schedules, 'schedule')} × {counted(size.seeds, 'seed')} = "
            f"{counted(size.members, 'member')}, {counted(size.epochs, 'epoch')} of {size.data}, "
            f"batch size {size.batch_size}"
        )

    def show_epoch(self) -> None:
        """Prints the line."""
        words = [self.state()]
        if self.seconds_left is not None:
            words.append(f"{self.member_steps_per_second:,.0f} steps/s")
            words.append(f"{datetime.timedelta(seconds=round(self.seconds_left))} left")
        print(*words, sep=", ", flush=True)

    def state(self) -> str:
        """The last epoch in words."""
        name = metric_title(self.size.metric.removeprefix("test_"))
        best = "all members diverged" if self.best is None else f"best {name} {number(self.best)}"
        lost = f", {self.diverged:,} diverged" if self.diverged else ""
        return f"epoch {self.epoch}/{self.size.epochs}, {best}{lost}"


class Bar(Lines):
    """One line in a terminal that changes in its place."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("compiling", total=None, speed="")

    def running(self, size: SweepSize) -> contextlib.AbstractContextManager[Any]:
        """While entered, the line is drawn; it stays in its place at the end."""
        super().running(size)
        return self._bar

    def show(self) -> None:
        """Moves the bar."""
        speed = self.member_steps_per_second
        self._bar.update(
            self._task,
            description=self.state() if self.epoch else "training",
            completed=self._done,
            total=self._total,
            speed=f"{speed:,.0f} steps/s" if speed else "",
        )

    show_epoch = show


class JsonLines(Display):
    """A line of JSON for each epoch and for the end, for programs."""

    def show_epoch(self) -> None:
        """Prints the line."""
        _print_json(
            event="epoch",
            epoch=self.epoch,
            epochs=self.size.epochs,
            members=self.size.members,
            diverged=self.diverged,
            **{f"best_{self.size.metric}": self.best},
            member_steps_per_second=round(self.member_steps_per_second, 1),
            seconds_left=None if self.seconds_left is None else round(self.seconds_left, 1),
        )

    def has_stopped(self, run: Run, folder: Path, done: int) -> None:
        """Prints how to resume it."""
        resume = run.command(RESUME, folder)
        _print_json(event="stopped", epoch=done, epochs=run.config.epochs, resume_with=resume)

    def has_result(self, result: SweepResult, run: Run, folder: Path, target: float | None) -> None:
        """Prints what `sweep.json` holds, without digests."""
        _print_json(event="finished", folder=str(folder), **result.summary(target))

    def has_finished(self, folder: Path, epochs: int) -> None:
        """Prints what `sweep.json` holds, without digests."""
        stored = read_sealed(folder / SWEEP)
        summary = {name: stored[name] for name in stored if name not in (SEAL, DIGESTS)}
        _print_json(event="finished", folder=str(folder), **summary)


def display_for(quiet: bool, as_json: bool) -> Display:
    """What shows a sweep; for people a bar in a terminal, and lines elsewhere.

    Raises:
        ValueError: both are asked for.
    """
    if quiet and as_json:
        raise ValueError("--quiet and --json exclude each other; choose one")
    if as_json:
        return JsonLines()
    if quiet:
        return Ending()
    return Bar() if Console().is_terminal else Lines()


def _print_json(**values: Any) -> None:
    print(json.dumps(values, allow_nan=False), flush=True)
