"""`jaxdecay.plot`: one picture of whatever can be drawn."""

from __future__ import annotations

from matplotlib.figure import Figure

from jaxdecay.population import Population
from jaxdecay.report.pictures import draw_curves, draw_schedules
from jaxdecay.results.result import SweepResult
from jaxdecay.schedule import Schedule


def plot(shown: Schedule | Population | SweepResult, *, steps: int | None = None) -> Figure:
    """Draws a schedule, a population or the result of a sweep.

    Args:
        shown: a schedule or a population, drawn against step; or the result of a sweep, of which
            learning rate, losses and the metric that ranks are drawn against epoch.
        steps: how many steps to draw, > 0; for schedules and populations, which need it. Lengths
            that are relative to a run are resolved for a run of so many steps.

    Returns:
        A Matplotlib `Figure`, which a notebook shows and `savefig` writes.

    Raises:
        TypeError: something else to draw, `steps` for a result, or none for a schedule.
        ValueError: `steps` below 1.

    Example:
        >>> import jaxdecay
        >>> figure = jaxdecay.plot(jaxdecay.cosine(0.1, transition_steps=90), steps=100)
        >>> figure.axes[0].get_xlabel()
        'step'
    """
    if isinstance(shown, SweepResult):
        if steps is not None:
            raise TypeError(
                f"plot: a result is drawn for the epochs that it has, got steps={steps!r}; "
                "leave it out"
            )
        return draw_curves(shown)
    if not isinstance(shown, Schedule | Population):
        raise TypeError(
            "plot takes a schedule, a population or the result of a sweep, got "
            f"{type(shown).__name__}; for a list of schedules use jaxdecay.stack(schedules)"
        )
    if steps is None:
        raise TypeError("plot: a schedule is drawn for a number of steps; give it as steps=…")
    if steps < 1:
        raise ValueError(f"plot: steps must be at least 1, got {steps!r}")
    return draw_schedules([shown] if isinstance(shown, Schedule) else list(shown), steps)
