"""Converters: what they refuse, states of PyTorch, and schedules given to Keras and PyTorch.

That the converted schedules have the peers' values is in `test_peers_*.py` and
`test_recorded_peers.py`.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay import Schedule, from_keras, from_optax, from_timm, from_torch, from_transformers
from jaxdecay.migration import optax as converters_of_optax

LINE = {"init_value": 0.1, "end_value": 0.0, "transition_steps": 10}
ONE_CYCLE = {"max_lr": 0.1, "total_steps": 100}
WSD = {"lr": 0.1, "num_warmup_steps": 5, "num_decay_steps": 10}
WSD_OF_TIMM = {"lr": 0.1, "t_initial": 9, "decay_t": 3}


def of_keras(class_name: str, **config: Any) -> Schedule:
    return from_keras({"class_name": class_name, "config": config})


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    # what is refused: the call, and what the message says
    "a name of Optax": (
        lambda: from_optax("cosine_decay_shedule"),
        ("Optax has no schedule 'cosine_decay_shedule'", "did you mean 'cosine_decay_schedule'?"),
    ),
    "an argument of Optax": (
        lambda: from_optax("linear_schedule", **LINE, transition_start=3),
        ("Optax's linear_schedule has no argument 'transition_start'", "did you mean 'transition_"),
    ),
    "a missing argument": (
        lambda: from_optax("linear_schedule", init_value=0.1),
        ("Optax's linear_schedule: missing a required argument: 'end_value'", "it takes init"),
    ),
    "a value outside its range": (
        lambda: from_optax("linear_schedule", **{**LINE, "init_value": -0.1}),
        ("Optax's linear_schedule(init_value=-0.1", "init_value must be a number ≥ 0, got -0.1"),
    ),
    "a length that includes the warm-up": (
        lambda: from_optax(
            "warmup_cosine_decay_schedule",
            init_value=0.0,
            peak_value=0.1,
            warmup_steps=10,
            decay_steps=10,
        ),
        ("decay_steps=10", "expected at least 11", "jaxdecay.warmup_cosine"),
    ),
    "an Optax schedule inside a converted one": (
        lambda: from_optax("join_schedules", schedules=[0.1, lambda step: 0.1], boundaries=[5]),
        ("schedules[1] must be a jaxdecay schedule", "from_optax", "jaxdecay.from_function"),
    ),
    "boundaries without partners": (
        lambda: from_optax("join_schedules", schedules=[0.1, 0.2], boundaries=[5, 7]),
        ("2 schedules need 1 boundaries, got 2",),
    ),
    "a cycle inside a converted one": (
        lambda: from_optax("sgdr_schedule", cosine_kwargs=[{"decay_steps": 3}]),
        ("Optax's warmup_cosine_decay_schedule: missing a required argument: 'init_value'",),
    ),
    "what is no config": (
        lambda: from_keras(0.1),
        ('{"class_name": "CosineDecay", "config": {', "got 0.1"),
    ),
    "a class of Keras": (
        lambda: of_keras("CosineDecays"),
        ("Keras has no schedule 'CosineDecays'", "did you mean 'CosineDecay'?"),
    ),
    "a length of Keras": (
        lambda: of_keras("CosineDecay", initial_learning_rate=0.1, decay_steps=0),
        ("Keras's CosineDecay", "decay_steps=0", "must be > 0", "jaxdecay.constant"),
    ),
    "a multiplier of Keras": (
        lambda: of_keras(
            "CosineDecayRestarts", initial_learning_rate=0.1, first_decay_steps=9, t_mul=0.5
        ),
        ("t_mul=0.5", "period_multiplier must be a number ≥ 1, got 0.5"),
    ),
    "a class of PyTorch": (
        lambda: from_torch("StepLr", lr=0.1),
        ("PyTorch has no schedule 'StepLr'", "did you mean 'StepLR'?"),
    ),
    "a function of Python": (
        lambda: from_torch("LambdaLR", lr=0.1, lr_lambda=abs),
        ("PyTorch's LambdaLR", "lr_lambda=<built-in function abs>", "jaxdecay.from_function"),
    ),
    "a function that needs the rate before": (
        lambda: from_torch("MultiplicativeLR", lr=0.1, lr_lambda=abs),
        ("PyTorch's MultiplicativeLR", "jaxdecay.interpolate", "jaxdecay.exponential"),
    ),
    "a function of a cycle": (
        lambda: from_torch("CyclicLR", base_lr=0.1, max_lr=1.0, scale_fn=abs),
        ("PyTorch's CyclicLR", "scale_fn", "jaxdecay.from_function"),
    ),
    "a mode": (
        lambda: from_torch("CyclicLR", base_lr=0.1, max_lr=1.0, mode="triangle"),
        ("mode='triangle'", "'triangular', 'triangular2', 'exp_range'"),
    ),
    "a cycle of the momentum": (
        lambda: from_torch("OneCycleLR", **ONE_CYCLE, cycle_momentum=True),
        ("cycle_momentum=True", "momentum", "optax.inject_hyperparams"),
    ),
    "a limit of the momentum": (
        lambda: from_torch("OneCycleLR", **ONE_CYCLE, max_momentum=0.95),
        ("PyTorch's OneCycleLR: max_momentum=0.95", "leave it out", "optax.inject_hyperparams"),
    ),
    "a place to go on": (
        lambda: from_torch("StepLR", lr=0.1, step_size=3, last_epoch=10),
        ("last_epoch=10", "leave it out", "call the schedule with the step"),
    ),
    "no length at all": (
        lambda: from_torch("OneCycleLR", max_lr=0.1),
        ("expected total_steps, or epochs and steps_per_epoch",),
    ),
    **{
        f"{name} of no steps": (
            lambda name=name, length=length: from_torch(name, lr=0.1, **{length: 0}),
            (f"PyTorch's {name}(lr=0.1, {length}=0)", f"{length} must be > 0"),
        )
        for name, length in {
            "ConstantLR": "total_iters",
            "LinearLR": "total_iters",
            "PolynomialLR": "total_iters",
            "CosineAnnealingLR": "T_max",
        }.items()
    },
    "a chain of what is no factor": (
        lambda: from_torch(
            "ChainedScheduler", lr=0.1, schedulers=[("CosineAnnealingLR", {"T_max": 9})]
        ),
        ("CosineAnnealingLR in a chain has no equivalent", "ConstantLR, LinearLR", "SequentialLR"),
    ),
    "an argument of a scheduler inside another": (
        lambda: from_torch(
            "SequentialLR", lr=0.1, schedulers=[("StepLR", {"stepsize": 9})], milestones=[]
        ),
        ("PyTorch's StepLR has no argument 'stepsize' (did you mean 'step_size'?)",),
    ),
    "milestones without partners": (
        lambda: from_torch("SequentialLR", lr=0.1, schedulers=[], milestones=[3]),
        ("0 schedulers need -1 milestones",),
    ),
    "a large eps": (
        lambda: from_torch("ReduceLROnPlateau", lr=0.1, eps=1e-3),
        ("eps=0.001", "eps above 1e-8 has no equivalent", "min_lr"),
    ),
    "a scheduler of transformers": (
        lambda: from_transformers("cosine_with_minlr", lr=0.1),
        ("transformers has no schedule 'cosine_with_minlr'", "'cosine_with_min_lr'?"),
    ),
    "arguments in a dictionary": (
        lambda: from_transformers("constant", lr=0.1, scheduler_specific_kwargs={}),
        ("scheduler_specific_kwargs={}", "pass them one by one"),
    ),
    "two floors": (
        lambda: from_transformers(
            "cosine_with_min_lr",
            lr=0.1,
            num_warmup_steps=1,
            num_training_steps=9,
            min_lr=0.01,
            min_lr_rate=0.1,
        ),
        ("min_lr=0.01", "min_lr_rate=0.1", "expected either min_lr"),
    ),
    "no room to decay in": (
        lambda: from_transformers("polynomial", lr=0.1, num_warmup_steps=9, num_training_steps=9),
        ("num_training_steps=9", "expected at least 10"),
    ),
    "an end above the start": (
        lambda: from_transformers(
            "polynomial", lr=0.1, num_warmup_steps=1, num_training_steps=9, lr_end=0.2
        ),
        ("lr_end=0.2", "lr_end must be below lr"),
    ),
    "a shape": (
        lambda: from_transformers(
            "warmup_stable_decay", **WSD, num_stable_steps=3, decay_type="sqrt"
        ),
        ("decay_type='sqrt'", "'linear', 'cosine', '1-sqrt'"),
    ),
    "phases longer than the training": (
        lambda: from_transformers("warmup_stable_decay", **WSD, num_training_steps=12),
        ("the stable phase would have -3 steps", "num_training_steps of at least"),
    ),
    "a length of transformers": (
        lambda: from_transformers("warmup_stable_decay", **WSD),
        ("expected num_training_steps or num_stable_steps",),
    ),
    "a window": (
        lambda: from_transformers("greedy", lr=0.1, smooth=True, window_size=101),
        ("window_size=101", "at most 100"),
    ),
    "a scheduler of timm": (
        lambda: from_timm("CosineScheduler", lr=0.1),
        ("timm has no schedule 'CosineScheduler'", "'CosineLRScheduler'?"),
    ),
    "noise": (
        lambda: from_timm("cosine", lr=0.1, noise=0.5),
        ("timm's cosine: noise=0.5", "leave it out"),
    ),
    "a unit of time": (
        lambda: from_timm("CosineLRScheduler", lr=0.1, t_initial=9, t_in_epochs=False),
        ("t_in_epochs=False", "jaxdecay.per_epoch"),
    ),
    "no cycle": (
        lambda: from_timm("TanhLRScheduler", lr=0.1, t_initial=9, cycle_limit=0),
        ("cycle_limit must be at least 1",),
    ),
    "milestones that fall": (
        lambda: from_timm("MultiStepLRScheduler", lr=0.1, decay_t=[9, 3]),
        ("decay_t=[9, 3]", "decay_t must rise"),
    ),
    "a function of timm": (
        lambda: from_timm("WSDLRScheduler", lr=0.1, t_initial=9, decay_t=3, decay_fn=abs),
        ("decay_fn=<built-in function abs>", "'1-sqrt'", "jaxdecay.from_function"),
    ),
    "a decay longer than all": (
        lambda: from_timm("WSDLRScheduler", lr=0.1, t_initial=9, decay_t=10),
        ("decay_t=10", "at most t_initial"),
    ),
    "no time scale": (
        lambda: from_timm("WSDLRScheduler", lr=0.1, t_initial=9, decay_t=3, stable_fn="rsqrt"),
        ("stable_timescale must be > 0",),
    ),
    "updates without a number": (
        lambda: from_timm("cosine", lr=0.1, step_on_epochs=False),
        ("updates_per_epoch must be > 0",),
    ),
    # what Python itself would say too little of
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


def test_a_peer_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_class: Any = jaxdecay.keras_schedule_class  # not from its cache
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match="pip install keras"):
        make_class.__wrapped__()

    (tmp_path / "keras.py").write_text("import a_backend_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(ImportError, match=r"a_backend.*KERAS_BACKEND=jax"):
        make_class.__wrapped__()

    monkeypatch.delitem(sys.modules, "jaxdecay.migration.torch_scheduler", raising=False)
    monkeypatch.setitem(sys.modules, "torch.optim", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="pip install torch"):
        jaxdecay.to_torch(SCHEDULE, None)


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


# States of PyTorch, as `state_dict()` gives them (2.13)


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


# To Keras

SCHEDULE = jaxdecay.warmup_cosine(0.1, warmup_steps=5, transition_steps=20)


def model_with(rate: Any) -> keras.Model:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss="mse")
    return model


IGNORED = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@IGNORED
def test_trains_and_saves_with_keras(tmp_path: Path, relaxed_promotion: None) -> None:
    model = model_with(jaxdecay.to_keras(SCHEDULE))
    start = model.get_weights()
    x, y = np.ones((12, 2), np.float32), np.ones((12, 1), np.float32)
    model.fit(x, y, batch_size=2, epochs=1, verbose=0, shuffle=False)

    weight, bias = (np.asarray(each, np.float64) for each in start)
    for step in range(6):  # by hand: all samples are the same
        slope = 2 * (weight.sum() + bias[0] - 1)
        rate = float(SCHEDULE(step))
        weight, bias = weight - rate * slope, bias - rate * slope
    np.testing.assert_allclose(model.get_weights()[0], weight, rtol=1e-4, atol=1e-6)
    assert float(np.asarray(model.optimizer.learning_rate)) == float(SCHEDULE(6))

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer._learning_rate.schedule == SCHEDULE
    assert float(np.asarray(loaded.optimizer.learning_rate)) == float(SCHEDULE(6))


@IGNORED
def test_goes_to_keras_and_back(relaxed_promotion: None) -> None:
    rate = jaxdecay.to_keras(SCHEDULE)
    assert isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    written = json.loads(json.dumps(keras.optimizers.schedules.serialize(rate)))
    read = keras.optimizers.schedules.deserialize(written)
    assert type(read) is jaxdecay.keras_schedule_class()
    assert from_keras(rate) == from_keras(written) == from_keras(read) == SCHEDULE
    assert [float(read(step)) for step in (0, 5, 25)] == [0.0, np.float32(0.1), 0.0]


def test_another_backend_of_keras() -> None:
    program = (
        "import jaxdecay, numpy, keras; assert keras.backend.backend() == 'numpy';"
        "rate = jaxdecay.to_keras(jaxdecay.linear(1.0, end_value=0.0, transition_steps=4));"
        "print(float(rate(1)), float(rate(numpy.int64(3))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": "numpy"},
    )
    assert run.stdout.split() == ["0.75", "0.25"]


# To PyTorch, where it is installed


def test_goes_to_torch_and_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    def made(rate: float) -> tuple[Any, Any]:
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
        optimizer = torch.optim.SGD(groups, lr=rate)
        return optimizer, jaxdecay.to_torch(
            SCHEDULE if rate == 1 else jaxdecay.constant(0.5), optimizer
        )

    optimizer, scheduler = made(1.0)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    for step in range(30):
        assert [group["lr"] for group in optimizer.param_groups] == [float(SCHEDULE(step))] * 2
        if step == 10:
            torch.save(scheduler.state_dict(), tmp_path / "state.pt")
        optimizer.step()
        scheduler.step()

    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["last_epoch"] == 10
    assert Schedule.from_dict(state["schedule"]) == SCHEDULE
    optimizer, scheduler = made(2.0)
    scheduler.load_state_dict(state)
    optimizer.step()
    scheduler.step()
    assert scheduler.schedule == SCHEDULE
    assert scheduler.get_last_lr() == [float(SCHEDULE(11))] * 2


def test_a_function_goes_to_torch_without_a_name() -> None:
    torch = pytest.importorskip("torch")

    def made(factor: float) -> Any:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = jaxdecay.from_function(lambda step: factor * (jnp.asarray(step, float) + 1))
        return jaxdecay.to_torch(schedule, optimizer)

    scheduler = made(0.5)
    scheduler.optimizer.step()
    scheduler.step()
    state = scheduler.state_dict()
    assert state["last_epoch"] == 1
    assert "schedule" not in state
    again = made(0.25)
    again.load_state_dict(state)
    again.optimizer.step()
    again.step()
    assert again.get_last_lr() == [0.75]
