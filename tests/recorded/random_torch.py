"""Random arguments of PyTorch's schedulers, and their rates."""

from __future__ import annotations

from typing import Any

import torch
from draws import Chance, sums
from torch.optim import lr_scheduler, swa_utils

Drawn = tuple[dict[str, Any], list[int]]

WALK = 4_000
"""Steps that are walked; what is further away is read from the scheduler's closed form."""


def found() -> list[str]:
    """Every public scheduler of the two modules."""
    classes = {**vars(lr_scheduler), **vars(swa_utils)}.items()
    return sorted(
        name
        for name, each in classes
        if isinstance(each, type)
        and issubclass(each, lr_scheduler.LRScheduler)
        and each is not lr_scheduler.LRScheduler
        and not name.startswith("_")
    )


def made(optimizer: Any, name: str, arguments: dict[str, Any]) -> Any:
    module = swa_utils if name == "SWALR" else lr_scheduler
    given = {key: value for key, value in arguments.items() if key != "lr"}
    if "schedulers" in given:
        parts = [made(optimizer, *each) for each in given.pop("schedulers")]
        first = (parts,) if name == "ChainedScheduler" else (optimizer, parts)
        return getattr(module, name)(*first, **given)
    if name in ("CyclicLR", "OneCycleLR"):
        given["cycle_momentum"] = False
    return getattr(module, name)(optimizer, **given)


def rates(name: str, arguments: dict[str, Any], steps: list[int]) -> list[float]:
    lr = arguments.get("lr", 1.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = made(optimizer, name, arguments)
    walked = {0: optimizer.param_groups[0]["lr"]}
    for step in range(1, max(step for step in steps if step <= WALK) + 1):
        scheduler.step()
        walked[step] = optimizer.param_groups[0]["lr"]
    return [float(walked[t] if t in walked else at(scheduler, t)) for t in steps]


def at(scheduler: Any, step: int) -> float:
    """The rate that `step()` called so many times would lead to, where PyTorch has a formula."""
    scheduler.last_epoch = step
    formula = getattr(scheduler, "_get_closed_form_lr", scheduler.get_lr)
    return formula()[0]


def linear(chance: Chance) -> Drawn:
    length = chance.count()
    factors = {"start_factor": chance.share(), "end_factor": chance.choice([1, 0, chance.share()])}
    return {"lr": chance.rate(), **factors, "total_iters": length}, chance.steps([length])


def constant(chance: Chance) -> Drawn:
    length = chance.count()
    arguments = {"lr": chance.rate(), "factor": chance.share(), "total_iters": length}
    return arguments, chance.steps([length])


def exponential(chance: Chance) -> Drawn:
    gamma = chance.base()
    reach = min(10_000_000, 60 / max(1 - gamma, 1e-7)) if gamma <= 1 else 300
    return {"lr": chance.rate(), "gamma": gamma}, chance.steps([reach / 3, reach], int(reach))


def stairs(chance: Chance) -> Drawn:
    length, gamma = chance.count(), chance.base()
    ends = [length, 2 * length, 35 * length]
    last = 80 * length if gamma > 0.3 else 8 * length
    return {"lr": chance.rate(), "step_size": length, "gamma": gamma}, chance.steps(ends, last)


def milestones(chance: Chance) -> Drawn:
    boundaries = chance.counts(chance.choice([1, 3, 7]))
    arguments = {"lr": chance.rate(), "milestones": boundaries, "gamma": chance.base()}
    return arguments, chance.steps(boundaries)


def polynomial(chance: Chance) -> Drawn:
    length = chance.count()
    arguments = {"lr": chance.rate(), "total_iters": length, "power": chance.power()}
    return arguments, chance.steps([length])


def cosine(chance: Chance) -> Drawn:
    lr, length = chance.rate(), chance.length(1_500)
    arguments = {"lr": lr, "T_max": length, "eta_min": chance.floor(lr)}
    return arguments, chance.steps([length, 2 * length], WALK)


def restarts(chance: Chance) -> Drawn:
    lr, length, growth = chance.rate(), chance.count(500), chance.choice([1, 1, 2, 3, 10])
    arguments = {"lr": lr, "T_0": length, "T_mult": growth, "eta_min": chance.floor(lr)}
    ends = sums([length * growth**i for i in range(6)])
    return arguments, chance.steps(ends, WALK)


def cyclic(chance: Chance) -> Drawn:
    high, up, down = chance.rate(), chance.length(2_000), chance.length(2_000)
    mode = chance.choice(["triangular", "triangular2", "exp_range", "exp_range"])
    arguments = {"base_lr": chance.floor(high), "max_lr": high, "step_size_up": up, "mode": mode}
    if chance.random() < 0.6:
        arguments["step_size_down"] = down
    period = up + arguments.get("step_size_down", up)
    if mode == "exp_range":
        gamma = arguments["gamma"] = min(chance.base(), 1.0)
        last = int(min(10_000_000, 40 / max(1 - gamma, 1e-7)))
    else:
        last = int(20 * period) if mode == "triangular2" else 10_000_000
    return arguments, chance.steps([up, period, period + up, 9 * period], max(last, 3))


def one_cycle(chance: Chance) -> Drawn:
    length = chance.count(3_000)
    arguments = {"max_lr": chance.rate(), "total_steps": length}
    if chance.random() < 0.3:
        arguments = {"max_lr": chance.rate(), "epochs": length, "steps_per_epoch": chance.count(90)}
        length *= arguments["steps_per_epoch"]
    pct_start = float(chance.choice([0.3, 0.0, 1.0, 0.5, 0.1, chance.share()]))
    arguments |= {"pct_start": pct_start, "anneal_strategy": chance.choice(["cos", "linear"])}
    arguments |= {"div_factor": chance.choice([25, 25.0, 2, 1, 1 / chance.share()])}
    arguments |= {"final_div_factor": chance.choice([1e4, 10_000, 1, 1 / chance.share()])}
    arguments["three_phase"] = chance.random() < 0.4
    ends = [pct_start * length, 2 * pct_start * length, length]
    return arguments, chance.steps(ends, length - 1)


def swa(chance: Chance) -> Drawn:
    length, lr = chance.choice([0, chance.count(1_000)]), chance.rate()
    arguments = {"lr": lr, "swa_lr": chance.rate(), "anneal_epochs": length}
    arguments["anneal_strategy"] = chance.choice(["cos", "linear"])
    return arguments, chance.steps([length], WALK)


PARTS = {
    "LinearLR": linear,
    "ConstantLR": constant,
    "ExponentialLR": exponential,
    "StepLR": stairs,
    "MultiStepLR": milestones,
    "PolynomialLR": polynomial,
}
ALONE = {
    "CosineAnnealingLR": cosine,
    "CosineAnnealingWarmRestarts": restarts,
    "CyclicLR": cyclic,
    "OneCycleLR": one_cycle,
    "SWALR": swa,
}


def part(chance: Chance, names: list[str]) -> tuple[str, dict[str, Any]]:
    name = chance.choice(names)
    arguments, _ = {**PARTS, **ALONE}[name](chance)
    arguments.pop("lr", None)
    for length in ("total_iters", "step_size", "T_max", "T_0", "anneal_epochs"):
        if length in arguments:
            arguments[length] = chance.randint(1, 60)
    if name == "OneCycleLR":  # it raises when it is stepped on after its end
        arguments = {**arguments, "total_steps": chance.randint(150, 300)}
        arguments = {k: v for k, v in arguments.items() if k not in ("epochs", "steps_per_epoch")}
    return name, arguments


def sequence(chance: Chance) -> Drawn:
    how_many = chance.choice([2, 2, 3])
    milestones = chance.counts(how_many - 1, 80)
    parts = [part(chance, [*PARTS, *ALONE]) for _ in range(how_many)]
    arguments = {"lr": chance.rate(), "schedulers": parts, "milestones": milestones}
    return arguments, chance.steps([*milestones, 60, 120, *milestones], 140)


def chain(chance: Chance) -> Drawn:
    parts = [part(chance, list(PARTS)) for _ in range(chance.choice([1, 2, 3]))]
    return {"lr": chance.rate(), "schedulers": parts}, chance.steps([30, 60, 90], 200)


DRAWS = {
    **PARTS,
    **ALONE,
    "SequentialLR": sequence,
    "ChainedScheduler": chain,
}
