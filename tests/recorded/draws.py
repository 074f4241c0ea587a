"""Random numbers as people write them: decimals, integers and edge values, none made for float32.

Used by the recorder of random arguments and by the tests that run Optax and Keras.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

Each = TypeVar("Each")

RATES = (0.1, 0.01, 0.001, 3e-4, 0.05, 0.3, 0.97, 2.4, 1, 1.0, 5e-5, 0.256)
SHARES = (0.1, 0.3, 0.05, 0.9, 0.333, 0.7, 1e-3)
BASES = (0.97, 0.1, 0.9, 0.5, 0.94, 0.999, 0.99999, 0.99999979673105275, 1, 1.0, 1.1)
COUNTS = (1, 2, 3, 5, 7, 10, 30, 49, 90, 100, 1_000, 28_125)
LENGTHS = (0.6, 1.1, 1.2, 2.4, 4.8, 4.9, 24.1, 390.6)
POWERS = (0, 0.5, 0.9, 1, 1.0, 2, 2.7)
FAR = (100_000, 1_000_000, 10_000_000)


class Chance(random.Random):
    """Draws of one seed: in half of the cases a number that people write, else any number."""

    def either(self, written: Sequence[Each], other: Each) -> Each:
        return self.choice(written) if self.random() < 0.5 else other

    def rate(self) -> float:
        return self.either(RATES, 10 ** self.uniform(-5, 0))

    def floor(self, rate: float) -> float:
        """An end value: 0, or some of the rate."""
        return self.choice([0, 0.0, rate * self.either(SHARES, self.uniform(0, 1))])

    def share(self) -> float:
        return self.either(SHARES, self.uniform(0.01, 0.99))

    def base(self) -> float:
        return self.either(BASES, self.uniform(0.3, 1))

    def power(self) -> float:
        return self.either(POWERS, self.uniform(0.2, 3))

    def count(self, most: int = 30_000) -> int:
        count = self.either(COUNTS, round(10 ** self.uniform(0, 4)))
        return count if count <= most else self.randint(1, most)

    def length(self, most: int = 30_000) -> float:
        """A count that need not be an integer."""
        return self.choice([self.count(most), self.choice(LENGTHS), self.uniform(0.5, 300)])

    def counts(self, how_many: int, most: int = 300) -> list[int]:
        """Boundaries that rise, sometimes the same twice."""
        return sorted(self.randint(1, most) for _ in range(how_many))

    def steps(
        self, marks: Iterable[float], last: int = 100_000_000, how_many: int = 12
    ) -> list[int]:
        """Step 0, steps around the marks and between them, and some far away; up to `last`."""
        marks = [mark for mark in marks if 0 < mark < 1e9]
        near = {math.floor(mark) + offset for mark in marks for offset in (-1, 0, 1, 2)}
        reach = max([*marks, 10])
        between = {self.randint(0, math.ceil(1.2 * reach)) for _ in range(how_many)}
        far = {step for step in FAR if self.random() < 0.5}
        fit = [step for step in sorted(near | between | far) if 0 < step <= last]
        return [0, *sorted(self.sample(fit, min(how_many - 1, len(fit))))]


def sums(lengths: Sequence[float]) -> list[float]:
    """The ends of phases of these lengths, and some multiples, where what is periodic starts."""
    total, ends = 0.0, []
    for length in lengths:
        total += length
        ends += [total, length, 2 * length, 7 * length]
    return ends


def numbers_in(value: Any) -> list[float]:
    """All numbers of an argument that may hold others."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers_in(each)]
    if isinstance(value, list | tuple):
        return [number for each in value for number in numbers_in(each)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []
