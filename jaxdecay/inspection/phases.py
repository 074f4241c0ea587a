"""The phases of a schedule, read from the schedules that it is composed of.

Each part of a schedule counts its own steps. Here all are in steps of the complete run: when a
part begins, when it reaches its end, and when the schedule around it stops using it. A family
declares its own with `@decay(phases=…)`; several families share the functions below.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from jaxdecay.declaration import BoundDecay
from jaxdecay.inspection.marks import Clock, Jumps, Marks


def phases(schedule: Any, clock: Clock) -> Marks:
    """All phases, intended jumps and seams of a schedule; none for a number or if undeclared."""
    if not isinstance(schedule, BoundDecay):
        return
    if schedule.decay.phases is not None:
        yield from schedule.decay.phases(schedule, clock)
    elif schedule.decay.is_compound:
        owner = clock.owner or f" in {schedule.family}"
        yield from phases(schedule.parts(), dataclasses.replace(clock, owner=owner))


def to_the_end(schedule: Any, clock: Clock) -> Marks:
    """From step 0 to `transition_steps`; with the option `cycle`, again and again."""
    cycles = schedule.options.get("cycle", False)
    kind = "cycle" if cycles else "fall"
    yield clock.phase(schedule.family, kind, 0, schedule.transition_steps)
    if cycles:  # which reach their end, and jump a step later
        yield Jumps(clock.after(1), every=float(schedule.transition_steps) or math.inf)


def stairs(schedule: Any, clock: Clock) -> Marks:
    """A drop every `transition_steps` steps, unless the option `staircase` is off."""
    if schedule.options.get("staircase", True):
        yield clock.turn(f"the first drop of {schedule.family}", schedule.transition_steps)
        yield Jumps(clock, every=float(schedule.transition_steps))


def of_each_part(schedule: Any, clock: Clock) -> Marks:
    """The phases of the schedules inside it, on the same clock."""
    for part in schedule.hyperparameters.values():
        yield from phases(part, clock)
