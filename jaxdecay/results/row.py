"""A row of the leaderboard: one schedule of a sweep, as terminal, report and notebook show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from jaxdecay.results.wording import MISSING, short_repr, spread
from jaxdecay.schedule import Schedule


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One schedule of a sweep and what its seeds show.

    Attributes:
        rank: 1 for the best.
        index: of the schedule in the population.
        schedule: itself.
        values: by name of each test metric, the last value of each seed, [K].
        diverged: how many of its members diverged.
        interval: of the mean of the metric that ranks schedules; not numbers with one seed, or
            where a member diverged.
        is_best: whether it is the one that the others are compared with.
        like_best: whether it is not significantly worse than the best: in the steps to the target
            if there is one, else in the metric.
        more_seeds: how many more seeds would settle it, as `Comparison.more_seeds`; 0 for the best.
        steps_to: the mean number of steps to the target, infinite if a seed did not reach it; None
            without a target.
        final_rate: the mean learning rate after the last step.
    """

    rank: int
    index: int
    schedule: Schedule
    values: Mapping[str, np.ndarray]
    diverged: int
    interval: tuple[float, float]
    is_best: bool
    like_best: bool
    more_seeds: int
    steps_to: float | None
    final_rate: float

    @property
    def name(self) -> str:
        """The schedule, with its numbers rounded to four digits."""
        return short_repr(self.schedule)

    @property
    def place(self) -> str:
        """Its rank; a dash if a member diverged, as such a schedule has no place."""
        return MISSING if self.diverged else str(self.rank)

    def mean(self, metric: str) -> float:
        """Of a test metric over seeds; not a number where a member diverged."""
        return float("nan") if self.diverged else float(self.values[metric].mean())

    @property
    def mark(self) -> str:
        """≈ if it is like the best in what ranks schedules, else as many spaces."""
        return " ≈" if self.like_best and not self.is_best else "  "

    def cells(self, metric: str) -> list[str]:
        """Each test metric as mean ± deviation; `metric`, if it ranks, with the mark."""
        if self.diverged:
            total = len(self.values[metric])
            return [f"{self.diverged} of {total} diverged", *[""] * (len(self.values) - 1)]
        texts = {name: spread(values) for name, values in self.values.items()}
        if len(self.values[metric]) > 1 and self.steps_to is None:
            texts[metric] += self.mark
        return list(texts.values())
