"""Statistics over seeds: intervals, paired differences to the best, and what seeds separate.

All schedules of a seed start from the same weights and see the same batches, so schedules are
compared seed by seed: what a seed does to all of them alike cancels.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import special  # scipy.stats would take a second to import

POWER = 0.8
"""Chance to separate two schedules for which seeds are counted."""

MOST_SEEDS = 1_000

ROUNDING = 1e-6
"""Values of a metric whose relative difference is smaller are equal: they are float32 means."""

ENOUGH_SEEDS = 10
"""With fewer, train the best of many schedules again."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Schedules over seeds, each compared with the best. Arrays [S], one number a schedule.

    Attributes:
        metric: its name.
        confidence: of the intervals.
        mean: over seeds; not a number where a member diverged or its metric is not finite.
        low, high: the interval that holds the mean of infinitely many seeds with that confidence.
        best: index of the schedule with the best mean; -1 where none has one.
        difference: the mean, over seeds, of how much worse each is than the best, at least 0.
        difference_low, difference_high: the interval of the difference, all of them together with
            that confidence.
        p_value: of the difference, corrected for the number of pairs.
        like_best: whether it is not significantly worse than the best (the best included).
        more_seeds: about how many more seeds would separate it from the best, four times out of
            five, if the difference seen is real; 0 where they do already, -1 where it takes more
            than `MOST_SEEDS`, or the number is unknown.
    """

    metric: str
    confidence: float
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    best: int
    difference: np.ndarray
    difference_low: np.ndarray
    difference_high: np.ndarray
    p_value: np.ndarray
    like_best: np.ndarray
    more_seeds: np.ndarray

    def __str__(self) -> str:
        """A line for each schedule, best first, by its index; ≈ marks what is like the best."""
        order = np.argsort(self.difference, kind="stable")  # those without a number come last
        return "\n".join([f"{self.metric} ({self.confidence:.0%})", *map(self._line, order)])

    def _line(self, index: int) -> str:
        name = f"schedule {index:>{len(str(len(self.mean) - 1))}}"
        if np.isnan(self.mean[index]):
            return f"{name}  not finite"
        line = f"{name}  {self.mean[index]:#.4g}"
        if np.isfinite(self.low[index]):
            line += f" ({self.low[index]:#.4g} … {self.high[index]:#.4g})"
        if index == self.best:
            return f"{line}  the best"
        line += f"  {self.difference[index]:.2g} behind"
        if np.isfinite(self.p_value[index]):
            line += f", p = {self.p_value[index]:.2g}"
        return f"{line} ≈" if self.like_best[index] else line


def compare(
    values: np.ndarray,
    metric: str,
    *,
    larger_is_better: bool,
    confidence: float = 0.95,
    resolution: float = 0.0,
    limits: tuple[float, float] = (-math.inf, math.inf),
    best: int | None = None,
) -> Comparison:
    """Compares schedules by the last values of a metric.

    Student's t: an interval for each mean, and a paired test of each schedule with the best. Which
    schedule is the best is found in the same data, so it may be any of them, and p-values are
    multiplied by the number of all pairs (Bonferroni): the chance that one of S equal schedules is
    called worse than the best is at most 1 − confidence, for normally distributed differences.

    Args:
        values: [S, K], S schedules and K seeds, not a number where a member diverged. Infinite ones
            count as none.
        metric: its name.
        larger_is_better: as of an accuracy, not of a loss.
        confidence: of the intervals, between 0 and 1.
        resolution: the smallest step of the metric: 1 / (test examples) of an accuracy. Where a few
            differences happen to be equal, an uncertainty of this size is still assumed.
        limits: what no mean is below or above: 0 and 1 for an accuracy. Intervals end there.
        best: which of the schedules with the best mean is the best; None for the first.

    Returns:
        A `Comparison`. With one seed it has no intervals, and separates nothing.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.results.statistics import compare
        >>> accuracy = np.array([[0.97, 0.98, 0.99, 0.98], [0.93, 0.94, 0.955, 0.94]])
        >>> found = compare(accuracy, "test_accuracy", larger_is_better=True)
        >>> found.best, found.like_best.tolist()
        (0, [True, False])
        >>> found.difference.round(3).tolist(), bool(found.p_value[1] < 0.001)
        ([0.0, 0.039], True)
        >>> print(found)
        test_accuracy (95%)
        schedule 0  0.9800 (0.9670 … 0.9930)  the best
        schedule 1  0.9413 (0.9248 … 0.9577)  0.039 behind, p = 7.4e-05
    """
    values = np.asarray(values, np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    mean = values.mean(axis=1)
    sound = np.isfinite(mean)
    sign = 1.0 if larger_is_better else -1.0
    if best is None or not sound[best]:
        best = int(np.nanargmax(sign * mean)) if sound.any() else -1
    worse = sign * (values[best] - values)
    pairs = max(1, int(sound.sum() * (sound.sum() - 1)) // 2)
    corrected = (1 - confidence) / pairs
    # A value that is rounded to the resolution has this deviation at least, two of them √2 of it.
    rounding = resolution / np.sqrt(12)
    deviation = np.maximum(_deviation(worse), np.sqrt(2) * rounding)
    difference, seeds = worse.mean(axis=1), values.shape[1]
    half = _half_width(np.maximum(_deviation(values), rounding), seeds, 1 - confidence)
    room = _half_width(deviation, seeds, corrected)
    p_value = np.where(sound, np.minimum(1, pairs * _p_value(difference, deviation, seeds)), np.nan)
    like_best = sound & ~(p_value <= 1 - confidence)
    needed = _seeds_to_separate(difference, deviation, corrected)
    return Comparison(
        metric=metric,
        confidence=confidence,
        mean=mean,
        low=np.clip(mean - half, *limits),
        high=np.clip(mean + half, *limits),
        best=best,
        difference=difference,
        difference_low=difference - room,
        difference_high=difference + room,
        p_value=p_value,
        like_best=like_best,
        more_seeds=_more(needed - seeds, like_best),
    )


def resolution_of(values: np.ndarray, examples: int) -> float:
    """The smallest step of a metric, as its values show it; 0 if it is not discrete.

    A mean of whole numbers over the test examples, such as an error, is a multiple of 1 / examples.
    Any other metric is discrete if values of different seeds are equal.

    Args:
        values: [S, K], S schedules and K seeds; what is not finite does not count.
        examples: the number of test examples.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.results.statistics import resolution_of
        >>> resolution_of(np.array([[0.12, 0.16], [0.10, 0.20]]), examples=50)
        0.02
        >>> resolution_of(np.array([[0.1234, 0.1678], [0.1011, 0.2098]]), examples=50)
        0.0
    """
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0
    counts = np.round(finite * examples)
    # Of larger counts float32 has no fractions that would show the metric not to be discrete.
    are_whole = np.abs(finite * examples - counts) <= ROUNDING * np.abs(counts)
    if (are_whole & (np.abs(counts) < 0.1 / ROUNDING)).all():
        return int(np.gcd.reduce((counts - counts.min()).astype(np.int64))) / examples
    grain = ROUNDING * np.abs(finite).max()
    by_seed = [np.unique(np.round(each[np.isfinite(each)] / grain)) for each in values.T]
    distinct = np.unique(np.concatenate(by_seed))
    if len(distinct) < 2 or len(distinct) == sum(map(len, by_seed)):
        return 0.0
    return float(np.diff(distinct).min() * grain)


def _more(missing: np.ndarray, like_best: np.ndarray) -> np.ndarray:
    """0 where no more are needed, -1 where no number of them is known to suffice."""
    enough = np.where(missing <= MOST_SEEDS, np.maximum(missing, 1), -1)  # not a number: -1
    return np.where(like_best, enough, 0).astype(int)


def _deviation(values: np.ndarray) -> np.ndarray:
    """Of single values from their mean; not a number of one value."""
    if values.shape[1] < 2:
        return np.full(len(values), np.nan)
    return values.std(axis=1, ddof=1)


def _half_width(deviation: np.ndarray, seeds: int, error: float) -> np.ndarray:
    """Of the interval that misses the mean with a chance of `error`."""
    return -special.stdtrit(max(seeds - 1, 1), error / 2) * deviation / np.sqrt(seeds)


def _p_value(mean: np.ndarray, deviation: np.ndarray, seeds: int) -> np.ndarray:
    """Of the two-sided test that a mean is 0; 1 where all values are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = mean / (deviation / np.sqrt(seeds))
    p_value = 2 * special.stdtr(max(seeds - 1, 1), -np.abs(t))
    return np.where((mean == 0) & (deviation == 0), 1.0, p_value)


def _seeds_to_separate(mean: np.ndarray, deviation: np.ndarray, error: float) -> np.ndarray:
    """How many seeds a paired test needs, by Guenther's approximation (1981)."""
    quantile = -special.ndtri(error / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = deviation / np.abs(mean)
        return np.ceil(((quantile + special.ndtri(POWER)) * ratio) ** 2 + quantile**2 / 2)
