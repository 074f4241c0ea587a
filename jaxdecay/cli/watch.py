"""Following a sweep that another process trains, perhaps on another machine, from its files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from jaxdecay.cli.display import Display
from jaxdecay.results.files import are_whole, read_history

SECONDS = 1.0
"""Between two looks."""


def watch(
    folder: Path, display: Display, schedules: int, seeds: int, idle: Callable[[], None]
) -> None:
    """Shows how far the sweep of a folder is, until its results are there.

    Args:
        folder: of the sweep.
        display: what shows it.
        schedules: S of the sweep.
        seeds: K of the sweep.
        idle: called after each look that found nothing new.
    """
    members, told = display.members, None
    total = members * display.epochs
    with display.shown():
        for history in _histories(folder, schedules, seeds, idle):
            done = len(history["learning_rate"])
            if told is None:  # how long these have taken is not known
                told = done
                display.add_epoch(done - 1, _epoch(history, done - 1))
                display.trained(members * done, total)
            told = min(told, done)  # it was stopped, and goes on from an epoch before
            for epoch in range(told, done):
                display.trained(members * (epoch + 1), total)
                display.add_epoch(epoch, _epoch(history, epoch))
            told = done


def _histories(
    folder: Path, schedules: int, seeds: int, idle: Callable[[], None]
) -> Iterator[dict[str, np.ndarray]]:
    """The history each time that it has grown, until the sweep has ended."""
    path, seen = folder / "history.csv", None
    while True:
        whole = are_whole(folder)  # asked first: what was written before that is read below
        changed = None
        with contextlib.suppress(FileNotFoundError):  # not yet, or about to be written anew
            changed = path.stat().st_mtime_ns
            if changed != seen:
                yield read_history(folder, schedules, seeds)
        if whole:
            return
        if changed == seen:
            idle()
        seen = changed
        time.sleep(SECONDS)


def _epoch(history: dict[str, np.ndarray], epoch: int) -> dict[str, np.ndarray]:
    return {name: each[epoch] for name, each in history.items()}
