"""The numbers of a case, drawn anew by Hypothesis from the domains that the families declare."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from case import Case, case
from hypothesis import strategies
from references import LAST_STEP, Reference

import jaxdecay
from jaxdecay.domain import Domain, Search
from jaxdecay.parameter import Parameter


def cases(reference: Reference, wide: bool = False) -> strategies.SearchStrategy[Case]:
    """Cases of the same structure: its options, its schedules, and whether numbers are given."""
    return _arguments(reference, wide).map(lambda drawn: case(reference.family, **drawn))


def numbers(domain: Domain, wide: bool = False) -> strategies.SearchStrategy[Any]:
    """Numbers of a domain: around its usual part, or, if wide, far from it too."""
    low, high = -1000.0, 1000.0
    for bound in domain.bounds:
        low = max(low, getattr(bound, "ge", -np.inf), getattr(bound, "gt", -np.inf) + 1e-3)
        high = min(high, getattr(bound, "le", np.inf), getattr(bound, "lt", np.inf) - 1e-3)
    if domain.count:
        most = min(getattr(bound, "le", LAST_STEP) for bound in domain.bounds)
        limits = (min(100, most), min(LAST_STEP // 4 if wide else 10**6, most))
        return strategies.one_of(*(strategies.integers(math.ceil(low), high) for high in limits))
    if not wide:
        usual = domain.search or Search(0.0, 1.0)
        width = usual.high - usual.low
        low, high = max(low, usual.low - width), min(high, usual.high + width)
    low, high = (float(np.float32(limit)) for limit in (low, high))
    return strategies.floats(low, high, allow_subnormal=False, width=32)


def _arguments(reference: Reference, wide: bool) -> strategies.SearchStrategy[dict[str, Any]]:
    parameters = jaxdecay.families[reference.family].decay.parameters
    fit = FITTING.get(reference.family, lambda drawn: {})
    return strategies.fixed_dictionaries(
        {
            name: _argument(parameter, reference.arguments.get(name, parameter.default), wide)
            for name, parameter in parameters.items()
        }
    ).map(lambda drawn: drawn | fit(drawn))


def _argument(parameter: Parameter, value: Any, wide: bool) -> strategies.SearchStrategy[Any]:
    if isinstance(value, Reference):
        return cases(value, wide)
    if parameter.kind == "schedules":
        return strategies.tuples(*(_argument(_ONE_SCHEDULE, each, wide) for each in value)).map(
            list
        )
    if value is None or parameter.kind == "option":
        return strategies.just(value)
    if not parameter.domain.rank:
        return numbers(parameter.domain, wide)
    elements = numbers(Domain(parameter.domain.bounds, parameter.domain.count), wide)
    vectors = strategies.lists(elements, min_size=len(value), max_size=len(value))
    return vectors.map(sorted) if parameter.name == "boundaries" else vectors


_ONE_SCHEDULE = jaxdecay.families["scale"].decay.parameters["schedule"]


def _below(low: str, high: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def fit(drawn: dict[str, Any]) -> dict[str, Any]:
        if None in (drawn[low], drawn[high]):
            return {}
        small, large = sorted([drawn[low], drawn[high]])
        return {low: small - abs(small) / 8, high: large}

    return fit


def _exponential(drawn: dict[str, Any]) -> dict[str, Any]:
    fitted = _below("end_value", "init_value")(drawn)
    if fitted and drawn["decay_rate"] > 1:
        return {"init_value": fitted["end_value"] + 1e-3, "end_value": fitted["init_value"] + 1e-3}
    return fitted


def _hyperbolic(drawn: dict[str, Any]) -> dict[str, Any]:
    bound = drawn["upper_bound"]
    fitted = {} if bound is None else {"upper_bound": bound + drawn["transition_steps"]}
    return _below("end_value", "init_value")(drawn) | fitted


def _cooled(drawn: dict[str, Any]) -> dict[str, Any]:
    fitted = {}
    if drawn["shape"] in ("inverse", "exponential"):
        fitted["end_value"] = drawn["end_value"] + 1e-3
    if "power" in drawn and drawn["shape"] != "power":
        fitted["power"] = 0.5
    return fitted


def _not_both_0(drawn: dict[str, Any]) -> dict[str, Any]:
    return {"k": drawn["k"] + 0.125}


def _clipped(drawn: dict[str, Any]) -> dict[str, Any]:
    """Limits that the schedule does not only just reach: there float32 takes either side."""
    low, high = drawn["lower"], drawn["upper"]
    if high is None:
        return {"lower": low * 0.875}
    return {"lower": min(low, high) * 0.875, "upper": max(low, high) * 1.125}


def _wave(drawn: dict[str, Any]) -> dict[str, Any]:
    """Waves with a height; those that grow in each step grow slowly, not to overflow at once."""
    low, high, rate = (drawn[name] for name in ("init_value", "peak_value", "decay_rate"))
    fitted = {"peak_value": high + 0.125} if low == high else {}
    if drawn["decay_every"] == "step" and rate > 1:
        fitted["decay_rate"] = 1 + (rate - 1) / 1000
    return fitted


def _cycle(drawn: dict[str, Any]) -> dict[str, Any]:
    """No fraction that is a whole number of steps but for its rounding: that step is a corner."""
    if not drawn["three_phase"]:
        return {}
    return {"warmup_fraction": 0.0031 + 0.493 * drawn["warmup_fraction"]}


FITTING: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "discrete_staircase": _below("end_value", "init_value"),
    "exponential": _exponential,
    "k_decay": _not_both_0,
    "hyperbolic": _hyperbolic,
    "exponential_hyperbolic": _hyperbolic,
    "power_law": _below("end_value", "init_value"),
    "tanh_decay": _below("lower", "upper"),
    "clip": _clipped,
    "cyclic": _wave,
    "sine_wave": _wave,
    "cooldown": _cooled,
    "warmup_stable_decay": _cooled,
    "greedy": _below("min_scale", "max_scale"),
    "one_cycle": _cycle,
}
"""By family, what to change so that drawn hyperparameters fit each other."""
