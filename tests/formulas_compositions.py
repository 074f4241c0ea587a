"""The formulas of compositions and compounds, in decimals.

t is a step, not below 0; every number is a Decimal; a schedule is an `Operand`.
"""

from __future__ import annotations

from decimal import Decimal

from decimals import between, periods_of, power_of, share_of
from formulas_decays import cosine

# Compositions.


def warmup(t, schedule, warmup_steps, init_value=0.0, shape="linear", first_step="init"):
    if t >= warmup_steps:
        return schedule(t - warmup_steps)
    done = t if first_step == "init" else min(t + 1, warmup_steps)
    share = done / warmup_steps
    if shape == "sqrt":  # the mirror image of a cooldown by 1 - √p
        return between(schedule(Decimal(0)), init_value, 1 - share, "sqrt")
    return between(init_value, schedule(Decimal(0)), share, shape)


def cooldown(t, schedule, begin, transition_steps, end_value=0.0, power=0.5, shape="linear"):
    if t < begin:
        return schedule(t)
    share = share_of(t - begin, transition_steps)
    if shape == "power":
        return between(schedule(begin), end_value, power_of(share, power))
    return between(schedule(begin), end_value, share, "linear" if shape == "power" else shape)


def join(t, schedules, lengths):
    starts = [sum(lengths[:index], Decimal(0)) for index in range(len(schedules))]
    now = max(index for index, start in enumerate(starts) if start <= t or index == 0)
    since = t - starts[now]
    return schedules[now](min(since, lengths[now]) if now < len(lengths) else since)


def hold(t, schedule, begin):
    return schedule(min(t, begin))


def delay(t, schedule, delay_steps):
    return schedule(max(t - delay_steps, Decimal(0)))


def advance(t, schedule, advance_steps):
    return schedule(t + advance_steps)


def repeat(t, schedule, period):
    return schedule(periods_of(t, period)[1])


def per_epoch(t, schedule, steps_per_epoch):
    return schedule(periods_of(t, steps_per_epoch)[0])


def count_units(t, schedule, units_per_step):
    return schedule(t * units_per_step)


def extend(t, schedule, at, new_transition_steps, transition_steps=None):
    if t <= at:
        return schedule(t)
    end = schedule.numbers["transition_steps"] if transition_steps is None else transition_steps
    rest, new_rest = max(end - at, Decimal(0)), new_transition_steps - at
    return schedule(at + rest * share_of(t - at, new_rest))


def add(t, first, second):
    return first(t) + second(t)


def multiply(t, first, second):
    return first(t) * second(t)


def scale(t, schedule, factor):
    return schedule(t) * factor


def clip(t, schedule, lower=0.0, upper=None):
    value = max(schedule(t), lower)
    return value if upper is None else min(value, upper)


def reduce_on_plateau(t, schedule, **others):
    return schedule(t)  # no metric yet


def greedy(t, schedule, **others):
    return schedule(t)  # no metric yet


# Compounds: phases one after the other, each from one value to another in some shape.


def _phases(t, *phases):
    """(steps, from, to, shape): a phase of no steps is over at once; the last value is held."""
    for steps, start, end, shape in phases:
        if t < steps:
            return between(start, end, t / steps, shape)
        t -= steps
    return phases[-1][2]


def _warmed(t, warmup_steps, init_value, *phases):
    """Phases after a warm-up to what they begin with."""
    return _phases(t, (warmup_steps, init_value, _phases(Decimal(0), *phases), "linear"), *phases)


def warmup_cosine(
    t, peak_value, warmup_steps, transition_steps, init_value=0.0, end_value=0.0, power=1.0
):
    if t < warmup_steps:
        peak = cosine(Decimal(0), peak_value, transition_steps, end_value, power)
        return between(init_value, peak, t / warmup_steps)
    return cosine(t - warmup_steps, peak_value, transition_steps, end_value, power)


def warmup_linear(t, peak_value, warmup_steps, transition_steps, init_value=0.0, end_value=0.0):
    return _warmed(
        t,
        warmup_steps,
        init_value,
        (transition_steps, peak_value, end_value, "linear"),
    )


def warmup_stable_decay(
    t,
    peak_value,
    warmup_steps,
    stable_steps,
    transition_steps,
    init_value=0.0,
    end_value=0.0,
    shape="sqrt",
):
    return _warmed(
        t,
        warmup_steps,
        init_value,
        (stable_steps, peak_value, peak_value, "linear"),
        (transition_steps, peak_value, end_value, shape),
    )


def infinite_schedule(
    t,
    peak_value,
    stable_value,
    end_value,
    warmup_steps,
    cooldown_steps,
    stable_steps,
    transition_steps,
    init_value=0.0,
):
    return _warmed(
        t,
        warmup_steps,
        init_value,
        (cooldown_steps, peak_value, stable_value, "cosine"),
        (stable_steps, stable_value, stable_value, "linear"),
        (transition_steps, stable_value, end_value, "exponential"),
    )


def one_cycle(
    t,
    peak_value,
    transition_steps,
    warmup_fraction=0.3,
    initial_divisor=25.0,
    final_divisor=1e4,
    shape="cosine",
    three_phase=False,
):
    start = peak_value / initial_divisor
    end = start / final_divisor
    if t >= transition_steps:
        return end
    up = warmup_fraction * transition_steps
    if three_phase:
        down = (up, peak_value, start, shape)
        return _phases(
            t,
            (up, start, peak_value, shape),
            down,
            (transition_steps - 2 * up, start, end, shape),
        )
    return _phases(
        t,
        (up, start, peak_value, shape),
        (transition_steps - up, peak_value, end, shape),
    )


def slanted_triangular(t, peak_value, transition_steps, warmup_fraction=0.1, initial_divisor=32.0):
    if t >= transition_steps:
        return peak_value / initial_divisor
    up = warmup_fraction * transition_steps
    return _phases(
        t,
        (up, peak_value / initial_divisor, peak_value, "linear"),
        (transition_steps - up, peak_value, peak_value / initial_divisor, "linear"),
    )


COMPOSITIONS = (
    *(warmup, cooldown, join, hold, delay, advance, repeat, per_epoch, count_units, extend),
    *(add, multiply, scale, clip, reduce_on_plateau, greedy),
    *(warmup_cosine, warmup_linear, warmup_stable_decay, infinite_schedule),
    *(one_cycle, slanted_triangular),
)
