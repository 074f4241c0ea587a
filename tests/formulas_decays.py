"""The formulas of decays, in decimals.

t is a step, not below 0; every number is a Decimal.
"""

from __future__ import annotations

import itertools
from decimal import Decimal

from decimals import (
    LAST_DIGIT,
    PI,
    between,
    cos,
    cosh,
    floored,
    half_wave_at,
    periods_of,
    power_of,
    share_of,
    sinh,
    transitions,
)

# Values that are held.


def constant(t, value):
    return value


def piecewise_constant(t, values, boundaries):
    return values[sum(boundary <= t for boundary in boundaries)]


def piecewise_linear(t, values, boundaries, shape="linear"):
    boundaries = list(itertools.accumulate(boundaries, max))
    after = sum(boundary <= t for boundary in boundaries)
    if after in (0, len(values)):
        return values[max(after - 1, 0)]
    start, end = boundaries[after - 1 : after + 1]
    return between(values[after - 1], values[after], (t - start) / (end - start), shape)


def interpolate(t, values, transition_steps=1):
    before, since = periods_of(t, transition_steps)
    if before >= len(values) - 1:
        return values[-1]
    return between(*values[int(before) : int(before) + 2], since / transition_steps)


# Decays that end.


def linear(t, init_value, end_value, transition_steps):
    return polynomial(t, init_value, end_value, Decimal(1), transition_steps)


def polynomial(t, init_value, end_value, power, transition_steps, cycle=False):
    if cycle and transition_steps > 0:
        periods, since = periods_of(t, transition_steps)
        if t > transition_steps and not since:
            t = periods * transition_steps
        transition_steps *= max(1, periods + (since > 0))
    remaining = 1 - share_of(t, transition_steps)
    return end_value + (init_value - end_value) * power_of(remaining, power)


def cosine(t, init_value, transition_steps, end_value=0.0, power=1.0, cycle=False):
    share = share_of(t, transition_steps)
    if cycle:
        share = t / (transition_steps or 1) % 2
        share = min(share, 2 - share)
    half_wave = half_wave_at(share)
    return end_value + (init_value - end_value) * power_of(half_wave, power)


def k_decay(t, init_value, end_value, transition_steps, k, power=1.0, shape="cosine"):
    share = share_of(t, transition_steps)
    warped = power_of(share, k)
    weight = half_wave_at(warped) if shape == "cosine" else 1 - warped
    return end_value + (init_value - end_value) * power_of(weight, power)


def tanh_decay(t, init_value, end_value, transition_steps, lower=-6.0, upper=3.0, normalized=False):
    share = share_of(t, transition_steps)
    angle = lower * (1 - share) + upper * share
    if not normalized:
        return end_value + (init_value - end_value) / (1 + (2 * angle).exp())
    if share in (0, 1) or lower == upper:
        return between(init_value, end_value, share)
    # tanh(b) - tanh(a) = sinh(b - a) / (cosh(a) cosh(b))
    whole = sinh(upper - lower) / (cosh(lower) * cosh(upper))
    rest = sinh(upper - angle) / (cosh(angle) * cosh(upper))
    return end_value + (init_value - end_value) * rest / whole


def rex(t, init_value, transition_steps, end_value=0.0):
    share = share_of(t, transition_steps)
    return end_value + (init_value - end_value) * (1 - share) / (1 - share / 2)


def inverse_linear(t, init_value, end_value, transition_steps):
    return between(init_value, end_value, share_of(t, transition_steps), "inverse")


def hyperbolic(t, init_value, end_value, transition_steps, upper_bound=None):
    rise = _hyperbola(t, transition_steps, upper_bound)
    return init_value + (init_value - end_value) * rise


def exponential_hyperbolic(t, init_value, end_value, transition_steps, upper_bound=None):
    rise = _hyperbola(t, transition_steps, upper_bound)
    return init_value * (init_value / end_value) ** rise


def _hyperbola(t, steps, bound):
    """f(t) - f(0) of arXiv 2407.15200, from 0 down to -f(0)."""
    if bound is None and steps <= 0:
        return Decimal(-1)
    steps = max(steps, Decimal(0))
    bound = steps if bound is None else max(bound, steps)

    def height(x):
        return ((steps - x) / bound * (2 - (steps + x) / bound)).sqrt()

    return height(min(t, steps)) - height(0)


# Decays that go on.


def exponential(t, init_value, decay_rate, transition_steps=1, end_value=None, staircase=False):
    value = init_value * decay_rate ** transitions(t, transition_steps, staircase)
    if end_value is None or decay_rate == 1:
        return value
    return max(value, end_value) if decay_rate < 1 else min(value, end_value)


def natural_exponential(t, init_value, decay_rate, transition_steps=1, staircase=False):
    return init_value * (-decay_rate * transitions(t, transition_steps, staircase)).exp()


def inverse_time(t, init_value, decay_rate, transition_steps=1, power=1.0, staircase=False):
    return init_value / (1 + decay_rate * transitions(t, transition_steps, staircase)) ** power


def inverse_sqrt(t, init_value, scale=1.0, transition_steps=1, offset=1.0, staircase=False):
    return init_value * scale / (offset + transitions(t, transition_steps, staircase)).sqrt()


def noam(t, d_model, warmup_steps, scale=1.0):
    one_based = t + 1
    rise = one_based / (warmup_steps * warmup_steps.sqrt())
    return scale / d_model.sqrt() * min(1 / one_based.sqrt(), rise)


def power_law(t, init_value, power, transition_steps=1, end_value=0.0):
    return max(init_value * max(Decimal(1), t / transition_steps) ** -power, end_value)


def step_decay(t, init_value, decay_rate, transition_steps):
    return init_value * decay_rate ** transitions(t, transition_steps, True)


def multi_step(t, init_value, decay_rate, boundaries):
    return init_value * decay_rate ** sum(boundary <= t for boundary in boundaries)


def discrete_staircase(t, init_value, decrement, transition_steps=1, end_value=0.0):
    return max(init_value - decrement * transitions(t, transition_steps, True), end_value)


# Decays that come back.


def cosine_restarts(
    t, init_value, period, end_value=0.0, period_multiplier=1.0, peak_multiplier=1.0
):
    cycle = _cycle(t, period, period_multiplier)
    start = _cycle_start(cycle, period, period_multiplier)
    share = max(t - start, Decimal(0)) / (period * period_multiplier**cycle)
    peak = init_value * peak_multiplier**cycle
    return end_value + (peak - end_value) * half_wave_at(share)


def _cycle(t, first, multiplier):
    """How many cycles are over: those of lengths first, first·m, first·m², …"""
    if multiplier == 1:
        return periods_of(t, first)[0]
    cycle = max(floored((1 + t * (multiplier - 1) / first).ln() / multiplier.ln()) - 1, Decimal(0))
    while _cycle_start(cycle + 1, first, multiplier) <= t * (1 + LAST_DIGIT):
        cycle += 1
    return cycle


def _cycle_start(cycle, first, multiplier):
    if multiplier == 1:
        return first * cycle
    return first * (multiplier**cycle - 1) / (multiplier - 1)


def cyclic(
    t, init_value, peak_value, up_steps, down_steps=None, decay_rate=1.0, decay_every="cycle"
):
    down_steps = up_steps if down_steps is None else down_steps
    period = up_steps + down_steps
    if period < Decimal("1e-20"):  # 0, and next to it, where slopes are measured
        return init_value
    cycle, since = periods_of(t, period)
    height = since / up_steps if since < up_steps else (period - since) / down_steps
    faded = decay_rate ** (cycle if decay_every == "cycle" else t)
    return max(init_value + (peak_value - init_value) * height * faded, Decimal(0))


def sine_wave(t, init_value, peak_value, up_steps, decay_rate=1.0, decay_every="cycle"):
    arches, since = periods_of(t, 2 * up_steps)
    height = cos(PI * (since / up_steps - 1) / 2) if since else 0
    faded = decay_rate ** (arches if decay_every == "cycle" else t)
    return max(init_value + (peak_value - init_value) * faded * height, Decimal(0))


DECAYS = (
    *(constant, piecewise_constant, piecewise_linear, interpolate),
    *(linear, polynomial, cosine, k_decay, tanh_decay, rex, inverse_linear),
    *(hyperbolic, exponential_hyperbolic),
    *(exponential, natural_exponential, inverse_time, inverse_sqrt, noam, power_law),
    *(step_decay, multi_step, discrete_staircase),
    *(cosine_restarts, cyclic, sine_wave),
)
