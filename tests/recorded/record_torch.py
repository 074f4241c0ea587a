"""Records the learning rates that PyTorch's schedulers set, for `tests/test_peers_torch.py`.

Each case is a real optimizer under a real scheduler, stepped once an epoch as PyTorch's
documentation says; the rate is read before each optimizer step. The rates go into `torch.json`
beside this file, with the version of PyTorch and the arguments. To record again, in an
environment of its own::

    pip install torch==2.13.0
    python tests/recorded/record_torch.py
"""

from __future__ import annotations

import json
import math
import random
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler

RECORD = Path(__file__).parent / "torch.json"
EPOCHS = {1: 180, 3: 40}  # by steps per epoch

Arguments = dict[str, Any]


def number(value: float) -> float:
    """The nearest float32: a hyperparameter that both sides can hold exactly."""
    return struct.unpack("f", struct.pack("f", value))[0]


def warmup_cosine(optimizer: torch.optim.Optimizer, arguments: Arguments) -> Any:
    ramp = lr_scheduler.LinearLR(optimizer, arguments["start_factor"], 1.0, arguments["warmup"])
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, arguments["T_max"], arguments["eta_min"])
    return lr_scheduler.SequentialLR(optimizer, [ramp, cosine], [arguments["warmup"]])


def formula(factor: Callable[..., float]) -> Callable[[torch.optim.Optimizer, Arguments], Any]:
    """A LambdaLR of `factor(epoch, **arguments)`."""

    def make(optimizer: torch.optim.Optimizer, arguments: Arguments) -> Any:
        return lr_scheduler.LambdaLR(optimizer, lambda epoch: factor(epoch, **arguments))

    return make


MAKERS: dict[str, Callable[[torch.optim.Optimizer, Arguments], Any]] = {
    "LambdaLR 1/(1+kt)": formula(lambda t, k: 1 / (1 + k * t)),
    "LambdaLR k/sqrt(epoch)": formula(lambda t, k: k / math.sqrt(t + 1)),
    "LambdaLR exp(-kt)": formula(lambda t, k: math.exp(-k * t)),
    "SequentialLR": warmup_cosine,
}
"""How schedulers are made that are not `lr_scheduler.NAME(optimizer, **arguments)`."""


def draw(chance: random.Random) -> Iterator[tuple[str, Arguments]]:
    """One setting of each scheduler; most end well before the recording does."""
    length = chance.randint(15, 120)
    floor = number(chance.uniform(1e-5, 1e-3))
    yield "ConstantLR", {"factor": number(chance.uniform(0.1, 0.9)), "total_iters": length}
    yield "ExponentialLR", {"gamma": number(chance.uniform(0.95, 0.999))}
    yield "StepLR", {"step_size": chance.randint(2, 30), "gamma": number(chance.uniform(0.3, 0.9))}
    milestones = sorted(chance.sample(range(1, 100), 4))
    yield "MultiStepLR", {"milestones": milestones, "gamma": number(chance.uniform(0.1, 0.9))}
    yield "PolynomialLR", {"total_iters": length, "power": number(chance.uniform(0.5, 3.0))}
    yield (
        "LinearLR",
        {
            "start_factor": number(chance.uniform(0.1, 1.0)),
            "end_factor": number(chance.uniform(0.0, 1.0)),
            "total_iters": length,
        },
    )
    yield "CosineAnnealingLR", {"T_max": length, "eta_min": floor}
    yield "CosineAnnealingLR", {"T_max": length, "eta_min": 0.0}
    warmup = {"start_factor": number(chance.uniform(0.01, 0.5)), "warmup": chance.randint(1, 20)}
    yield "SequentialLR", {**warmup, "T_max": length, "eta_min": floor}
    yield "LambdaLR 1/(1+kt)", {"k": number(chance.uniform(0.01, 1.0))}
    yield "LambdaLR k/sqrt(epoch)", {"k": number(chance.uniform(0.1, 2.0))}
    yield "LambdaLR exp(-kt)", {"k": number(chance.uniform(0.01, 0.05))}


def rates(name: str, arguments: Arguments, lr: float, steps_per_epoch: int) -> list[float]:
    """The rate that each step of the optimizer used."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    if name in MAKERS:
        scheduler = MAKERS[name](optimizer, arguments)
    else:
        scheduler = getattr(lr_scheduler, name)(optimizer, **arguments)
    used = []
    for _ in range(EPOCHS[steps_per_epoch]):
        for _ in range(steps_per_epoch):
            used.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
        scheduler.step()
    return used


def record() -> list[dict[str, Any]]:
    cases = []
    for seed, steps_per_epoch in enumerate([1, 1, 3]):
        chance = random.Random(seed)
        for name, arguments in draw(chance):
            lr = number(10 ** chance.uniform(-3, 0))
            case = {"scheduler": name, "arguments": arguments, "lr": lr}
            used = rates(name, arguments, lr, steps_per_epoch)
            cases.append({**case, "steps_per_epoch": steps_per_epoch, "rates": used})
    return cases


def main() -> None:
    # SequentialLR itself calls step(epoch), which PyTorch deprecates.
    warnings.filterwarnings("ignore", message="The epoch parameter")
    version = torch.__version__.partition("+")[0]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in record())
    RECORD.write_text(f'{{"torch":"{version}","cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
