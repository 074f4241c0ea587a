"""Our schedules for recorded cases of PyTorch, transformers and timm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from parity import claim
from recorded_rates import Case

import jaxdecay
from jaxdecay import Schedule


def pairs(schedulers: list[Case]) -> list[tuple[str, Any]]:
    return [(each["scheduler"], each["arguments"]) for each in schedulers]


def in_jax(expression: str) -> Callable[[Any], Any]:
    """A recorded function of the epoch."""
    return lambda epoch: eval(expression, {"epoch": jnp.asarray(epoch, float)})


def function_of_epoch(lr: float, lr_lambda: str) -> Schedule:
    return jaxdecay.from_function(lambda step: lr * in_jax(lr_lambda)(step))


def running_product(lr: float, lr_lambda: str) -> Schedule:
    factors = [eval(lr_lambda, {"epoch": epoch}) for epoch in range(1, 1_001)]
    return jaxdecay.interpolate(np.cumprod([lr, *factors]))


def torch(scheduler: str, **arguments: Any) -> Schedule:
    if scheduler == "LambdaLR":
        return function_of_epoch(**arguments)
    if scheduler == "MultiplicativeLR":
        return running_product(**arguments)
    if "schedulers" in arguments:
        arguments["schedulers"] = pairs(arguments["schedulers"])
    return jaxdecay.from_torch(scheduler, **arguments)


RISES = "rises again after its end, with `cycle`"

TORCH = {
    "LinearLR": claim("linear"),
    "ConstantLR": claim("piecewise_constant"),
    "PolynomialLR": claim("polynomial"),
    "StepLR": claim("step_decay"),
    "MultiStepLR": claim("multi_step"),
    "CosineAnnealingLR": claim("cosine", RISES),
    "CosineAnnealingWarmRestarts": claim("cosine_restarts"),
    "CyclicLR": claim("cyclic"),
    "OneCycleLR": claim("one_cycle", "its last step is `total_steps` − 1"),
    "SequentialLR": claim("join"),
    "ChainedScheduler": claim("multiply"),
    "LambdaLR": claim("from_function"),
    "MultiplicativeLR": claim("interpolate", "`MultiplicativeLR` as a table of its products"),
    "SWALR": claim(""),
    "ReduceLROnPlateau": claim("reduce_on_plateau"),
}


# transformers

TRANSFORMERS = {
    "constant": claim("constant"),
    "constant_with_warmup": claim("warmup"),
    "linear": claim("linear warmup_linear"),
    "cosine": claim("cosine", RISES),
    "cosine_with_restarts": claim("cosine_restarts", "cycles of one length, then 0"),
    "polynomial": claim("polynomial"),
    "inverse_sqrt": claim("inverse_sqrt"),
    "cosine_with_min_lr": claim(""),
    "cosine_warmup_with_min_lr": claim(""),
    "warmup_stable_decay": claim("cooldown warmup_stable_decay"),
    "reduce_lr_on_plateau": claim("reduce_on_plateau"),
    "greedy": claim("greedy"),
}


def transformers(scheduler: str, **arguments: Any) -> Schedule:
    return jaxdecay.from_transformers(scheduler, **arguments)


# timm


def timm(scheduler: str, **arguments: Any) -> Schedule:
    return jaxdecay.from_timm(scheduler, **arguments)


CYCLES = "after `cycle_limit` cycles `lr_min` holds"

TIMM = {
    "CosineLRScheduler": claim("cosine cosine_restarts warmup_cosine warmup k_decay"),
    "TanhLRScheduler": claim("tanh_decay", CYCLES),
    "PolyLRScheduler": claim("polynomial linear warmup_linear"),
    "StepLRScheduler": claim("step_decay advance"),
    "MultiStepLRScheduler": claim("multi_step", "one step before each boundary"),
    "WSDLRScheduler": claim("warmup_stable_decay cooldown inverse_time inverse_sqrt clip"),
    "PlateauLRScheduler": claim("reduce_on_plateau", "metrics count after the warm-up"),
}
