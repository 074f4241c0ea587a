"""Schedules of several families and structures, for populations."""

from __future__ import annotations

from typing import Any

import numpy as np

import jaxdecay

LINE = jaxdecay.linear(0.5, end_value=0.0, transition_steps=10)
WAVE = jaxdecay.cosine(0.25, transition_steps=10)
MIXED = [
    LINE,
    WAVE,
    jaxdecay.constant(0.1),
    LINE.replace(init_value=1.0),
    jaxdecay.warmup(WAVE, warmup_steps=5),
    jaxdecay.warmup(LINE, warmup_steps=5),
    jaxdecay.exponential(0.1, decay_rate=0.5),
    jaxdecay.exponential(0.1, decay_rate=0.5, staircase=True),
    jaxdecay.exponential(0.1, decay_rate=0.5, end_value=0.01),
    jaxdecay.piecewise_constant([0.1, 0.2], boundaries=[3]),
    jaxdecay.piecewise_constant([0.1, 0.2, 0.3], boundaries=[3, 5]),
    WAVE.replace(init_value=1.0),
]


def alone(schedules: Any, step: Any) -> np.ndarray:
    return np.stack([np.asarray(schedule(step)) for schedule in schedules])
