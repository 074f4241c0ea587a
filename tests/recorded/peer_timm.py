"""Cases of timm's schedulers."""

from __future__ import annotations

import importlib.util
import logging
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

from peer_cases import (
    FAR,
    Arguments,
    Case,
    Setting,
    between,
    case,
    floor,
    metrics,
    number,
    optimizer_at,
    peak,
    walk_torch,
    without_init,
)


def timm_cycles(chance: random.Random) -> Iterator[Setting]:
    """Cycles of the cosine, tanh and polynomial.

    `cycle_limit` counts whole cycles; from there the rate is `lr_min`, whatever `cycle_decay` has
    left of the peak. Without `warmup_prefix` the warm-up hides the cycle's start, so the rate jumps
    at its end; only tanh aims its warm-up at the rate found there. The number of the cycle comes
    from a logarithm that rounds, e.g. log(243, 3) < 5: no case stands on such an edge.
    """
    for name in ["CosineLRScheduler", "TanhLRScheduler", "PolyLRScheduler"]:
        for cycle_mul, cycle_limit, warmup, prefix in [
            (1.0, 1, 0, False),
            (1.0, 1, 5, True),
            (1.0, 3, 7, False),
            (2.0, 2, 0, False),
            (2.0, 3, 6, True),
            (1.5, 2, 4, False),
        ]:
            first = chance.randint(10, 16) if cycle_limit > 1 else chance.randint(10, 50)
            length = warmup + 10 + round(sum(first * cycle_mul**i for i in range(cycle_limit)))
            arguments = {
                "lr": peak(chance),
                "t_initial": first,
                "lr_min": floor(chance),
                "cycle_mul": cycle_mul,
                "cycle_decay": 1.0 if cycle_limit == 1 else between(chance, 0.3, 0.9),
                "cycle_limit": cycle_limit,
                "warmup_t": warmup,
                "warmup_lr_init": floor(chance),
                "warmup_prefix": prefix,
                **timm_shape(chance, name),
            }
            yield name, arguments, length
        yield name, {"lr": peak(chance), "t_initial": 25}, 35
        yield name, {"lr": peak(chance), "t_initial": 1}, 5


def timm_shape(chance: random.Random, name: str) -> Arguments:
    if name == "TanhLRScheduler":
        return {"lb": between(chance, -7, -3), "ub": between(chance, 2, 4)}
    k_decay = {"k_decay": chance.choice([1.0, between(chance, 0.5, 2.5)])}
    if name == "PolyLRScheduler":
        return {**k_decay, "power": between(chance, 0.5, 3)}
    return k_decay


def timm_restarts(chance: random.Random) -> Iterator[Setting]:
    """Plain ones; the cycle that begins at 121, 1 + 3 + … + 81, is taken for the one before."""
    for first, cycle_mul, cycle_limit in [(12, 1.0, 3), (8, 2.0, 3), (1, 3.0, 6)]:
        arguments = {
            "lr": peak(chance),
            "t_initial": first,
            "lr_min": floor(chance),
            "cycle_mul": cycle_mul,
            "cycle_decay": between(chance, 0.3, 0.9),
            "cycle_limit": cycle_limit,
        }
        yield "CosineLRScheduler", arguments, 130 if cycle_mul == 3 else 80
    ramp = {"warmup_t": 5, "warmup_lr_init": floor(chance), "warmup_prefix": True}
    plain = {"lr": peak(chance), "t_initial": 30, "lr_min": floor(chance)}
    yield "CosineLRScheduler", {**plain, **ramp}, 45
    yield "PolyLRScheduler", {**plain, **ramp, "power": 1.0}, 45


def timm_stairs(chance: random.Random) -> Iterator[Setting]:
    """Steps; MultiStepLRScheduler takes each of its steps one early, at `decay_t` − 1."""
    for warmup, prefix in [(0, True), (6, True), (6, False)]:
        ramp = {"warmup_t": warmup, "warmup_lr_init": floor(chance), "warmup_prefix": prefix}
        rate = {"lr": peak(chance), "decay_rate": between(chance, 0.2, 0.95), **ramp}
        yield "StepLRScheduler", {**rate, "decay_t": chance.randint(2, 12)}, 60
        milestones = sorted(chance.sample(range(1, 50), 4))
        yield "MultiStepLRScheduler", {**rate, "decay_t": milestones}, 60
    yield "StepLRScheduler", {"lr": peak(chance), "decay_t": 2.5, "decay_rate": 0.5}, 30
    yield "StepLRScheduler", {"lr": peak(chance), "decay_t": 5}, 20  # keeps its rate
    yield "MultiStepLRScheduler", {"lr": peak(chance), "decay_t": [1, 8], "decay_rate": 0.5}, 20


def timm_wsd(chance: random.Random) -> Iterator[Setting]:
    """`t_initial` leaves the warm-up out and counts the decay in."""
    for stable_fn in ["constant", "rsqrt", "power"]:
        for decay_fn in ["linear", "1-sqrt", "cosine", "power", "exp"]:
            length, fall = chance.randint(20, 45), chance.randint(1, 20)
            arguments = {
                "lr": peak(chance),
                "t_initial": length,
                "decay_t": fall,
                "lr_min": floor(chance),
                "stable_fn": stable_fn,
                "decay_fn": decay_fn,
                "warmup_t": chance.choice([0, 5]),
                "warmup_lr_init": floor(chance),
            }
            if stable_fn != "constant":
                arguments["stable_timescale"] = between(chance, 3, 30)
            if stable_fn == "power":
                arguments["stable_power"] = between(chance, 0.3, 1.5)
            if decay_fn == "power":
                arguments["decay_power"] = between(chance, 0.3, 2)
            if decay_fn == "exp":
                arguments["decay_ratio"] = between(chance, 0.01, 0.5)
            yield "WSDLRScheduler", arguments, length + 15
    short = {"lr": peak(chance), "t_initial": 20, "decay_t": 8}
    yield "WSDLRScheduler", short, 30
    # The stable part's time scale is that of the warm-up.
    yield "WSDLRScheduler", {**short, "stable_fn": "rsqrt", "warmup_t": 5}, 35
    # Its lower bound holds from the stable part on: 1/√ would fall below it.
    low = {"lr_min": number(short["lr"] / 2), "stable_fn": "rsqrt", "stable_timescale": 2.0}
    yield "WSDLRScheduler", {**short, **low}, 30


def timm_case(name: str, arguments: Arguments, length: int) -> Case:
    import timm.scheduler

    given = dict(arguments)
    optimizer = optimizer_at(given.pop("lr"))
    scheduler = getattr(timm.scheduler, name)(optimizer, **given)
    constructed = float(optimizer.param_groups[0]["lr"])
    scheduler.step(0)
    steps = [*range(length), *FAR]
    used = walk_torch(optimizer, scheduler.step, steps)
    found = case(name, arguments, steps, used)
    return found if constructed == used[0] else {**found, "constructed": constructed}


def timm_plateau(arguments: Arguments, watched: list[float]) -> Case:
    """timm's training calls `step(epoch, metric)` with the number of epochs that are done.

    The metrics of the warm-up are not looked at, and epoch `warmup_t` is the first at the full
    rate. The default mode is "max".
    """
    from timm.scheduler import PlateauLRScheduler

    given = dict(arguments)
    optimizer = optimizer_at(given.pop("lr"))
    scheduler = PlateauLRScheduler(optimizer, **given)
    steps = list(range(len(watched) + 1))
    used = walk_torch(optimizer, lambda step: scheduler.step(step, watched[step - 1]), steps)
    return {**case("PlateauLRScheduler", arguments, steps, used), "metrics": watched}


def record_timm() -> list[Case]:
    # timm's own __init__ wants torchvision, which its schedulers do not use.
    spec = importlib.util.find_spec("timm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    without_init("timm", Path(spec.submodule_search_locations[0]))
    warnings.filterwarnings("ignore", message="PlateauLRScheduler is deprecated")
    logging.getLogger("timm.scheduler").setLevel(logging.ERROR)
    chance = random.Random(2)
    cases = []
    for draw in [timm_cycles, timm_stairs, timm_wsd]:
        cases += [timm_case(*setting) for setting in draw(chance)]
    for warmup, mode in [(0, "min"), (5, "max")]:
        sign = 1 if mode == "min" else -1
        arguments = {
            "lr": peak(chance),
            "decay_rate": between(chance, 0.3, 0.8),
            "patience_t": 2,
            "threshold": 2.0**-7,
            "cooldown_t": 2,
            "warmup_t": warmup,
            "warmup_lr_init": floor(chance),
            "lr_min": floor(chance),
            "mode": mode,
        }
        cases.append(timm_plateau(arguments, metrics(chance, sign * 16.0, sign)))
    return cases + [timm_case(*setting) for setting in timm_restarts(chance)]
