"""Whether the files of a folder are of one sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

MEMBERS = "members.csv"
HISTORY = "history.csv"
SWEEP = "sweep.json"

ROUNDING = 1e-5
"""Relative differences that are none: a spreadsheet may have rounded a table."""


def last_sound(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By name, arrays [S, K] from the last epoch, or the last before a member diverged."""
    # Of a member that has not diverged, a training loss is a number; its metrics need not be.
    epochs = (~np.isnan(history["train_loss"])).sum(axis=0)
    last = np.maximum(epochs - 1, 0)[None]
    return {name: np.take_along_axis(values, last, axis=0)[0] for name, values in history.items()}


def disagreement(
    facts: Mapping[str, Any],
    rows: Sequence[Mapping[str, str]],
    history: Mapping[str, np.ndarray],
    diverged_at: np.ndarray,
) -> str | None:
    """The first difference between the files of a sweep; None if they agree.

    Args:
        facts: the contents of `sweep.json`.
        rows: of `members.csv`, each member once.
        history: of `history.csv`: by name, arrays [E, S, K].
        diverged_at: as `sweep.json` states it, [S, K].
    """
    rows = sorted(rows, key=lambda row: int(row["member"]))
    metrics = last_sound(history)
    found = (
        *_of_members(facts, rows, diverged_at),
        *_of_metrics(rows, metrics),
        *_of_means(facts["comparison"], metrics, diverged_at),
    )
    return next(iter(found), None)


def _of_members(
    facts: Mapping[str, Any], rows: Sequence[Mapping[str, str]], diverged_at: np.ndarray
) -> Iterator[str]:
    for row, at in zip(rows, diverged_at.ravel(), strict=True):
        schedule, seed = divmod(int(row["member"]), len(facts["seeds"]))
        mine = {"family": row["family"], **json.loads(row["hyperparameters"])}
        its = facts["schedules"][schedule], facts["seeds"][seed], at < 0
        if (mine, int(row["seed"]), row["status"] == "finished") != its:
            yield f"member {row['member']} in {MEMBERS} is another than in {SWEEP}"


def _of_metrics(
    rows: Sequence[Mapping[str, str]], metrics: Mapping[str, np.ndarray]
) -> Iterator[str]:
    for name, values in metrics.items():
        if name == "learning_rate":
            continue
        shown = np.array([float(row[name]) for row in rows])
        for member in np.flatnonzero(~_are_close(shown, values.ravel())).tolist():
            yield (
                f"{name} of member {member} ends at {shown[member]:.6g} in {MEMBERS} and at "
                f"{values.flat[member]:.6g} in {HISTORY}"
            )


def _of_means(
    comparison: Mapping[str, Any], metrics: Mapping[str, np.ndarray], diverged_at: np.ndarray
) -> Iterator[str]:
    name = comparison["metric"]
    values = np.where(diverged_at < 0, metrics[name], np.nan).astype(float)
    means = np.where(np.isfinite(values), values, np.nan).mean(axis=1)
    stated = np.array([np.nan if mean is None else mean for mean in comparison["mean"]], float)
    if stated.shape != means.shape or not _are_close(stated, means).all():
        yield f"the means of {name} in {SWEEP} are not those of {HISTORY}"


def _are_close(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.isclose(first, second, rtol=ROUNDING, atol=0, equal_nan=True)
