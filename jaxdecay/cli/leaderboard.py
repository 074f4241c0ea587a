"""The leaderboard: the schedules of a sweep, best first, as a table for the terminal."""

from __future__ import annotations

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from jaxdecay.report.pictures import short_repr
from jaxdecay.results.result import SweepResult


def leaderboard(result: SweepResult, most: int = 20, *, target: float | None = None) -> Table:
    """A table of the best schedules: mean ± standard deviation over seeds.

    ≈ marks those that the seeds cannot tell from the best.

    Args:
        result: the sweep.
        most: how many schedules to show.
        target: rank by the steps to it, and show them, as `SweepResult.steps_to` counts them.

    Returns:
        A rich `Table`.
    """
    shown = result.ranking(target=target)[:most]
    total, seeds = result.diverged_at.shape
    title = f"{total} schedule{'s' * (total > 1)}"
    title = title if total <= most else f"The best {most} of {title}"
    title += f", mean ± deviation over {seeds} seeds" if seeds > 1 else ""
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("rank", justify="right")
    table.add_column("family and hyperparameters", overflow="fold")
    names = [name for name in result.metrics if name.startswith("test_")]
    for name in names:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    steps_to = None
    if target is not None:
        steps_to = result.steps_to(target, result.main_metric).mean(axis=1)
        table.add_column(f"steps\nto {target:g}", justify="right", no_wrap=True)
    table.add_column("final\nrate", justify="right", no_wrap=True)
    told = result.compare()
    alike = told.like_best & (np.arange(total) != told.best)
    if seeds > 1 and alike[shown].any():
        words = (
            f"≈ {seeds} seeds cannot tell it from the best {result.main_metric.replace('_', ' ')}"
        )
        table.caption = f"{words} (paired t-tests, 95 %)"
    for rank, index in enumerate(shown, start=1):
        schedule = result.population[int(index)]
        name, _, hyperparameters = short_repr(schedule).removesuffix(")").partition("(")
        diverged = int((result.diverged_at[index] >= 0).sum())
        values = [spread(result.metrics[metric][index]) for metric in names]
        if seeds > 1:
            values[names.index(result.main_metric)] += " ≈" if alike[index] else "  "
        if diverged:
            values = [f"{diverged} of {seeds} diverged", *[""] * (len(names) - 1)]
        if steps_to is not None:
            values.append(f"{steps_to[index]:,.0f}" if np.isfinite(steps_to[index]) else "–")
        table.add_row(
            str(rank),
            Text.assemble((name, "bold"), " ", hyperparameters),
            *values,
            f"{result.final_learning_rate[index].mean():.3g}",
        )
    return table


def spread(values: np.ndarray) -> str:
    """Mean ± standard deviation of a sample; the mean alone of a single value; or no number."""
    if not np.isfinite(values).all():
        return "–"
    mean = np.mean(values)
    form = ".4f" if 0.01 <= abs(mean) < 1_000 else ".4g"
    return format(mean, form) + (f" ± {np.std(values, ddof=1):{form}}" if len(values) > 1 else "")
