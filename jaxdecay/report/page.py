"""The report of a sweep: one HTML file that opens without a network.

Here its content is put together, as JSON; `page.html` and `page.js` show it, and Plotly, whole in
the file, draws it. Of many schedules the best are drawn, families as bands, and others when they
are asked for.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import jaxdecay
from jaxdecay.report.pictures import (
    COLOURS,
    NAMED_SCHEDULES,
    drawn_metrics,
    lowest_drawn,
    short_repr,
)
from jaxdecay.results.files import summary
from jaxdecay.results.hyperparameters import panels
from jaxdecay.results.result import SweepResult
from jaxdecay.results.statistics import ENOUGH_SEEDS
from jaxdecay.schedules_file import to_toml

MOST_DRAWN = 60
"""So many schedules are drawn one by one; of more, the best `NAMED_SCHEDULES` and bands."""

MOST_NUMBERS = 600_000
"""Of all curves together, some 3 MB; of longer sweeps fewer epochs are kept."""

MOST_DIVERGED = 200


def page(result: SweepResult, *, target: float | None = None, confidence: float = 0.95) -> str:
    """The HTML of a report.

    Args:
        result: the sweep.
        target: of the metric that ranks schedules; the steps to it are a column of the
            leaderboard, and rank schedules instead.
        confidence: of intervals and comparisons.
    """
    from plotly.offline import get_plotlyjs

    here = importlib.resources.files("jaxdecay.report")
    text = json.dumps(content(result, target, confidence), allow_nan=False)
    parts = {
        "[[content]]": text.replace("<", "\\u003c"),  # no name of a schedule can end the script
        "[[plotly]]": get_plotlyjs(),
        "[[script]]": here.joinpath("page.js").read_text(encoding="utf-8"),
    }
    whole = here.joinpath("page.html").read_text(encoding="utf-8")
    for mark, part in parts.items():
        before, after = whole.split(mark)
        whole = before + part + after
    return whole


def content(result: SweepResult, target: float | None, confidence: float) -> dict[str, Any]:
    """All that a report shows, in JSON's types."""
    schedules = _schedules(result, target, confidence)
    metrics = drawn_metrics(result)
    kept = _kept_epochs(result, len(metrics))
    with np.errstate(invalid="ignore"):
        means = np.stack([result.history[name][kept].mean(axis=2).T for name in metrics])
    many = len(schedules) > MOST_DRAWN
    ranked = sorted(schedules, key=lambda each: each["rank"])
    shown = [each["index"] for each in (ranked[:NAMED_SCHEDULES] if many else schedules)]
    sound = np.asarray((result.diverged_at < 0).all(axis=1))
    return {
        "title": _title(result),
        "verdict": _verdict(result, schedules, target, confidence),
        "legend": _legend(result, confidence),
        "curves_note": _curves_note(many),
        "seeds_note": f"The best {min(20, len(schedules))}: one dot a seed.",
        "diverged_note": _diverged_note(result),
        "main": result.main_metric,
        "larger_is_better": _larger_is_better(result),
        "tested": [name for name in result.history if name.startswith("test_")],
        "metrics": metrics,
        "seeds": list(result.seeds),
        "target": target,
        "confidence": round(100 * confidence, 2),
        "best": ranked[0]["index"] if sound.any() else None,
        "named": NAMED_SCHEDULES,
        "colours": COLOURS,
        "schedules": schedules,
        "epochs": kept.tolist(),
        "curves": _base64(means),
        "finals": _base64(result.metrics[result.main_metric]),
        "shown": [index for index in shown if sound[index] or not sound.any()],
        "bands": list(_bands(result, means, sound)) if many else [],
        "logarithmic": _logarithmic(result, metrics, means[:, sound]),
        "ranges": _ranges(result, metrics, means[:, sound]),
        "panels": [dataclasses.asdict(panel) for panel in panels(result.population)],
        "diverged": summary(result)["diverged"][:MOST_DIVERGED],
        "about": _about(result),
    }


def _schedules(
    result: SweepResult, target: float | None, confidence: float
) -> list[dict[str, Any]]:
    """One row of the leaderboard each, in the order of the population."""
    found = result.compare(confidence=confidence)
    rank = np.empty(len(result.population), int)
    rank[result.ranking(target=target)] = 1 + np.arange(len(rank))
    steps_to = result.steps_to(target, result.main_metric) if target is not None else None
    diverged = (result.diverged_at >= 0).sum(axis=1)
    tested = {name: each for name, each in result.metrics.items() if name.startswith("test_")}
    rows = []
    for index, schedule in enumerate(result.population):
        values = schedule.to_dict()
        interval = [_number(found.low[index]), _number(found.high[index])]
        more = int(found.more_seeds[index])
        rows.append(
            {
                "index": index,
                "rank": int(rank[index]),
                "name": short_repr(schedule),
                "family": schedule.family,
                "python": _python(schedule, values),
                "toml": to_toml(schedule),
                "diverged": int(diverged[index]),
                "final_rate": _number(result.final_learning_rate[index].mean()),
                "interval": None if None in interval else interval,
                "like_best": bool(found.like_best[index]),
                "more_seeds": 0 if index == found.best else more,
                "steps_to": None if steps_to is None else _number(steps_to[index].mean()),
                **{
                    name: None if diverged[index] else _number(each[index].mean())
                    for name, each in tested.items()
                },
            }
        )
    return rows


def _python(schedule: jaxdecay.Schedule, values: Mapping[str, Any]) -> str:
    names = sorted(name for name in _families(values) if hasattr(jaxdecay, name))
    imported = f"from jaxdecay import {', '.join(names)}\n\n" if names else ""
    return f"{imported}schedule = {schedule!r}"


def _families(values: Any) -> set[str]:
    """The names of all families in a schedule's dictionary."""
    if isinstance(values, Mapping):
        own = {values["family"]} if "family" in values else set()
        return own.union(*map(_families, values.values()))
    return set().union(*map(_families, values)) if isinstance(values, list) else set()


def _kept_epochs(result: SweepResult, metrics: int) -> np.ndarray:
    """The epochs to show: all, or as many as there is room for, evenly, with both ends."""
    epochs, schedules, _ = result.history["train_loss"].shape
    most = max(2, MOST_NUMBERS // (metrics * schedules))
    return np.unique(np.linspace(0, epochs - 1, min(epochs, most)).round().astype(int))


def _bands(result: SweepResult, means: np.ndarray, sound: np.ndarray) -> Iterator[dict[str, Any]]:
    """By family, between which values eight of ten of its schedules lie, [metric][2][epoch]."""
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
    return [float(f"{each:.5g}") if np.isfinite(each) else None for each in values]


def _larger_is_better(result: SweepResult) -> list[str]:
    """The names of the metrics of which more is better."""
    tested = [name for name in result.history if name.startswith("test_")]
    return [name for name in tested if result.larger_is_better(name)]


def _logarithmic(result: SweepResult, metrics: list[str], means: np.ndarray) -> list[str]:
    """What to draw on a logarithmic scale: positive, over a factor of 20, and less is better."""
    found, larger = [], _larger_is_better(result)
    for name, values in zip(metrics, means, strict=True):
        positive = values[(values > 0) & np.isfinite(values)]
        if name not in larger and positive.size and positive.max() > 20 * positive.min():
            found.append(name)
    return found


def _ranges(result: SweepResult, metrics: list[str], means: np.ndarray) -> dict[str, list[float]]:
    """Where an axis ends: failed schedules would press the accuracies of others into a line."""
    found = {}
    for name, values in zip(metrics, means, strict=True):
        if name in _larger_is_better(result) and values.size and np.isfinite(values).all():
            low = lowest_drawn(values.T)
            found[name] = [low, float(values.max()) + 0.01]
    return found


def _title(result: SweepResult) -> str:
    schedules, seeds = result.diverged_at.shape
    return f"{schedules:,} schedules × {seeds} seeds on {result.settings['data']}"


CONFIRM = ": train the best again with more (jaxdecay confirm)"


def _verdict(
    result: SweepResult, schedules: list[dict[str, Any]], target: float | None, confidence: float
) -> str:
    best = min(schedules, key=lambda each: each["rank"])
    if best["diverged"]:
        return "Every schedule has a diverged member; try smaller learning rates."
    metric = result.main_metric
    words = f"Best: {best['name']}, {metric.replace('_', ' ')} {_words(best[metric])}"
    if target is not None:
        steps = best["steps_to"]
        reached = "which none reached" if steps is None else f"reached after {steps:,.0f} steps"
        return f"{words}; ranked by the steps to {target:g}, {reached}."
    others = [each for each in schedules if each is not best and not each["diverged"]]
    if best["interval"] is None:
        return f"{words}. One seed says nothing about the others{CONFIRM}."
    low, high = map(_words, best["interval"])
    words += f" ({100 * confidence:g} % interval {low} … {high}"
    if not others:
        return f"{words})."
    alike = sum(each["like_best"] for each in others)
    told = (
        f"{len(result.seeds)} seeds cannot tell {alike:,} of the {len(others):,} others from it"
        f"{CONFIRM if len(result.seeds) < ENOUGH_SEEDS else ''}."
        if alike
        else "All others can be told from it."
    )
    return f"{words}, not corrected for its having been chosen). {told}"


def _words(value: float | None) -> str:
    """A metric as in the leaderboard."""
    if value is None:
        return "–"
    return f"{value:.4f}" if 0.01 <= abs(value) < 1_000 else f"{value:.4g}"


def _legend(result: SweepResult, confidence: float) -> str:
    if len(result.seeds) < 2:
        return "Click on a row to see its curve."
    return (
        f"Click on a row to see its curve. ≈: {len(result.seeds)} seeds cannot tell it from the "
        f"best {result.main_metric.replace('_', ' ')} (paired t-tests, {100 * confidence:g} % for "
        "all together). Seeds to tell: how many more it would take, if it is as much worse as it "
        "seems; ∞ for more than 1,000."
    )


def _curves_note(many: bool) -> str:
    if many:
        return (
            f"The best {NAMED_SCHEDULES} schedules, and of each family the band of eight in ten. "
            "Any other is drawn when its row is clicked. Means over seeds."
        )
    return "Means over seeds. Point at a curve for its name, click on it to see it alone."


def _diverged_note(result: SweepResult) -> str:
    diverged = int((result.diverged_at >= 0).sum())
    if not diverged:
        return "No member diverged."
    more = f"; the first {MOST_DIVERGED} are shown" if diverged > MOST_DIVERGED else ""
    return f"{diverged:,} of {result.diverged_at.size:,} members diverged{more}."


def _about(result: SweepResult) -> list[list[str]]:
    """Settings, speed, machine and versions, in words."""
    told = summary(result)
    machine = told["machine"]
    return [
        *([name.replace("_", " "), str(value)] for name, value in told["settings"].items()),
        ["steps of each member", f"{result.steps:,}"],
        ["trained in", f"{result.run_seconds:,.1f} s, after {result.compile_seconds:.1f} s"],
        ["speed", f"{result.member_steps_per_second:,.0f} member-steps/s"],
        ["machine", f"{machine['platform']}, {machine['cores']} cores"],
        ["versions", ", ".join(f"{name} {each}" for name, each in told["versions"].items())],
    ]


def _number(value: Any) -> float | None:
    """None, which JSON can hold, for what is no number."""
    return float(value) if np.isfinite(value) else None


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
