"""What the recorders of peers share: drawn arguments, metrics, and cases of a walk."""

from __future__ import annotations

import random
import struct
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FAR = [1000, 10_000]  # steps long past every end
LONG = 121  # rates of a case that follows a metric

Arguments = dict[str, Any]
Case = dict[str, Any]
Setting = tuple[str, Arguments, int]  # scheduler, arguments, how many steps to record


def number(value: float) -> float:
    """The nearest float32: a hyperparameter that both sides can hold exactly."""
    return struct.unpack("f", struct.pack("f", value))[0]


def between(chance: random.Random, low: float, high: float) -> float:
    return number(chance.uniform(low, high))


def peak(chance: random.Random) -> float:
    return number(10 ** chance.uniform(-3, 0))


def floor(chance: random.Random) -> float:
    return number(10 ** chance.uniform(-6, -4))


def metrics(chance: random.Random, start: float = 16.0, sign: int = 1) -> list[float]:
    """A random walk in stretches that fall, stall or rise, on a grid of 1/256."""
    values: list[float] = []
    level = round(start * 256)
    while len(values) < LONG - 1:
        drift = chance.choice([-4, -3, -1, 0, 1])
        for _ in range(chance.randint(3, 20)):
            level += drift + chance.randint(-1, 1)
            values.append(sign * level / 256)
    return values[: LONG - 1]


def walk(read: Callable[[], float], advance: Callable[[int], Any], steps: list[int]) -> list[float]:
    """The rate at each of `steps`; `advance(t)` leads from step `t` − 1 to step `t`."""
    used = {0: float(read())}
    for step in range(1, steps[-1] + 1):
        advance(step)
        used[step] = float(read())
    return [used[step] for step in steps]


def case(scheduler: str, arguments: Arguments, steps: list[int], rates: list[float]) -> Case:
    """A case, without the steps long past the end whose rate is too small for float32."""
    held = [(s, r) for s, r in zip(steps, rates, strict=True) if r == 0 or abs(r) > 1e-30]
    kept, used = map(list, zip(*held, strict=True))
    return {"scheduler": scheduler, "arguments": arguments, "steps": kept, "rates": used}


def without_init(name: str, folder: Path) -> types.ModuleType:
    """A package whose modules can be imported though its own `__init__` is not run."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return package


def optimizer_at(lr: float) -> Any:
    import torch

    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def walk_torch(optimizer: Any, advance: Callable[[int], Any], steps: list[int]) -> list[float]:
    def train(step: int) -> None:
        optimizer.step()
        advance(step)

    return walk(lambda: optimizer.param_groups[0]["lr"], train, steps)


def part(scheduler: str, **arguments: Any) -> Case:
    return {"scheduler": scheduler, "arguments": arguments}


def plateaus(chance: random.Random) -> Iterator[tuple[Arguments, list[float]]]:
    """Settings of torch's ReduceLROnPlateau, which others wrap or copy.

    With a relative threshold and metrics below 0 even a slightly worse one passes for better: in
    mode min `best * (1 − threshold)` then lies above `best`.
    """
    for mode, threshold_mode, threshold, cooldown, start in [
        ("min", "rel", 2.0**-7, 0, 16.0),
        ("min", "abs", 2.0**-7, 3, 16.0),
        ("min", "rel", 2.0**-10, 2, -4.0),
        ("max", "rel", 2.0**-7, 0, 16.0),
        ("max", "abs", 0.0, 4, 16.0),
        ("max", "rel", 2.0**-10, 1, -4.0),
    ]:
        arguments = {
            "mode": mode,
            "factor": between(chance, 0.3, 0.9),
            "patience": chance.choice([0, 2, 4]),
            "threshold": threshold,
            "threshold_mode": threshold_mode,
            "cooldown": cooldown,
            "min_lr": floor(chance),
        }
        sign = 1 if mode == "min" else -1
        yield arguments, metrics(chance, sign * start, sign)


def watching(name: str, arguments: Arguments, scheduler: Any, optimizer: Any, watched: Any) -> Case:
    """A case of a torch-like scheduler whose `step` takes the metric."""
    steps = list(range(len(watched) + 1))
    used = walk_torch(optimizer, lambda step: scheduler.step(watched[step - 1]), steps)
    return {**case(name, arguments, steps, used), "metrics": watched}
