"""Converts schedules of `optax.schedules` to schedules of this package."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxdecay.adaptive import reduce_on_plateau as reduced_on_plateau
from jaxdecay.compose import delay, warmup
from jaxdecay.compounds import warmup_cosine
from jaxdecay.decays import (
    constant,
    cosine,
    exponential,
    linear,
    piecewise_constant,
    piecewise_linear,
    polynomial,
)
from jaxdecay.feedback import ScheduleLike
from jaxdecay.migration.peer import Peer, in_sequence, ramp_to
from jaxdecay.schedule import Schedule

OPTAX = Peer("Optax")


def from_optax(name: str | Callable[..., Any], *values: Any, **arguments: Any) -> Schedule:
    """Converts a function of `optax.schedules` to a schedule with the same values.

    Optax's conventions apply: `decay_steps` of `warmup_cosine_decay_schedule` include the
    warm-up; a transition without steps stays at its first value; at each boundary the value is
    multiplied by a scale. `join_schedules` takes schedules of this package. `reduce_on_plateau`
    from `optax.contrib` also takes `lr`: the rate, or a schedule, that it reduces. Optax need not
    be installed.

    Args:
        name: the name of the function, such as "cosine_decay_schedule", or the function itself.
        *values: its first arguments, in its order.
        **arguments: its other arguments, by its names.

    Returns:
        A `Schedule`; for "reduce_on_plateau" one with state.

    Raises:
        ValueError: a name or argument is unknown, a value has no equivalent here, or with it
            Optax skips a part of the schedule. The message names what works.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.from_optax("cosine_decay_schedule", init_value=0.5, decay_steps=100, alpha=0.1)
        cosine(init_value=0.5, transition_steps=100, end_value=0.05)

    Source:
        Optax 0.2.8, `optax/schedules`.
    """
    if callable(name) and getattr(name, "__name__", None) not in OPTAX.converters:
        raise ValueError(
            f"from_optax: {name!r} is not a function of optax.schedules; for a schedule that such "
            "a function returned use jaxdecay.from_function"
        )
    return OPTAX.convert(getattr(name, "__name__", name), arguments, values)


def _after(begin: float, schedule: Schedule) -> Schedule:
    return delay(schedule, delay_steps=begin) if begin > 0 else schedule


@OPTAX.converter
def constant_schedule(value: float) -> Schedule:
    """A constant."""
    return constant(value)


@OPTAX.converter
def polynomial_schedule(
    init_value: float,
    end_value: float,
    power: float,
    transition_steps: int,
    transition_begin: int = 0,
) -> Schedule:
    """A power of the remaining share of steps; without steps, the first value forever."""
    if transition_steps <= 0:
        return constant(init_value)
    if power == 1:
        return _after(
            transition_begin,
            linear(init_value, end_value=end_value, transition_steps=transition_steps),
        )
    return _after(
        transition_begin,
        polynomial(init_value, end_value=end_value, power=power, transition_steps=transition_steps),
    )


@OPTAX.converter
def linear_schedule(
    init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """A line; without steps, the first value forever."""
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


@OPTAX.converter
def exponential_decay(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """Multiplied by `decay_rate` per transition, to a floor if that is below 1, else a ceiling."""
    if transition_steps <= 0 or decay_rate == 0:
        return constant(init_value)
    if end_value is not None and (end_value >= init_value) == (decay_rate < 1):
        return constant(end_value)  # the limit from the start
    decay = exponential(
        init_value,
        decay_rate=decay_rate,
        transition_steps=transition_steps,
        end_value=end_value,
        staircase=staircase,
    )
    return _after(transition_begin, decay)


@OPTAX.converter
def cosine_decay_schedule(
    init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Half a cosine wave down to the share `alpha` of the first value."""
    if decay_steps <= 0:
        raise ValueError("decay_steps must be > 0; for a constant rate use jaxdecay.constant")
    return cosine(
        init_value, transition_steps=decay_steps, end_value=alpha * init_value, power=exponent
    )


def _scaled(
    init_value: float, boundaries_and_scales: Mapping[int, float]
) -> tuple[list[float], list[int]]:
    """Converts scales at boundaries to values and boundaries."""
    if not isinstance(boundaries_and_scales, Mapping):
        raise ValueError("boundaries_and_scales must be a dictionary from boundaries to scales")
    pairs = sorted(boundaries_and_scales.items())
    values = np.cumprod([init_value, *(scale for _, scale in pairs)], dtype=float)
    return values.tolist(), [max(boundary, 0) for boundary, _ in pairs]


@OPTAX.converter
def piecewise_constant_schedule(
    init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> Schedule:
    """Multiplied by a scale at each boundary."""
    if not boundaries_and_scales:
        return constant(init_value)
    values, boundaries = _scaled(init_value, boundaries_and_scales)
    return piecewise_constant(values, boundaries=boundaries)


@OPTAX.converter
def piecewise_interpolate_schedule(
    interpolate_type: str,
    init_value: float,
    boundaries_and_scales: Mapping[int, float] | None = None,
) -> Schedule:
    """Lines or half cosines between step 0 and the boundaries."""
    if interpolate_type not in ("linear", "cosine"):
        raise ValueError("interpolate_type must be 'linear' or 'cosine'")
    if not boundaries_and_scales:
        return constant(init_value)
    values, boundaries = _scaled(init_value, boundaries_and_scales)
    return piecewise_linear(values, boundaries=[0, *boundaries], shape=interpolate_type)


def _check_phases(transition_steps: int, *ends: int) -> None:
    if transition_steps <= 0:
        raise ValueError("transition_steps must be > 0")
    if any(end >= later for end, later in itertools.pairwise([*ends, transition_steps])):
        raise ValueError(
            f"Optax rounds the phases to end at steps {[*ends, transition_steps]} and skips those "
            "that share a step; expected ends that rise. Use more transition_steps, or "
            "jaxdecay.one_cycle, which does not round"
        )


@OPTAX.converter
def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up, down and further down, in three lines whose ends are rounded down to steps."""
    top, bottom = int(pct_start * transition_steps), int(pct_final * transition_steps)
    _check_phases(transition_steps, top, bottom)
    low = peak_value / div_factor
    values = [low, peak_value, low, low / final_div_factor]
    return piecewise_linear(values, boundaries=[0, top, bottom, transition_steps])


@OPTAX.converter
def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up and down, in two half cosines; the peak is rounded down to a step."""
    top = int(pct_start * transition_steps)
    _check_phases(transition_steps, top)
    values = [peak_value / div_factor, peak_value, peak_value / (div_factor * final_div_factor)]
    return piecewise_linear(values, boundaries=[0, top, transition_steps], shape="cosine")


@OPTAX.converter
def warmup_constant_schedule(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    """A line up, then a constant."""
    if warmup_steps <= 0:
        raise ValueError(
            "warmup_steps must be > 0: Optax stays at init_value if the warm-up has no steps; use "
            f"jaxdecay.constant({peak_value!r})"
        )
    return warmup(peak_value, warmup_steps=warmup_steps, init_value=init_value)


@OPTAX.converter
def warmup_cosine_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """A line up, then half a cosine down; `decay_steps` include the warm-up."""
    if decay_steps <= warmup_steps:
        raise ValueError(
            "decay_steps must be above warmup_steps, which it includes; expected at least "
            f"{warmup_steps + 1}, or use jaxdecay.warmup_cosine, which counts them separately"
        )
    if peak_value == 0:
        return ramp_to(constant(0.0), warmup_steps, init_value, 0.0)
    left = decay_steps - warmup_steps
    return warmup_cosine(
        peak_value,
        warmup_steps=warmup_steps,
        transition_steps=left,
        init_value=init_value,
        end_value=end_value,
        power=exponent,
    )


@OPTAX.converter
def warmup_exponential_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """A line up to the peak, then an exponential decay."""
    decay = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    beyond = end_value is not None and (end_value > peak_value) == (decay_rate < 1)
    if beyond and end_value != peak_value:  # the decay begins at its limit, not at the peak
        return ramp_to(decay, warmup_steps, init_value, peak_value)
    return warmup(decay, warmup_steps=warmup_steps, init_value=init_value)


@OPTAX.converter
def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """One `warmup_cosine_decay_schedule` after another."""
    cycles = [dict(cycle) for cycle in cosine_kwargs]
    if not cycles:
        raise ValueError("cosine_kwargs must contain at least one cycle")
    schedules = [OPTAX.convert("warmup_cosine_decay_schedule", cycle) for cycle in cycles]
    ends = itertools.accumulate(cycle["decay_steps"] for cycle in cycles)
    return in_sequence(schedules, list(ends)[:-1])


@OPTAX.converter
def join_schedules(
    schedules: Sequence[ScheduleLike | Callable[..., Any]], boundaries: Sequence[int]
) -> Schedule:
    """One schedule after another, each counting from its boundary."""
    if len(boundaries) != len(schedules) - 1:
        raise ValueError(
            f"{len(schedules)} schedules need {len(schedules) - 1} boundaries, got "
            f"{len(boundaries)}: Optax ignores surplus schedules and boundaries"
        )
    for index, schedule in enumerate(schedules):
        if callable(schedule) and not isinstance(schedule, Schedule):
            raise ValueError(
                f"schedules[{index}] must be a jaxdecay schedule or a number; create it with "
                "from_optax, or convert it with jaxdecay.from_function(schedule)"
            )
    return in_sequence(list(schedules), list(boundaries))  # pyright: ignore[reportArgumentType]


@OPTAX.converter
def reduce_on_plateau(
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 1e-4,
    atol: float = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: float = 0.0,
    *,
    lr: ScheduleLike,
) -> Schedule:
    """A rate, or a schedule, reduced after `patience` bad metrics."""
    if (rtol > 0) == (atol > 0):
        raise ValueError(
            f"rtol={rtol!r} with atol={atol!r} has no equivalent; expected one of them above 0 "
            "and the other 0"
        )
    if patience < 1:
        raise ValueError(
            "patience must be at least 1: with less Optax reduces the rate when the metric improves"
        )
    if min_scale > 1:
        raise ValueError("min_scale must be at most 1: with more Optax raises the rate")
    return reduced_on_plateau(
        lr,
        factor=factor,
        patience=patience,
        threshold=atol or rtol,
        cooldown=cooldown,
        min_scale=min_scale,
        accumulation_size=accumulation_size,
        threshold_mode="absolute" if atol else "relative",
        patience_rule="reaches",
    )
