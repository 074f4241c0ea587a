"""Pictures for papers: a sweep's curves, seeds and hyperparameters, and schedules."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxdecay.feedback import value_at
from jaxdecay.report.axes import drawn_metrics, drawn_range, is_logarithmic
from jaxdecay.report.style import COLOURS, LINES, NAMED_SCHEDULES
from jaxdecay.results.files import write
from jaxdecay.results.hyperparameters import Panel, panels
from jaxdecay.results.result import SweepResult
from jaxdecay.results.statistics import Comparison
from jaxdecay.results.wording import label, metric_title
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import counted


def draw_all(result: SweepResult, folder: Path, *, dark: bool, dots: int) -> list[str]:
    """Writes every picture of a sweep as PNG into a folder; their names.

    Args:
        result: the sweep.
        folder: that is there.
        dark: on a dark ground.
        dots: per inch.
    """
    import matplotlib.style

    with matplotlib.style.context("dark_background" if dark else "default"):
        figures = {"curves": draw_curves(result), "seeds": draw_seeds(result)}
        panels = draw_hyperparameters(result).items()
        figures |= {f"hyperparameters_{family}": figure for family, figure in panels}
        for name, figure in figures.items():
            picture = io.BytesIO()
            with warnings.catch_warnings():  # of names in a script that the fonts lack: boxes
                warnings.filterwarnings("ignore", r"Glyph .* missing from font")
                figure.savefig(picture, format="png", dpi=dots)
            write(folder / f"{name}.png", picture.getvalue())
    return [f"{name}.png" for name in figures]


def draw_curves(result: SweepResult) -> Figure:
    """Learning rate, both losses and the metric that ranks schedules against epoch, over seeds.

    With up to ten schedules each has a colour of its own; with more, each family has one, and
    the three best schedules are drawn on top and named. Schedules with a diverged member are
    counted in the title and not drawn.
    """
    figure = Figure(figsize=(11, 9), layout="constrained", dpi=110)
    axes = figure.subplots(2, 2).ravel()
    for axis, name in zip(axes, drawn_metrics(result), strict=False):
        _draw_metric(axis, result, name)
        if not result.sound.any():
            _say_why_empty(axis)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(_title(result))
    return figure


def draw_seeds(result: SweepResult, most: int = 20) -> Figure:
    """The final metric of each seed of the best schedules, with mean and 95 % interval."""
    found, metric = result.compare(), result.main_metric
    best = [index for index in result.ranking()[:most] if result.sound[index]]
    figure = Figure(figsize=(9, 1.2 + 0.32 * max(4, len(best))), layout="constrained", dpi=110)
    axis = figure.subplots()
    for row, index in enumerate(best):
        values = result.metrics[metric][index]
        axis.plot(values, [row] * len(values), "o", color=COLOURS[5], alpha=0.7)
        ends = _room(found, [index])
        axis.errorbar(found.mean[index], row, xerr=ends, fmt="|", color=COLOURS[0], ms=12, mew=2)
    names = [_drawable(label(result.population[int(index)])) for index in best]
    if not best:
        _say_why_empty(axis)
    axis.set_yticks(range(len(best)), names)
    axis.invert_yaxis()
    axis.set(xlabel=_drawable(metric_title(metric)), title=f"{_title(result)}: seeds of the best")
    axis.grid(alpha=0.3)
    return figure


def draw_hyperparameters(result: SweepResult) -> dict[str, Figure]:
    """By family, the final metric against each hyperparameter that varies; of two, a heat map."""
    return {panel.family: _draw_panel(result, panel) for panel in panels(result.population)}


def _draw_panel(result: SweepResult, panel: Panel) -> Figure:
    found, metric = result.compare(), _drawable(metric_title(result.main_metric))
    larger = result.larger_is_better(result.main_metric)
    means = found.mean[panel.schedules]
    columns = 1 if panel.is_grid else len(panel.names)
    figure = Figure(figsize=(1.5 + 4 * columns, 4), layout="constrained", dpi=110)
    title = f"{panel.family} on {result.settings['data']}"
    figure.suptitle(_drawable(title) + _diverged(result, panel.schedules))
    axes = np.ravel(figure.subplots(1, columns, sharey=True))
    if not result.sound[panel.schedules].any():
        for axis in axes:
            _say_why_empty(axis)
        return figure
    if panel.is_grid:
        image = _draw_heat(axes[0], panel, means, better_is_high=larger)
        figure.colorbar(image, label=metric)
        return figure
    ends = _room(found, panel.schedules)
    for axis, name, values in zip(axes, panel.names, panel.values, strict=True):
        axis.errorbar(values, means, yerr=ends, fmt="o", color=COLOURS[0], alpha=0.7, lw=1)
        axis.set(xlabel=name, xscale="log" if min(values) > 0 else "linear")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(metric)
    return figure


def _room(found: Comparison, schedules: Sequence[int]) -> np.ndarray:
    """[2, n], how far the intervals of schedules reach below and above their means."""
    mean, low, high = (each[schedules] for each in (found.mean, found.low, found.high))
    return np.nan_to_num(np.stack([mean - low, high - mean]))


def _say_why_empty(axis: Axes) -> None:
    text = "nothing to draw:\nevery schedule has a diverged member"
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center")
    axis.set(xticks=[], yticks=[])


def _draw_heat(axis: Axes, panel: Panel, means: np.ndarray, *, better_is_high: bool) -> Any:
    ticks = [np.unique(values) for values in panel.values]
    cells = np.empty([len(each) for each in ticks])
    cells[*(np.searchsorted(t, v) for t, v in zip(ticks, panel.values, strict=True))] = means
    image = axis.imshow(
        cells.T, cmap="viridis" if better_is_high else "viridis_r", origin="lower", aspect="auto"
    )
    axis.set_xticks(range(len(ticks[0])), [f"{each:.4g}" for each in ticks[0]], rotation=45)
    axis.set_yticks(range(len(ticks[1])), [f"{each:.4g}" for each in ticks[1]])
    axis.set(xlabel=panel.names[0], ylabel=panel.names[1])
    return image


def draw_schedules(schedules: Sequence[Schedule], steps: int) -> Figure:
    """Schedules against step, from 0 to `steps`; up to ten are named."""
    figure = Figure(figsize=(8, 4.5), layout="constrained", dpi=110)
    axis = figure.subplots()
    at = np.unique(np.linspace(0, steps, 2_001).astype(np.int64))
    for index, schedule in enumerate(each.resolve(steps=steps) for each in schedules):
        name = _drawable(label(schedule))
        axis.plot(at, np.asarray(value_at(schedule, at)), **_line(index), label=name)
    axis.set(xlabel="step", ylabel="learning rate")
    axis.grid(alpha=0.3)
    if len(schedules) <= NAMED_SCHEDULES:
        figure.legend(loc="outside lower center", ncols=1, fontsize=8)
    return figure


def _title(result: SweepResult) -> str:
    schedules, seeds = result.diverged.shape
    name, note = _drawable(result.settings["data"]), _diverged(result, range(schedules))
    return f"{name}: {counted(schedules, 'schedule')} × {counted(seeds, 'seed')}{note}"


def _diverged(result: SweepResult, schedules: Sequence[int]) -> str:
    """How many members of these schedules diverged, which are not drawn."""
    members = result.diverged[list(schedules)]
    return f" ({members.sum():,} of {members.size:,} members diverged)" if members.any() else ""


def _draw_metric(axis: Axes, result: SweepResult, name: str) -> None:
    values = result.history[name].mean(axis=2)  # [epoch, schedule]
    # What diverged has no metrics to draw, and its rates would set the scale for all others.
    values = np.where(result.sound, values, np.nan)
    # The rate is the one at the start of its epoch, the metrics are those at its end.
    epochs = np.arange(len(values)) + (0 if name == "learning_rate" else 1)
    for schedule, style in _styles(result):
        axis.plot(epochs, values[:, schedule], marker="o" if len(values) == 1 else None, **style)
    axis.set(xlabel="epoch", title=_drawable(metric_title(name)))
    axis.grid(alpha=0.3)
    if is_logarithmic(result, name, values):
        axis.set_yscale("log")
    if (ends := drawn_range(result, name, values)) is not None:
        axis.set_ylim(ends)  # after the scale: limits of None would be kept, also those below 0


def _styles(result: SweepResult) -> list[tuple[int, dict[str, Any]]]:
    """Schedules without a diverged member in drawing order, each with its line."""
    schedules = list(result.population)
    ranking = [int(index) for index in result.ranking() if result.sound[index]]
    if len(schedules) <= NAMED_SCHEDULES:
        return [
            (index, {**_line(place), "label": _drawable(label(schedules[index])), "lw": 1.8})
            for place, index in enumerate(ranking)
        ]
    families = list(dict.fromkeys(schedule.family for schedule in schedules))
    named: set[str] = set()
    styles = []
    for index in reversed(ranking[3:]):
        family = schedules[index].family
        style = {**_line(families.index(family)), "lw": 0.9, "alpha": 0.45}
        if family not in named:
            style["label"] = _drawable(family)
            named.add(family)
        styles.append((index, style))
    for place, index in reversed(list(enumerate(ranking[:3], start=1))):
        line = {**_line(families.index(schedules[index].family)), "linestyle": LINES[place - 1]}
        name = f"№ {place}: {_drawable(label(schedules[index]))}"
        styles.append((index, {**line, "label": name, "lw": 2.6}))
    return styles


def _line(number: int) -> dict[str, Any]:
    line = LINES[number // len(COLOURS) % len(LINES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": line}


def _drawable(text: str) -> str:
    """A name as Matplotlib draws it: `$` begins no formula, `�` stands for what is no text."""
    return re.sub(r"[\ud800-\udfff]", "�", text).replace("$", r"\$")
