"""What is probably a mistake in a schedule, found before the training that it would spoil."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Literal

import jax
import numpy as np
from jax import Array

from jaxdecay.domain import LAST_STEP
from jaxdecay.phases import Clock, Jumps, Phase, phases
from jaxdecay.schedule import Schedule

LOOKED_AT = 10_000_000
"""Up to so many steps each one is evaluated; of more a sample."""

LARGEST_RATE = 1e6
SHARE_OF_TAIL = 0.1
SHARE_OF_RANGE = 0.1
TIMES_ITS_NEIGHBOURS = 20

Kind = Literal["zero", "jump", "unreached", "cut", "early", "nan", "infinite", "negative", "large"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding of `check`; `str` gives a line.

    Attributes:
        kind: "zero" (updates at rate 0), "jump", "unreached" (a phase that never begins), "cut"
            (one that does not come to its end), "early" (the schedule stands still long before
            the end), "nan", "infinite", "negative" or "large".
        step: the step at which it is seen first.
        message: what it is and what to do.
    """

    kind: Kind
    step: int
    message: str

    def __str__(self) -> str:
        return f"{self.kind} at step {self.step:,}: {self.message}"


def check(schedule: Schedule, steps: int) -> list[Finding]:
    """What is probably a mistake in a schedule for a run of some updates.

    Formula: the values at all steps 0 … `steps` (of more than ten million steps a million, and
    all around the ends of phases) and the phases of the schedules that it is put together from.
    A jump is a change from one update to the next of more than a tenth of the whole range and
    more than 20 times the nearest other changes before and after it. Jumps that a family is made
    for are none: the drops of staircases, boundaries, restarts. A schedule ends early if it falls
    to a value above 0 and stands there for more than a tenth of its time; before a cooldown it may.

    Args:
        schedule: a schedule with concrete hyperparameters. Of a schedule with state, the values
            are those before any metric. Of your own decays the values are looked at, not the
            phases.
        steps: updates of the run, 1 … 2³¹−1: the last one is at step `steps` − 1.

    Returns:
        A list of `Finding`, in the order of their steps; empty for a good schedule.

    Raises:
        TypeError: something that is not a schedule.
        ValueError: `steps` is not an integer in its range, or the schedule is stacked.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup(jaxdecay.cosine(0.1, 1_000), 100)
        >>> for finding in jaxdecay.check(schedule, 1_000):
        ...     print(finding)
        zero at step 0: the first update is at rate 0 and changes nothing; start above 0, as a \
warm-up does with an init_value or with first_step="one_over_w"
        cut at step 1,000: cosine ends at step 1,100, but the run ends at 1,000; make it 100 \
steps shorter (the length of a decay does not include its warm-up)
        >>> jaxdecay.check(jaxdecay.cosine(0.1, 1_000), 1_000)
        []

    Source:
        Mistakes that users of other libraries report; no peer has such a check.
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"check takes one schedule, got {type(schedule).__name__}; check each")
    if not isinstance(steps, int | np.integer) or not 1 <= steps <= LAST_STEP:
        raise ValueError(f"check: steps must be an integer 1 … {LAST_STEP}, got {steps!r}")
    marks = list(phases(schedule, Clock(until=float(steps))))
    parts = [mark for mark in marks if isinstance(mark, Phase)]
    curve = _curve(schedule, int(steps), parts)
    found = [
        *_wrong_values(curve),
        *_zeros(curve),
        *_unreached(parts),
        *_cut(parts),
        *_early(parts, curve),
        *_jumps(curve, [mark for mark in marks if isinstance(mark, Jumps)]),
    ]
    return sorted(found, key=lambda finding: finding.step)


@dataclasses.dataclass(frozen=True)
class _Curve:
    """Values at rising steps, the last of which is the end of the run: no update uses it."""

    at: np.ndarray
    values: np.ndarray

    @property
    def steps(self) -> int:
        return int(self.at[-1])

    def index(self, step: float) -> int:
        """The index of the first step that is not before a step."""
        return int(np.searchsorted(self.at, step))

    @property
    def is_whole(self) -> bool:
        """Whether every step is there."""
        return len(self.at) == self.steps + 1


def _curve(schedule: Schedule, steps: int, parts: Iterable[Phase]) -> _Curve:
    if steps <= LOOKED_AT:
        at = np.arange(steps + 1)
    else:
        ends = [end for part in parts for end in (part.begin, part.end, part.around.until)]
        seen = np.clip(np.array([0, *ends, steps]), 0, steps).astype(np.int64)
        around = np.clip(seen[:, None] + np.arange(-1000, 1001), 0, steps)
        even = np.linspace(0, steps, LOOKED_AT // 10).astype(np.int64)
        at = np.unique(np.concatenate([even, around.ravel()]))
    block = min(2**16, 1 << steps.bit_length())
    values = []
    for start in range(0, len(at), block):
        part = at[start : start + block]
        padded = np.pad(part, (0, block - len(part)), mode="edge")
        values.append(np.asarray(_evaluate(schedule, padded))[: len(part)])
    return _Curve(at, np.concatenate(values).astype(np.float64))


@jax.jit
def _evaluate(schedule: Schedule, at: np.ndarray) -> Array:
    return schedule(at)


def _wrong_values(curve: _Curve) -> Iterator[Finding]:
    values = curve.values
    rules: list[tuple[Kind, np.ndarray, str]] = [
        ("nan", np.isnan(values), "guard the division, root or logarithm with jnp.where"),
        ("infinite", np.isinf(values), "guard the division or exponent with jnp.where"),
        ("negative", values < 0, "the update would go uphill; use jnp.maximum, or clip"),
        (
            "large",
            np.isfinite(values) & (values > LARGEST_RATE),
            f"above {LARGEST_RATE:g}: look at the units, or clip it",
        ),
    ]
    for kind, wrong, advice in rules:
        if wrong.any():
            first = int(np.argmax(wrong))
            more = int(np.sum(wrong)) - 1
            others = f", and wrong alike at {more:,} more steps" if more else ""
            yield Finding(
                kind, int(curve.at[first]), f"the rate is {values[first]:g}{others}; {advice}"
            )


def _zeros(curve: _Curve) -> Iterator[Finding]:
    zero = curve.values[:-1] == 0
    if zero.all():
        yield Finding("zero", 0, "the rate is 0 in all updates; give it a value above 0")
        return
    first, last = int(np.argmin(zero)), len(zero) - int(np.argmin(zero[::-1]))
    if first:
        yield Finding(
            "zero",
            0,
            f"{_updates('first', curve.at[first])}; start above 0, as a warm-up does with an "
            'init_value or with first_step="one_over_w"',
        )
    between = np.flatnonzero(zero[first:last]) + first
    if len(between):
        number = f"{len(between):,}" if curve.is_whole else "some"
        yield Finding(
            "zero",
            int(curve.at[between[0]]),
            f"updates on the way are at rate 0 and change nothing ({number} of them); keep the "
            "lowest value above 0",
        )
    if last < len(zero):
        end = int(curve.at[last])
        yield Finding(
            "zero",
            end,
            f"{_updates('last', curve.steps - end)}; end the schedule at step "
            f"{curve.steps:,}, or the run at {end:,}",
        )


def _updates(which: str, number: int) -> str:
    if number == 1:
        return f"the {which} update is at rate 0 and changes nothing"
    return f"the {which} {number:,} updates are at rate 0 and change nothing"


def _unreached(parts: Iterable[Phase]) -> Iterator[Finding]:
    names = set()
    for part in parts:
        clock = part.around
        told = part.name in names or clock.offset >= clock.until  # for what it is a part of
        if part.begin > clock.until and not told:
            names.add(part.name)
            yield Finding(
                "unreached",
                int(clock.until),
                f"{part.name} comes at step {part.begin:,.10g}, but {clock.because} at "
                f"{clock.until:,.10g}; make what comes before it shorter, or leave it out",
            )


def _cut(parts: Iterable[Phase]) -> Iterator[Finding]:
    for part in parts:
        clock = part.around
        shown = part.kind in ("fall", "cycle") and part.begin < clock.until
        # A whole step: a decay that counts tokens may end between two updates.
        if shown and part.end >= clock.until + 1 and not clock.may_be_cut:
            note = ""
            if clock.because == "the run ends" and clock.offset:
                note = " (the length of a decay does not include its warm-up)"
            yield Finding(
                "cut",
                int(clock.until),
                f"{part.name} ends at step {part.end:,.10g}, but {clock.because} at "
                f"{clock.until:,.10g}; {_shorter(part)}{note}",
            )


def _shorter(part: Phase) -> str:
    if part.around.unit == 1:
        return f"make it {part.end - part.around.until:,.10g} steps shorter"
    share = (part.around.until - part.begin) / (part.end - part.begin)
    return f"make it {share:.3g} times as long"


def _early(parts: Iterable[Phase], curve: _Curve) -> Iterator[Finding]:
    for part in parts:
        until = part.around.until
        tail = until - part.end
        span = until - part.around.offset
        # Before a cooldown it is normal to stand still.
        ends = part.kind in ("fall", "hold") and not part.around.may_be_cut
        if not ends or tail < 2 or tail <= SHARE_OF_TAIL * span:
            continue
        end = curve.index(part.end)
        held = curve.values[end : curve.index(until)]
        falls = end > 0 and curve.values[end - 1] > held[0]
        if falls and held[0] > 0 and np.all(held == held[0]):
            yield Finding(
                "early",
                int(curve.at[end]),
                f"{part.name} ends at step {part.end:,.10g} and stands at {held[0]:.3g} for "
                f"the {tail:,.10g} steps until {part.around.because}; make it so much longer",
            )


def _jumps(curve: _Curve, meant: list[Jumps]) -> Iterator[Finding]:
    values, at = curve.values[:-1], curve.at[:-1]
    values = np.where(np.isfinite(values), values, np.nan)
    if len(values) < 3 or np.isnan(values).all():
        return
    changes = np.abs(np.diff(values)) / np.diff(at)
    moves = np.flatnonzero(changes > 0)
    changed = changes[moves]
    # The nearest other changes before and after, so that stairs are compared with stairs.
    neighbours = np.maximum(np.concatenate([[0], changed[:-1]]), np.concatenate([changed[1:], [0]]))
    large = changed > SHARE_OF_RANGE * (np.nanmax(values) - np.nanmin(values))
    odd = large & (changed > TIMES_ITS_NEIGHBOURS * neighbours) & (neighbours > 0)
    steps = at[moves[odd] + 1].tolist()
    steps = [step for step in steps if not any(each.meant(step) for each in meant)]
    if not steps:
        return
    index = curve.index(steps[0])
    before, after = values[index - 1], values[index]
    others = f", and so at {len(steps) - 1:,} more steps" if len(steps) > 1 else ""
    yield Finding(
        "jump",
        steps[0],
        f"the rate {'rises' if after > before else 'falls'} from {before:.3g} to {after:.3g} in "
        f"one step{others}; if it is not meant, let the parts meet there, or make it slower",
    )
