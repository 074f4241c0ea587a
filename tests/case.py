"""A schedule with its reference, and how both are made from one set of arguments."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
from references import FORMULAS, LAST_STEP, Reference

import jaxdecay


@dataclasses.dataclass(frozen=True)
class Case:
    """One schedule: a name, the schedule, its reference, and how exact its values are."""

    name: str
    schedule: jaxdecay.Schedule
    reference: Reference
    tolerance: float = 1e-6
    also_at: tuple[int, ...] = ()

    def boundaries(self) -> list[int]:
        """Steps at which something changes: counts and their sums."""
        counts = [count for count in self.reference.counts() if count > 1]
        found = {0, *counts, *np.cumsum(counts, dtype=object), *self.also_at}
        return sorted(step for step in found if step <= LAST_STEP)

    def steps(self, around: int = 100, random: int = 40) -> list[int]:
        """Steps to test at: around boundaries, their sums and multiples, powers of ten, some more.

        There are more steps around what changes than elsewhere, and some of every size.
        """
        found = {*range(21), 1, 10**3, 10**6, 10**7, 10**8, LAST_STEP, LAST_STEP - 1}
        boundaries = self.boundaries()
        for first in boundaries:
            found.update(range(first - around, first + around + 1))
            sums = {first + each for each in boundaries}
            products = {first * each for each in (2, 3, 100, *boundaries[:9])}
            found |= {step + near for step in sums | products for near in (-1, 0, 1)}
        generator = np.random.default_rng(len(self.name) + len(boundaries))
        found.update(int(step) for step in 2 ** generator.uniform(0, 31, random))
        return sorted(step for step in found if 0 <= step <= LAST_STEP)


def case(
    family: str,
    note: str = "",
    *numbers: Any,
    tolerance: float = 1e-6,
    also_at: tuple[int, ...] = (),
    **named: Any,
) -> Case:
    """A case from one set of arguments; an argument may be a case (for a schedule) itself."""
    signature = inspect.signature(FORMULAS[family])
    arguments = signature.bind(None, *numbers, **named).arguments
    given = {name: value for name, value in arguments.items() if name not in ("t", "others")}
    given |= arguments.get("others", {})
    defaults = {
        each.name: each.default
        for each in signature.parameters.values()
        if each.default is not each.empty
    }

    def pick(value: Any, attribute: str) -> Any:
        if isinstance(value, Case):
            return getattr(value, attribute)
        return [pick(each, attribute) for each in value] if isinstance(value, list) else value

    return Case(
        name=f"{family}: {note}",
        schedule=jaxdecay.families[family](
            **{name: pick(value, "schedule") for name, value in given.items()}
        ),
        reference=Reference(
            family, defaults | {name: pick(value, "reference") for name, value in given.items()}
        ),
        tolerance=tolerance,
        also_at=also_at,
    )


PRIME = 99_991
