"""The metrics of a task. Whether larger or smaller is better is declared, not guessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxdecay.spelling import nearest

LOSS = "loss"
"""The metric that every task measures; smaller is better."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric of a task.

    Attributes:
        name: its key in the result of `Task.metrics`; the history calls it `test_<name>`.
        larger_is_better: True for an accuracy or F1, False for an error.
        finish: a function that computes the metric from the mean over the test set, such as
            `jnp.sqrt` for a root mean squared error. It receives the value that `Task.metrics`
            returns under `name`, with each array replaced by its mean. None if the mean is the
            metric.
        is_share: whether it is a share of the test examples, such as an accuracy. Then a
            difference below one example never counts as significant. For any other metric, its
            values show whether it has a smallest step.

    Raises:
        ValueError: the name is empty, or "loss", which every task measures.
        TypeError: `larger_is_better` is not a bool, or `finish` not a function.

    Example:
        >>> import jax.numpy as jnp, jaxdecay
        >>> jaxdecay.Metric("rmse", larger_is_better=False, finish=jnp.sqrt).name
        'rmse'
    """

    name: str
    larger_is_better: bool
    finish: Callable[[Any], Any] | None = None
    is_share: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name in ("", LOSS):
            raise ValueError(
                f"a metric needs a name other than '' and 'loss', got {self.name!r}; the loss is "
                "always measured"
            )
        if not isinstance(self.larger_is_better, bool):
            raise TypeError(
                f"larger_is_better of metric {self.name!r} must be True or False, "
                f"got {self.larger_is_better!r}"
            )
        if self.finish is not None and not callable(self.finish):
            raise TypeError(
                f"finish of metric {self.name!r} must be a function of the mean, such as "
                f"jnp.sqrt, got {self.finish!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """All fields but `finish`, as JSON types, for reports."""
        return {
            "name": self.name,
            "larger_is_better": self.larger_is_better,
            "is_share": self.is_share,
        }


ACCURACY = Metric("accuracy", larger_is_better=True, is_share=True)
"""The metric of a classifier, which ranks its schedules."""


def check_metrics(measures: Any, ranks_by: Any) -> None:
    """Raises a TypeError or ValueError if a task cannot declare these metrics and this ranking."""
    if not isinstance(measures, Sequence) or not all(isinstance(m, Metric) for m in measures):
        raise TypeError(
            "measures of a Task must be a list of its metrics, such as "
            f'[jaxdecay.Metric("accuracy", larger_is_better=True)], got {measures!r}'
        )
    names = [metric.name for metric in measures]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"measures of a Task list {repeated!r} twice; list each metric once")
    if ranks_by not in (LOSS, *names):
        raise ValueError(
            f"ranks_by of a Task must be one of {', '.join((LOSS, *names))}; "
            f"got {ranks_by!r}{nearest(str(ranks_by), (LOSS, *names))}"
        )


def larger_is_better(measures: Sequence[Metric]) -> Mapping[str, bool]:
    """Whether larger is better, by name in the history; the learning rate has no direction."""
    tested = {f"test_{metric.name}": metric.larger_is_better for metric in measures}
    return {"train_loss": False, "test_loss": False, **tested}


def check_target(measures: Sequence[Metric], metric: str, target: float | None) -> None:
    """Raises a ValueError for a target that a share of the test examples cannot reach.

    Args:
        measures: the metrics of the task.
        metric: the name in the history of what should reach the target.
        target: the value to reach; None for none.
    """
    is_share = any(each.is_share and metric == f"test_{each.name}" for each in measures)
    if is_share and target is not None and target > 1:
        remedy = f"write {target / 100:g} for {target:g} %" if target <= 100 else "give less"
        raise ValueError(
            f"the target for {metric.replace('_', ' ')} must be at most 1, as it is a share of the "
            f"test examples, got {target:g}; {remedy}"
        )
