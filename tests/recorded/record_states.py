"""Records `state_dict()` of PyTorch's schedulers after some steps, beside their arguments.

For `tests/test_migration_faults.py`. To record again, in an environment of its own::

    pip install torch==2.13.0
    python tests/recorded/record_states.py

A case of `states_torch.json`, a line: `scheduler`, `arguments`, and `state` as JSON, in which the
counts of `MultiStepLR`'s milestones have text for keys. `ReduceLROnPlateau` has seen metrics.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import random_torch
import torch
from draws import Chance

RECORD = Path(__file__).parent / "states_torch.json"
STEPS = 5


def written(value: Any) -> Any:
    """A state as JSON has it; infinite metrics become null."""
    if isinstance(value, dict):
        return {str(key): written(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [written(each) for each in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def plateau(chance: Chance) -> tuple[dict[str, Any], list[int]]:
    arguments = {
        "lr": chance.rate(),
        "mode": chance.choice(["min", "max"]),
        "factor": chance.share(),
        "patience": chance.randint(0, 3),
        "threshold": chance.choice([1e-4, 0.01]),
        "threshold_mode": chance.choice(["rel", "abs"]),
        "cooldown": chance.randint(0, 3),
        "min_lr": chance.choice([0.0, 1e-6]),
    }
    return arguments, []


def record() -> Iterator[dict[str, Any]]:
    for name, draw in {**random_torch.DRAWS, "ReduceLROnPlateau": plateau}.items():
        for seed in range(6):
            arguments, _ = draw(Chance(f"state of {name} {seed}"))
            lr = arguments.get("lr", 1.0)
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
            try:
                scheduler = random_torch.made(optimizer, name, arguments)
            except ZeroDivisionError:  # of a rise of no steps
                continue
            for _ in range(min(STEPS, getattr(scheduler, "total_steps", STEPS + 1) - 1)):
                scheduler.step(*([0.5] if name == "ReduceLROnPlateau" else []))
            state = written(scheduler.state_dict())
            yield {"scheduler": name, "arguments": arguments, "state": state}


def main() -> None:
    warnings.simplefilter("ignore")
    version = importlib.metadata.version("torch").partition("+")[0]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in record())
    RECORD.write_text(f'{{"versions":{{"torch":"{version}"}},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
