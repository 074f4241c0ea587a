"""Every family's formula, a second time: the references that the laws compare with.

The formulas of `formulas_*.py` are written literally, in decimal arithmetic of 60 digits, without
the care that float32 needs, without JAX, and without a look at the library. They are evaluated at
the hyperparameters as float32 holds them, but for those that are repeated, which float64 holds. 11
steps of 1.1 are 10 stairs, although the float next to 1.1 is above it. Counts that are integers
stay exact.
"""

from __future__ import annotations

import dataclasses
import decimal
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from decimals import DIGITS
from formulas_compositions import COMPOSITIONS
from formulas_decays import DECAYS

LAST_STEP = 2**31 - 1
EXACT = {
    "multi_step": ("decay_rate",),
    **dict.fromkeys(("exponential", "step_decay"), ("decay_rate", "transition_steps")),
    **dict.fromkeys(("inverse_time", "inverse_sqrt", "interpolate"), ("transition_steps",)),
    **dict.fromkeys(("discrete_staircase", "polynomial"), ("transition_steps",)),
    **dict.fromkeys(("linear", "cosine", "k_decay", "tanh_decay"), ("transition_steps",)),
    **dict.fromkeys(("rex", "inverse_linear", "cooldown"), ("transition_steps",)),
    **dict.fromkeys(("warmup_cosine", "warmup_linear"), ("transition_steps",)),
    "warmup_stable_decay": ("transition_steps",),
    "natural_exponential": ("decay_rate", "transition_steps"),
    "cosine_restarts": ("period", "period_multiplier", "peak_multiplier"),
    "cyclic": ("up_steps", "down_steps", "decay_rate"),
    "sine_wave": ("up_steps", "decay_rate"),
    "repeat": ("period",),
    "per_epoch": ("steps_per_epoch",),
}
"""By family, the numbers that are repeated, so that float32 has too few digits for them."""


FORMULAS: Mapping[str, Callable[..., Decimal]] = {
    each.__name__: each for each in (*DECAYS, *COMPOSITIONS)
}


@dataclasses.dataclass(frozen=True)
class Reference:
    """A formula with its numbers: called with a step, it gives the exact value as a float."""

    family: str
    arguments: Mapping[str, Any]

    def __call__(self, step: int | float) -> float:
        with decimal.localcontext(DIGITS):
            return float(Operand(self)(Decimal(step)))

    def slopes(
        self, paths: Sequence[str], steps: Sequence[float]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By path of a number, the derivatives to its left and right; they differ at a corner.

        All counts are those that float32 holds. Differences over 1e-25 of numbers with 60 digits
        are derivatives for every purpose here.
        """
        small = Decimal("1e-25")
        with decimal.localcontext(DIGITS):
            decimals = [Decimal(step) for step in steps]

            def values(changes: Mapping[str, Decimal]) -> list[Decimal]:
                formula = Operand(self, changes, floats=True)
                return [formula(t) for t in decimals]

            def difference(above: list[Decimal], below: list[Decimal]) -> np.ndarray:
                return np.array([float((a - b) / small) for a, b in zip(above, below, strict=True)])

            here = values({})
            return {
                path: (
                    difference(here, values({path: -small})),
                    difference(values({path: small}), here),
                )
                for path in paths
            }

    def with_float_counts(self) -> Reference:
        """The same formula with its integer counts as those that float32 holds."""

        def change(value: Any) -> Any:
            if isinstance(value, Reference):
                return value.with_float_counts()
            if isinstance(value, list | tuple):
                return [change(each) for each in value]
            whole = isinstance(value, int) and not isinstance(value, bool)
            return float(np.float32(value)) if whole else value

        return Reference(self.family, {name: change(v) for name, v in self.arguments.items()})

    def counts(self) -> Iterator[int]:
        """Every whole number of steps among the hyperparameters."""
        for value in self.arguments.values():
            for each in value if isinstance(value, Sequence) else [value]:
                if isinstance(each, Reference):
                    yield from each.counts()
                elif isinstance(each, int) and not isinstance(each, bool):
                    yield each


class Operand:
    """A schedule or a number as a formula sees it: a function of a Decimal; its numbers.

    Args:
        value: a reference, or a number that stands for a constant schedule.
        changes: by the path of a number, what is added to it.
        floats: whether counts are those that float32 holds too.
        path: where it stands in the whole.
    """

    def __init__(
        self,
        value: Any,
        changes: Mapping[str, Decimal] | None = None,
        floats: bool = False,
        path: str = "",
    ) -> None:
        self.changes, self.floats = changes or {}, floats
        if isinstance(value, Reference):
            place = f"{path}." if path else ""
            self.formula = FORMULAS[value.family]
            self.numbers = {
                name: self._resolved(name, each, place + name)
                for name, each in value.arguments.items()
            }
        else:
            self.formula = FORMULAS["constant"]
            self.numbers = {"value": self._resolved("value", value, path)}

    def __call__(self, t: Decimal) -> Decimal:
        return self.formula(max(t, Decimal(0)), **self.numbers)

    def _resolved(self, name: str, value: Any, path: str) -> Any:
        if name in ("schedule", "first", "second"):
            return Operand(value, self.changes, self.floats, path)
        if isinstance(value, Sequence) and not isinstance(value, str):
            one = "schedule" if name == "schedules" else name
            return [self._resolved(one, each, f"{path}.{i}") for i, each in enumerate(value)]
        if isinstance(value, bool | str) or value is None:
            return value
        if isinstance(value, int) and not self.floats:
            return Decimal(value)
        exact = name in EXACT.get(self.formula.__name__, ())
        number = Decimal(float(value if exact else np.float32(value)))
        return number + self.changes.get(path, 0)
