"""The names and arguments, in epochs, of timm's factory `create_scheduler_v2`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxdecay.migration.timm import TIMM
from jaxdecay.schedule import Schedule

FACTORY = {
    "cosine": "CosineLRScheduler",
    "tanh": "TanhLRScheduler",
    "poly": "PolyLRScheduler",
    "step": "StepLRScheduler",
    "multistep": "MultiStepLRScheduler",
    "constant": "StepLRScheduler",
    "wsd": "WSDLRScheduler",
    "rsqrt": "WSDLRScheduler",
    "plateau": "PlateauLRScheduler",
}


def _decay_t(
    sched: str, decay_epochs: float | None, milestones: Sequence[int], length: float, unit: int
) -> Any:
    if sched == "multistep":
        return [milestone * unit for milestone in milestones]
    if sched == "constant":
        return 1
    if FACTORY[sched] == "WSDLRScheduler":
        fall = 0.2 if decay_epochs is None else decay_epochs
        return round(fall * length if 0 < fall < 1 else fall * unit)
    return (90 if decay_epochs is None else decay_epochs) * unit


def _converted(name: str, arguments: Mapping[str, Any]) -> Schedule:
    """Converts a class with those of the arguments that it takes."""
    taken = {key: arguments[key] for key in TIMM.parameters(name) if key in arguments}
    return TIMM.converters[name](**taken)


def _from_factory(sched: str) -> Callable[..., Schedule]:
    def converter(
        lr: float,
        num_epochs: int = 300,
        decay_epochs: float | None = None,
        decay_milestones: Sequence[int] = (90, 180, 270),
        cooldown_epochs: int = 0,
        patience_epochs: int = 10,
        decay_rate: float = 0.1,
        min_lr: float = 0.0,
        warmup_lr: float = 1e-5,
        warmup_epochs: int = 0,
        warmup_prefix: bool = False,
        cycle_mul: float = 1.0,
        cycle_decay: float = 0.1,
        cycle_limit: int = 1,
        k_decay: float = 1.0,
        decay_fn: str | None = None,
        stable_timescale: float | None = None,
        plateau_mode: str = "max",
        step_on_epochs: bool = True,
        updates_per_epoch: int = 0,
    ) -> Schedule:
        if not step_on_epochs and not updates_per_epoch:
            raise ValueError("updates_per_epoch must be > 0 if step_on_epochs is false")
        unit = 1 if step_on_epochs else updates_per_epoch
        outside = warmup_epochs if FACTORY[sched] == "WSDLRScheduler" and not warmup_prefix else 0
        length = (num_epochs - outside) * unit
        arguments = {
            "lr": lr,
            "t_initial": length,
            "decay_t": _decay_t(sched, decay_epochs, decay_milestones, length, unit),
            "decay_rate": 1.0 if sched == "constant" else decay_rate,
            "power": decay_rate,
            "patience_t": patience_epochs,
            "mode": plateau_mode,
            "lr_min": min_lr,
            "cycle_mul": cycle_mul,
            "cycle_decay": cycle_decay,
            "cycle_limit": cycle_limit,
            "k_decay": k_decay,
            "stable_fn": "rsqrt" if sched == "rsqrt" else "constant",
            "stable_timescale": None if stable_timescale is None else stable_timescale * unit,
            "decay_fn": decay_fn or ("linear" if sched == "rsqrt" else "1-sqrt"),
            "warmup_t": warmup_epochs * unit,
            "warmup_lr_init": warmup_lr,
            "warmup_prefix": warmup_prefix,
        }
        return _converted(FACTORY[sched], arguments)

    return converter


for _sched in FACTORY:
    TIMM.named(_sched)(_from_factory(_sched))
