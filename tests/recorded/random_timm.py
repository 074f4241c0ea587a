"""Random arguments of timm's schedulers and of its factory, and their rates."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import re
import sys
import types
from typing import Any

import torch
from draws import Chance, sums

Drawn = tuple[dict[str, Any], list[int]]


def _schedulers() -> types.ModuleType:
    """`timm.scheduler`, without timm's own `__init__`, which wants torchvision."""
    spec = importlib.util.find_spec("timm")
    assert spec is not None
    package = types.ModuleType("timm")
    package.__path__ = list(spec.submodule_search_locations or [])
    sys.modules["timm"] = package
    logging.getLogger("timm.scheduler").setLevel(logging.ERROR)
    return importlib.import_module("timm.scheduler")


theirs = _schedulers()
FACTORY = ("cosine", "tanh", "poly", "step", "multistep", "constant", "wsd", "rsqrt")


def found() -> list[str]:
    """Every class, and every name in the factory's `elif sched == ...`."""
    base = importlib.import_module("timm.scheduler.scheduler").Scheduler
    public = vars(theirs).items()
    classes = [name for name, each in public if isinstance(each, type) and issubclass(each, base)]
    source = inspect.getsource(theirs.create_scheduler_v2)
    tests = re.findall(r"^ *(?:el)?if sched (?:==|in) (.+):$", source, re.MULTILINE)
    named = {name for test in tests for name in re.findall(r"'(\w+)'", test)}
    return sorted({*classes, *named} - {"none"})


def rates(name: str, arguments: dict[str, Any], steps: list[int]) -> list[float]:
    """Each epoch's rate: timm's training calls `step(epoch)` from epoch 1 on."""
    given = dict(arguments)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=given.pop("lr"))
    if name in FACTORY:
        scheduler, _ = theirs.create_scheduler_v2(optimizer, sched=name, **given)
    else:
        scheduler = getattr(theirs, name)(optimizer, **given)
    seen = [optimizer.param_groups[0]["lr"]]
    advance = scheduler.step if scheduler.t_in_epochs else scheduler.step_update
    for step in steps[1:]:
        advance(step)
        seen.append(optimizer.param_groups[0]["lr"])
    return [float(each) for each in seen]


def warmup(chance: Chance, prefix: bool = True) -> dict[str, Any]:
    if chance.random() < 0.4:
        return {}
    given = {"warmup_t": chance.count(300), "warmup_lr_init": chance.choice([0, 1e-6, 1e-5, 0.02])}
    return {**given, "warmup_prefix": chance.random() < 0.6} if prefix else given


def cycle(chance: Chance) -> tuple[dict[str, Any], list[float]]:
    lr, length = chance.rate(), chance.length(3_000)
    arguments = {"lr": lr, "t_initial": length, "lr_min": chance.floor(lr), **warmup(chance)}
    ends = [length]
    if chance.random() < 0.5:
        limit, growth = chance.choice([1, 2, 3]), chance.choice([1, 1.0, 1.1, 2, 3, 10, 0.5])
        if growth in (3, 10):  # where the logarithm that finds a cycle rounds down
            limit = chance.choice([1, 3, 6 if growth == 3 else 4])
            length = arguments["t_initial"] = chance.choice([1, 2, 5, 10])
        decay = chance.choice([1.0, 1, 0.1, 0.97, chance.share()])
        arguments |= {"cycle_limit": limit, "cycle_mul": growth, "cycle_decay": decay}
        ends = sums([length * growth**i for i in range(limit)])
    warm = arguments.get("warmup_t", 0)
    return arguments, [warm, *ends, *(warm + end for end in ends)]


def k_decay(chance: Chance) -> dict[str, Any]:
    return {"k_decay": chance.choice([1, 1.5, 0.7, 2])} if chance.random() < 0.4 else {}


def cosine(chance: Chance) -> Drawn:
    arguments, marks = cycle(chance)
    return {**arguments, **k_decay(chance)}, chance.steps(marks)


def tanh(chance: Chance) -> Drawn:
    arguments, marks = cycle(chance)
    if chance.random() < 0.5:
        arguments |= {"lb": chance.uniform(-8, -2), "ub": chance.choice([3, 2.5, 4])}
    return arguments, chance.steps(marks)


def poly(chance: Chance) -> Drawn:
    arguments, marks = cycle(chance)
    return {**arguments, **k_decay(chance), "power": chance.power()}, chance.steps(marks)


def stairs(chance: Chance) -> Drawn:
    length, base = chance.length(2_000), chance.base()
    arguments = {"lr": chance.rate(), "decay_t": length, "decay_rate": base, **warmup(chance)}
    warm = arguments.get("warmup_t", 0)
    ends = [warm + length * i for i in (1, 2, 10, 20, chance.randint(4, 40))]
    return arguments, chance.steps([warm, *ends], int(warm + 60 * length) + 3)


def multi_step(chance: Chance) -> Drawn:
    boundaries = chance.choice([[1, 8, 9], [0, 5, 9], chance.counts(3), chance.counts(1)])
    arguments = {"lr": chance.rate(), "decay_t": boundaries, "decay_rate": chance.base()}
    arguments |= warmup(chance)
    warm = arguments.get("warmup_t", 0)
    return arguments, chance.steps([warm, *(each + warm for each in boundaries), *boundaries])


def wsd(chance: Chance) -> Drawn:
    lr, length = chance.rate(), chance.count(3_000)
    fall = chance.choice([length, chance.randint(1, length)])
    arguments = {"lr": lr, "t_initial": length, "decay_t": fall, "lr_min": chance.floor(lr)}
    arguments |= warmup(chance, prefix=False)
    arguments["stable_fn"] = chance.choice(["constant", "constant", "rsqrt", "power"])
    if arguments["stable_fn"] != "constant" and chance.random() < 0.7:
        arguments["stable_timescale"] = chance.length(300)
    if arguments["stable_fn"] == "power":
        arguments["stable_power"] = chance.choice([0.5, 1, chance.uniform(0.2, 2)])
    arguments["decay_fn"] = chance.choice(["linear", "1-sqrt", "cosine", "power", "exp"])
    if arguments["decay_fn"] == "power":
        arguments["decay_power"] = chance.choice([0.5, 1, chance.uniform(0.2, 2)])
    if arguments["decay_fn"] == "exp":
        arguments["decay_ratio"] = chance.share()
    warm = arguments.get("warmup_t", 0)
    return arguments, chance.steps([warm, warm + length - fall, warm + length])


def factory(chance: Chance) -> Drawn:
    """Recipes of `create_scheduler_v2`; EfficientNet's has `decay_epochs` 2.4 and a rate .97."""
    epochs, unit = chance.choice([1, 20, 300, 450]), chance.choice([7, 390, 1_251])
    warm = min(chance.choice([0, 3, 5]), epochs - 1)
    arguments = {"lr": chance.rate(), "num_epochs": epochs, "warmup_epochs": warm}
    arguments["decay_epochs"] = chance.choice([2.4, 30, 1, 0.3])
    arguments["decay_rate"] = chance.choice([0.97, 0.1, 0.988])
    arguments |= {"warmup_prefix": chance.random() < 0.5, "min_lr": chance.choice([0, 1e-6, 1e-5])}
    arguments["decay_milestones"] = chance.counts(3, 300)
    if chance.random() < 0.5:
        arguments |= {"step_on_epochs": False, "updates_per_epoch": unit}
    else:
        unit = 1
    marks = [warm, epochs, warm + epochs, 2.4, 30, *arguments["decay_milestones"]]
    return arguments, chance.steps([mark * unit for mark in marks], 600 * unit)


DRAWS = {
    "CosineLRScheduler": cosine,
    "TanhLRScheduler": tanh,
    "PolyLRScheduler": poly,
    "StepLRScheduler": stairs,
    "MultiStepLRScheduler": multi_step,
    "WSDLRScheduler": wsd,
    **dict.fromkeys(FACTORY, factory),
}
