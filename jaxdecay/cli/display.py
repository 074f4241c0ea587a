"""What a sweep tells while it runs: a bar in a terminal, lines elsewhere, JSON, or nothing."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Display:
    """Keeps count of how far a sweep is, and shows nothing.

    Its methods `trained` and `add_epoch` are the `progress` and the `callback` of `jaxdecay.sweep`.

    Args:
        members: schedules × seeds.
        epochs: of all.
        steps: of each member in an epoch.
        metric: the name in the history of what ranks schedules.
        larger_is_better: its direction.
    """

    def __init__(
        self, members: int, epochs: int, steps: int, metric: str, larger_is_better: bool
    ) -> None:
        self.metric = metric
        self.larger_is_better = larger_is_better
        self.members = members
        self.epochs = epochs
        self.epoch = 0
        self.diverged = 0
        self.best: float | None = None
        self._steps = steps
        self._began: float | None = None
        self._before = self._done = self._total = 0

    def shown(self) -> contextlib.AbstractContextManager[Any]:
        """While this is entered, it may be on a screen."""
        return contextlib.nullcontext()

    def trained(self, done: int, total: int) -> None:
        """Counts epochs of single members; the first time, those that were done before."""
        if self._began is None:
            self._began, self._before = time.perf_counter(), done
        self._done, self._total = done, total
        self.show()

    def add_epoch(self, epoch: int, history: Mapping[str, np.ndarray]) -> None:
        """Counts an epoch that was trained, or was kept by a checkpoint: its history [S, K]."""
        means = history[self.metric].mean(axis=1)
        means = means[np.isfinite(means)]
        best = np.max if self.larger_is_better else np.min
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
        return (self._done - self._before) * self._steps / seconds

    @property
    def seconds_left(self) -> float | None:
        """If it goes on like that; None as long as there is nothing to go by."""
        speed = self.member_steps_per_second
        return (self._total - self._done) * self._steps / speed if speed > 0 else None

    def show(self) -> None:
        """Called after each round of blocks."""

    def show_epoch(self) -> None:
        """Called after each epoch that was trained."""

    def _words(self) -> str:
        """The state of an epoch in words."""
        name = self.metric.removeprefix("test_").replace("_", " ")
        best = "none left" if self.best is None else f"best {name} {self.best:.4f}"
        lost = f", {self.diverged:,} diverged" if self.diverged else ""
        return f"epoch {self.epoch}/{self.epochs}, {best}{lost}"


class Bar(Display):
    """One line in a terminal that changes in its place."""

    def __init__(
        self, members: int, epochs: int, steps: int, metric: str, larger_is_better: bool
    ) -> None:
        super().__init__(members, epochs, steps, metric, larger_is_better)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("compiling", total=None, speed="")

    def shown(self) -> contextlib.AbstractContextManager[Any]:
        """The line is drawn, and stays where it is in the end."""
        return self._bar

    def show(self) -> None:
        """Moves the bar."""
        speed = self.member_steps_per_second
        self._bar.update(
            self._task,
            description=self._words() if self.epoch else "training",
            completed=self._done,
            total=self._total,
            speed=f"{speed:,.0f} member-steps/s" if speed else "",
        )

    show_epoch = show


class Lines(Display):
    """A line for each epoch, without control characters: for files and logs."""

    def show_epoch(self) -> None:
        """Prints the line."""
        words = [self._words()]
        if self.seconds_left is not None:
            words.append(f"{self.member_steps_per_second:,.0f} member-steps/s")
            words.append(f"{datetime.timedelta(seconds=round(self.seconds_left))} left")
        print(*words, sep=", ", flush=True)


class JsonLines(Display):
    """A line of JSON for each epoch, for programs."""

    def show_epoch(self) -> None:
        """Prints the line."""
        print_json(
            event="epoch",
            epoch=self.epoch,
            epochs=self.epochs,
            members=self.members,
            diverged=self.diverged,
            **{f"best_{self.metric}": self.best},
            member_steps_per_second=round(self.member_steps_per_second, 1),
            seconds_left=None if self.seconds_left is None else round(self.seconds_left, 1),
        )


def for_people() -> type[Display]:
    """A bar in a terminal, lines where the output goes elsewhere."""
    return Bar if Console().is_terminal else Lines


def print_json(**values: Any) -> None:
    """Prints one line of JSON."""
    print(json.dumps(values, allow_nan=False), flush=True)
