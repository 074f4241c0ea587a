"""Recorded cases of peers, and our values at their steps.

There are few shapes, so that schedules of one structure compile once.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxdecay import AdaptiveSchedule, Schedule, value_at

RTOL = 1e-6
RECORDED = Path(__file__).parent / "recorded"

Case = dict[str, Any]
Make = Callable[..., Schedule]


@functools.cache
def recorded(peer: str) -> list[Case]:
    names = {"PyTorch": "torch_more", "MaxText": "maxtext", "Paddle": "paddle"}
    return json.loads((RECORDED / f"{names.get(peer, peer)}.json").read_text())["cases"]


def cases_of(peer: str, scheduler: str) -> list[Case]:
    return [case for case in recorded(peer) if case["scheduler"] == scheduler]


@jax.jit
def values_after(
    schedule: AdaptiveSchedule, metrics: jax.Array, first: int, pause: int
) -> jax.Array:
    """The rate at each step, when a metric comes after each.

    Metrics before `first`, and `pause` of them after each reduction, are kept from the schedule.
    """

    def follow(carry: tuple[Any, Any], each: tuple[Any, Any]) -> tuple[Any, Any]:
        (state, left), (step, metric) = carry, each
        counts = (step >= first) & (left == 0)
        after = jax.tree.map(
            lambda new, old: jnp.where(counts, new, old),
            schedule.update(state, value=metric),
            state,
        )
        reduced = after.feedback.scale < state.feedback.scale
        left = jnp.where(reduced, pause, jnp.maximum(left - 1, 0))
        return (after, left), value_at(schedule, step, state)

    steps = jnp.arange(len(metrics))
    start = (schedule.init(), jnp.zeros_like(pause))
    return jax.lax.scan(follow, start, (steps, metrics))[1]
