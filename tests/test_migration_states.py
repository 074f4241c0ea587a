"""Converters: states of PyTorch, as `state_dict()` gives them (2.13)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from jaxdecay import Schedule, from_torch

COMMON = {"base_lrs": [0.5, 0.5], "last_epoch": 3, "_step_count": 4, "_last_lr": [0.1, 0.1]}

STATES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # state beside what all have, what is given with it, the same arguments
    "StepLR": ({"step_size": 7, "gamma": 0.5}, {}, {"lr": 0.5, "step_size": 7, "gamma": 0.5}),
    "MultiStepLR": (
        {"milestones": Counter([9, 5, 5]), "gamma": 0.5},
        {},
        {"lr": 0.5, "milestones": [5, 5, 9], "gamma": 0.5},
    ),
    "CosineAnnealingWarmRestarts": (
        {"T_0": 8, "T_i": 16, "T_mult": 2, "eta_min": 0.01, "T_cur": 3},
        {},
        {"lr": 0.5, "T_0": 8, "T_mult": 2, "eta_min": 0.01},
    ),
    "CyclicLR": (
        {
            "max_lrs": [1.0, 1.0],
            "total_size": 10.0,
            "step_ratio": 0.3,
            "mode": "exp_range",
            "gamma": 0.9,
            "scale_mode": "iterations",
            "cycle_momentum": True,
            "_scale_fn_custom": None,
        },
        {},
        {
            "base_lr": 0.5,
            "max_lr": 1.0,
            "step_size_up": 3,
            "step_size_down": 7,
            "mode": "exp_range",
            "gamma": 0.9,
        },
    ),
    "OneCycleLR": (
        {
            "total_steps": 40,
            "_schedule_phases": [{"end_step": 9.0}, {"end_step": 39}],
            "_anneal_func_type": "linear",
            "cycle_momentum": True,
        },
        {"max_lr": 5.0, "final_div_factor": 100.0},
        {
            "max_lr": 5.0,
            "total_steps": 40,
            "pct_start": 0.25,
            "anneal_strategy": "linear",
            "div_factor": 10.0,
            "final_div_factor": 100.0,
        },
    ),
    "SequentialLR": (
        {
            "_milestones": [4],
            "_schedulers": [
                {**COMMON, "start_factor": 0.1, "end_factor": 1.0, "total_iters": 4},
                {**COMMON, "gamma": 0.9},
            ],
        },
        {"schedulers": ["LinearLR", "ExponentialLR"]},
        {
            "lr": 0.5,
            "schedulers": [
                ("LinearLR", {"start_factor": 0.1, "total_iters": 4}),
                ("ExponentialLR", {"gamma": 0.9}),
            ],
            "milestones": [4],
        },
    ),
    "ReduceLROnPlateau": (
        {
            "factor": 0.5,
            "patience": 3,
            "cooldown": 1,
            "eps": 1e-8,
            "mode": "max",
            "threshold": 0.01,
            "threshold_mode": "abs",
            "min_lrs": [0.001, 0.001],
            "best": 0.7,
            "num_bad_epochs": 2,
        },
        {"lr": 0.5},
        {
            "lr": 0.5,
            "factor": 0.5,
            "patience": 3,
            "cooldown": 1,
            "mode": "max",
            "threshold": 0.01,
            "threshold_mode": "abs",
            "min_lr": 0.001,
        },
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_states_of_torch(name: str) -> None:
    state, given, arguments = STATES[name]
    made = from_torch(name, {**COMMON, **state}, **given)
    assert made == from_torch(name, **arguments)
    assert Schedule.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    ("name", "state", "said"),
    [
        ("StepLR", {"base_lrs": [0.1, 0.2], "step_size": 3}, "base_lrs=[0.1, 0.2] has several"),
        ("OneCycleLR", STATES["OneCycleLR"][0], "its state does not contain max_lr"),
        ("SequentialLR", STATES["SequentialLR"][0], "does not contain their names"),
        ("ReduceLROnPlateau", STATES["ReduceLROnPlateau"][0], "its state does not contain lr"),
        ("LambdaLR", {"lr_lambdas": [None]}, "jaxdecay.from_function"),
    ],
)
def test_states_that_say_too_little(name: str, state: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="PyTorch's") as caught:
        from_torch(name, {**COMMON, **state})
    assert said in str(caught.value)
