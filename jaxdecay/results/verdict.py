"""What the seeds of a sweep show, in one sentence for terminal, report and notebook."""

from __future__ import annotations

import numpy as np

from jaxdecay.results.result import SweepResult
from jaxdecay.results.statistics import ENOUGH_SEEDS, MOST_SEEDS, Comparison
from jaxdecay.results.wording import metric_title
from jaxdecay.spelling import counted


def meaning_of_alike(
    result: SweepResult, confidence: float = 0.95, target: float | None = None
) -> str:
    """What the mark ≈ means."""
    metric = metric_title(result.main_metric)
    what = f"best {metric}" if target is None else f"fewest steps to {metric} {target:g}"
    return (
        f"≈ not significantly worse than the {what} "
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
        return "one seed per schedule cannot tell differences between schedules from chance"
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


def unreached(result: SweepResult, target: float | None) -> str | None:
    """That no schedule reached the target, and what then ranks them; None if one did."""
    if target is None or np.isfinite(result.steps_to(target).mean(axis=1)[result.sound]).any():
        return None
    metric = metric_title(result.main_metric)
    return (
        f"no schedule reached {metric} {target:g} with all seeds, so they are ranked by their last "
        f"{metric}; choose an easier target, or train for more epochs"
    )


FEW_EXAMPLES = 30
"""With fewer, a test set shows almost nothing."""


def few_examples(result: SweepResult) -> str | None:
    """What a small test set cannot show of several schedules; None if it is not that small."""
    examples = result.settings["test_examples"]
    if examples >= FEW_EXAMPLES or result.sound.sum() < 2:
        return None
    return (
        f"the test set has only {counted(examples, 'example')}, so the best schedule may be best "
        "by chance, whatever the seeds show; test on more"
    )


def twins_of(result: SweepResult, best: int) -> int:
    """How many other schedules did in all epochs, to the last bit, what the best did."""
    equal = np.ones(len(result.population), bool)
    for values in result.history.values():
        of_best = values[:, [best]]
        equal &= ((values == of_best) | (np.isnan(values) & np.isnan(of_best))).all(axis=(0, 2))
    return int(equal.sum()) - 1


def same_rates(twins: int) -> str:
    """What to do about schedules that do what the best does.

    Example:
        >>> from jaxdecay.results.verdict import same_rates
        >>> same_rates(1)[:66]
        '1 other schedule has the same learning rates as the best in this r'
    """
    subject = "1 other schedule has" if twins == 1 else f"{twins:,} other schedules have"
    return (
        f"{subject} the same learning rates as the best in this run, so no number of seeds can "
        "separate them; keep one of them"
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
