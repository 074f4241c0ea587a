"""The leaderboard: the schedules of a sweep, best first, as a table for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from jaxdecay.results.result import SweepResult
from jaxdecay.results.verdict import meaning_of_alike
from jaxdecay.results.wording import metric_title, short, steps
from jaxdecay.spelling import counted


def leaderboard(result: SweepResult, most: int = 20, *, target: float | None = None) -> Table:
    """A table of the best schedules: mean ± standard deviation over seeds.

    ≈ marks those that are not significantly worse than the best.

    Args:
        result: the sweep.
        most: how many schedules to show.
        target: rank by the steps to it, and show them, as `SweepResult.steps_to` counts them.

    Returns:
        A rich `Table`.
    """
    rows, seeds = result.rows(target=target)[:most], len(result.seeds)
    table = Table(title=_title(result, most), box=SIMPLE_HEAD)
    table.add_column("rank", justify="right")
    table.add_column("family and hyperparameters", overflow="fold")
    for name in result.tested:
        table.add_column(metric_title(name), justify="right", no_wrap=True)
    if target is not None:
        table.add_column(f"steps\nto {target:g}", justify="right", no_wrap=True)
    table.add_column("final\nrate", justify="right", no_wrap=True)
    if seeds > 1 and any(row.like_best and not row.is_best for row in rows):
        table.caption = meaning_of_alike(result, target=target)
    for row in rows:
        family, _, hyperparameters = row.name.removesuffix(")").partition("(")
        table.add_row(
            row.place,
            Text.assemble((family, "bold"), " ", hyperparameters),
            *row.cells(result.main_metric),
            *([steps(row.steps_to) + row.mark * (seeds > 1)] if target is not None else []),
            short(row.final_rate),
        )
    return table


def _title(result: SweepResult, most: int) -> str:
    total, seeds = result.diverged.shape
    title = counted(total, "schedule")
    title = title if total <= most else f"The best {most} of {title}"
    return f"{title}, mean ± standard deviation over {seeds:,} seeds" if seeds > 1 else title
