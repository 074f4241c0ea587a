"""Records the rates of schedulers that follow a metric, for random arguments and metrics.

For `tests/test_random_metrics.py`. To record again, in the environment of `record_random.py`::

    python tests/recorded/random_metrics.py

A case of `random_metrics.json`, a line: `peer`, `scheduler`, `seed`, from which both sides draw
arguments and metrics, and `steps` and `rates`: from each step on the rate is another one. The
metric of a step comes after it. Metrics are doubles, so that none is at a threshold.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from draws import Chance

RECORD = Path(__file__).parent / "random_metrics.json"
LENGTH = 200
SETS = 60

Arguments = dict[str, Any]


def metrics(chance: Chance, arguments: Arguments) -> list[float]:
    """A random walk in stretches; above 0 where a threshold is a share of the best."""
    level, values = chance.uniform(5, 20), []
    crosses = arguments.get("threshold_mode") == "abs" and chance.random() < 0.5
    while len(values) < LENGTH:
        drift = chance.choice([-0.05, -0.01, 0, 0, 0.01, 0.05])
        for _ in range(chance.randint(3, 30)):
            level += drift + chance.gauss(0, 0.03)
            values.append(level if crosses else abs(level) + 1)
    values = [each - 10 if crosses else each for each in values[:LENGTH]]
    return [-each for each in values] if arguments["mode"] == "max" and crosses else values


def plateau(chance: Chance) -> Arguments:
    lr = chance.choice([1, 1.0, 2.4, 0.97, chance.uniform(0.5, 5)])
    return {
        "lr": lr,
        "mode": chance.choice(["min", "max"]),
        "factor": chance.choice([0.1, 0.5, 0.9, 0.97, chance.uniform(0.3, 0.98)]),
        "patience": chance.choice([0, 0, 1, 3, 10]),
        "threshold": chance.choice([1e-4, 0.01, 0, 0.003]),
        "threshold_mode": chance.choice(["rel", "abs"]),
        "cooldown": chance.choice([0, 0, 1, 5]),
        "min_lr": chance.choice([0.001, 0.003, 0.1 * lr]),
    }


def timm_plateau(chance: Chance) -> Arguments:
    given = plateau(chance)
    warm = chance.choice([0, 3, 7])
    return {
        "lr": given["lr"],
        "mode": given["mode"],
        "decay_rate": given["factor"],
        "patience_t": given["patience"],
        "threshold": given["threshold"],
        "cooldown_t": given["cooldown"],
        "warmup_t": warm,
        "warmup_lr_init": 1e-5,
        "lr_min": given["min_lr"],
    }


def greedy(chance: Chance) -> Arguments:
    given = plateau(chance)
    smooth = chance.random() < 0.4
    return {
        **given,
        "factor": chance.choice([0.95, 0.9, 0.5, chance.uniform(0.6, 0.98)]),
        "warmup": chance.choice([0, 0, 2, 5]),
        "min_lr": given["lr"] * chance.choice([0.5, 0.1, 0.013]),
        "max_lr": given["lr"] * chance.choice([1, 1.7, 20.0]),
        "smooth": smooth,
        "window_size": chance.choice([1, 4, 50]),
        "reset_start": chance.choice([1, 2, 500]),
    }


DRAWS: dict[tuple[str, str], Callable[[Chance], Arguments]] = {
    ("torch", "ReduceLROnPlateau"): plateau,
    ("transformers", "reduce_lr_on_plateau"): plateau,
    ("transformers", "greedy"): greedy,
    ("timm", "PlateauLRScheduler"): timm_plateau,
}


def drawn(peer: str, scheduler: str, seed: int) -> tuple[Arguments, list[float]]:
    chance = Chance(f"metrics of {peer} {scheduler} {seed}")
    arguments = DRAWS[peer, scheduler](chance)
    return arguments, metrics(chance, arguments)


def rates(peer: str, scheduler: str, arguments: Arguments, watched: list[float]) -> list[float]:
    import random_timm
    import torch
    from transformers.optimization import get_scheduler

    given = dict(arguments)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=given.pop("lr"))
    if peer == "torch":
        made = getattr(torch.optim.lr_scheduler, scheduler)(optimizer, **given)
    elif peer == "timm":
        made = getattr(random_timm.theirs, scheduler)(optimizer, **given)
    else:
        made = get_scheduler(scheduler, optimizer, scheduler_specific_kwargs=given)
    seen = []
    for step, metric in enumerate(watched):
        seen.append(float(optimizer.param_groups[0]["lr"]))
        made.step(*((step + 1, metric) if peer == "timm" else (metric,)))
    return seen


def main() -> None:
    lines = []
    for peer, scheduler in DRAWS:
        for seed in range(SETS):
            seen = rates(peer, scheduler, *drawn(peer, scheduler, seed))
            changes = [t for t in range(LENGTH) if t == 0 or seen[t] != seen[t - 1]]
            case = {"peer": peer, "scheduler": scheduler, "seed": seed, "steps": changes}
            case["rates"] = [seen[t] for t in changes]
            lines.append(json.dumps(case, separators=(",", ":")))
    RECORD.write_text('{"cases":[\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
