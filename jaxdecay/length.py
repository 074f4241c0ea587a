"""Lengths relative to the run: shares of it, epochs, samples and tokens, and their resolution.

Every hyperparameter that counts steps also takes a `Length`. `schedule.resolve` converts it to a
count of steps once the length of the run is known.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxdecay.serialization import serializable

Unit = Literal["percent", "epochs", "samples", "tokens"]

# `percent` and the others are annotated as returning Any: users pass a Length for a number of
# steps, but the function of a decay only ever receives the resolved number.


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Length:
    """A number of steps that depends on the run. Created by `percent`, `epochs` and so on.

    Attributes:
        value: how much, ≥ 0, in its unit (a leaf).
        unit: "percent" of the steps in the run, "epochs", "samples" or "tokens" (static).
    """

    value: float
    unit: Unit = dataclasses.field(metadata={"static": True})

    def __repr__(self) -> str:
        return f"{self.unit}({self.value!r})"

    def __str__(self) -> str:
        """As in files: "10%" or "3 epochs"."""
        return f"{self.value}%" if self.unit == "percent" else f"{self.value} {self.unit}"


serializable(
    Length,
    children=lambda length: {"value": length.value},
    restored=lambda length, values: Length(values["value"], length.unit),
    static=list,
    from_static=tuple,
)


def percent(value: float) -> Any:
    """A share of the run, in percent of its steps.

    Args:
        value: ≥ 0, in percent. Consecutive shares that sum to 100 end exactly when the run ends: of
            900 steps at step 900, after the last update, which is step 899.

    Returns:
        A `Length`.

    Raises:
        ValueError: `value` is not a finite number ≥ 0.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.cosine(0.1, transition_steps=jaxdecay.percent(100)).resolve(steps=900)
        cosine(init_value=0.1, transition_steps=900)
    """
    return _length(value, "percent")


def epochs(value: float) -> Any:
    """A number of passes through the training data.

    Args:
        value: ≥ 0; fractions are allowed.

    Returns:
        A `Length`.

    Raises:
        ValueError: `value` is not a finite number ≥ 0.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup(0.1, warmup_steps=jaxdecay.epochs(2.5))
        >>> schedule.resolve(steps_per_epoch=100)
        warmup(schedule=0.1, warmup_steps=250)
    """
    return _length(value, "epochs")


def samples(value: float) -> Any:
    """A number of training examples.

    Args:
        value: ≥ 0.

    Returns:
        A `Length`.

    Raises:
        ValueError: `value` is not a finite number ≥ 0.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup(0.1, warmup_steps=jaxdecay.samples(64_000))
        >>> schedule.resolve(samples_per_step=128)
        warmup(schedule=0.1, warmup_steps=500)
    """
    return _length(value, "samples")


def tokens(value: float) -> Any:
    """A number of training tokens.

    Args:
        value: ≥ 0.

    Returns:
        A `Length`.

    Raises:
        ValueError: `value` is not a finite number ≥ 0.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup(0.1, warmup_steps=jaxdecay.tokens(2e9))
        >>> schedule.resolve(tokens_per_step=4e6)
        warmup(schedule=0.1, warmup_steps=500)
    """
    return _length(value, "tokens")


def _length(value: float, unit: Unit) -> Length:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise ValueError(f"{unit} takes a finite number ≥ 0, such as {unit}(10), got {value!r}")
    return Length(value, unit)


_TEXT = re.compile(r"\s*([0-9][0-9_]*\.?[0-9]*(?:e[+-]?[0-9]+)?)\s*(%|epochs?|samples?|tokens?)\s*")


def parse_length(text: str) -> Length | None:
    """Reads the length in a text, such as "10%" or "3 epochs"; None for any other text.

    Example:
        >>> from jaxdecay.length import parse_length
        >>> parse_length("10%"), parse_length("1 epoch"), parse_length("2e9 tokens")
        (percent(10), epochs(1), tokens(2000000000.0))
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    number, unit = match.groups()
    value = int(number) if number.replace("_", "").isdigit() else float(number)
    names: dict[str, Unit] = {"%": "percent", "e": "epochs", "s": "samples", "t": "tokens"}
    return _length(value, names[unit[0]])


def is_relative(value: Any) -> bool:
    """Whether a hyperparameter is a `Length`, or a tuple with one."""
    if isinstance(value, tuple):
        return any(isinstance(part, Length) for part in value)
    return isinstance(value, Length)


@dataclasses.dataclass(frozen=True)
class Position:
    """A step on a schedule's own clock: as resolved, an integer, and before rounding."""

    step: float = 0
    exact: float = 0.0


@dataclasses.dataclass(frozen=True)
class Run:
    """What is known of a run, to resolve lengths.

    Attributes:
        steps: updates in the run.
        steps_per_epoch: updates in one pass through the training data.
        samples_per_step: examples in a batch; an array holds one number per step.
        tokens_per_step: tokens in a batch, likewise.
        unit: number of steps of the run in one step of the schedule being resolved.
    """

    steps: float | None = None
    steps_per_epoch: float | None = None
    samples_per_step: ArrayLike | Sequence[float] | None = None
    tokens_per_step: ArrayLike | Sequence[float] | None = None
    unit: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "steps_per_epoch", "samples_per_step", "tokens_per_step"):
            value = getattr(self, name)
            if value is not None and not np.all(np.asarray(value, float) > 0):
                raise ValueError(f"resolve: {name} must be > 0, got {value!r}")

    def in_units_of(self, unit: float) -> Run:
        """The same run for an inner schedule whose steps are `unit` times as long."""
        return dataclasses.replace(self, unit=self.unit * unit)

    def after(self, begin: Position, length: Length | float) -> Position:
        """The position at which a length ends that begins at `begin`.

        Positions are rounded, never lengths, so that consecutive phases fit each other.
        """
        if not isinstance(length, Length):
            return Position(begin.step + length, begin.exact + length)
        exact = self._end(begin.exact * self.unit, length) / self.unit
        # A schedule that counts tokens or samples, several per step, needs no rounding.
        return Position(math.floor(exact + 0.5) if self.unit >= 1 else exact, exact)

    def _end(self, begin: float, length: Length) -> float:
        """The step of the run, not rounded, at which a length that starts at `begin` ends."""
        if length.unit == "percent":
            return begin + float(length.value) / 100 * self._known("steps", length)
        if length.unit == "epochs":
            return begin + float(length.value) * self._known("steps_per_epoch", length)
        return _passed(begin, length.value, self._known(f"{length.unit}_per_step", length))

    def _known(self, name: str, length: Length) -> Any:
        value = getattr(self, name)
        if value is None:
            raise ValueError(
                f"{length!r} cannot be resolved without {name}; give resolve({name}=…)"
            )
        return value


def _passed(begin: float, amount: float, per_step: ArrayLike | Sequence[float]) -> float:
    """The step, not rounded, at which `amount` samples or tokens have passed since `begin`."""
    if not np.ndim(per_step):
        return begin + float(amount) / float(np.asarray(per_step))
    sizes = np.asarray(per_step, float)
    passed = np.concatenate([[0.0], np.cumsum(sizes)])
    steps = np.arange(len(passed), dtype=float)
    # After the last given step, batches have the last given size.
    start = np.interp(begin, steps, passed) + max(0.0, begin - steps[-1]) * sizes[-1]
    end = start + float(amount)
    return float(np.interp(end, passed, steps) + max(0.0, end - passed[-1]) / sizes[-1])
