"""Random arguments of every scheduler that PyTorch, transformers, timm, Optax and Keras have.

Decimals, integers, edge values and doubles, none rounded to float32. Optax and Keras run here, in
float64; the rates of the others are recorded by `recorded/record_random.py`. What the peers have is
found by inspection, so that a new scheduler of theirs is one that nothing here compares. Ours must
be within 1e-6 of the peer, or, where that is wrong, of float64: `random_differences.py` says where.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_live
from random_differences import DIFFERENCES, NOT_CONVERTED, Difference
from rows import called

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.migration import keras as keras_converters
from jaxdecay.migration import optax as optax_converters
from jaxdecay.migration import timm as timm_converters
from jaxdecay.migration import torch as torch_converters
from jaxdecay.migration import transformers as transformers_converters

RTOL = 1e-6
RECORDED = ("torch", "transformers", "timm")
SETS = 20
"""Argument sets of each schedule of Optax and Keras."""

ROWS = 16
SMALLEST = 1e-30
"""Below this a float32 has few digits left."""

STEPPED = ("ExponentialLR", "StepLR", "MultiStepLR", "StepLRScheduler", "MultiStepLRScheduler")
"""Schedulers that multiply and never subtract, so that their smallest rates have all digits."""

PEERS = {
    "torch": torch_converters.TORCH,
    "transformers": transformers_converters.TRANSFORMERS,
    "timm": timm_converters.TIMM,
    "optax": optax_converters.OPTAX,
    "keras": keras_converters.KERAS,
}
FOLLOW_A_METRIC = (
    "ReduceLROnPlateau",
    "reduce_lr_on_plateau",
    "greedy",
    "PlateauLRScheduler",
    "plateau",
    "reduce_on_plateau",
)
"""Schedulers of a metric, which `test_random_metrics.py` and `test_stateful.py` compare."""

Case = dict[str, Any]


@functools.cache
def recorded(peer: str) -> dict[str, Any]:
    path = Path(__file__).parent / "recorded" / f"random_{peer}.json"
    return json.loads(path.read_text())


@functools.cache
def cases_of(peer: str, scheduler: str) -> list[Case]:
    if peer in RECORDED:
        return [case for case in recorded(peer)["cases"] if case["scheduler"] == scheduler]
    return [random_live.drawn(peer, scheduler, seed) for seed in range(SETS)]


def compared_of(peer: str) -> list[str]:
    if peer in RECORDED:
        return list(dict.fromkeys(case["scheduler"] for case in recorded(peer)["cases"]))
    return list(random_live.PEERS[peer][0])


def converted(peer: str, scheduler: str, arguments: dict[str, Any]) -> Schedule:
    convert = getattr(jaxdecay, f"from_{peer}")
    if peer == "optax" and "schedules" in arguments:
        parts = [converted(peer, *each) for each in arguments["schedules"]]
        arguments = {**arguments, "schedules": parts}
    return convert(scheduler, **arguments)


def difference_of(peer: str, case: Case) -> Difference | None:
    candidates = [each for each in DIFFERENCES if each.peer == peer]
    fits = (case["scheduler"] in e.schedulers and e.applies(case["arguments"]) for e in candidates)
    return next((each for each, fit in zip(candidates, fits, strict=True) if fit), None)


def allowed(scheduler: str, expected: np.ndarray) -> np.ndarray:
    """Relative; where the peer's value is 0 but for its own rounding, a millionth of the peak."""
    peak = np.max(np.abs(expected))
    nothing = np.abs(expected) <= (0 if scheduler in STEPPED else 1e-15 * peak)
    rounding = 0 if scheduler in STEPPED else 1e-15 * peak
    return np.where(nothing, RTOL * peak, RTOL * np.abs(expected) + rounding) + SMALLEST


def faults_of(peer: str, case: Case) -> Iterator[str]:
    """What is wrong with the conversion of a case."""
    scheduler, arguments = case["scheduler"], case["arguments"]
    difference = difference_of(peer, case)
    try:
        schedule = converted(peer, scheduler, arguments)
    except ValueError as error:
        if "raises" not in case and (difference is None or difference.expected is not None):
            yield f"refused: {error}"
        return
    if difference is not None and difference.expected is None:
        yield f"converted, and listed as refused because {difference.reason}"
        return
    if difference is None and "raises" in case:
        yield f"converted, and the peer raises {case['raises']}"
        return
    steps, expected = case["steps"], np.array(case.get("rates", []))
    if difference is not None and difference.expected is not None:
        values = [difference.expected(scheduler, arguments, step) for step in steps]
        expected = np.array(values, np.float64)
    limit = allowed(scheduler, expected)
    padded = np.pad(np.array(steps, np.int32), (0, ROWS - len(steps)), mode="edge")
    ours = np.asarray(called(schedule, padded), np.float64)[: len(steps)]
    yield from off("jit", ours, expected, limit, steps)
    if case is cases_of(peer, scheduler)[0]:
        eager = np.array([float(schedule(step)) for step in steps[:3]])
        yield from off("eager", eager, expected[:3], limit[:3], steps)


def off(
    how: str, ours: np.ndarray, expected: np.ndarray, limit: np.ndarray, steps: list[int]
) -> Iterator[str]:
    wrong = ~(np.abs(ours - expected) <= limit)
    if wrong.any():
        worst = int(np.argmax(np.where(wrong, np.abs(ours - expected) / limit, 0)))
        yield f"{how}: {ours[worst]!r} for {expected[worst]!r} at step {steps[worst]}"


@pytest.mark.quick_each(3)
@pytest.mark.parametrize(
    ("peer", "scheduler"), [(peer, each) for peer in PEERS for each in compared_of(peer)]
)
@pytest.mark.parametrize(
    "every", [6, pytest.param(1, marks=pytest.mark.slow)], ids=["sixth", "all"]
)
def test_random_arguments(peer: str, scheduler: str, every: int) -> None:
    cases = cases_of(peer, scheduler)
    faults = [
        f"{fault}\n    {case['arguments']}"
        for case in cases[::every]
        for fault in faults_of(peer, case)
    ]
    assert not faults, f"{len(faults)} of {len(cases)}:\n" + "\n".join(faults[:8])
    assert sum("rates" in case for case in cases) >= len(cases) / 2


# What the peers have, by inspection, is converted and compared, or not converted for a reason.


def found(peer: str) -> set[str]:
    live = {"optax": random_live.found_in_optax, "keras": random_live.found_in_keras}
    return live[peer]() if peer in live else set(recorded(peer)["found"])


@pytest.mark.parametrize("peer", PEERS)
def test_every_scheduler_of_a_peer_is_converted_or_not_for_a_reason(peer: str) -> None:
    names = found(peer)
    assert names >= set(NOT_CONVERTED[peer])
    wanted = names - set(NOT_CONVERTED[peer])
    assert wanted <= set(PEERS[peer].converters), "no converter, and no reason for it"
    assert wanted - set(FOLLOW_A_METRIC) == set(compared_of(peer)), "not compared"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.reason)
def test_every_difference_is_one(difference: Difference) -> None:
    """Some case is refused though the peer takes it, or the peer is off where we follow it not."""
    peer, seen = difference.peer, False
    for scheduler in difference.schedulers:
        for case in cases_of(peer, scheduler):
            if difference_of(peer, case) is not difference:
                continue
            if difference.expected is None:
                seen |= "rates" in case
                continue
            if "raises" in case:
                seen = True
                continue
            values = [
                difference.expected(scheduler, case["arguments"], step) for step in case["steps"]
            ]
            expected = np.array(values, np.float64)
            seen |= bool(np.any(np.abs(case["rates"] - expected) > allowed(scheduler, expected)))
    assert seen


def test_the_comparison_can_fail() -> None:
    case = recorded("torch")["cases"][0]
    wrong = {**case, "rates": [each * (1 + 3e-6) for each in case["rates"]]}
    assert list(faults_of("torch", case)) == []
    assert [each.partition(":")[0] for each in faults_of("torch", wrong)] == ["jit"]
