"""The phases of a schedule, read from the schedules it is put together from.

Each part of a schedule counts its own steps. Here all of them are told in steps of the whole run:
when a part begins, when it comes to its end, and when what is around it stops showing it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from jaxdecay.feedback import value_at
from jaxdecay.schedule import Schedule

PhaseKind = Literal["fall", "cycle", "hold", "down", "turn"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a schedule, in steps of the run.

    Attributes:
        name: what it is, in words.
        kind: "fall" (comes to an end and holds it), "cycle" (starts again at its end), "hold"
            (stands still from its end on), "down" (a warm-up that goes down) or "turn" (a
            moment: its beginning is its end).
        begin: the step at which it begins.
        end: the step at which it has come to its end.
        around: the clock that it follows.
    """

    name: str
    kind: PhaseKind
    begin: float
    end: float
    around: Clock


@dataclasses.dataclass(frozen=True)
class Jumps:
    """Steps at which a schedule is meant to jump: some (`at`), or each so many (`every`).

    Both are counted by `around`.
    """

    around: Clock
    at: tuple[float, ...] = ()
    every: float = math.inf

    def meant(self, step: int) -> bool:
        """Whether the schedule is meant to jump from the step before to this one."""
        before, now = self.around.own(step - 1) + 1e-6, self.around.own(step) + 1e-6
        # At its own step 0 a part begins; that it jumps is for what is around it to mean.
        periodic = math.floor(now / self.every) > max(0, math.floor(before / self.every))
        return periodic or any(before < each <= now for each in self.at)


@dataclasses.dataclass(frozen=True)
class Seam:
    """A step at which one schedule follows another, and at which they should meet.

    Attributes:
        around: the clock that counts `at`.
        at: the step.
        earlier: the schedule before it.
        length: how long that one lasts, in its own steps.
        later: the schedule from it on.
    """

    around: Clock
    at: float
    earlier: Any
    length: float
    later: Any

    def is_open(self) -> bool:
        """Whether the schedules do not meet, even if one of them is a step early or late."""
        whole = self.around.unit == 1
        one = 1 if whole else max(1.0, 1 / self.around.unit)
        end = math.ceil(self.length) if whole else self.length
        before = _values(self.earlier, np.array([max(end - one, 0), end, end + one]))
        after = _values(self.later, np.array([0, one]))
        gap = max(np.min(before) - np.max(after), np.min(after) - np.max(before))
        return bool(gap > 0.5 * abs(after[0] - before[0]))


def _values(schedule: Any, steps: np.ndarray) -> np.ndarray:
    return np.asarray(value_at(schedule, steps), np.float64).ravel()


@dataclasses.dataclass(frozen=True)
class Clock:
    """How a part of a schedule counts: its step s is the step offset + unit·s of the run.

    Attributes:
        until: the step of the run from which on the part is not shown.
        because: why it is not, in words.
        may_be_cut: whether it is normal that the part is not at its end by then, or stands still.
        offset: the step of the run at which the part begins.
        unit: steps of the run in one step of the part.
        owner: the compound that the part belongs to, as the end of its name.
    """

    until: float
    because: str = "the run ends"
    may_be_cut: bool = False
    offset: float = 0.0
    unit: float = 1.0
    owner: str = ""

    def step(self, own: Any) -> float:
        """The step of the run at a step of the part."""
        return self.offset + self.unit * float(own)

    def own(self, step: float) -> float:
        """The step of the part at a step of the run."""
        return (step - self.offset) / self.unit

    def phase(self, name: str, kind: PhaseKind, begin: Any, end: Any) -> Phase:
        """A phase between two steps of the part."""
        return Phase(name + self.owner, kind, self.step(begin), self.step(end), self)

    def turn(self, name: str, at: Any) -> Phase:
        """A moment, at a step of the part."""
        return self.phase(name, "turn", at, at)

    def after(self, begin: Any) -> Clock:
        """The clock of a part of the part that begins later."""
        return dataclasses.replace(self, offset=self.step(begin))

    def within(self, length: Any, because: str, may_be_cut: bool = False) -> Clock:
        """The clock of a part of the part that is not shown past a length."""
        until = self.step(length)
        if until >= self.until:
            return dataclasses.replace(self, may_be_cut=self.may_be_cut or may_be_cut)
        return dataclasses.replace(self, until=until, because=because, may_be_cut=may_be_cut)

    def in_units_of(self, unit: float) -> Clock:
        """The clock of a part of the part whose steps are longer."""
        return dataclasses.replace(self, unit=self.unit * unit)


Marks = Iterator[Phase | Jumps | Seam]


def whole(step: float) -> int:
    """The first step of the run that is not before a moment, which a unit may put in between."""
    return math.ceil(step - 1e-6)


def phases(schedule: Any, clock: Clock) -> Marks:
    """All phases, meant jumps and seams of a schedule; none of a number or a decay of your own."""
    if not isinstance(schedule, Schedule) or schedule.decay.public is None:
        return
    if schedule.decay.is_compound:
        owner = clock.owner or f" in {schedule.family}"
        yield from phases(schedule.parts(), dataclasses.replace(clock, owner=owner))
    elif schedule.decay.function.__module__ in _ENDING:
        yield from _ending(schedule, clock)
    elif schedule.family in _OF_FAMILY:
        yield from _OF_FAMILY[schedule.family](schedule, clock)
    elif schedule.options.get("staircase", False):
        yield from _stairs(schedule, clock)


_ENDING = tuple(
    f"jaxdecay.decays.{shape}" for shape in ("polynomials", "cosines", "tangents", "hyperbolas")
)


def _ending(schedule: Schedule, clock: Clock) -> Marks:
    cycles = schedule.options.get("cycle", False)
    kind = "cycle" if cycles else "fall"
    yield clock.phase(schedule.family, kind, 0, schedule.transition_steps)
    if cycles:  # which reach their end, and jump a step later
        yield Jumps(clock.after(1), every=float(schedule.transition_steps) or math.inf)


def _stairs(schedule: Schedule, clock: Clock) -> Marks:
    yield clock.turn(f"the first drop of {schedule.family}", schedule.transition_steps)
    yield Jumps(clock, every=float(schedule.transition_steps))


def _boundaries(schedule: Schedule, clock: Clock) -> Marks:
    boundaries = tuple(np.sort(np.asarray(schedule.boundaries, float)).tolist())
    for boundary in boundaries:
        yield clock.turn(f"a boundary of {schedule.family}", boundary)
    yield Jumps(clock, at=boundaries)


def _piecewise_linear(schedule: Schedule, clock: Clock) -> Marks:
    boundaries = np.asarray(schedule.boundaries, float)
    yield clock.phase(schedule.family, "fall", 0, boundaries[-1])
    yield Jumps(clock, at=tuple(boundaries[1:][np.diff(boundaries) == 0].tolist()))


def _interpolate(schedule: Schedule, clock: Clock) -> Marks:
    last = (len(schedule.values) - 1) * float(schedule.transition_steps)
    yield clock.phase(schedule.family, "fall", 0, last)


def _cosine_restarts(schedule: Schedule, clock: Clock) -> Marks:
    length, multiplier = float(schedule.period), float(schedule.period_multiplier)
    yield clock.phase(f"the first cycle of {schedule.family}", "cycle", 0, length)
    restarts = [length]
    while multiplier > 1 and clock.step(restarts[-1]) < clock.until:
        length *= multiplier
        restarts.append(restarts[-1] + length)
    yield Jumps(clock, tuple(restarts)) if multiplier > 1 else Jumps(clock, every=length)


def _cyclic(schedule: Schedule, clock: Clock) -> Marks:
    up, down = schedule.up_steps, schedule.down_steps
    length = float(up) + float(up if down is None else down)
    yield clock.phase(f"the first cycle of {schedule.family}", "cycle", 0, length)


def _sine_wave(schedule: Schedule, clock: Clock) -> Marks:
    length = 2 * float(schedule.up_steps)
    yield clock.phase(f"the first cycle of {schedule.family}", "cycle", 0, length)


def _noam(schedule: Schedule, clock: Clock) -> Marks:
    yield clock.turn("what follows the warm-up of noam", schedule.warmup_steps)


def _power_law(schedule: Schedule, clock: Clock) -> Marks:
    yield clock.turn("the fall of power_law", schedule.transition_steps)


def _warmup(schedule: Schedule, clock: Clock) -> Marks:
    begun = float(schedule.init_value)
    if begun and begun > float(value_at(schedule.schedule, 0)):
        yield clock.phase("the warm-up", "down", 0, schedule.warmup_steps)
    yield clock.turn("what follows the warm-up", schedule.warmup_steps)
    yield from phases(schedule.schedule, clock.after(schedule.warmup_steps))


def _cooldown(schedule: Schedule, clock: Clock) -> Marks:
    begin, length = schedule.begin, float(schedule.transition_steps)
    yield clock.phase("the cooldown", "fall", begin, float(begin) + length)
    yield from phases(
        schedule.schedule, clock.within(begin, "the cooldown begins", may_be_cut=True)
    )


def _join(schedule: Schedule, clock: Clock) -> Marks:
    lengths = np.asarray(schedule.lengths, float).tolist()
    if len(lengths) < len(schedule.schedules):
        lengths.append(float("inf"))
    *starts, end = itertools.accumulate(lengths, initial=0.0)
    last = len(schedule.schedules) - 1
    shown = [index for index, length in enumerate(lengths) if length or index == last]
    for index in shown:
        start, each = starts[index], schedule.schedules[index]
        yield clock.turn(f"schedules[{index}] of join", start)
        part = clock.after(start).within(lengths[index], "its length in join ends")
        yield from phases(each, part)
    for before, index in itertools.pairwise(shown):
        start, earlier, later = starts[index], schedule.schedules[before], schedule.schedules[index]
        if _is_level(earlier) and _is_level(later):
            yield Jumps(clock, at=(start,))  # stairs made by hand
        else:
            yield Seam(clock, start, earlier, lengths[before], later)
    yield clock.phase("join", "hold", 0, end)


def _is_level(schedule: Any) -> bool:
    return not isinstance(schedule, Schedule) or schedule.family == "constant"


def _hold(schedule: Schedule, clock: Clock) -> Marks:
    if clock.step(schedule.begin) != clock.until:  # with the end of the run all is done
        yield clock.turn("hold", schedule.begin)
    yield from phases(
        schedule.schedule, clock.within(schedule.begin, "hold begins", may_be_cut=True)
    )


def _delay(schedule: Schedule, clock: Clock) -> Marks:
    yield clock.turn("what is delayed", schedule.delay_steps)
    yield from phases(schedule.schedule, clock.after(schedule.delay_steps))


def _advance(schedule: Schedule, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.after(-schedule.advance_steps))


def _repeat(schedule: Schedule, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.within(schedule.period, "the period of repeat ends"))
    yield Jumps(clock, every=float(schedule.period))


def _extend(schedule: Schedule, clock: Clock) -> Marks:
    yield clock.phase("extend", "fall", schedule.at, schedule.new_transition_steps)


def _per_epoch(schedule: Schedule, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.in_units_of(float(schedule.steps_per_epoch)))


def _count_units(schedule: Schedule, clock: Clock) -> Marks:
    yield from phases(schedule.schedule, clock.in_units_of(1 / float(schedule.units_per_step)))


def _each_part(schedule: Schedule, clock: Clock) -> Marks:
    for each in schedule.hyperparameters.values():
        yield from phases(each, clock)


_OF_FAMILY: dict[str, Callable[[Schedule, Clock], Marks]] = {
    "add": _each_part,
    "advance": _advance,
    "clip": _each_part,
    "cooldown": _cooldown,
    "cosine_restarts": _cosine_restarts,
    "cyclic": _cyclic,
    "delay": _delay,
    "discrete_staircase": _stairs,
    "extend": _extend,
    "greedy": _each_part,
    "hold": _hold,
    "count_units": _count_units,
    "interpolate": _interpolate,
    "join": _join,
    "multi_step": _boundaries,
    "multiply": _each_part,
    "noam": _noam,
    "per_epoch": _per_epoch,
    "piecewise_constant": _boundaries,
    "piecewise_linear": _piecewise_linear,
    "power_law": _power_law,
    "reduce_on_plateau": _each_part,
    "repeat": _repeat,
    "scale": _each_part,
    "sine_wave": _sine_wave,
    "step_decay": _stairs,
    "warmup": _warmup,
}
