"""Values that the converters refuse, of which Python itself would say too little."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import optax
from refused_calls import LINE, ONE_CYCLE, WSD_OF_TIMM

import jaxdecay
from jaxdecay import from_keras, from_optax, from_timm, from_torch, from_transformers

VALUES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "a state without a key": (
        lambda: from_torch("MultiStepLR", {"base_lrs": [0.1], "gamma": 0.1}),
        ("PyTorch's MultiStepLR(state={", "'milestones' is missing"),
    ),
    "what is no state": (
        lambda: from_torch("StepLR", 0.1),  # pyright: ignore[reportArgumentType]
        ("PyTorch's StepLR(state=0.1)", "scheduler.state_dict()", "lr=0.1"),
    ),
    "no rate to reduce": (
        lambda: from_torch("ReduceLROnPlateau", lr=0.0),
        ("PyTorch's ReduceLROnPlateau(lr=0.0)", "divides by 0; expected another lr"),
    ),
    "no rate to be greedy with": (
        lambda: from_transformers("greedy", lr=0.0),
        ("transformers's greedy(lr=0.0)", "divides by 0; expected another lr"),
    ),
    "a divisor": (
        lambda: from_optax(
            "cosine_onecycle_schedule", transition_steps=9, peak_value=1, div_factor=0.0
        ),
        ("Optax's cosine_onecycle_schedule(", "divides by 0; expected another div_factor"),
    ),
    "an infinite number of steps": (
        lambda: from_optax("linear_onecycle_schedule", jnp.inf, 0.1),
        ("Optax's linear_onecycle_schedule(transition_steps=inf", "infinity to integer"),
    ),
    "names without arguments": (
        lambda: from_torch(
            "SequentialLR", lr=0.1, schedulers=["LinearLR", "StepLR"], milestones=[3]
        ),
        ("PyTorch's SequentialLR(", "schedulers[0] must be a pair", "got 'LinearLR'"),
    ),
    "a string": (
        lambda: from_torch("OneCycleLR", max_lr=0.1, total_steps="100"),
        ("PyTorch's OneCycleLR(", "total_steps must be a number, got '100'"),
    ),
    "nothing": (
        lambda: from_torch("CosineAnnealingLR", lr=0.1, T_max=None),
        ("PyTorch's CosineAnnealingLR(", "T_max must be a number, got None"),
    ),
    "a list of numbers": (
        lambda: from_torch("CosineAnnealingLR", lr=0.1, T_max=[3]),
        ("PyTorch's CosineAnnealingLR(lr=0.1, T_max=[3])", "an argument has the wrong type"),
    ),
    "pairs": (
        lambda: from_optax(
            "piecewise_constant_schedule", init_value=1, boundaries_and_scales=[(10, 0.1)]
        ),
        ("Optax's piecewise_constant_schedule(", "boundaries_and_scales must be a dictionary"),
    ),
    "no arguments": (
        lambda: from_keras({"class_name": "CosineDecay", "config": None}),
        ("from_keras", '"config": {', "got {'class_name': 'CosineDecay', 'config': None}"),
    ),
    "what is no name": (
        lambda: from_keras({"class_name": ["x"], "config": {}}),
        ("Keras has no schedule ['x']",),
    ),
    "arguments beside a config": (
        lambda: from_keras({"class_name": "CosineDecay", "config": {}}, decay_steps=9),
        ("from_keras", "got decay_steps with", "put them into its config"),
    ),
    "a traced number": (
        lambda: jax.make_jaxpr(
            lambda steps: from_optax("linear_schedule", **{**LINE, "transition_steps": steps})(0)
        )(9),
        ("Optax's linear_schedule(", "expected concrete numbers", "family of jaxdecay"),
    ),
    **{
        f"a ratio of {ratio}": (
            lambda ratio=ratio: from_timm(
                "WSDLRScheduler", **WSD_OF_TIMM, decay_fn="exp", decay_ratio=ratio
            ),
            (f"decay_ratio={ratio}", "must be > 0 and < 1"),
        )
        for ratio in (0.0, 1.0)
    },
    "boundaries that fall": (
        lambda: from_optax("join_schedules", schedules=[0.3, 0.2, 0.1], boundaries=[30, 10]),
        ("Optax's join_schedules(", "boundaries must not fall, got [30, 10]; expected [10, 30]"),
    ),
    "milestones of PyTorch that fall": (
        lambda: from_torch(
            "SequentialLR",
            lr=0.1,
            schedulers=[("ExponentialLR", {"gamma": 1.0})] * 3,
            milestones=[30, 10],
        ),
        ("PyTorch's SequentialLR(", "milestones must not fall, got [30, 10]"),
    ),
    "a schedule that Optax has made": (
        lambda: from_optax(optax.constant_schedule(0.1)),
        ("not a function of optax.schedules", "jaxdecay.from_function"),
    ),
    "too many values": (
        lambda: from_optax("constant_schedule", 0.1, 0.2),
        ("Optax's constant_schedule: too many positional arguments; it takes value",),
    ),
    **{
        f"{name} of TrainingArguments": (
            lambda name=name: from_transformers("linear", **{name: 0.1}),
            (f"transformers's linear: {name}=0.1", instead),
        )
        for name, instead in {
            "learning_rate": "is called lr here",
            "warmup_ratio": "is called warmup_steps since transformers 5",
            "max_steps": "is called num_training_steps here",
        }.items()
    },
    "a rate of a cycle": (
        lambda: from_torch("OneCycleLR", **ONE_CYCLE, lr=0.1),
        ("PyTorch's OneCycleLR: lr=0.1", "max_lr"),
    ),
    "what to print": (
        lambda: from_torch("StepLR", lr=0.1, step_size=3, verbose=True),
        ("PyTorch's StepLR: verbose=True", "leave it out"),
    ),
    **{
        f"a plateau of Optax: {said}": (
            lambda given=given: from_optax("reduce_on_plateau", lr=0.1, **given),
            ("Optax's reduce_on_plateau(", said),
        )
        for said, given in {
            "expected one of them above 0": {"atol": 0.1},
            "patience must be at least 1": {"patience": 0},
            "accumulation_size must be a number ≥ 1": {"accumulation_size": 0},
            "min_scale must be at most 1": {"min_scale": 2.0},
        }.items()
    },
    "a mode of Keras": (
        lambda: from_keras("ReduceLROnPlateau", lr=0.1, monitor="val_accuracy"),
        ("Keras's ReduceLROnPlateau(", "mode must be 'min' or 'max'"),
    ),
    "a metric in Keras": (
        lambda: jaxdecay.to_keras(jaxdecay.reduce_on_plateau(0.1)),
        ("to_keras: reduce_on_plateau follows a metric", "keras.callbacks.ReduceLROnPlateau"),
    ),
    "a metric in PyTorch": (
        lambda: jaxdecay.to_torch(jaxdecay.greedy(0.1), None),
        ("to_torch: greedy follows a metric", "torch.optim.lr_scheduler.ReduceLROnPlateau"),
    ),
    "a function in a file of Keras": (
        lambda: jaxdecay.to_keras(jaxdecay.from_function(jnp.exp)),
        ("@jaxdecay.decay",),
    ),
}
