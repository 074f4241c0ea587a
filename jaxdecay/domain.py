"""The values that a hyperparameter may take, declared once, in its annotation.

A domain is an `Annotated` array type. This one declaration defines the error for a bad value, the
range that random search draws from, the strategy of the property tests and the range printed in
the catalogue::

    Percent = Annotated[ArrayLike, Ge(0), Le(100), Search(1, 100)]

The bounds come from the `annotated-types` package (`Gt`, `Ge`, `Lt`, `Le`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.unconstrained import Interval

LAST_STEP = 2**31 - 1
"""The largest step: Optax counts updates in int32 and stops counting here."""

LARGEST_FLOAT_STEP = 1e18
"""The largest step given as a float, for schedules that count tokens or nanoseconds."""


@dataclasses.dataclass(frozen=True)
class Search:
    """The range that random search draws from: the usual part of the domain, not a limit.

    Args:
        low: smallest value drawn.
        high: largest value drawn.
        log: draw the logarithm uniformly instead of the value.
    """

    low: float
    high: float
    log: bool = False


@dataclasses.dataclass(frozen=True)
class Rank:
    """Number of axes of one value: 0 for a number (the default), 1 for a vector."""

    rank: int


@dataclasses.dataclass(frozen=True)
class Count:
    """A number of steps: integers stay integers, so that phases are exact at any step.

    The limit 2³¹−1 applies to integers; a float may be larger.

    Args:
        relative: whether a `jaxdecay.length.Length` is allowed too.
    """

    relative: bool = True


@dataclasses.dataclass(frozen=True)
class Digits:
    """A number that needs twice the digits of a float32, as its rounding error is amplified.

    0.97 in float32 is off by 2·10⁻⁸, and 0.97¹⁰⁰ by 10⁻⁶. A decay receives such a number as a
    `jaxdecay.pairs.Pair`, except an integer count of steps, which it receives as an integer.
    """


Real = Annotated[ArrayLike, Search(-1.0, 1.0)]
Positive = Annotated[ArrayLike, Gt(0), Search(1e-3, 1.0, log=True)]
NonNegative = Annotated[ArrayLike, Ge(0), Search(1e-5, 1e-1, log=True)]
Factor = Annotated[ArrayLike, Gt(0), Search(0.1, 1.0)]
Base = Annotated[Factor, Digits()]
Fraction = Annotated[ArrayLike, Ge(0), Le(1), Search(0.0, 1.0)]
AtLeastOne = Annotated[ArrayLike, Ge(1), Search(1.0, 4.0)]
Multiplier = Annotated[AtLeastOne, Digits()]
Exponent = Annotated[ArrayLike, Ge(0), Search(0.5, 3.0)]
Steps = Annotated[ArrayLike, Ge(0), Le(LAST_STEP), Count(), Search(100, 100_000, log=True)]
PositiveSteps = Annotated[ArrayLike, Gt(0), Le(LAST_STEP), Count(), Search(100, 100_000, log=True)]
Duration = Annotated[Steps, Digits()]
Period = Annotated[PositiveSteps, Digits()]
Values = Annotated[ArrayLike | Sequence[ArrayLike], Ge(0), Rank(1)]
Boundaries = Annotated[ArrayLike | Sequence[ArrayLike], Ge(0), Le(LAST_STEP), Count(), Rank(1)]


def is_any(compare: Callable[..., Any], *values: Any) -> bool:
    """Whether a comparison holds for any element, in JAX's float type; False if one is traced."""
    if any(isinstance(value, Tracer) for value in values):
        return False
    arrays = [np.asarray(value) for value in values]
    floats = jnp.result_type(float)
    used = [array.astype(floats) if array.dtype.kind == "f" else array for array in arrays]
    return bool(np.any(compare(*used)))


_COMPARISONS = {
    Gt: ("gt", ">", np.greater),
    Ge: ("ge", "≥", np.greater_equal),
    Lt: ("lt", "<", np.less),
    Le: ("le", "≤", np.less_equal),
}


@dataclasses.dataclass(frozen=True)
class Domain:
    """A domain, read from an annotation by `Domain.of`.

    Attributes:
        bounds: limits, as marks of `annotated-types`.
        count: whether it counts steps, so that integers stay integers.
        relative: whether it may be relative to the run, such as `jaxdecay.percent(10)`.
        rank: number of axes of one value.
        search: the range that random search draws from, or None where it cannot.
        digits: whether it is stored with twice the digits of a float32.
    """

    bounds: tuple[Gt | Ge | Lt | Le, ...] = ()
    count: bool = False
    relative: bool = False
    rank: int = 0
    search: Search | None = None
    digits: bool = dataclasses.field(default=False, compare=False)  # does not limit values

    @classmethod
    def of(cls, annotation: Any) -> Domain:
        """Reads the domain of an annotation; a type without marks allows every finite number."""
        marks = []
        for mark in get_args(annotation)[1:] if get_origin(annotation) is Annotated else ():
            marks += list(mark) if isinstance(mark, GroupedMetadata) else [mark]
        return cls(
            bounds=tuple(mark for mark in marks if type(mark) in _COMPARISONS),
            count=any(isinstance(mark, Count) for mark in marks),
            relative=any(isinstance(mark, Count) and mark.relative for mark in marks),
            rank=next((mark.rank for mark in marks if isinstance(mark, Rank)), 0),
            search=next((mark for mark in marks if isinstance(mark, Search)), None),
            digits=any(isinstance(mark, Digits) for mark in marks),
        )

    def limits(self) -> str:
        """The limits in words, such as "> 0 and ≤ 1"; empty where every number is allowed."""
        words = []
        for mark in self.bounds:
            attribute, symbol, _ = _COMPARISONS[type(mark)]
            limit = getattr(mark, attribute)
            words.append(f"{symbol} {'2³¹−1' if limit == LAST_STEP else format(limit, 'g')}")
        return " and ".join(words)

    def __str__(self) -> str:
        return f"{'numbers' if self.rank else 'a number'} {self.limits()}".strip()

    def fault(self, value: Any) -> str | None:
        """What is wrong with a concrete value, as the end of a sentence, or None."""
        array = np.asarray(value)
        if not jnp.issubdtype(array.dtype, jnp.number) or np.iscomplexobj(array):
            return f"must be {self}, got {value!r}"
        numbers = np.asarray(array, np.float64)  # the limits do not fit into float16
        if not self.count:
            with np.errstate(over="ignore"):
                numbers = numbers.astype(jnp.result_type(float))  # as it will be used
        inside = np.isfinite(numbers)
        floats = jnp.issubdtype(array.dtype, jnp.floating)
        for mark in self.bounds:
            if self.count and floats and mark == Le(LAST_STEP):
                continue  # a limit for integers only
            attribute, _, compare = _COMPARISONS[type(mark)]
            inside = inside & compare(numbers, getattr(mark, attribute))
        if np.all(inside):
            return None
        wrong = array.ravel()[int(np.argmin(np.ravel(inside)))]
        long = self.count and not floats and wrong > LAST_STEP
        hint = "; write so large a count as a float" if long else ""
        return f"must be {self}, got {wrong.item()!r}{hint}"

    def to_free(self, value: ArrayLike) -> jax.Array:
        """The unconstrained coordinate x of a number: every real x maps to a number of the domain.

        Formula: with the limits a and b, and s = √(uv) if the search range, from u to v, is
        logarithmic, else 1:

        - from a on: value = a + s·sinh(abs(x)); above a: value = a + s·eˣ; below b likewise;
        - a … b, both included: value = a + (b − a)·abs(x) for x from −1 to 1, and so on in waves;
        - a included: value = b − (b − a)·e^(−abs(x)); b included: value = a + (b − a)·e^(−abs(x));
        - neither: value = a + (b − a)/(1 + e^(−x)); without limits: value = x.

        Args:
            value: a number of the domain, or an array of them. The limit 2³¹−1 for integers does
                not apply.

        Returns:
            A float array of the same shape. `from_free` is the inverse, in float32 with a relative
            error of 10⁻⁶ for abs(x) ≤ 16.

        Example:
            >>> from jaxdecay.domain import Domain, Factor
            >>> domain = Domain.of(Factor)
            >>> round(float(domain.to_free(0.5)), 6), round(float(domain.from_free(-100.0)), 6)
            (-0.693147, 0.0)
        """
        return self._interval().to_free(value)

    def from_free(self, free: ArrayLike) -> jax.Array:
        """The number of the domain for an unconstrained coordinate; see `to_free`.

        Its slope is finite and not 0, even at the limits of the domain: an optimizer can move
        away from a rate of 0.
        """
        return self._interval().from_free(free)

    def _interval(self) -> Interval:
        limits: dict[str, Any] = {}
        for mark in self.bounds:
            if self.count and mark == Le(LAST_STEP):
                continue  # a limit for integers only
            side = "low" if isinstance(mark, Gt | Ge) else "high"
            limits[side] = float(getattr(mark, _COMPARISONS[type(mark)][0]))
            limits[f"{side}_closed"] = isinstance(mark, Ge | Le)
        scale = 1.0
        if self.search is not None and self.search.log:
            scale = math.sqrt(self.search.low * self.search.high)
        return Interval(**limits, scale=scale)

    def draw(self, key: jax.Array, number: int, low: float, high: float) -> np.ndarray:
        """Draws `number` values in [low, high], on the scale of the search range."""
        if self.search is not None and self.search.log and low > 0:
            drawn = np.exp(_uniform(key, number, math.log(low), math.log(high)))
        else:
            drawn = _uniform(key, number, low, high)
        drawn = np.clip(drawn, low, high)
        return np.rint(drawn).astype(np.int64) if self.count else drawn


def _uniform(key: jax.Array, number: int, low: float, high: float) -> np.ndarray:
    unit = np.asarray(jax.random.uniform(key, (number,)), np.float64)
    return low + (high - low) * unit
