"""The headings under which families are listed."""

from __future__ import annotations

import enum


class Group(enum.StrEnum):
    """A heading of the catalogue, the gallery and the reference, in their order."""

    EXPLICIT = "Explicit values"
    ENDING = "Ends at transition_steps, then holds end_value"
    RATES = "No end (controlled by a decay rate)"
    CYCLES = "Repeats in cycles"
    COMPOSED = "Composed of schedules"
    RUNS = "Complete runs, composed of the above"
    ADAPTIVE = "Adaptive: follows a metric"
    OWN = "Your own"
