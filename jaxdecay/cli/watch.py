"""Following a sweep that another process trains, perhaps on another machine, from its files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import typer

from jaxdecay.cli.display import RESUME, Display, SweepSize
from jaxdecay.cli.folders import is_written
from jaxdecay.cli.run import Run
from jaxdecay.report import REPORT
from jaxdecay.results.files import HISTORY, are_complete, read_history, read_target
from jaxdecay.results.metric import ACCURACY
from jaxdecay.results.sealed import DamagedError

SECONDS = 1.0
"""Between two looks at the files."""


def watch(folder: Path, decays: Path | None, display: Display) -> None:
    """Shows the progress of a sweep until its results are complete, and then these."""
    run = Run.read(folder)
    run.import_decays(folder, decays)
    size = SweepSize(
        schedules=len(run.schedules),
        seeds=run.config.seeds,
        epochs=run.config.epochs,
        steps=run.steps,
        batch_size=run.config.batch_size,
        data=run.data,
        metric=f"test_{ACCURACY.name}",
        larger_is_better=ACCURACY.larger_is_better,
    )
    with display.running(size):
        _follow(run, folder, display)
    display.has_result(run.result(folder), run, folder, read_target(folder))
    if (folder / REPORT).exists():  # it comes after the results
        display.has_written(folder)


def _follow(run: Run, folder: Path, display: Display) -> None:
    size, shown = display.size, None
    total = size.members * size.epochs
    for history in _histories(run, folder, display):
        done = len(history["learning_rate"])
        if shown is None:  # how long these took is unknown
            shown = done
            display.add_epoch(done - 1, _epoch(history, done - 1))
            display.trained(size.members * done, total)
        shown = min(shown, done)  # it was stopped, and resumed from an earlier epoch
        for epoch in range(shown, done):
            display.trained(size.members * (epoch + 1), total)
            display.add_epoch(epoch, _epoch(history, epoch))
        shown = done


def _histories(run: Run, folder: Path, display: Display) -> Iterator[dict[str, np.ndarray]]:
    """The history each time that it has grown, until the sweep has ended."""
    path, seen, has_warned = folder / HISTORY, None, False
    while True:
        complete = are_complete(folder)  # asked first: what was written before is read below
        changed = None
        with contextlib.suppress(FileNotFoundError):  # not yet, or about to be replaced
            changed = path.stat().st_mtime_ns
            if changed != seen:
                history = read_history(
                    folder, len(run.schedules), run.config.seeds, grows=not complete
                )
                if display.size.metric not in history:
                    raise DamagedError(f"{path} is damaged: it lacks {display.size.metric}")
                yield history
        if complete:
            return
        if changed == seen and not has_warned:
            has_warned = _warns_of_no_writer(run, folder, display.epoch)
        seen = changed
        time.sleep(SECONDS)


def _warns_of_no_writer(run: Run, folder: Path, done: int) -> bool:
    """Whether the sweep seems to have stopped, which is then printed."""
    if is_written(folder) or are_complete(folder):
        return False
    typer.echo(
        f"note: no sweep on this machine is writing into {folder}; {done} of "
        f"{run.config.epochs} epochs are done. If it was stopped, resume it: "
        f"{run.command(RESUME, folder)}",
        err=True,
    )
    return True


def _epoch(history: dict[str, np.ndarray], epoch: int) -> dict[str, np.ndarray]:
    return {name: values[epoch] for name, values in history.items()}
