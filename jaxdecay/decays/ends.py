"""Ends and boundaries, as several decays check and declare them."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxdecay.domain import (
    is_any,
)
from jaxdecay.inspection.marks import Clock, Jumps, Marks


def check_end(family: str, init_value: Any, end_value: Any, decay_rate: Any = 0.5) -> None:
    """ValueError if the rate moves away from the end: up for one above 1, down for one below."""

    def beyond(init_value: Any, end_value: Any, decay_rate: Any) -> Any:
        above, below = end_value > init_value, end_value < init_value
        return np.where(decay_rate < 1, above, (decay_rate > 1) & below)

    if is_any(beyond, init_value, end_value, decay_rate):
        side = "at most" if is_any(np.less, decay_rate, 1) else "at least"
        raise ValueError(
            f"{family}: end_value must be {side} init_value, {init_value!r}, got {end_value!r}; "
            f"for a constant rate use jaxdecay.constant({end_value!r})"
        )


def at_transition_steps(transition_steps: Any, cycle: bool = False, **_: Any) -> Any:
    """The end of a decay that holds its value from `transition_steps`, unless it cycles."""
    return None if cycle else transition_steps


def at_boundaries(schedule: Any, clock: Clock) -> Marks:
    """Jumps at `boundaries`."""
    boundaries = tuple(np.sort(np.asarray(schedule.boundaries, float)).tolist())
    for boundary in boundaries:
        yield clock.turn(f"a boundary of {schedule.family}", boundary)
    yield Jumps(clock, at=boundaries)
