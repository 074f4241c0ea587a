"""Cases of the schedulers of transformers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

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
    plateaus,
    walk_torch,
    watching,
)


def transformers_plain(chance: random.Random) -> Iterator[Setting]:
    """Names of `get_scheduler`; each starts at 0 in its warm-up, but for the one noted."""
    yield "constant", {"lr": peak(chance)}, 5
    for warmup in [0, 1, 13]:
        ramp = {"lr": peak(chance), "num_warmup_steps": warmup}
        both = {**ramp, "num_training_steps": warmup + chance.randint(10, 50)}
        length = both["num_training_steps"] + 10
        yield "constant_with_warmup", ramp, 20
        yield "linear", both, length
        # Falls, and rises again after its end, as cosine_with_min_lr does.
        yield "cosine", {**both, "num_cycles": 0.5}, length
        yield "cosine", {**both, "num_cycles": between(chance, 0.7, 2)}, length
        yield "cosine_with_restarts", {**both, "num_cycles": chance.randint(1, 4)}, length
        power = {"lr_end": floor(chance), "power": between(chance, 0.5, 3)}
        yield "polynomial", {**both, **power}, length
        yield "inverse_sqrt", {**ramp, "timescale": chance.randint(5, 100)}, 60
        low = {"num_cycles": 0.5, "min_lr": floor(chance)}
        yield "cosine_with_min_lr", {**both, **low}, length
        # Starts at 1/warmup, or at warmup_lr_rate, and is one step early: at its end one before it.
        yield "cosine_warmup_with_min_lr", {**both, **low}, length
        rates = {"min_lr_rate": between(chance, 0, 0.2), "warmup_lr_rate": between(chance, 0, 0.3)}
        yield "cosine_warmup_with_min_lr", {**both, **low, "min_lr": None, **rates}, length


def transformers_defaults(chance: random.Random) -> Iterator[Setting]:
    both = {"lr": peak(chance), "num_warmup_steps": 6, "num_training_steps": 30}
    for name in ["linear", "cosine", "cosine_with_restarts", "polynomial"]:
        yield name, both, 40
    for name in ["cosine_with_min_lr", "cosine_warmup_with_min_lr"]:
        yield name, {**both, "min_lr_rate": 0.125}, 40
    yield "inverse_sqrt", {"lr": both["lr"], "num_warmup_steps": 6}, 40  # timescale: the warm-up
    yield "inverse_sqrt", {"lr": both["lr"], "num_warmup_steps": 0}, 40  # timescale: 10000
    yield "warmup_stable_decay", {**both, "num_decay_steps": 9}, 40
    # A schedule without room: nothing left after the warm-up, and one of one step.
    for warmup in [30, 0]:
        none = {**both, "num_warmup_steps": warmup, "num_training_steps": max(warmup, 1)}
        yield "linear", none, 40
        yield "cosine", none, 40


def transformers_wsd(chance: random.Random) -> Iterator[Setting]:
    for warmup_type in ["linear", "cosine", "1-sqrt"]:
        for decay_type in ["linear", "cosine", "1-sqrt"]:
            warmup, hold, fall = (chance.randint(2, 20) for _ in range(3))
            arguments = {
                "lr": peak(chance),
                "num_warmup_steps": warmup,
                "num_stable_steps": hold,
                "num_decay_steps": fall,
                "warmup_type": warmup_type,
                "decay_type": decay_type,
                # The floor of both ends: the warm-up starts there, not at 0.
                "min_lr_ratio": between(chance, 0, 0.3),
                "num_cycles": 0.5,
            }
            yield "warmup_stable_decay", arguments, warmup + hold + fall + 5
    for warmup, hold, fall in [(0, 10, 10), (10, 0, 10), (5, 5, 1), (5, 5, 0)]:
        lengths = {"num_warmup_steps": warmup, "num_stable_steps": hold, "num_decay_steps": fall}
        shape = {"decay_type": "1-sqrt", "min_lr_ratio": 0.0625, "warmup_type": "linear"}
        yield "warmup_stable_decay", {"lr": peak(chance), **lengths, **shape}, 25


def transformers_scheduler(optimizer: Any, name: str, arguments: Arguments) -> Any:
    from transformers.optimization import get_scheduler

    given = dict(arguments)
    warmup, total = given.pop("num_warmup_steps", None), given.pop("num_training_steps", None)
    return get_scheduler(name, optimizer, warmup, total, given)


def transformers_case(name: str, arguments: Arguments, length: int) -> Case:
    given = dict(arguments)
    optimizer = optimizer_at(given.pop("lr"))
    scheduler = transformers_scheduler(optimizer, name, given)
    steps = [*range(length), *FAR]
    used = walk_torch(optimizer, lambda _: scheduler.step(), steps)
    return case(name, arguments, steps, used)


def greedies(chance: random.Random) -> Iterator[tuple[Arguments, list[float]]]:
    """Settings of GreedyLR.

    Its `warmup` pauses it after a rise as `cooldown` does after a fall. `reset_start` counts the
    falls wanted at `min_lr`; then it starts anew from the first rate. A rate below `min_lr` is
    left where it is. Smoothing averages the last `window_size` metrics, fewer at the start.
    """
    for mode, threshold_mode, threshold, cooldown, warmup, smooth, reset in [
        ("min", "abs", 2.0**-8, 0, 0, False, 500),
        ("min", "rel", 2.0**-9, 3, 2, False, 500),
        ("min", "abs", 2.0**-8, 2, 3, True, 500),
        ("min", "abs", 0.0, 0, 0, False, 2),
        ("max", "abs", 2.0**-8, 1, 0, False, 3),
        ("max", "rel", 2.0**-9, 0, 2, True, 2),
        ("min", "rel", 2.0**-9, 0, 1, False, 3),
    ]:
        lr = peak(chance)
        low, high = (0.9, 4.0) if reset < 500 else (0.05, 20.0)
        arguments = {
            "lr": lr,
            "mode": mode,
            "factor": between(chance, 0.6, 0.95),
            "patience": chance.choice([0, 1, 2]),
            "threshold": threshold,
            "threshold_mode": threshold_mode,
            "cooldown": cooldown,
            "warmup": warmup,
            "min_lr": number(lr * low),
            "max_lr": number(lr * high),
            "eps": 1e-8,
            "smooth": smooth,
            "window_size": chance.choice([4, 8]),
            "reset_start": reset,
        }
        sign = 1 if mode == "min" else -1
        yield arguments, metrics(chance, sign * 16.0, sign)
    yield {"lr": 0.125}, metrics(chance)
    yield {"lr": 0.0001220703125}, metrics(chance)  # below the default min_lr of 0.001
    yield {"lr": 0.125, "patience": 1, "smooth": True}, metrics(chance)


def transformers_watching(name: str, arguments: Arguments, watched: list[float]) -> Case:
    given = dict(arguments)
    optimizer = optimizer_at(given.pop("lr"))
    scheduler = transformers_scheduler(optimizer, name, given)
    return watching(name, arguments, scheduler, optimizer, watched)


def record_transformers() -> list[Case]:
    chance = random.Random(1)
    cases = []
    for draw in [transformers_plain, transformers_defaults, transformers_wsd]:
        cases += [transformers_case(*setting) for setting in draw(chance)]
    for arguments, watched in list(plateaus(chance))[:2]:
        given = {"lr": peak(chance), **arguments, "eps": 1e-8}
        cases.append(transformers_watching("reduce_lr_on_plateau", given, watched))
    for arguments, watched in greedies(chance):
        cases.append(transformers_watching("greedy", arguments, watched))
    return cases
