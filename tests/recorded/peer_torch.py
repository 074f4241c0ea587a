"""Cases of PyTorch's schedulers."""

from __future__ import annotations

import random
import warnings
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
    optimizer_at,
    part,
    peak,
    plateaus,
    walk_torch,
    watching,
)


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
