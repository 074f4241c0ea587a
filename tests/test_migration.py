"""Converters: what they refuse, ways to name a schedule, and single arguments.

That the converted schedules have the peers' values is in `test_peers_*.py` and
`test_recorded_peers.py`.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from refused_calls import CALLS, of_keras
from refused_values import VALUES

import jaxdecay
from jaxdecay import from_keras, from_optax, from_timm, from_transformers
from jaxdecay.migration import optax as converters_of_optax

REFUSED = {**CALLS, **VALUES}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    call, said = REFUSED[what]
    with pytest.raises(ValueError, match=" ") as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in said:
        assert part in message


def test_an_error_of_python_is_the_cause() -> None:
    with pytest.raises(ValueError, match="greedy") as caught:
        from_transformers("greedy", lr=0.0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("give", [jaxdecay.to_keras, lambda rate: jaxdecay.to_torch(rate, None)])
def test_what_is_no_schedule(give: Callable[[Any], Any]) -> None:
    with pytest.raises(
        TypeError, match=r"expected a jaxdecay schedule, got 0.1; convert it with jaxdecay.constan"
    ):
        give(0.1)
    with pytest.raises(TypeError, match=r"convert it with jaxdecay.from_function"):
        give(jnp.exp)


# Ways to name a schedule, and single arguments


def test_optax_takes_functions_and_values_in_its_order() -> None:
    converted = converters_of_optax.OPTAX.converters
    for name, converter in converted.items():
        function = getattr(optax, name, optax.contrib.reduce_on_plateau)
        takes = inspect.signature(converter).parameters
        assert [each for each in takes if each != "lr"] == list(
            inspect.signature(function).parameters
        )
    made = from_optax(optax.cosine_decay_schedule, 0.5, 100, alpha=0.5)
    assert made == jaxdecay.cosine(0.5, transition_steps=100, end_value=0.25)


def test_keras_by_name() -> None:
    arguments = {"initial_learning_rate": 0.5, "decay_steps": 100}
    assert from_keras("CosineDecay", **arguments) == of_keras("CosineDecay", **arguments)


def test_plateaus() -> None:
    """The mappings that `test_adaptive_peers.py` compares with the peers."""
    line = jaxdecay.linear(0.5, end_value=0.0, transition_steps=100)
    assert from_optax(
        optax.contrib.reduce_on_plateau, 0.5, 3, 0.0, 0.25, 2, lr=line, min_scale=0.1
    ) == jaxdecay.reduce_on_plateau(
        line,
        factor=0.5,
        patience=3,
        threshold=0.25,
        cooldown=2,
        min_scale=0.1,
        threshold_mode="absolute",
        patience_rule="reaches",
    )
    assert from_optax("reduce_on_plateau", lr=0.5) == jaxdecay.reduce_on_plateau(
        0.5, factor=0.1, patience=10, threshold=1e-4, patience_rule="reaches"
    )
    assert from_optax(
        "reduce_on_plateau", lr=0.5, accumulation_size=8
    ) == jaxdecay.reduce_on_plateau(0.5, accumulation_size=8, patience_rule="reaches")
    keras_rule = {"threshold_mode": "absolute", "patience_rule": "reaches"}
    assert from_keras(
        "ReduceLROnPlateau", lr=0.5, mode="max", min_delta=-0.25, cooldown=3, min_lr=0.125
    ) == jaxdecay.reduce_on_plateau(
        0.5,
        factor=0.1,
        patience=10,
        threshold=0.25,
        cooldown=2,
        min_scale=0.25,
        mode="max",
        **keras_rule,
    )
    assert of_keras("ReduceLROnPlateau", lr=0.5, monitor="loss") == jaxdecay.reduce_on_plateau(
        0.5, **keras_rule
    )


def test_a_cosine_of_no_cycles_stays_until_its_end() -> None:
    made = from_transformers(
        "cosine_with_restarts", lr=0.5, num_warmup_steps=2, num_training_steps=9, num_cycles=0
    )
    assert np.asarray(made(np.array([0, 2, 8, 9]))).tolist() == [0.0, 0.5, 0.5, 0.0]


@pytest.mark.parametrize(("decay_rate", "end_value"), [(0.5, 0.75), (2.0, 0.25), (1.0, 0.25)])
def test_an_end_beyond_the_start(decay_rate: float, end_value: float) -> None:
    """Optax clips the rate from the first step."""
    arguments = {
        "init_value": 0.5,
        "transition_steps": 10,
        "decay_rate": decay_rate,
        "end_value": end_value,
    }
    assert from_optax("exponential_decay", **arguments) == jaxdecay.constant(end_value)
    theirs = optax.exponential_decay(**arguments)
    assert [float(theirs(step)) for step in (0, 5, 30)] == [end_value] * 3


def test_migration_loads_no_peer() -> None:
    program = (
        "import sys, jaxdecay; jaxdecay.from_torch('StepLR', lr=0.1, step_size=3);"
        "jaxdecay.from_keras({'class_name': 'CosineDecay', 'config':"
        "{'initial_learning_rate': 0.1, 'decay_steps': 9}});"
        "print(*{'keras', 'torch', 'optax', 'transformers', 'timm'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


# timm's factory


@pytest.mark.parametrize(
    ("sched", "given", "scheduler", "same"),
    [
        (
            "cosine",
            {"num_epochs": 20, "min_lr": 0.01, "warmup_epochs": 3, "warmup_prefix": True},
            "CosineLRScheduler",
            {
                "t_initial": 20,
                "lr_min": 0.01,
                "warmup_t": 3,
                "warmup_lr_init": 1e-5,
                "warmup_prefix": True,
            },
        ),
        ("poly", {"num_epochs": 20}, "PolyLRScheduler", {"t_initial": 20, "power": 0.1}),
        ("tanh", {"num_epochs": 20}, "TanhLRScheduler", {"t_initial": 20}),
        ("step", {}, "StepLRScheduler", {"decay_t": 90, "decay_rate": 0.1}),
        ("constant", {"decay_rate": 0.5}, "StepLRScheduler", {"decay_t": 1}),
        (
            "multistep",
            {"decay_milestones": [2, 4], "step_on_epochs": False, "updates_per_epoch": 5},
            "MultiStepLRScheduler",
            {"decay_t": [10, 20], "decay_rate": 0.1},
        ),
        ("plateau", {}, "PlateauLRScheduler", {}),
        (
            "wsd",
            {"num_epochs": 30, "warmup_epochs": 5},
            "WSDLRScheduler",
            {"t_initial": 25, "decay_t": 5, "warmup_t": 5, "warmup_lr_init": 1e-5},
        ),
        (
            "rsqrt",
            {"num_epochs": 30, "decay_epochs": 6, "stable_timescale": 4},
            "WSDLRScheduler",
            {
                "t_initial": 30,
                "decay_t": 6,
                "stable_fn": "rsqrt",
                "stable_timescale": 4,
                "decay_fn": "linear",
            },
        ),
    ],
)
def test_the_factory_of_timm(
    sched: str, given: dict[str, Any], scheduler: str, same: dict[str, Any]
) -> None:
    assert from_timm(sched, lr=0.5, **given) == from_timm(scheduler, lr=0.5, **same)
