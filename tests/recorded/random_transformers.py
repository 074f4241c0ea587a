"""Random arguments of the schedulers of Hugging Face Transformers, and their rates."""

from __future__ import annotations

from typing import Any

import torch
import transformers.optimization as theirs
from draws import Chance

Drawn = tuple[dict[str, Any], list[int]]


def found() -> list[str]:
    """Every name that `get_scheduler` takes, and every class of a scheduler beside it."""
    names = [each.value for each in theirs.SchedulerType]
    base = torch.optim.lr_scheduler.LRScheduler
    classes = [
        name
        for name, each in vars(theirs).items()
        if isinstance(each, type) and (issubclass(each, base) or "Schedule" in name or "LR" in name)
        if each.__module__ == theirs.__name__
    ]
    return sorted([*names, *classes])


def rates(name: str, arguments: dict[str, Any], steps: list[int]) -> list[float]:
    given = dict(arguments)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=given.pop("lr"))
    warmup, total = given.pop("num_warmup_steps", None), given.pop("num_training_steps", None)
    scheduler = theirs.get_scheduler(name, optimizer, warmup, total, given)
    return [float(at(scheduler, step)) for step in steps]


def at(scheduler: Any, step: int) -> float:
    """The rate after so many steps: a `LambdaLR` computes each from its number alone."""
    scheduler.last_epoch = step
    return scheduler.get_lr()[0]


def lengths(chance: Chance) -> tuple[dict[str, Any], list[float]]:
    """A warm-up and a run; sometimes nothing is left after the warm-up, or nothing at all."""
    warm = chance.choice([0, 1, chance.count(), chance.count()])
    total = warm + chance.choice([0, 1, chance.count(), chance.count(), chance.count()])
    both = {"lr": chance.rate(), "num_warmup_steps": warm, "num_training_steps": total}
    return both, [warm, total, (warm + total) / 2]


def constant(chance: Chance) -> Drawn:
    return {"lr": chance.rate()}, chance.steps([])


def constant_with_warmup(chance: Chance) -> Drawn:
    arguments, marks = lengths(chance)
    del arguments["num_training_steps"]
    return arguments, chance.steps(marks)


def linear(chance: Chance) -> Drawn:
    arguments, marks = lengths(chance)
    return arguments, chance.steps(marks)


def cycles(chance: Chance) -> float:
    return chance.choice([0.5, 0.5, 1, 2, 0.25, chance.uniform(0.2, 3)])


def cosine(chance: Chance) -> Drawn:
    arguments, marks = lengths(chance)
    return {**arguments, "num_cycles": cycles(chance)}, chance.steps(marks, int(2 * marks[1]) + 20)


def restarts(chance: Chance) -> Drawn:
    arguments, (warm, total, _) = lengths(chance)
    count = chance.choice([1, 1, 2, 3, 7, 0.5, 1.5, chance.uniform(0.3, 4)])
    ends = [warm + (total - warm) * i / count for i in range(1, 4)]
    return {**arguments, "num_cycles": count}, chance.steps([warm, total, *ends])


def polynomial(chance: Chance) -> Drawn:
    arguments, marks = lengths(chance)
    end = chance.choice([1e-7, 0.0, arguments["lr"] * chance.share()])
    return {**arguments, "lr_end": end, "power": chance.power()}, chance.steps(marks)


def inverse_sqrt(chance: Chance) -> Drawn:
    arguments, marks = lengths(chance)
    del arguments["num_training_steps"]
    if chance.random() < 0.6:
        arguments["timescale"] = chance.count()
    return arguments, chance.steps([*marks, 10 * marks[0]])


def floored(chance: Chance) -> dict[str, float]:
    if chance.random() < 0.5:
        return {"min_lr": chance.choice([0.0, 0, 1e-6, 1e-5])}
    return {"min_lr_rate": chance.choice([0, 1, chance.share()])}


def cosine_with_min_lr(chance: Chance) -> Drawn:
    arguments, marks = lengths(chance)
    arguments |= {"num_cycles": cycles(chance), **floored(chance)}
    return arguments, chance.steps(marks, int(2 * marks[1]) + 20)


def cosine_warmup_with_min_lr(chance: Chance) -> Drawn:
    arguments, steps = cosine_with_min_lr(chance)
    if chance.random() < 0.5:
        arguments["warmup_lr_rate"] = chance.choice([0.0, 1.0, chance.share()])
    return arguments, steps


def warmup_stable_decay(chance: Chance) -> Drawn:
    arguments, _ = lengths(chance)
    warm, hold = arguments["num_warmup_steps"], chance.choice([0, chance.count()])
    fall = chance.choice([0, 1, chance.count(), chance.count(), chance.count()])
    if chance.random() < 0.5:
        arguments["num_training_steps"] = warm + hold + fall
    else:
        del arguments["num_training_steps"]
        arguments["num_stable_steps"] = hold
    arguments["num_decay_steps"] = fall
    arguments["warmup_type"] = chance.choice(["linear", "cosine", "1-sqrt"])
    arguments["decay_type"] = chance.choice(["linear", "cosine", "1-sqrt"])
    arguments["min_lr_ratio"] = chance.choice([0, 0.0, 1, chance.share()])
    if chance.random() < 0.3:
        arguments["num_cycles"] = cycles(chance)
    return arguments, chance.steps([warm, warm + hold, warm + hold + fall])


DRAWS = {
    "constant": constant,
    "constant_with_warmup": constant_with_warmup,
    "linear": linear,
    "cosine": cosine,
    "cosine_with_restarts": restarts,
    "polynomial": polynomial,
    "inverse_sqrt": inverse_sqrt,
    "cosine_with_min_lr": cosine_with_min_lr,
    "cosine_warmup_with_min_lr": cosine_warmup_with_min_lr,
    "warmup_stable_decay": warmup_stable_decay,
}
