"""Cases of MaxText's schedules."""

from __future__ import annotations

import ast
import importlib
import random
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from peer_cases import FAR, Arguments, Case, Setting, between, case, number, peak


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
