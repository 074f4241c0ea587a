"""Records the learning rates that peer libraries set, for tests that compare with them.

Each case runs the peer's own code: a real scheduler, stepped as its documentation or its trainer
steps it, and the rate read before each step. The rates go into one file a peer beside this one.
To record again, in an environment of its own::

    pip install torch==2.13.0 transformers==5.23.0 paddlepaddle==3.3.1
    pip install jax==0.10.2 optax==0.2.8 omegaconf==2.4.0 pyyaml
    pip install --no-deps timm==1.0.31
    pip download --no-deps --no-build-isolation fairseq==0.12.2
    pip download --no-deps --only-binary :all: --python-version 3.12 maxtext==0.2.5
    python tests/recorded/record_peers.py torch          # writes torch_more.json
    python tests/recorded/record_peers.py transformers
    python tests/recorded/record_peers.py timm
    python tests/recorded/record_peers.py paddle
    python tests/recorded/record_peers.py fairseq fairseq-0.12.2.tar.gz
    python tests/recorded/record_peers.py maxtext maxtext-0.2.5-py3-none-any.whl

A file holds `{"versions": {...}, "cases": [...]}`, a case a line:

- `scheduler`: the peer's name; `arguments`: the peer's own. `lr` is the optimizer's rate, and left
  out where the scheduler overrides it (torch's CyclicLR and OneCycleLR) or takes the rate as an
  argument of another name (Paddle, MaxText). Where an argument is missing, the peer's default was
  used: most cases spell out every argument that matters, some give only the required ones.
- `steps` and `rates`: `rates[i]` is the rate of the optimizer's step `steps[i]`, counted from 0;
  the last few may be far past the end.
- `metrics`, of the schedulers that watch one: `metrics[i]` was given after step `i`, so it decides
  `rates[i + 1]`; there is one metric fewer than rates. They and the thresholds are multiples of
  powers of two, so that ties are ties in float32 too.
- `steps_per_epoch`, of the fairseq schedulers that change at epochs.
- `constructed`, of timm: the rate before the first `step`, where `step(0)` sets another one.
- An argument that is itself a scheduler is `{"scheduler": ..., "arguments": ...}`; one that is a
  function is its Python expression in `epoch`.

Where peers surprise is said at the case.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import math
import random
import shutil
import struct
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
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


# torch


def torch_plain(chance: random.Random) -> Iterator[Setting]:
    """What torch.json lacks of the schedulers it has: defaults and ends."""
    lr = {"lr": peak(chance)}
    yield "LinearLR", lr, 20
    yield "ConstantLR", lr, 20
    yield "PolynomialLR", lr, 20
    yield "PolynomialLR", {**lr, "total_iters": 1, "power": 2.0}, 10
    yield "StepLR", {**lr, "step_size": 7}, 50
    yield "MultiStepLR", {**lr, "milestones": [9, 30]}, 50
    yield "MultiStepLR", {**lr, "milestones": [5, 5, 12], "gamma": 0.5}, 30  # twice at 5
    yield "CosineAnnealingLR", {**lr, "T_max": 20}, 50
    yield "CosineAnnealingLR", {**lr, "T_max": 1, "eta_min": floor(chance)}, 10  # up and down
    yield "LambdaLR", {**lr, "lr_lambda": "0.97 ** epoch"}, 60
    yield "LambdaLR", {**lr, "lr_lambda": "1 / (1 + 0.25 * epoch)"}, 60
    yield "MultiplicativeLR", {**lr, "lr_lambda": "0.96875"}, 60
    yield "MultiplicativeLR", {**lr, "lr_lambda": "1 - 1 / (epoch + 10)"}, 60  # from epoch 1
    for epochs, strategy in [(0, "cos"), (12, "cos"), (12, "linear")]:
        annealing = {"anneal_epochs": epochs, "anneal_strategy": strategy}
        yield "SWALR", {"lr": peak(chance), "swa_lr": peak(chance), **annealing}, 30
    yield "SWALR", {**lr, "swa_lr": 0.0625}, 20


def torch_cycles(chance: random.Random) -> Iterator[Setting]:
    for growth, length in [(1, 1), (1, 17), (2, 1), (2, 9), (3, 4)]:
        cycle = {"T_0": length, "T_mult": growth, "eta_min": floor(chance)}
        yield "CosineAnnealingWarmRestarts", {"lr": peak(chance), **cycle}, 100
    yield "CosineAnnealingWarmRestarts", {"lr": peak(chance), "T_0": 11}, 40
    for mode in ["triangular", "triangular2", "exp_range"]:
        ends = {"base_lr": floor(chance), "max_lr": peak(chance), "mode": mode, "gamma": 1.0}
        if mode == "exp_range":
            ends["gamma"] = between(chance, 0.9, 0.99)
        up, down = chance.randint(2, 20), chance.randint(2, 20)
        yield "CyclicLR", {**ends, "step_size_up": up, "step_size_down": down}, 100
        yield "CyclicLR", {**ends, "step_size_up": 1, "step_size_down": None}, 20
    # Twice 2000 steps a cycle unless told otherwise.
    yield "CyclicLR", {"base_lr": 0.0078125, "max_lr": 0.5}, 30


def torch_onecycle(chance: random.Random) -> Iterator[Setting]:
    """torch raises after `total_steps`; at it, one step past the end, linear rates may be < 0."""
    for strategy in ["cos", "linear"]:
        for three_phase in [False, True]:
            length = chance.randint(20, 100)
            arguments = {
                "max_lr": peak(chance),
                "total_steps": length,
                "pct_start": between(chance, 0.15, 0.45),
                "anneal_strategy": strategy,
                "div_factor": between(chance, 2, 50),
                "final_div_factor": between(chance, 10, 1000),
                "three_phase": three_phase,
            }
            yield "OneCycleLR", arguments, length + 1
    yield "OneCycleLR", {"max_lr": peak(chance), "total_steps": 50}, 51
    yield "OneCycleLR", {"max_lr": peak(chance), "epochs": 6, "steps_per_epoch": 7}, 43
    # No rise: its end is at step −1, so the fall has begun at step 0.
    yield "OneCycleLR", {"max_lr": peak(chance), "total_steps": 30, "pct_start": 0.0}, 31


def part(scheduler: str, **arguments: Any) -> Case:
    return {"scheduler": scheduler, "arguments": arguments}


def torch_composed(chance: random.Random) -> Iterator[Setting]:
    ramp = part("LinearLR", start_factor=0.125, end_factor=1.0, total_iters=10)
    cosine = part("CosineAnnealingLR", T_max=40, eta_min=floor(chance))
    hold = part("ConstantLR", factor=0.25, total_iters=15)
    fall = part("ExponentialLR", gamma=between(chance, 0.9, 0.99))
    stairs = part("StepLR", step_size=6, gamma=between(chance, 0.3, 0.9))
    restarts = part("CosineAnnealingWarmRestarts", T_0=8, T_mult=2, eta_min=0.0)
    power = part("PolynomialLR", total_iters=30, power=2.0)
    for parts, milestones in [
        ([ramp, cosine], [10]),
        ([ramp, restarts], [10]),
        ([hold, fall], [12]),
        ([ramp, hold, stairs], [10, 30]),
        ([ramp, fall, power], [7, 25]),  # the ramp is cut short
    ]:
        arguments = {"lr": peak(chance), "schedulers": parts, "milestones": milestones}
        yield "SequentialLR", arguments, 70
    # A chain multiplies factors; a cosine's is a factor only with eta_min 0 and before T_max.
    for parts in [[hold, fall], [ramp, stairs], [ramp, fall, stairs], [ramp, power]]:
        yield "ChainedScheduler", {"lr": peak(chance), "schedulers": parts}, 60


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


def torch_scheduler(optimizer: Any, name: str, arguments: Arguments) -> Any:
    from torch.optim import lr_scheduler, swa_utils

    module = swa_utils if name == "SWALR" else lr_scheduler
    given = dict(arguments)
    if "lr_lambda" in given:
        given["lr_lambda"] = eval("lambda epoch: " + given["lr_lambda"])
    if "schedulers" in given:
        parts = given.pop("schedulers")
        made = [torch_scheduler(optimizer, p["scheduler"], p["arguments"]) for p in parts]
        first = (made,) if name == "ChainedScheduler" else (optimizer, made)
        return getattr(module, name)(*first, **given)
    return getattr(module, name)(optimizer, **given)


def torch_case(name: str, arguments: Arguments, length: int) -> Case:
    given = dict(arguments)
    optimizer = optimizer_at(given.pop("lr", 1.0))
    scheduler = torch_scheduler(optimizer, name, given)
    far = [] if name == "OneCycleLR" else FAR[:1]
    steps = [*range(length), *far]
    used = walk_torch(optimizer, lambda _: scheduler.step(), steps)
    return case(name, arguments, steps, used)


def watching(name: str, arguments: Arguments, scheduler: Any, optimizer: Any, watched: Any) -> Case:
    """A case of a torch-like scheduler whose `step` takes the metric."""
    steps = list(range(len(watched) + 1))
    used = walk_torch(optimizer, lambda step: scheduler.step(watched[step - 1]), steps)
    return {**case(name, arguments, steps, used), "metrics": watched}


def torch_plateau(arguments: Arguments, watched: list[float]) -> Case:
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    given = dict(arguments)
    optimizer = optimizer_at(given.pop("lr"))
    scheduler = ReduceLROnPlateau(optimizer, **given)
    return watching("ReduceLROnPlateau", arguments, scheduler, optimizer, watched)


def record_torch() -> list[Case]:
    # SequentialLR itself calls step(epoch), which PyTorch deprecates.
    warnings.filterwarnings("ignore", message="The epoch parameter")
    chance = random.Random(0)
    cases = []
    for draw in [torch_plain, torch_cycles, torch_onecycle, torch_composed]:
        cases += [torch_case(*setting) for setting in draw(chance)]
    for arguments, watched in plateaus(chance):
        # Steps down by less than eps are not taken.
        given = {"lr": peak(chance), **arguments, "eps": 1e-8}
        cases.append(torch_plateau(given, watched))
    cases.append(torch_plateau({"lr": peak(chance)}, metrics(chance)))
    return cases


# transformers


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


# timm


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


# paddle


def paddle_plain(chance: random.Random) -> Iterator[Setting]:
    for warmup in [1, 12]:
        noam = {"d_model": 64, "warmup_steps": warmup}
        yield "NoamDecay", {**noam, "learning_rate": peak(chance)}, 50  # 0 at step 0
        yield "NoamDecay", noam, 20
    values = [peak(chance) for _ in range(4)]
    yield "PiecewiseDecay", {"boundaries": [3, 20, 21], "values": values}, 40
    rate = {"learning_rate": peak(chance)}
    for gamma in [between(chance, 0.01, 0.5) for _ in range(2)]:
        yield "NaturalExpDecay", {**rate, "gamma": gamma}, 50
        yield "InverseTimeDecay", {**rate, "gamma": gamma}, 50
        yield "ExponentialDecay", {**rate, "gamma": number(1 - gamma / 4)}, 50
        stairs = {**rate, "gamma": number(1 - gamma)}
        yield "StepDecay", {**stairs, "step_size": chance.randint(1, 12)}, 50
        milestones = sorted(chance.sample(range(1, 45), 4))
        yield "MultiStepDecay", {**stairs, "milestones": milestones}, 50
    yield "StepDecay", {**rate, "step_size": 9}, 30
    yield "MultiStepDecay", {**rate, "milestones": [4, 19]}, 30
    yield "LambdaDecay", {**rate, "lr_lambda": "1 / (1 + 0.25 * epoch)"}, 40
    yield "MultiplicativeDecay", {**rate, "lr_lambda": "1 - 1 / (epoch + 10)"}, 40
    yield "PolynomialDecay", {**rate, "decay_steps": 20}, 30
    for cycle in [False, True]:  # a cycle's length grows: the next multiple of decay_steps
        for length in [1, chance.randint(10, 30)]:
            shape = {"power": between(chance, 0.5, 3), "end_lr": floor(chance), "cycle": cycle}
            yield "PolynomialDecay", {**rate, "decay_steps": length, **shape}, 70


def paddle_annealed(chance: random.Random) -> Iterator[Setting]:
    rate = {"learning_rate": peak(chance)}
    for length in [1, chance.randint(10, 40)]:  # rises again after T_max
        yield "CosineAnnealingDecay", {**rate, "T_max": length, "eta_min": floor(chance)}, 100
    yield "CosineAnnealingDecay", {**rate, "T_max": 20}, 30
    for growth, length in [(1, 13), (2, 1), (2, 9), (3, 4)]:
        cycle = {"T_0": length, "T_mult": growth, "eta_min": floor(chance)}
        yield "CosineAnnealingWarmRestarts", {**rate, **cycle}, 80
    yield "CosineAnnealingWarmRestarts", {**rate, "T_0": 11}, 30
    for length in [1, 25]:
        factors = {"start_factor": between(chance, 0.1, 1), "end_factor": between(chance, 0, 1)}
        yield "LinearLR", {**rate, "total_steps": length, **factors}, 35
    yield "LinearLR", {**rate, "total_steps": 10}, 20
    # The scheduler after the warm-up starts at its own step 0; end_lr is never used as a rate.
    ramp = {"warmup_steps": 8, "start_lr": floor(chance), "end_lr": rate["learning_rate"]}
    for after in [
        rate["learning_rate"],
        number(rate["learning_rate"] / 2),
        part("ExponentialDecay", **rate, gamma=0.9375),
        part("CosineAnnealingDecay", **rate, T_max=30, eta_min=floor(chance)),
        part("PolynomialDecay", **rate, decay_steps=25, end_lr=floor(chance), power=2.0),
    ]:
        yield "LinearWarmup", {"learning_rate": after, **ramp}, 50
    yield "LinearWarmup", {**rate, **ramp, "warmup_steps": 1}, 10


def paddle_cycles(chance: random.Random) -> Iterator[Setting]:
    """OneCycleLR raises after `total_steps`; unlike torch's, it is given its end rate itself."""
    for strategy in ["cos", "linear"]:
        for three_phase in [False, True]:
            length = chance.randint(20, 80)
            arguments = {
                "max_learning_rate": peak(chance),
                "total_steps": length,
                "divide_factor": between(chance, 2, 50),
                "end_learning_rate": floor(chance),
                "phase_pct": between(chance, 0.15, 0.45),
                "anneal_strategy": strategy,
                "three_phase": three_phase,
            }
            yield "OneCycleLR", arguments, length + 1
    # Its default end_learning_rate is 1e-4, which may be above where it starts.
    yield "OneCycleLR", {"max_learning_rate": peak(chance), "total_steps": 40}, 41
    ends = {"base_learning_rate": floor(chance), "max_learning_rate": peak(chance)}
    for mode in ["triangular", "triangular2", "exp_range"]:
        gamma = between(chance, 0.9, 0.99) if mode == "exp_range" else 1.0
        up, down = chance.randint(2, 16), chance.randint(2, 16)
        sizes = {"step_size_up": up, "step_size_down": down}
        yield "CyclicLR", {**ends, **sizes, "mode": mode, "exp_gamma": gamma}, 80
    yield "CyclicLR", {**ends, "step_size_up": 1}, 10
    yield "CyclicLR", {**ends, "step_size_up": 7}, 40


def paddle_scheduler(name: str, arguments: Arguments) -> Any:
    from paddle.optimizer import lr

    given = dict(arguments)
    if "lr_lambda" in given:
        given["lr_lambda"] = eval("lambda epoch: " + given["lr_lambda"])
    inner = given.get("learning_rate")
    if isinstance(inner, dict):
        given["learning_rate"] = paddle_scheduler(inner["scheduler"], inner["arguments"])
    return getattr(lr, name)(**given)


def paddle_case(name: str, arguments: Arguments, length: int) -> Case:
    scheduler = paddle_scheduler(name, arguments)
    far = [] if name == "OneCycleLR" else FAR[:1]
    steps = [*range(length), *far]
    return case(name, arguments, steps, walk(scheduler, lambda _: scheduler.step(), steps))


def paddle_plateau(arguments: Arguments, watched: list[float]) -> Case:
    """Unlike torch's, it does not look at the metric at all while it cools down."""
    scheduler = paddle_scheduler("ReduceOnPlateau", arguments)
    steps = list(range(len(watched) + 1))
    used = walk(scheduler, lambda step: scheduler.step(watched[step - 1]), steps)
    return {**case("ReduceOnPlateau", arguments, steps, used), "metrics": watched}


def record_paddle() -> list[Case]:
    warnings.filterwarnings("ignore", message="No ccache found")
    chance = random.Random(3)
    cases = []
    for draw in [paddle_plain, paddle_annealed, paddle_cycles]:
        cases += [paddle_case(*setting) for setting in draw(chance)]
    for arguments, watched in plateaus(chance):
        given = {"learning_rate": peak(chance), **arguments, "epsilon": 1e-8}
        cases.append(paddle_plateau(given, watched))
    cases.append(paddle_plateau({"learning_rate": peak(chance)}, metrics(chance)))
    return cases


# fairseq


def fairseq_by_update(chance: random.Random) -> Iterator[Setting]:
    """Schedulers that follow the update; all reach their peak at `warmup_updates`.

    inverse_sqrt divides by `warmup_updates`, so it needs a warm-up. A start rate below 0 (the
    default, −1) is 0 for inverse_sqrt and `min_lr` for cosine and step.
    """
    for warmup in [1, 14]:
        lr = {"lr": peak(chance), "warmup_updates": warmup}
        yield "inverse_sqrt", {**lr, "warmup_init_lr": -1}, 60
        yield "inverse_sqrt", {**lr, "warmup_init_lr": floor(chance)}, 60
    for warmup in [0, 1, 9]:
        lr = {"lr": peak(chance), "warmup_updates": warmup}
        shape = {"end_learning_rate": floor(chance), "power": between(chance, 0.5, 3)}
        length = warmup + chance.randint(10, 40)
        yield "polynomial_decay", {**lr, **shape, "total_num_update": length}, length + 10
        for growth in [1.0, 2.0]:
            # min_lr shrinks with the peak.
            arguments = {
                **lr,
                "warmup_init_lr": floor(chance),
                "min_lr": floor(chance),
                "t_mult": growth,
                "lr_period_updates": chance.randint(8, 20),
                "lr_shrink": between(chance, 0.3, 1.0),
            }
            yield "cosine", arguments, 80
        stairs = {"min_lr": number(lr["lr"] / 50), "lr_decay": between(chance, 0.2, 0.9)}
        period = {"lr_deacy_period": chance.randint(3, 12)}  # spelt so
        yield "step", {**lr, **stairs, **period, "warmup_init_lr": floor(chance)}, 80
    lr = {"lr": peak(chance)}
    yield "inverse_sqrt", lr, 30  # 4000 updates of warm-up
    yield "polynomial_decay", {**lr, "total_num_update": 25}, 35
    yield "cosine", {**lr, "max_update": 30}, 50  # that is the period; lr_shrink is 0.1
    yield "cosine", {**lr, "max_update": 30, "warmup_updates": 6}, 50
    yield "step", {**lr, "lr_deacy_period": 10}, 50


def fairseq_phases(chance: random.Random) -> Iterator[Setting]:
    for period, shrink_min in [(20, False), (20, True), (15, False)]:  # an odd period is one less
        arguments = {
            "lr": floor(chance),
            "max_lr": peak(chance),
            "lr_period_updates": period,
            "lr_shrink": between(chance, 0.3, 1.0),
            "shrink_min": shrink_min,
        }
        yield "triangular", arguments, 70
    yield "triangular", {"lr": floor(chance), "max_lr": peak(chance), "lr_period_updates": 12}, 40
    lr = {"lr": peak(chance)}
    for warmup, hold, fall in [(10, 20, 25), (0, 10, 20), (12, 0, 1)]:
        lengths = {"warmup_steps": warmup, "hold_steps": hold, "decay_steps": fall}
        start, end = between(chance, 0.005, 0.3), between(chance, 0.005, 0.3)
        scales = {"init_lr_scale": start, "final_lr_scale": end}
        yield "tri_stage", {**lr, **lengths, **scales}, warmup + hold + fall + 10
    yield "tri_stage", {**lr, "phase_ratio": [0.25, 0.5, 0.25], "max_update": 50}, 60
    yield "tri_stage", {**lr, "warmup_steps": 5, "hold_steps": 5, "decay_steps": 20}, 40


def fairseq_restarts(chance: random.Random) -> Iterator[Setting]:
    """The cycle that begins at 121, 1 + 3 + … + 81, is taken for the one before."""
    cycle = {"t_mult": 3.0, "lr_period_updates": 1, "lr_shrink": between(chance, 0.3, 0.9)}
    yield "cosine", {"lr": peak(chance), "min_lr": floor(chance), **cycle}, 130


def fairseq_by_epoch(chance: random.Random) -> Iterator[Setting]:
    """Epochs count from 1, updates from 0.

    fixed reaches its peak one update early, at `warmup_updates` − 1, and starts above 0. From
    epoch `force_anneal` on it shrinks the last rate, already once in that epoch.
    """
    rates = [peak(chance) for _ in range(3)]
    shrink = {"lr_shrink": between(chance, 0.3, 0.9)}
    yield "fixed", {"lr": rates[0], "force_anneal": None, "warmup_updates": 0, **shrink}, 60
    yield "fixed", {"lr": rates[0], "force_anneal": 3, "warmup_updates": 13, **shrink}, 80
    yield "fixed", {"lr": rates, "force_anneal": 5, "warmup_updates": 4, **shrink}, 80
    yield "fixed", {"lr": rates[0]}, 30
    # A key "5-8" is each of 5 to 8; the last key reached stays in force.
    a, b, c, d = (peak(chance) for _ in range(4))
    empty: Arguments = {"lr": rates[0], "epoch2lr": {}, "update2lr": {}}
    yield "manual", {**empty, "epoch2lr": {"1": a, "3-4": b, "6,8": c}}, 90
    yield "manual", {**empty, "update2lr": {"1": a, "5-8": b, "20,22": c, "40": d}}, 60
    # Before the first key the rate is lr.
    yield "manual", {**empty, "update2lr": {"4": a, "11": b}}, 30


def import_fairseq(folder: Path) -> Any:
    """fairseq's scheduler modules, without the rest of it.

    The rest does not import on Python 3.11 or later. The schedulers need of it a registry to
    enter, base classes to inherit, and an optimizer that holds the rate.
    """
    registry: dict[str, tuple[type, type | None]] = {}

    def register(name: str, dataclass: type | None = None) -> Callable[[type], type]:
        def enter(scheduler: type) -> type:
            registry[name] = (scheduler, dataclass)
            return scheduler

        return enter

    class FairseqDataclass:
        pass

    class FairseqOptimizer:
        lr = math.nan

        def set_lr(self, lr: float) -> None:
            self.lr = lr

        def get_lr(self) -> float:
            return self.lr

    fairseq = without_init("fairseq", folder)
    setup = types.SimpleNamespace(setup_registry=lambda *_, **__: (None, register, {}, {}))
    vars(fairseq)["registry"] = setup
    dataclass = without_init("fairseq.dataclass", folder / "dataclass")
    vars(dataclass)["FairseqDataclass"] = FairseqDataclass
    unused = types.ModuleType("fairseq.dataclass.utils")
    vars(unused)["gen_parser_from_dataclass"] = None
    sys.modules["fairseq.dataclass.utils"] = unused
    optim = without_init("fairseq.optim", folder / "optim")
    vars(optim)["FairseqOptimizer"] = FairseqOptimizer
    importlib.import_module("fairseq.optim.lr_scheduler")
    logging.disable(logging.WARNING)  # manual's, at every update without a key
    return registry, FairseqOptimizer


def fairseq_scheduler(fairseq: Any, name: str, arguments: Arguments) -> Any:
    registry, optimizer = fairseq
    scheduler, config = registry[name]
    given = dict(arguments)
    if not isinstance(given["lr"], list):
        given["lr"] = [given["lr"]]  # as the command line does
    if config is not None:
        return scheduler(config(**given), optimizer())
    for key in ["epoch2lr", "update2lr"]:
        given[key] = repr(given[key])
    return scheduler(types.SimpleNamespace(**given), optimizer())


def fairseq_case(fairseq: Any, name: str, arguments: Arguments, length: int) -> Case:
    """Steps as fairseq's Trainer does, which sets the rate of update 0 before it trains."""
    scheduler = fairseq_scheduler(fairseq, name, arguments)
    by_epoch = name in ("fixed", "manual")
    steps_per_epoch = 10 if by_epoch else 1_000_000
    scheduler.step_update(0)
    scheduler.step_begin_epoch(1)
    scheduler.step_update(0)

    def advance(step: int) -> None:
        scheduler.step_update(step)
        if step % steps_per_epoch == 0:
            epoch = step // steps_per_epoch
            scheduler.step(epoch)
            scheduler.step_update(step)
            scheduler.step_begin_epoch(epoch + 1)
            scheduler.step_update(step)

    steps = [*range(length), *FAR]
    found = case(name, arguments, steps, walk(scheduler.optimizer.get_lr, advance, steps))
    return {**found, "steps_per_epoch": steps_per_epoch} if by_epoch else found


def fairseq_plateau(fairseq: Any, arguments: Arguments, watched: list[float]) -> Case:
    """Steps are epochs, with a metric after each; it drives torch's ReduceLROnPlateau."""
    registry, base = fairseq
    scheduler, config = registry["reduce_lr_on_plateau"]
    held = optimizer_at(arguments["lr"])

    class Optimizer(base):
        optimizer = held

        def set_lr(self, lr: float) -> None:
            held.param_groups[0]["lr"] = lr

        def get_lr(self) -> float:
            return held.param_groups[0]["lr"]

    made = scheduler(config(**{**arguments, "lr": [arguments["lr"]]}), Optimizer())
    steps = list(range(len(watched) + 1))
    used = walk(Optimizer().get_lr, lambda step: made.step(step, watched[step - 1]), steps)
    return {**case("reduce_lr_on_plateau", arguments, steps, used), "metrics": watched}


def fairseq_plateaus(chance: random.Random) -> Iterator[tuple[Arguments, list[float]]]:
    for maximize in [False, True]:
        arguments = {
            "lr": peak(chance),
            "lr_shrink": between(chance, 0.3, 0.9),
            "lr_patience": chance.choice([0, 2, 4]),
            "lr_threshold": 2.0**-7,
            "maximize_best_checkpoint_metric": maximize,
        }
        yield arguments, metrics(chance, 16.0 if not maximize else -16.0, -1 if maximize else 1)


def record_fairseq(folder: Path) -> list[Case]:
    (package,) = folder.glob("fairseq-*/fairseq")
    fairseq = import_fairseq(package)
    chance = random.Random(4)
    cases = []
    for draw in [fairseq_by_update, fairseq_phases, fairseq_by_epoch, fairseq_restarts]:
        cases += [fairseq_case(fairseq, *setting) for setting in draw(chance)]
    return cases + [fairseq_plateau(fairseq, *setting) for setting in fairseq_plateaus(chance)]


# maxtext


def maxtext_settings(chance: random.Random) -> Iterator[Setting]:
    """Settings of `create_learning_rate_schedule`.

    The end of a decay is at its last step, one before `learning_rate_schedule_steps`; from there
    to `steps` the rate is 0. Where `steps` is no larger, the last piece runs on: a cosine rises.
    A linear decay of one step keeps the peak, a cosine one is at the end.
    """
    for kind, style in [("cosine", "linear"), ("wsd", "linear"), ("wsd", "cosine")]:
        for warmup, fall, extra in [(0.125, 0.25, 10), (0.0, 0.5, 0), (0.3, 0.7, 5)]:
            length = chance.randint(30, 80)
            arguments = {
                "learning_rate": peak(chance),
                "learning_rate_schedule_steps": length,
                "steps": length + extra,
                "warmup_steps_fraction": number(warmup),
                "learning_rate_final_fraction": between(chance, 0, 0.3),
                "lr_schedule_type": kind,
                "wsd_decay_steps_fraction": number(fall),
                "wsd_decay_style": style,
            }
            yield kind, arguments, length + 15
        short = {"learning_rate": peak(chance), "steps": 16, "lr_schedule_type": kind}
        yield kind, {**short, "wsd_decay_steps_fraction": 0.0625, "wsd_decay_style": style}, 24
    yield "cosine", {"learning_rate": peak(chance), "steps": 40}, 50
    yield "wsd", {"learning_rate": peak(chance), "steps": 40, "lr_schedule_type": "wsd"}, 50
    only = {"learning_rate": peak(chance), "learning_rate_schedule_steps": 50, "steps": 20}
    yield "cosine", only, 60  # training stops in the middle of the schedule


def import_maxtext(folder: Path) -> tuple[Callable[[Any], Any], Arguments]:
    """MaxText's function, run as it stands but without its module, and the default arguments.

    The module imports all of MaxText, which the function does not use.
    """
    import jax
    import optax
    import yaml

    # The rates as the formula means them: float32's cosine is off near its end.
    jax.config.update("jax_enable_x64", True)

    def taken(path: str, *names: str) -> ast.Module:
        tree = ast.parse((folder / path).read_text())
        return ast.Module([n for n in tree.body if getattr(n, "name", None) in names], [])

    enums: Arguments = {"Enum": importlib.import_module("enum").Enum}
    kinds = taken("maxtext/configs/types.py", "LearningRateScheduleType", "WsdDecayStyle")
    exec(compile(kinds, "types.py", "exec"), enums)
    scope = {"jnp": jax.numpy, "optax": optax, "types": types.SimpleNamespace(**enums)}
    function = taken("maxtext/utils/maxtext_utils.py", "create_learning_rate_schedule")
    exec(compile(function, "maxtext_utils.py", "exec"), scope)
    defaults = yaml.safe_load((folder / "maxtext/configs/base.yml").read_text())
    return scope["create_learning_rate_schedule"], defaults


def maxtext_case(create: Any, defaults: Arguments, setting: Setting) -> Case:
    name, arguments, length = setting
    config = types.SimpleNamespace(**{**defaults, **arguments})
    if config.learning_rate_schedule_steps == -1:  # as MaxText's configuration does
        config.learning_rate_schedule_steps = config.steps
    schedule = create(config)
    steps = [*range(length), *FAR]
    return case(name, arguments, steps, [float(schedule(step)) for step in steps])


def record_maxtext(folder: Path) -> list[Case]:
    create, defaults = import_maxtext(folder)
    return [maxtext_case(create, defaults, s) for s in maxtext_settings(random.Random(5))]


# the command line

INSTALLED = {
    "torch": (record_torch, ["torch"]),
    "transformers": (record_transformers, ["transformers", "torch"]),
    "timm": (record_timm, ["timm", "torch"]),
    "paddle": (record_paddle, ["paddlepaddle"]),
}
UNPACKED = {"fairseq": (record_fairseq, []), "maxtext": (record_maxtext, ["jax", "optax"])}


def versions(distributions: list[str]) -> dict[str, str]:
    return {d: importlib.metadata.version(d).partition("+")[0] for d in distributions}


def write(peer: str, used: dict[str, str], cases: list[Case]) -> None:
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    path = HERE / ("torch_more.json" if peer == "torch" else f"{peer}.json")
    path.write_text(f'{{"versions":{json.dumps(used)},"cases":[\n{lines}\n]}}\n')
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size // 1000} kB, {used}")


def main(peer: str, archive: str = "") -> None:
    if peer in INSTALLED:
        record, distributions = INSTALLED[peer]
        write(peer, versions(distributions), record())
        return
    record, distributions = UNPACKED[peer]
    version = Path(archive).name.removesuffix(".tar.gz").split("-")[1]
    with tempfile.TemporaryDirectory() as folder:
        kind = "zip" if archive.endswith(".whl") else "gztar"
        shutil.unpack_archive(archive, folder, kind)
        write(peer, {peer: version, **versions(distributions)}, record(Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
