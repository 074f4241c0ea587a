"""Schedulers that follow a metric, for random arguments and metrics, as `recorded/` has them.

Arguments and metrics are doubles, drawn again here from the recorded seeds. No reduction is as
small as the 1e-8 that PyTorch and Hugging Face leave out.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from recorded_rates import values_after

import jaxdecay

HERE = Path(__file__).parent / "recorded"
sys.path.append(str(HERE))  # the scripts there import each other by their names

import random_metrics  # noqa: E402

RTOL = 1e-6


@functools.cache
def recorded() -> list[dict[str, Any]]:
    return json.loads((HERE / "random_metrics.json").read_text())["cases"]


def expected(case: dict[str, Any]) -> np.ndarray:
    """The rate at each step, from those at which it changes."""
    changes = np.searchsorted(case["steps"], np.arange(random_metrics.LENGTH), side="right") - 1
    return np.array(case["rates"])[changes]


def ours(case: dict[str, Any]) -> np.ndarray:
    peer, scheduler = case["peer"], case["scheduler"]
    arguments, watched = random_metrics.drawn(peer, scheduler, case["seed"])
    schedule = getattr(jaxdecay, f"from_{peer}")(scheduler, **arguments)
    first = arguments.get("warmup_t", 0)
    return np.asarray(values_after(schedule, jnp.array(watched), first, 0), np.float64)


@pytest.mark.parametrize(("peer", "scheduler"), random_metrics.DRAWS)
def test_random_metrics(peer: str, scheduler: str) -> None:
    faults, changes = [], 0
    cases = [c for c in recorded() if (c["peer"], c["scheduler"]) == (peer, scheduler)]
    for case in cases:
        theirs, changes = expected(case), changes + len(case["steps"])
        wrong = np.abs(ours(case) - theirs) > RTOL * theirs
        if wrong.any():
            arguments, _ = random_metrics.drawn(peer, scheduler, case["seed"])
            step = int(np.argmax(wrong))
            faults.append(f"{ours(case)[step]!r} for {theirs[step]!r} at {step}: {arguments}")
    assert not faults, f"{len(faults)} of {len(cases)}:\n" + "\n".join(faults[:5])
    assert changes > 5 * len(cases)
