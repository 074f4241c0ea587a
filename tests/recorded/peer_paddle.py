"""Cases of Paddle's schedulers."""

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
    number,
    part,
    peak,
    plateaus,
    walk,
)


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
