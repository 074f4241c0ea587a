"""How numbers, metrics and schedules are written for people."""

from __future__ import annotations

import re

import numpy as np

from jaxdecay.schedule import Schedule

MISSING = "–"
"""Stands for a number that does not exist."""


def metric_title(name: str) -> str:
    """The name of a metric in the history, as words.

    Example:
        >>> from jaxdecay.results.wording import metric_title
        >>> metric_title("test_accuracy")
        'test accuracy'
    """
    return name.replace("_", " ")


def number(value: float | None) -> str:
    """A metric with four decimals, or four digits where it is very small or large.

    Example:
        >>> from jaxdecay.results.wording import number
        >>> number(0.97412), number(0.000123456), number(None)
        ('0.9741', '0.0001235', '–')
    """
    if value is None or not np.isfinite(value):
        return MISSING
    return format(value, _form(value))


def spread(values: np.ndarray) -> str:
    """Mean ± standard deviation of a sample; of one value only the mean.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.results.wording import spread
        >>> spread(np.array([0.9, 0.92])), spread(np.array([0.9]))
        ('0.9100 ± 0.0141', '0.9000')
    """
    mean = float(np.mean(values))
    if not np.isfinite(mean) or len(values) < 2:
        return number(mean)
    return f"{number(mean)} ± {np.std(values, ddof=1):{_form(mean)}}"


def steps(value: float | None) -> str:
    """A count of steps; infinitely many, which were not reached, are missing.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.results.wording import steps
        >>> steps(1280.0), steps(np.inf)
        ('1,280', '–')
    """
    return MISSING if value is None or not np.isfinite(value) else f"{value:,.0f}"


def short(value: float) -> str:
    """A hyperparameter or a learning rate, with four digits.

    Example:
        >>> from jaxdecay.results.wording import short
        >>> short(0.123456), short(30.0), short(float("nan"))
        ('0.1235', '30', '–')
    """
    return f"{value:.4g}" if np.isfinite(value) else MISSING


def short_repr(schedule: Schedule) -> str:
    """The `repr` of a schedule with its numbers rounded to four digits, to be read by people.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.results.wording import short_repr
        >>> short_repr(jaxdecay.constant(0.123456))
        'constant(value=0.1235)'
    """
    return re.sub(r"\d+\.\d+(e-?\d+)?", lambda found: f"{float(found[0]):.4g}", repr(schedule))


def remedy_for_divergence(diverged_at: np.ndarray) -> str:
    """What to do if every schedule has a diverged member.

    Args:
        diverged_at: the step at which each member diverged, or -1; see `SweepResult`.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.results.wording import remedy_for_divergence
        >>> remedy_for_divergence(np.array([[7, 9], [2, 1]]))
        'try smaller learning rates'
    """
    if (diverged_at == 0).any(axis=1).all():
        return (
            "the loss was NaN or infinite before the first update, so learning rates are not the "
            "reason; check the numbers in the data, their scale, and the loss"
        )
    return "try smaller learning rates"


def label(schedule: Schedule) -> str:
    """`short_repr`, cut to 60 characters, for the legend of a picture."""
    text = short_repr(schedule)
    return text if len(text) <= 60 else text[:59] + "…"


def _form(value: float) -> str:
    return ".4f" if 0.01 <= abs(value) < 1_000 else ".4g"
