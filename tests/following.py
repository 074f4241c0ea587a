"""What tests of adaptive schedules share: scales that follow metrics, and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxdecay
from jaxdecay import Schedule


def watched(schedules: Sequence[Schedule], metrics: Any) -> np.ndarray:
    """Rates [metrics + 1, S] of schedules that each see a column of metrics, in one program."""
    population = jaxdecay.stack(schedules)

    @jax.jit
    def run(population: jaxdecay.Population, metrics: Any) -> Any:
        def follow(states: Any, each: Any) -> Any:
            states = population.update_states(states, each)
            return states, population(0, states)

        return population(0), jax.lax.scan(follow, population.init_states(), metrics)[1]

    first, rest = run(population, jnp.asarray(metrics, float))
    return np.concatenate([first[None], rest])


def plateau_scales(
    metrics: Sequence[float],
    factor: float = 0.1,
    patience: float = 10,
    threshold: float = 1e-4,
    cooldown: float = 0,
    min_scale: float = 0.0,
    accumulation_size: int = 1,
    mode: str = "min",
    threshold_mode: str = "relative",
    patience_rule: str = "exceeds",
) -> list[float]:
    """The scale before and after each metric, step by step in float64."""
    sign = 1.0 if mode == "min" else -1.0
    scale, best, bad, resting, scales = 1.0, np.inf, 0, 0, [1.0]
    for count in range(1, len(metrics) + 1):
        if count % accumulation_size:
            scales.append(scale)
            continue
        metric = sign * np.mean(np.float64(metrics[count - accumulation_size : count]))
        size = abs(best) if threshold_mode == "relative" else 1.0
        if metric < (best - threshold * size if np.isfinite(best) else best):
            best, bad = metric, 0
        else:
            bad += 1
        if resting > 0:
            resting, bad = resting - 1, 0
        if bad > patience or (patience_rule == "reaches" and bad == patience > 0):
            scale, bad, resting = max(scale * factor, min_scale), 0, cooldown
        scales.append(scale)
    return scales


def noisy_descent(chance: np.random.Generator, number: int, sign: int = 1) -> list[float]:
    """Metrics that get better by fits and starts; whole 256ths, so that nothing is rounded."""
    steps = chance.integers(-2, 8, number) * (chance.random(number) < 0.3)
    return (sign * 16 - sign * np.cumsum(steps) / 256).tolist()
