"""What the seeds of a sweep show, in one sentence for terminal, report and notebook."""

from __future__ import annotations

from jaxdecay.results.result import SweepResult
from jaxdecay.results.statistics import ENOUGH_SEEDS, MOST_SEEDS, Comparison
from jaxdecay.results.wording import metric_title
from jaxdecay.spelling import counted


def meaning_of_alike(result: SweepResult, confidence: float = 0.95) -> str:
    """What the mark ≈ means."""
    return (
        f"≈ not significantly worse than the best {metric_title(result.main_metric)} "
        f"(paired t-tests, {100 * confidence:g} % confidence, corrected for all pairs)"
    )


def trained(result: SweepResult) -> str:
    """What was trained, how fast, and what was saved."""
    words = (
        f"Trained {counted(result.diverged.size, 'network')} in {result.run_seconds:,.1f} s "
        f"({result.member_steps_per_second:,.0f} member-steps/s), "
        f"plus {result.compile_seconds:,.1f} s of compilation."
    )
    if result.shared <= 0:
        return words
    share = f"{100 * result.shared:.0f} %" if result.shared >= 0.01 else "Less than 1 %"
    return f"{words} {share} of the steps were not trained: other schedules had the same rates."


def verdict(seeds: int, alike: int, others: int) -> str:
    """How many of the other schedules the seeds separate from the best.

    Args:
        seeds: K, at least 1.
        alike: how many of the others are not significantly worse than the best.
        others: the number of other schedules, without diverged ones, at least 1.

    Example:
        >>> from jaxdecay.results.verdict import verdict
        >>> verdict(5, 23, 27)
        '5 seeds cannot separate 23 of the 27 other schedules from the best'
        >>> verdict(3, 59, 59)
        'with 3 seeds none of the other 59 is significantly worse than the best'
    """
    if seeds == 1:
        return "one seed cannot show which differences are real"
    if others == 1:
        not_ = "not " if alike else ""
        return f"with {seeds} seeds the other schedule is {not_}significantly worse than the best"
    if alike == 0:
        return (
            f"with {seeds} seeds all of the other {others:,} are significantly worse than the best"
        )
    if alike == others:
        return (
            f"with {seeds} seeds none of the other {others:,} is significantly worse than the best"
        )
    return (
        f"{seeds} seeds cannot separate {alike:,} of the {others:,} other schedules from the best"
    )


def needs_confirming(comparison: Comparison, seeds: int) -> bool:
    """Whether few seeds leave open which schedule is the best."""
    return seeds < ENOUGH_SEEDS and int(comparison.like_best.sum()) > 1


def seeds_that_settle(comparison: Comparison) -> str:
    """How many more seeds would separate the first of those that are like the best."""
    known = comparison.more_seeds[comparison.more_seeds > 0]
    if not len(known):
        return f"more than {MOST_SEEDS:,} more seeds may be needed to separate the first of them"
    return (
        f"about {known.min():,} more seeds would separate the first of them, "
        "if its mean difference stays the same"
    )
