"""Names and arguments that the converters refuse, and what their messages say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxdecay import Schedule, from_keras, from_optax, from_timm, from_torch, from_transformers

LINE = {"init_value": 0.1, "end_value": 0.0, "transition_steps": 10}
ONE_CYCLE = {"max_lr": 0.1, "total_steps": 100}
WSD = {"lr": 0.1, "num_warmup_steps": 5, "num_decay_steps": 10}
WSD_OF_TIMM = {"lr": 0.1, "t_initial": 9, "decay_t": 3}


def of_keras(class_name: str, **config: Any) -> Schedule:
    return from_keras({"class_name": class_name, "config": config})


CALLS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
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
}
