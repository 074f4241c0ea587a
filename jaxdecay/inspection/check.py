"""Finds probable mistakes in a schedule before training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import jax
import numpy as np
from jax import Array

from jaxdecay.domain import LAST_STEP
from jaxdecay.feedback import value_at
from jaxdecay.inspection.marks import Clock, Jumps, Phase, Seam, rounded_up
from jaxdecay.inspection.phases import phases
from jaxdecay.schedule import Schedule

LOOKED_AT = 10_000_000
"""Up to this many steps, each one is evaluated; of more, a sample."""

LARGEST_RATE = 1e6
SHARE_OF_TAIL = 0.1
SHARE_OF_RANGE = 0.1
TIMES_ITS_NEIGHBOURS = 20

Kind = Literal[
    "zero", "jump", "unreached", "cut", "early", "down", "nan", "infinite", "negative", "large"
]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding of `check_schedule`; `str` returns it as a line.

    Attributes:
        kind: "zero" (updates at rate 0), "jump", "unreached" (a phase that never begins), "cut"
            (one that does not reach its end), "early" (the schedule stays constant long before
            the end), "down" (a warm-up that goes down), "nan", "infinite", "negative" or "large".
        step: the first step at which it occurs.
        message: what is wrong and what to do.
    """

    kind: Kind
    step: int
    message: str

    def __str__(self) -> str:
        return f"{self.kind} at step {self.step:,}: {self.message}"


def check_schedule(schedule: Schedule, steps: int) -> list[Finding]:
    """Lists probable mistakes in a schedule for a run of `steps` updates.

    Formula: it checks the values at the steps 0 … `steps` (above ten million, a million of them
    and all near the ends of phases) and the phases of the schedules inside. A jump is a change
    between two updates by more than a tenth of the range of the values and more than 20 times the
    nearest other changes before and after it, or a step at which the schedules of a `join` do not
    meet, give or take a step. Intended jumps are not reported: drops of staircases, boundaries,
    restarts, a `join` of constants. A schedule ends early if it falls to a value above 0 and stays
    there for more than a tenth of its time, other than before a cooldown.

    Args:
        schedule: a schedule with concrete hyperparameters; shares of the run are resolved. An
            adaptive schedule is checked as it is before any metric. The phases of your own decays
            are checked if they declare `phases`; their values always are.
        steps: updates in the run, 1 … 2³¹−1: the last one is at step `steps` − 1.

    Returns:
        A list of `Finding`, in the order of their steps; empty for a good schedule.

    Raises:
        TypeError: something that is not a schedule.
        ValueError: `steps` is not an integer in its range, or the schedule is stacked.

    Example:
        >>> import jaxdecay
        >>> decay = jaxdecay.cosine(0.1, transition_steps=1_000)
        >>> schedule = jaxdecay.warmup(decay, warmup_steps=100)
        >>> for finding in jaxdecay.check_schedule(schedule, 1_000):
        ...     print(finding)
        zero at step 0: the first update is at rate 0 and changes nothing; start above 0, with \
the init_value of warmup or first_step="one_over_w"
        cut at step 1,000: cosine ends at step 1,100, but the run ends at 1,000; make it 100 \
steps shorter (the length of a decay does not include its warm-up)
        >>> jaxdecay.check_schedule(jaxdecay.cosine(0.1, transition_steps=1_000), 1_000)
        []

    Source:
        Mistakes that users of other libraries report; no peer has such a check.
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(
            "check_schedule takes one schedule, such as jaxdecay.constant(0.1), got "
            f"{type(schedule).__name__}"
        )
    integer = isinstance(steps, int | np.integer) and not isinstance(steps, bool)
    if not integer or not 1 <= steps <= LAST_STEP:
        raise ValueError(f"check_schedule: steps must be an integer 1 … {LAST_STEP}, got {steps!r}")
    schedule = schedule.resolve(steps=steps)
    jax.eval_shape(value_at, schedule, 0)  # raises for a stacked schedule
    marks = list(phases(schedule, Clock(until=float(steps))))
    parts = [mark for mark in marks if isinstance(mark, Phase)]
    curve = _curve(schedule, int(steps), parts)
    findings = [
        *_wrong_values(curve),
        *_zeros(schedule, curve, parts),
        *_down(parts, curve),
        *_unreached(parts, curve),
        *_cut(parts),
        *_early(parts, curve),
        *_jumps(
            curve,
            [mark for mark in marks if isinstance(mark, Jumps)],
            [mark for mark in marks if isinstance(mark, Seam)],
        ),
    ]
    return sorted(findings, key=lambda finding: finding.step)


@dataclasses.dataclass(frozen=True)
class _Curve:
    """Values at rising steps; the last is the end of the run, which no update uses."""

    at: np.ndarray
    values: np.ndarray

    @property
    def steps(self) -> int:
        return int(self.at[-1])

    def index(self, step: float) -> int:
        """The index of the first evaluated step that is not before `step`."""
        return int(np.searchsorted(self.at, step))

    @property
    def is_complete(self) -> bool:
        """Whether every step is evaluated."""
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
    return value_at(schedule, at)


def _wrong_values(curve: _Curve) -> Iterator[Finding]:
    values = curve.values
    rules: list[tuple[Kind, np.ndarray, str]] = [
        ("nan", np.isnan(values), "guard the division, root or logarithm with jnp.where"),
        ("infinite", np.isinf(values), "guard the division or exponent with jnp.where"),
        ("negative", values < 0, "the update would go uphill; use jnp.maximum, or clip"),
        (
            "large",
            np.isfinite(values) & (values > LARGEST_RATE),
            f"above {LARGEST_RATE:g}: check the units, or clip it",
        ),
    ]
    for kind, wrong, advice in rules:
        if wrong.any():
            first = int(np.argmax(wrong))
            more = int(np.sum(wrong)) - 1
            others = f", likewise at {more:,} more steps" if more else ""
            yield Finding(
                kind, int(curve.at[first]), f"the rate is {values[first]:g}{others}; {advice}"
            )


def _zeros(schedule: Schedule, curve: _Curve, parts: Iterable[Phase]) -> Iterator[Finding]:
    zero = curve.values[:-1] == 0
    if zero.all():
        yield Finding("zero", 0, "the rate is 0 in all updates; give it a value above 0")
        return
    first, last = int(np.argmin(zero)), len(zero) - int(np.argmin(zero[::-1]))
    if first:
        yield Finding(
            "zero",
            0,
            f"{_updates('first', curve.at[first])}; start above 0{_start_argument(schedule)}",
        )
    between = np.flatnonzero(zero[first:last]) + first
    if len(between):
        number = f"{len(between):,}" if curve.is_complete else "some"
        yield Finding(
            "zero",
            int(curve.at[between[0]]),
            f"updates in the middle are at rate 0 and change nothing ({number} of them); keep "
            "the lowest value above 0",
        )
    if last < len(zero):
        end = int(curve.at[last])
        ended = any(
            part.kind == "fall" and abs(rounded_up(part.end) - end) <= max(1, part.around.unit)
            for part in parts
        )
        if ended:
            advice = f"end the schedule at step {curve.steps:,}, or the run at {end:,}"
        else:
            above = "keep the rate above 0, with jaxdecay.clip(schedule, lower)"
            advice = f"{above}, or end the run at {end:,}"
        yield Finding("zero", end, f"{_updates('last', curve.steps - end)}; {advice}")


def _start_argument(schedule: Any) -> str:
    """The argument that makes a schedule start above 0, as the end of a sentence."""
    if isinstance(schedule, tuple):
        return next(filter(None, map(_start_argument, schedule)), "")
    if not isinstance(schedule, Schedule):
        return ""
    values = schedule.hyperparameters
    if "init_value" in values and np.all(np.equal(values["init_value"], 0)):
        other = ' or first_step="one_over_w"' if "first_step" in schedule.options else ""
        return f", with the init_value of {schedule.family}{other}"
    return _start_argument(tuple(values.values()))


def _updates(which: str, number: int) -> str:
    if number == 1:
        return f"the {which} update is at rate 0 and changes nothing"
    return f"the {which} {number:,} updates are at rate 0 and change nothing"


def _down(parts: Iterable[Phase], curve: _Curve) -> Iterator[Finding]:
    for part in parts:
        end = min(part.end, curve.steps)
        if part.kind == "down" and part.begin < end:
            begin, end = curve.index(part.begin), curve.index(end)
            yield Finding(
                "down",
                int(curve.at[begin]),
                f"{part.name} goes down, from {curve.values[begin]:.3g} to "
                f"{curve.values[end]:.3g}; give it an init_value below its peak",
            )


def _unreached(parts: Iterable[Phase], curve: _Curve) -> Iterator[Finding]:
    names = set()
    for part in parts:
        clock = part.around
        # An unreached schedule is reported itself, its parts are not.
        reported = part.name in names or clock.offset >= clock.until
        if not reported and _is_missed(part, curve):
            names.add(part.name)
            begin, until = rounded_up(part.begin), rounded_up(clock.until)
            when = f"but {clock.because} at {until:,}" if begin > until else f"as {clock.because}"
            yield Finding(
                "unreached",
                until,
                f"{part.name} begins at step {begin:,}, {when}; shorten what comes before it, or "
                "leave it out",
            )


def _is_missed(part: Phase, curve: _Curve) -> bool:
    """Whether a phase never begins.

    A turn at the very end counts as missed if the rate has not fallen before it; else the run
    simply ends between two phases.
    """
    clock = part.around
    begin, until = rounded_up(part.begin), rounded_up(clock.until)
    if begin != until or part.kind != "turn":
        return begin >= until
    before = curve.values[curve.index(clock.offset) : curve.index(until)]
    return bool(before[-1] >= np.max(before))


def _cut(parts: Iterable[Phase]) -> Iterator[Finding]:
    for part in parts:
        clock = part.around
        shown = part.kind in ("fall", "cycle") and part.begin < clock.until
        # A complete step: a decay that counts tokens may end between two updates.
        if shown and part.end >= clock.until + 1 and not clock.may_be_cut:
            note = ""
            if clock.because == "the run ends" and clock.offset > 0:
                note = " (the length of a decay does not include its warm-up)"
            yield Finding(
                "cut",
                int(clock.until),
                f"{part.name} ends at step {rounded_up(part.end):,}, but {clock.because} at "
                f"{rounded_up(clock.until):,}; {_shorter(part)}{note}",
            )


def _shorter(part: Phase) -> str:
    if part.around.unit == 1:
        longer = rounded_up(part.end - part.around.until)
        return f"make it {longer:,} step{'s' if longer > 1 else ''} shorter"
    share = (part.around.until - part.begin) / (part.end - part.begin)
    return f"make it {share:.3g} times as long"


def _early(parts: Iterable[Phase], curve: _Curve) -> Iterator[Finding]:
    for part in parts:
        until = part.around.until
        tail = until - part.end
        span = until - part.around.offset
        # Before a cooldown it is normal to stay constant.
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
                f"{part.name} ends at step {rounded_up(part.end):,} and stays at {held[0]:.3g} for "
                f"the {rounded_up(tail):,} steps until {part.around.because}; make it that much "
                "longer",
            )


def _jumps(curve: _Curve, intended: list[Jumps], seams: list[Seam]) -> Iterator[Finding]:
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
    candidates = set(at[moves[odd] + 1].tolist())
    odd_steps = {
        step for step in candidates if not any(jumps.is_intended(step) for jumps in intended)
    }
    steps = sorted(odd_steps | _open_seams(set(at[moves[large] + 1].tolist()), intended, seams))
    if not steps:
        return
    index = curve.index(steps[0])
    before, after = values[index - 1], values[index]
    others = f", likewise at {len(steps) - 1:,} more steps" if len(steps) > 1 else ""
    yield Finding(
        "jump",
        steps[0],
        f"the rate {'rises' if after > before else 'falls'} from {before:.3g} to {after:.3g} in "
        f"one step{others}; if this is not intended, let the parts meet there, or change slower",
    )


def _open_seams(large: set[int], intended: list[Jumps], seams: list[Seam]) -> set[int]:
    """The steps with a large change at which one schedule follows another and they do not meet.

    The neighbouring changes do not show these: a short ramp changes by as much as a jump.
    """
    open_steps = set()
    for seam in seams:
        step = rounded_up(seam.around.step(seam.at))
        # Drops of the schedule before the seam do not justify a jump at it.
        stairs = (jumps for jumps in intended if step < jumps.around.until)
        shown = step in large and step < seam.around.until
        if shown and not any(jumps.is_intended(step) for jumps in stairs) and _is_open(seam):
            open_steps.add(step)
    return open_steps


def _is_open(seam: Seam) -> bool:
    """Whether the schedules do not meet, even if one of them is a step early or late."""
    same_unit = seam.around.unit == 1
    one = 1 if same_unit else max(1.0, 1 / seam.around.unit)
    end = math.ceil(seam.length) if same_unit else seam.length
    before = _values(seam.earlier, np.array([max(end - one, 0), end, end + one]))
    after = _values(seam.later, np.array([0, one]))
    gap = max(np.min(before) - np.max(after), np.min(after) - np.max(before))
    return bool(gap > 0.5 * abs(after[0] - before[0]))


def _values(schedule: Any, steps: np.ndarray) -> np.ndarray:
    return np.asarray(value_at(schedule, steps), np.float64).ravel()
