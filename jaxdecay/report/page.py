"""The report of a sweep: one HTML file that opens without a network.

Here its content is composed, as JSON; `page.html`, `charts.js` and `page.js` show it, and Plotly,
complete in the file, draws it. Of many schedules the best are drawn, families as bands, and others
on request.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import jaxdecay
from jaxdecay.report.axes import drawn_metrics, drawn_range, is_logarithmic
from jaxdecay.report.style import COLOURS, HEAT, NAMED_SCHEDULES
from jaxdecay.results.hyperparameters import panels
from jaxdecay.results.result import SweepResult
from jaxdecay.results.row import Row
from jaxdecay.results.statistics import MOST_SEEDS
from jaxdecay.results.verdict import (
    few_examples,
    meaning_of_alike,
    needs_confirming,
    same_rates,
    trained,
    twins_of,
    unreached,
    verdict,
)
from jaxdecay.results.wording import (
    metric_title,
    number,
    remedy_for_divergence,
    short,
    steps,
)
from jaxdecay.schedules_file import to_toml
from jaxdecay.spelling import counted

MOST_DRAWN = 60
"""Up to this many schedules are drawn one by one; of more, the best `NAMED_SCHEDULES` and bands."""

MOST_NUMBERS = 600_000
"""Of all curves together; longer sweeps show fewer epochs."""

MOST_DIVERGED = 200

ALL_DIVERGED = (
    "Every schedule has a diverged member: curves end where members diverged, and there is no "
    "final metric to draw."
)


def page(result: SweepResult, *, target: float | None = None, confidence: float = 0.95) -> str:
    """The HTML of a report.

    Args:
        result: the sweep.
        target: of the metric that ranks schedules; the steps to it are a column of the
            leaderboard, and rank schedules instead.
        confidence: of intervals and comparisons.
    """
    here = importlib.resources.files("jaxdecay.report")
    text = json.dumps(content(result, target, confidence), allow_nan=False)
    parts = {
        "content": _compressed(text.encode()),
        "plotly": _compressed(here.joinpath("plotly", "plotly-basic.min.js").read_bytes()),
        "charts": here.joinpath("charts.js").read_text(encoding="utf-8"),
        "page": here.joinpath("page.js").read_text(encoding="utf-8"),
    }
    html = here.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"\[\[(\w+)\]\]", lambda mark: parts[mark[1]], html)


def content(result: SweepResult, target: float | None, confidence: float) -> dict[str, Any]:
    """All that a report shows, in JSON's types."""
    rows = result.rows(target=target, confidence=confidence)
    metrics, sound, many = drawn_metrics(result), result.sound, len(rows) > MOST_DRAWN
    epochs = _shown_epochs(result, len(metrics))
    with np.errstate(invalid="ignore"):
        means = np.stack([result.history[name][epochs].mean(axis=2).T for name in metrics])
    shown = [row.index for row in (rows[:NAMED_SCHEDULES] if many else rows)]
    return {
        **_texts(result, rows, target, confidence),
        **_axes(result, metrics, means[:, sound]),
        "curves_note": _curves_note(many) if sound.any() else ALL_DIVERGED,
        "main": result.main_metric,
        "columns": _columns(result, target),
        "metrics": [{"name": name, "title": metric_title(name)} for name in metrics],
        "seeds": list(result.seeds),
        "confidence": round(100 * confidence, 2),
        "best": rows[0].index if sound.any() else None,
        "named": NAMED_SCHEDULES,
        "colours": COLOURS,
        "heat": HEAT,
        "schedules": [_schedule(result, row) for row in sorted(rows, key=lambda row: row.index)],
        "epochs": epochs.tolist(),
        "curves": _base64(means),
        "finals": _base64(result.metrics[result.main_metric]),
        "shown": [index for index in shown if sound[index] or not sound.any()],
        "bands": list(_bands(result, means, sound)) if many else [],
        "panels": [
            {
                **dataclasses.asdict(panel),
                "labels": [[short(value) for value in values] for values in panel.values],
            }
            for panel in panels(result.population)
        ],
        "diverged": result.diverged_members()[:MOST_DIVERGED],
    }


def _columns(result: SweepResult, target: float | None) -> list[dict[str, Any]]:
    """The columns of the leaderboard: what they sort by, and which way first."""
    columns = [
        *((name, metric_title(name), result.larger_is_better(name)) for name in result.tested),
        *([("steps_to", f"steps to {target:g}", False)] if target is not None else []),
        ("more_seeds", "more seeds", False),
        ("final_rate", "final rate", False),
    ]
    return [dict(zip(("name", "title", "descending"), each, strict=True)) for each in columns]


def _schedule(result: SweepResult, row: Row) -> dict[str, Any]:
    """One row of the leaderboard: numbers to sort by and to draw, and texts to show."""
    low, high = row.interval
    means = {name: row.mean(name) for name in row.values}
    values = {**means, "final_rate": row.final_rate}
    texts = {name: number(mean) for name, mean in means.items()}
    if row.diverged:
        texts = dict.fromkeys(texts, f"{row.diverged} of {len(result.seeds)} diverged")
    elif np.isfinite(low):
        texts[result.main_metric] += f" ({number(low)} … {number(high)})"
    if row.steps_to is not None:
        values["steps_to"], texts["steps_to"] = row.steps_to, steps(row.steps_to)
    if row.like_best and np.isfinite(low):
        texts[result.main_metric if row.steps_to is None else "steps_to"] += " ≈"
    return {
        "index": row.index,
        "rank": row.rank,
        "place": row.place,
        "name": row.name,
        "family": row.schedule.family,
        "python": _python(row.schedule),
        "toml": to_toml(row.schedule),
        "diverged": row.diverged,
        "interval": [low, high] if np.isfinite(low) else None,
        "more_seeds": row.more_seeds if row.more_seeds >= 0 else MOST_SEEDS + 1,
        **{name: _plain(value) for name, value in values.items()},
        "texts": {
            **texts,
            "more_seeds": {0: "", -1: "∞"}.get(row.more_seeds, f"{row.more_seeds}"),
            "final_rate": short(row.final_rate),
        },
    }


def _python(schedule: jaxdecay.Schedule) -> str:
    names = sorted(name for name in _families(schedule.to_dict()) if hasattr(jaxdecay, name))
    imported = f"from jaxdecay import {', '.join(names)}\n\n" if names else ""
    return f"{imported}schedule = {schedule!r}"


def _families(values: Any) -> set[str]:
    """The names of all families in a schedule's dictionary."""
    if isinstance(values, Mapping):
        own = {values["family"]} if "family" in values else set()
        return own.union(*map(_families, values.values()))
    return set().union(*map(_families, values)) if isinstance(values, list) else set()


def _shown_epochs(result: SweepResult, metrics: int) -> np.ndarray:
    """The epochs to show: all, or as many as fit, evenly spaced, with the first and the last."""
    most = max(2, MOST_NUMBERS // (metrics * len(result.population)))
    count = min(result.epochs, most)
    return np.unique(np.linspace(0, result.epochs - 1, count).round().astype(int))


def _bands(result: SweepResult, means: np.ndarray, sound: np.ndarray) -> Iterator[dict[str, Any]]:
    """By family, the limits of the middle 80 % of its schedules, [metric][2][epoch]."""
    if means.shape[2] < 2:
        return
    families = np.array([schedule.family for schedule in result.population])
    for family in dict.fromkeys(families):
        of_family = means[:, (families == family) & sound]
        if of_family.shape[1]:
            limits = np.quantile(of_family, [0.1, 0.9], axis=1).transpose(1, 0, 2)
            yield {"family": str(family), "values": [[*map(_rounded, each)] for each in limits]}


def _rounded(values: np.ndarray) -> list[float | None]:
    """To five digits, for JSON."""
    return [_plain(float(f"{value:.5g}")) for value in values]


def _axes(result: SweepResult, metrics: list[str], means: np.ndarray) -> dict[str, Any]:
    """Which metrics are drawn on a logarithmic axis, and where the axes of others end.

    Args:
        result: the sweep.
        metrics: names in the history.
        means: [metric, schedule, epoch], of the schedules that did not diverge.
    """
    values = dict(zip(metrics, means, strict=True))
    ranges = {name: drawn_range(result, name, each.T) for name, each in values.items()}
    return {
        "logarithmic": [name for name in metrics if is_logarithmic(result, name, values[name])],
        "ranges": {name: each for name, each in ranges.items() if each is not None},
        "larger_is_better": result.larger_is_better(result.main_metric),
    }


def _texts(
    result: SweepResult, rows: list[Row], target: float | None, confidence: float
) -> dict[str, Any]:
    schedules, seeds = result.diverged.shape
    legend = "Click a row to see its curve."
    if seeds > 1 and result.sound.sum() > 1:
        legend += (
            f" {meaning_of_alike(result, confidence, target)}. More seeds: about how many more "
            "would show the schedule to be significantly worse, if its mean difference stays the "
            "same; "
            f"∞: more than {MOST_SEEDS:,}, or unknown."
        )
    return {
        "title": (
            f"{counted(schedules, 'schedule')} × {counted(seeds, 'seed')} "
            f"on {result.settings['data']}"
        ),
        "verdict": _verdict(result, rows, target, confidence),
        "legend": legend,
        "seeds_note": "The best schedules (up to 20). Each dot is one seed.",
        "diverged_note": _diverged_note(result),
        "main_title": metric_title(result.main_metric),
        "about": _about(result),
    }


def _verdict(result: SweepResult, rows: list[Row], target: float | None, confidence: float) -> str:
    best = rows[0]
    if best.diverged:
        return f"Every schedule has a diverged member; {remedy_for_divergence(result.diverged_at)}."
    metric = result.main_metric
    words = f"Best: {best.name}, {metric_title(metric)} {number(best.mean(metric))}"
    others = [row for row in rows[1:] if not row.diverged]
    missed = unreached(result, target)
    if target is not None:
        found = f"after {steps(best.steps_to)} steps, the mean over seeds"
        words += "" if missed else f"; {metric_title(metric)} {target:g} {found}"
    elif np.isfinite(best.interval[0]):
        low, high = map(number, best.interval)
        optimistic = "; optimistic, as this schedule was picked for being best" if others else ""
        words += f" ({100 * confidence:g} % interval {low} … {high}{optimistic})"
    separated = [missed] if missed else _separated(result, rows, target, confidence)
    sentences = filter(None, [words, few_examples(result), *separated])
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in sentences)


def _separated(
    result: SweepResult, rows: list[Row], target: float | None, confidence: float
) -> Iterator[str]:
    """Which of the others are like the best, and what would separate them."""
    others = [row for row in rows[1:] if not row.diverged]
    alike, twins = sum(row.like_best for row in others), twins_of(result, rows[0].index)
    if others and not (alike and alike == twins):
        yield verdict(len(result.seeds), alike, len(others))
        comparison = result.compare(confidence=confidence, target=target)
        if needs_confirming(comparison, len(result.seeds)):
            yield "Next: jaxdecay confirm, which trains the best again with new seeds"
    if twins:
        yield same_rates(twins)


def _curves_note(many: bool) -> str:
    if many:
        return (
            f"The best {NAMED_SCHEDULES} schedules, and for each family a band with the middle "
            "80 % of its schedules in each epoch. Curves are means over seeds. Click a row of the "
            "leaderboard to add its curve."
        )
    return (
        "Curves are means over seeds. Point at a curve to see its name; click it to highlight it."
    )


def _diverged_note(result: SweepResult) -> str:
    diverged = int(result.diverged.sum())
    if not diverged:
        return "No member diverged."
    meaning = (
        "A member (one schedule with one seed) diverges when its training loss or a parameter "
        "becomes infinite or NaN."
    )
    more = f"; the first {MOST_DIVERGED} are shown" if diverged > MOST_DIVERGED else ""
    return f"{diverged:,} of {result.diverged.size:,} members diverged{more}. {meaning}"


def _about(result: SweepResult) -> list[list[str]]:
    """Settings, speed, machine and versions, in words."""
    machine = result.machine
    return [
        *([metric_title(name), str(value)] for name, value in result.settings.items()),
        ["steps per member", f"{result.steps:,}"],
        ["speed", trained(result)],
        ["machine", f"{machine['platform']}, {machine['cores']} cores"],
        ["versions", ", ".join(f"{name} {each}" for name, each in result.versions.items())],
    ]


def _plain(value: float) -> float | None:
    """None, which JSON can hold, for what is not finite."""
    return float(value) if np.isfinite(value) else None


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _compressed(data: bytes) -> str:
    """Gzip, which browsers read, as text; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()
