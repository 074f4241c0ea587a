"""Cases of fairseq's schedulers."""

from __future__ import annotations

import importlib
import logging
import math
import random
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
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
    walk,
    without_init,
)


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
