"""Compounds: complete runs, each with a name. `schedule.parts()` shows what one is composed of.

Their functions are called with numbers, arrays or tracers, so they use only operators.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from jaxdecay.compose import cooldown, warmup
from jaxdecay.compose.sequence import check_cooldown
from jaxdecay.decays import cosine, linear, piecewise_linear
from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import same_kind
from jaxdecay.definition import compound
from jaxdecay.domain import (
    LAST_STEP,
    AtLeastOne,
    Duration,
    Exponent,
    Fraction,
    NonNegative,
    Positive,
    Steps,
    is_any,
)
from jaxdecay.groups import Group
from jaxdecay.schedule import Schedule

__all__ = [
    "infinite_schedule",
    "one_cycle",
    "slanted_triangular",
    "warmup_cosine",
    "warmup_linear",
    "warmup_stable_decay",
]


@compound(order=("warmup_steps", "transition_steps"), group=Group.RUNS)
def warmup_cosine(
    peak_value: Positive,
    *,
    warmup_steps: Steps,
    transition_steps: Duration,
    init_value: NonNegative = 0.0,
    end_value: NonNegative = 0.0,
    power: Exponent = 1.0,
) -> Schedule:
    """A straight warm-up, then half a cosine wave down to `end_value`, which is held.

    Formula: warmup(cosine(P, T, E, power), W, I).

    Args:
        peak_value: P, the learning rate after the warm-up, > 0.
        warmup_steps: W, in steps, 0 … 2³¹−1; 0 means no warm-up.
        transition_steps: T, in steps, 0 … 2³¹−1, excluding the warm-up: the end is at W + T.
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate from step W + T on, ≥ 0.
        power: the exponent of the half wave, ≥ 0, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup_cosine(1.0, warmup_steps=10, transition_steps=100)
        >>> [round(float(schedule(step)), 4) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
        >>> schedule.parts()
        warmup(schedule=cosine(init_value=1.0, transition_steps=100), warmup_steps=10)

    Source:
        Optax `warmup_cosine_decay_schedule`, whose decay_steps are W + T; Keras `CosineDecay`
        with `warmup_target`; Hugging Face `cosine`.
    """
    down = cosine(peak_value, transition_steps=transition_steps, end_value=end_value, power=power)
    return warmup(down, warmup_steps=warmup_steps, init_value=init_value)


@compound(order=("warmup_steps", "transition_steps"), group=Group.RUNS)
def warmup_linear(
    peak_value: Positive,
    *,
    warmup_steps: Steps,
    transition_steps: Duration,
    init_value: NonNegative = 0.0,
    end_value: NonNegative = 0.0,
) -> Schedule:
    """A straight warm-up, then a straight line down to `end_value`, which is held.

    Formula: warmup(linear(P, E, T), W, I).

    Args:
        peak_value: P, the learning rate after the warm-up, > 0.
        warmup_steps: W, in steps, 0 … 2³¹−1; 0 means no warm-up.
        transition_steps: T, in steps, 0 … 2³¹−1, excluding the warm-up: the end is at W + T.
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate from step W + T on, ≥ 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup_linear(1.0, warmup_steps=10, transition_steps=100)
        >>> [float(schedule(step)) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.5, 0.0]

    Source:
        Hugging Face `linear`, whose num_training_steps are W + T.
    """
    return warmup(
        linear(peak_value, end_value=end_value, transition_steps=transition_steps),
        warmup_steps=warmup_steps,
        init_value=init_value,
    )


def _check_stable_decay(**values: Any) -> None:
    check_cooldown(family="warmup_stable_decay", **values)


@compound(
    check=_check_stable_decay,
    order=("warmup_steps", "stable_steps", "transition_steps"),
    group=Group.RUNS,
)
def warmup_stable_decay(
    peak_value: Positive,
    *,
    warmup_steps: Steps,
    stable_steps: Steps,
    transition_steps: Duration,
    init_value: NonNegative = 0.0,
    end_value: NonNegative = 0.0,
    shape: Literal["linear", "cosine", "sqrt", "inverse", "exponential"] = "sqrt",
) -> Schedule:
    """A straight warm-up, a plateau, and a cooldown to `end_value`, which is held: WSD.

    Formula: warmup(cooldown(P, S, T, E, shape), W, I).

    Args:
        peak_value: P, the learning rate of the plateau, > 0.
        warmup_steps: W, in steps, 0 … 2³¹−1; 0 means no warm-up.
        stable_steps: S, in steps, 0 … 2³¹−1, between the warm-up and the cooldown.
        transition_steps: T, the length of the cooldown, 0 … 2³¹−1: the end is at W + S + T.
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate at the end, ≥ 0; > 0 if the shape is "inverse" or
            "exponential".
        shape: the shape of the cooldown, as in `cooldown`.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or an end that the shape never reaches.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.warmup_stable_decay(
        ...     1.0, warmup_steps=10, stable_steps=70, transition_steps=20
        ... )
        >>> [float(schedule(step)) for step in (0, 5, 10, 80, 85, 100)]
        [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]

    Source:
        Hu et al., arXiv 2404.06395 (warm-up, stable, decay); Hägele et al., arXiv 2405.18392
        (1 − √p); Hugging Face `warmup_stable_decay`. Also called a trapezoid.
    """
    down = cooldown(
        peak_value,
        begin=stable_steps,
        transition_steps=transition_steps,
        end_value=end_value,
        shape=shape,
    )
    return warmup(down, warmup_steps=warmup_steps, init_value=init_value)


def _check_infinite(cooldown_steps: Any, stable_steps: Any, **_: Any) -> None:
    def too_long(first: Any, second: Any) -> Any:
        integers = np.issubdtype(np.result_type(first, second), np.integer)
        return integers & (np.add(first, second, dtype=float) > LAST_STEP)

    if is_any(too_long, cooldown_steps, stable_steps):
        raise ValueError(
            "infinite_schedule: cooldown_steps and stable_steps must sum to at most "
            f"{LAST_STEP}, got {cooldown_steps!r} and {stable_steps!r}; give longer ones as floats"
        )


@compound(
    check=_check_infinite,
    order=("warmup_steps", "cooldown_steps", "stable_steps", "transition_steps"),
    group=Group.RUNS,
)
def infinite_schedule(
    peak_value: Positive,
    *,
    stable_value: Positive,
    end_value: Positive,
    warmup_steps: Steps,
    cooldown_steps: Steps,
    stable_steps: Steps,
    transition_steps: Steps,
    init_value: NonNegative = 0.0,
) -> Schedule:
    """A warm-up, a cooldown to a rate that can be held for any time, and a final decay.

    Formula: warmup(cooldown(cosine(P, C, K), C + S, T, E, shape="exponential"), W, I): a straight
    line from I to P, half a cosine wave from P to K, K held, then K·(E/K)^p to E.

    Args:
        peak_value: P, the learning rate after the warm-up, > 0.
        stable_value: K, the learning rate that is held, > 0.
        end_value: E, the learning rate at the end, > 0.
        warmup_steps: W, in steps, 0 … 2³¹−1; 0 means no warm-up.
        cooldown_steps: C, in steps, 0 … 2³¹−1, from P to K.
        stable_steps: S, in steps, 0 … 2³¹−1, at K. To extend a run, raise S and resume from any
            checkpoint in this phase.
        transition_steps: T, the length of the final decay, 0 … 2³¹−1: the end is at W + C + S + T.
        init_value: I, the learning rate at step 0, ≥ 0.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or C + S above 2³¹−1.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.infinite_schedule(
        ...     1.0,
        ...     stable_value=0.5,
        ...     end_value=0.125,
        ...     warmup_steps=10,
        ...     cooldown_steps=20,
        ...     stable_steps=50,
        ...     transition_steps=20,
        ... )
        >>> [float(schedule(step)) for step in (0, 10, 20, 30, 80, 90, 100)]
        [0.0, 1.0, 0.75, 0.5, 0.5, 0.25, 0.125]

    Source:
        Ibrahim et al., arXiv 2403.08763, with the cosine of its cooldowns; arXiv 2503.02844.
    """
    cooldown_steps, stable_steps = same_kind(cooldown_steps, stable_steps)
    constant = cosine(peak_value, transition_steps=cooldown_steps, end_value=stable_value)
    begin = cooldown_steps + stable_steps
    down = cooldown(
        constant,
        begin=begin,
        transition_steps=transition_steps,
        end_value=end_value,
        shape="exponential",
    )
    return warmup(down, warmup_steps=warmup_steps, init_value=init_value)


def _check_one_cycle(warmup_fraction: Any, three_phase: bool, **_: Any) -> None:
    if three_phase and is_any(lambda fraction: 2 * fraction > 1, warmup_fraction):
        raise ValueError(
            "one_cycle: warmup_fraction must be at most 0.5 with three_phase=True, where the way "
            f"down is as long as the way up, got {warmup_fraction!r}; use three_phase=False"
        )


@compound(check=_check_one_cycle, end=at_transition_steps, group=Group.RUNS)
def one_cycle(
    peak_value: Positive,
    *,
    transition_steps: Steps,
    warmup_fraction: Fraction = 0.3,
    initial_divisor: Positive = 25.0,
    final_divisor: Positive = 10000.0,
    shape: Literal["cosine", "linear"] = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """Up to a peak and down to almost nothing, once.

    Formula: from I = P/d at step 0 to P at W = f·T, then to I/D at T, which is held; with
    `three_phase` from P back to I at 2W, then to I/D. Half cosine waves, or straight lines.

    Args:
        peak_value: P, the largest learning rate, > 0.
        transition_steps: T, the total length in steps, 0 … 2³¹−1; 0 means the last value at
            once. Exact up to 2²⁴ steps, beyond which floats skip some.
        warmup_fraction: f, the share of T before the peak, 0 … 1, at most 0.5 with
            `three_phase`. The peak is at the real number f·T, which need not be a step.
        initial_divisor: d, > 0, without unit.
        final_divisor: D, > 0, without unit.
        shape: "cosine" or "linear".
        three_phase: before the last phase, fall to I as fast as the rate rose.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range, or phases that are longer than T.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.one_cycle(
        ...     1.0, transition_steps=100, warmup_fraction=0.25, initial_divisor=4, final_divisor=2
        ... )
        >>> [float(schedule(step)) for step in (0, 25, 100, 200)]
        [0.25, 1.0, 0.125, 0.125]
        >>> schedule.parts().boundaries.tolist()
        [0.0, 25.0, 100.0]

    Source:
        Smith and Topin, arXiv 1708.07120; PyTorch `OneCycleLR`, which ends one step earlier and
        has its peak at f·total_steps − 1; Optax `cosine_onecycle_schedule`, which rounds f·T
        down to a step.
    """
    length = transition_steps / 1  # a float, even for an array of integers
    up = warmup_fraction * length
    low = peak_value / initial_divisor
    end = low / final_divisor
    if three_phase:
        values, boundaries = [low, peak_value, low, end], [0.0, up, 2 * up, length]
    else:
        values, boundaries = [low, peak_value, end], [0.0, up, length]
    return piecewise_linear(values, boundaries=boundaries, shape=shape)


@compound(end=at_transition_steps, group=Group.RUNS)
def slanted_triangular(
    peak_value: Positive,
    *,
    transition_steps: Steps,
    warmup_fraction: Fraction = 0.1,
    initial_divisor: AtLeastOne = 32.0,
) -> Schedule:
    """A short straight line up to a peak and a long one down.

    Formula: from P/r at step 0 to P at f·T, then back to P/r at T, which is held.

    Args:
        peak_value: P, the largest learning rate, > 0.
        transition_steps: T, the total length in steps, 0 … 2³¹−1; 0 means the last value at
            once. Exact up to 2²⁴ steps, beyond which floats skip some.
        warmup_fraction: f, the share of T before the peak, 0 … 1. The peak is at the real number
            f·T, which need not be a step.
        initial_divisor: r, the peak divided by the smallest rate, ≥ 1, without unit.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.slanted_triangular(
        ...     1.0, transition_steps=100, warmup_fraction=0.25, initial_divisor=4
        ... )
        >>> [float(schedule(step)) for step in (0, 25, 50, 100, 200)]
        [0.25, 1.0, 0.75, 0.25, 0.25]

    Source:
        Howard and Ruder, arXiv 1801.06146, who round the step of the peak down.
    """
    length = transition_steps / 1  # a float, even for an array of integers
    low = peak_value / initial_divisor
    return piecewise_linear(
        [low, peak_value, low], boundaries=[0.0, warmup_fraction * length, length]
    )
