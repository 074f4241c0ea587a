"""A sweep of the command line: it is trained, and told how far it is and how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

import jaxdecay
from jaxdecay.exits import fail
from jaxdecay.run import Run
from jaxdecay.streams import readable

Tell = Literal["all", "result", "json", "nothing"]
"""What a sweep prints."""


def train(
    run: Run, task: Any, folder: Path, *, goes_on: bool, tell: Tell, target: float | None
) -> None:
    """Trains what is left of a run, keeps it in its folder, and tells how it ended."""
    from jaxdecay.interrupts import Interrupts
    from jaxdecay.report import files
    from jaxdecay.run import alone, is_first, meet
    from jaxdecay.training.sweep import check_arguments

    first = is_first()
    population = run.population()
    check_arguments(task, population, run.config)

    begun = False

    def begin() -> None:
        """The folder is this sweep's from now on; what it held is another's, or fewer epochs."""
        nonlocal begun
        if first and not begun:
            files.remove_results(folder)
            run.write(folder)
        begun = True

    with alone(folder) if first else contextlib.nullcontext():
        meet()
        history = files.HistoryFile(folder)

        def report(epoch: int, found: Any) -> None:
            if not first:
                return
            begin()
            if not (folder / files.RUN).exists():
                raise OSError(f"{folder} was moved or removed; what was in it is where it is now")
            history.add(epoch, found)
            history.write()

        with Interrupts(_say_stopping, _say_stopped) as interrupts:
            result = _run_and_tell(
                tell if first else "nothing",
                task,
                population,
                begin,
                report,
                dataclasses.replace(
                    run.config,
                    checkpoints=jaxdecay.Checkpoints(
                        folder / files.CHECKPOINTS,
                        every=run.checkpoint_every,
                        keep=run.keep,
                        anew=not goes_on,
                    ),
                    should_stop=lambda: interrupts.number is not None,
                ),
            )
        _end(result, run, folder, interrupts.number, tell, target)


def _end(
    result: Any,
    run: Run,
    folder: Path,
    interrupted: int | None,
    tell: Tell,
    target: float | None,
) -> None:
    """Writes and prints what was found, or how to go on; exits with the code that fits."""
    from jaxdecay.report.files import save
    from jaxdecay.run import is_first

    done = len(result.history["train_loss"])
    all_diverged = bool((result.diverged_at >= 0).all())
    if done < run.config.epochs and not (run.config.stop_diverged and all_diverged):
        if is_first():
            _print_stopped(done, run.config.epochs, f"jaxdecay sweep --resume {folder}", tell)
    elif is_first():
        save(result, folder, overwrite=True, target=target)
        print_result(result, run, folder, tell, target)
    if interrupted is not None:
        raise typer.Exit(128 + interrupted)
    if all_diverged:
        fail("every member diverged; try smaller learning rates", code=1)


def _say_stopping() -> None:
    typer.echo("\nstopping after this epoch; once more to stop at once", err=True)


def _say_stopped() -> None:
    Console().show_cursor(True)
    typer.echo("\nstopped; the last whole epoch is kept", err=True)


def _run_and_tell(
    tell: Tell,
    task: Any,
    population: Any,
    begin: Callable[[], None],
    report: Callable[[int, Any], None],
    config: Any,
) -> Any:
    """Trains, and says how far it is."""
    from jaxdecay.report import progress
    from jaxdecay.training.metric import larger_is_better
    from jaxdecay.training.train import steps_per_epoch

    epochs, seeds, batch_size = config.epochs, config.seeds, config.batch_size
    members = len(population) * seeds
    kinds = {"all": progress.for_people(), "json": progress.JsonLines}
    kind = kinds.get(tell, progress.Display)
    if tell == "all":
        typer.echo(
            f"{len(population)} schedules × {seeds} seeds = {members} members, "
            f"{epochs} epochs of {task.data.name}, batch size {batch_size}"
        )
    ranks_by = f"test_{task.ranks_by}"
    larger = larger_is_better(task.measures)[ranks_by]
    steps = steps_per_epoch(task.data, epochs, batch_size)
    display = kind(members, epochs, steps, ranks_by, larger)

    def trained_epoch(epoch: int, history: Any) -> None:
        report(epoch, history)
        display.add_epoch(epoch, history)

    def trained(done: int, total: int) -> None:
        begin()  # the first time, now that nothing more can be refused
        display.trained(done, total)

    with display.shown():
        told = dataclasses.replace(config, callback=trained_epoch, progress=trained)
        return jaxdecay.sweep(task, population, **vars(told))


class _Console(Console):
    """A console whose tables fit what their texts become where the encoding lacks characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(readable(text), **options)


def print_finished(folder: Path, epochs: int, tell: Tell) -> None:
    """What is said of a sweep that has ended before."""
    from jaxdecay.report.progress import print_json

    if tell == "json":
        summary = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        print_json(event="finished", folder=str(folder), **summary)
    else:
        typer.echo(f"{folder} holds the finished sweep of {epochs} epochs")


def _print_stopped(done: int, epochs: int, command: str, tell: Tell) -> None:
    from jaxdecay.report.progress import print_json

    if tell == "json":
        print_json(event="stopped", epoch=done, epochs=epochs, go_on_with=command)
    else:
        typer.echo(f"stopped after epoch {done} of {epochs}; go on with: {command}")


def print_result(result: Any, run: Run, folder: Path, tell: Tell, target: float | None) -> None:
    """The leaderboard, the best schedule and the names of the files; or all of it as JSON."""
    from jaxdecay.report.files import NAMES, summary
    from jaxdecay.report.leaderboard import leaderboard
    from jaxdecay.report.progress import print_json

    if tell == "json":
        print_json(event="finished", folder=str(folder), **summary(result, target))
        return
    _Console().print(leaderboard(result, target=target))
    if (result.diverged_at < 0).all(axis=1).any():
        ranking = result.ranking(target=target).tolist()
        typer.echo(f"best: {result.population[ranking[0]]!r}")
        for line in _advice(result, ranking, run, folder):
            typer.echo(f"note: {line}")
    diverged = int((result.diverged_at >= 0).sum())
    note = f" {diverged} diverged: see status in members.csv." if diverged else ""
    typer.echo(
        f"{result.diverged_at.size} members in {result.run_seconds:.1f} s "
        f"({result.member_steps_per_second:,.0f} member-steps/s), after "
        f"{result.compile_seconds:.1f} s to compile.{note}"
    )
    typer.echo(f"Written to {folder}: {', '.join(NAMES)}")


def best_schedules(result: Any, most: int, target: float | None) -> list[int]:
    """Indices of the best schedules of a sweep; ValueError if fewer than two did not diverge."""
    sound = (result.diverged_at < 0).all(axis=1)
    best = [int(index) for index in result.ranking(target=target) if sound[index]][:most]
    if len(best) < 2:
        raise ValueError(
            f"{len(best)} of its schedules did not diverge; to compare, there must be two"
        )
    return best


def _advice(result: Any, ranking: list[int], run: Run, folder: Path) -> Iterator[str]:
    """What was found out, and what to do next where that does not suffice."""
    from jaxdecay.report.hyperparameters import at_an_edge
    from jaxdecay.report.statistics import ENOUGH_SEEDS

    told, seeds, best = result.compare(), len(result.seeds), ranking[0]
    if run.confirms is not None:
        yield _confirmed(result, ranking, run.confirms, told)
    sound = (result.diverged_at < 0).all(axis=1)
    others = int(sound.sum()) - 1
    if others > 0 and np.ptp(result.metrics[result.main_metric][sound]) == 0:
        yield "all schedules end alike; are the inputs scaled? see scale of jaxdecay.Data"
    # Ranked by the steps to a target, the best is another than the one that is compared with.
    alike = int(told.like_best.sum()) - 1 if told.best == best else 0
    confirm = f"train the best again with more: jaxdecay confirm {folder}"
    if seeds == 1 and others > 0:
        yield f"one seed cannot say whether a difference is real; {confirm}"
    elif alike > 0:
        more = confirm if seeds < ENOUGH_SEEDS else _how_many_more(told)
        yield f"{seeds} seeds cannot tell {alike:,} of the {others:,} others from it; {more}"
    edge = at_an_edge(result.population, best) if run.confirms is None else None
    if edge is not None:
        yield edge
    for finding in jaxdecay.check_schedule(result.population[best], result.steps):
        yield f"of the best: {finding}"


def _confirmed(result: Any, ranking: list[int], before: str, told: Any) -> str:
    """What has become of the best schedule of the sweep before, which is the first here."""
    if ranking[0] == 0:
        return f"it was the best of {before} too"
    is_worse = told.best == ranking[0] and not told.like_best[0]
    certain = ", and the seeds tell it from the best" if is_worse else ""
    place = 1 + ranking.index(0)
    return f"the best of {before}, {result.population[0]!r}, is now number {place}{certain}"


def _how_many_more(told: Any) -> str:
    """Seeds until the first of those that are like the best could be told from it."""
    known = told.more_seeds[told.more_seeds > 0]
    if not len(known):
        return "how many more would is not known"
    return f"{known.min():,} more may tell the first, if it is as much worse as it seems"
