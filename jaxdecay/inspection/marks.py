"""What a family declares of its timing: phases, intended jumps, and seams.

Each part of a schedule counts its own steps; a `Clock` converts them to steps of the run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Literal

PhaseKind = Literal["fall", "cycle", "hold", "down", "turn"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a schedule, in steps of the run.

    Attributes:
        name: what it is, in words.
        kind: "fall" (reaches an end and holds it), "cycle" (starts again at its end), "hold"
            (stays constant from its end on), "down" (a warm-up that goes down) or "turn" (a
            moment: it ends where it begins).
        begin: the step at which it begins.
        end: the step at which it has reached its end.
        around: the clock that it follows.
    """

    name: str
    kind: PhaseKind
    begin: float
    end: float
    around: Clock


@dataclasses.dataclass(frozen=True)
class Jumps:
    """Steps at which a jump of a schedule is intended: listed (`at`), or periodic (`every`).

    Both are counted by `around`.
    """

    around: Clock
    at: tuple[float, ...] = ()
    every: float = math.inf

    def is_intended(self, step: int) -> bool:
        """Whether a jump from the step before to this one is intended."""
        before, now = self.around.own(step - 1) + 1e-6, self.around.own(step) + 1e-6
        # At its own step 0 a part begins; the schedule around it declares whether it may jump.
        periodic = math.floor(now / self.every) > max(0, math.floor(before / self.every))
        return periodic or any(before < jump <= now for jump in self.at)


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


@dataclasses.dataclass(frozen=True)
class Clock:
    """How a part of a schedule counts: its step s is the step offset + unit·s of the run.

    Attributes:
        until: the step of the run from which the part is no longer used.
        because: why it is not, in words.
        may_be_cut: whether the part may be cut off before its end, or stay constant until then.
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
        """The clock of an inner part that begins later."""
        return dataclasses.replace(self, offset=self.step(begin))

    def within(self, length: Any, because: str, may_be_cut: bool = False) -> Clock:
        """The clock of an inner part that is used only up to a length."""
        until = self.step(length)
        if until >= self.until:
            return dataclasses.replace(self, may_be_cut=self.may_be_cut or may_be_cut)
        return dataclasses.replace(self, until=until, because=because, may_be_cut=may_be_cut)

    def in_units_of(self, unit: float) -> Clock:
        """The clock of an inner part whose steps are longer."""
        return dataclasses.replace(self, unit=self.unit * unit)


@dataclasses.dataclass(frozen=True)
class Level:
    """Declares that a part is constant: a jump between two such parts is intended."""


Marks = Iterator[Phase | Jumps | Seam | Level]


def rounded_up(step: float) -> int:
    """The first step of the run at or after a moment, which may lie between two steps."""
    return math.ceil(step - 1e-6)
