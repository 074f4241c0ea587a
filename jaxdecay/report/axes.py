"""What is drawn against epoch, and on which axis: the same in pictures and in the report."""

from __future__ import annotations

import numpy as np

from jaxdecay.results.result import SweepResult


def drawn_metrics(result: SweepResult) -> list[str]:
    """What is drawn against epoch: names in the history."""
    return list(dict.fromkeys(("learning_rate", "train_loss", "test_loss", result.main_metric)))


def is_logarithmic(result: SweepResult, name: str, values: np.ndarray) -> bool:
    """Whether an axis is logarithmic: smaller is better, and values span a factor above 20.

    Args:
        result: the sweep.
        name: in the history.
        values: what is drawn; not a number where nothing is.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    spans = positive.size > 0 and positive.max() > 20 * positive.min()
    return bool(spans) and not _larger_is_better(result, name)


def drawn_range(result: SweepResult, name: str, values: np.ndarray) -> tuple[float, float] | None:
    """The ends of the axis of a metric of which more is better; None for those of the data.

    Failed schedules would press the curves of the others into a line.

    Args:
        result: the sweep.
        name: in the history.
        values: [epoch, schedule]; not a number where nothing is drawn.
    """
    last = values[-1][np.isfinite(values[-1])]
    if not last.size or not _larger_is_better(result, name):
        return None
    low = float(np.quantile(last, 0.1)) - 0.1
    low = low if (last < 0).any() else max(0.0, low)
    return low, float(values[np.isfinite(values)].max()) + 0.01


def _larger_is_better(result: SweepResult, name: str) -> bool:
    return name != "learning_rate" and result.larger_is_better(name)
