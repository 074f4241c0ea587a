"""What people read when a sweep has ended: the leaderboard, the best schedule, and advice."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from jaxdecay.cli.app import CONFIRM_BEST, CONFIRM_SEEDS
from jaxdecay.cli.leaderboard import leaderboard
from jaxdecay.cli.run import Run
from jaxdecay.cli.streams import readable
from jaxdecay.inspection.check import check_schedule
from jaxdecay.results.hyperparameters import at_an_edge
from jaxdecay.results.result import SweepResult
from jaxdecay.results.statistics import Comparison
from jaxdecay.results.verdict import (
    few_examples,
    needs_confirming,
    same_rates,
    seeds_that_settle,
    trained,
    twins_of,
    unreached,
    verdict,
)
from jaxdecay.results.wording import metric_title


class _Console(Console):
    """A console whose tables fit what their texts become where the encoding lacks characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(readable(text), **options)

    def on_broken_pipe(self) -> None:
        """An error like any other: rich would end the process without a word."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def print_result(result: SweepResult, run: Run, folder: Path, target: float | None) -> None:
    """Prints the leaderboard, the best schedule and advice."""
    _Console().print(leaderboard(result, target=target))
    if result.sound.any():
        ranking = result.ranking(target=target).tolist()
        typer.echo(f"best: {result.population[ranking[0]]!r}")
        for line in _advice(result, ranking, run, folder, target):
            typer.echo(f"note: {line}")
    diverged = int(result.diverged.sum())
    note = (
        f" {diverged} of them diverged: see the column status in members.csv." if diverged else ""
    )
    typer.echo(f"{trained(result)}{note}")


def _advice(
    result: SweepResult, ranking: list[int], run: Run, folder: Path, target: float | None
) -> Iterator[str]:
    """What the sweep shows, and what to do next where that leaves a question open."""
    comparison, best = result.compare(target=target), ranking[0]
    if run.confirms is not None:
        yield _confirmed(result, ranking, run.confirms, comparison)
    others = int(result.sound.sum()) - 1
    twins = twins_of(result, best)
    if others > twins and np.ptp(result.metrics[result.main_metric][result.sound]) == 0:
        yield (
            f"all schedules end with the same {metric_title(result.main_metric)}; check that the "
            "inputs are scaled (scale of jaxdecay.Data)"
        )
    if (missed := unreached(result, target)) is not None:
        yield missed
    if (small := few_examples(result)) is not None:
        yield small
    if comparison.like_best.sum() - 1 > twins:
        yield _alike(result, comparison, others, run, folder)
    if twins:
        yield same_rates(twins)
    edge = at_an_edge(result.population, best) if run.confirms is None else None
    if edge is not None:
        yield edge
    for finding in check_schedule(result.population[best], result.steps):
        yield f"the best schedule: {finding}"


def _alike(result: SweepResult, comparison: Comparison, others: int, run: Run, folder: Path) -> str:
    """How many of the others are like the best, and what would separate them."""
    seeds = len(result.seeds)
    words = verdict(seeds, int(comparison.like_best.sum()) - 1, others)
    if not needs_confirming(comparison, seeds):
        return f"{words}; {seeds_that_settle(comparison)}"
    chosen = min(CONFIRM_BEST, others + 1)
    return (
        f"{words}. Next: `{run.command('confirm', folder)}` "
        f"(best {chosen}, {CONFIRM_SEEDS} new seeds)."
    )


def _confirmed(result: SweepResult, ranking: list[int], before: str, comparison: Comparison) -> str:
    """What became of the best schedule of the sweep before, which is the first here."""
    if ranking[0] == 0:
        return f"the best schedule was also the best in {before}"
    is_worse = comparison.best == ranking[0] and not comparison.like_best[0]
    certain = ", significantly worse than the best" if is_worse else ""
    place = 1 + ranking.index(0)
    return f"the best in {before}, {result.population[0]!r}, is now number {place}{certain}"
