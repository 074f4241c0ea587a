"""Learning-rate decays for JAX: traceable, stackable, differentiable Optax schedules.

The decays and populations need only JAX. Training, data and reports are loaded when they are
first used, so that `import jaxdecay` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jaxdecay.adaptive import greedy as greedy
from jaxdecay.adaptive import reduce_on_plateau as reduce_on_plateau
from jaxdecay.calculus import from_gradient_norms as from_gradient_norms
from jaxdecay.calculus import integral as integral
from jaxdecay.calculus import mean_value as mean_value
from jaxdecay.calculus import step_at as step_at
from jaxdecay.compose import add as add
from jaxdecay.compose import advance as advance
from jaxdecay.compose import clip as clip
from jaxdecay.compose import cooldown as cooldown
from jaxdecay.compose import count_units as count_units
from jaxdecay.compose import delay as delay
from jaxdecay.compose import extend as extend
from jaxdecay.compose import hold as hold
from jaxdecay.compose import join as join
from jaxdecay.compose import multiply as multiply
from jaxdecay.compose import per_epoch as per_epoch
from jaxdecay.compose import repeat as repeat
from jaxdecay.compose import scale as scale
from jaxdecay.compose import warmup as warmup
from jaxdecay.compounds import infinite_schedule as infinite_schedule
from jaxdecay.compounds import one_cycle as one_cycle
from jaxdecay.compounds import slanted_triangular as slanted_triangular
from jaxdecay.compounds import warmup_cosine as warmup_cosine
from jaxdecay.compounds import warmup_linear as warmup_linear
from jaxdecay.compounds import warmup_stable_decay as warmup_stable_decay
from jaxdecay.decays import constant as constant
from jaxdecay.decays import cosine as cosine
from jaxdecay.decays import cosine_restarts as cosine_restarts
from jaxdecay.decays import cyclic as cyclic
from jaxdecay.decays import discrete_staircase as discrete_staircase
from jaxdecay.decays import exponential as exponential
from jaxdecay.decays import exponential_hyperbolic as exponential_hyperbolic
from jaxdecay.decays import hyperbolic as hyperbolic
from jaxdecay.decays import interpolate as interpolate
from jaxdecay.decays import inverse_linear as inverse_linear
from jaxdecay.decays import inverse_sqrt as inverse_sqrt
from jaxdecay.decays import inverse_time as inverse_time
from jaxdecay.decays import k_decay as k_decay
from jaxdecay.decays import linear as linear
from jaxdecay.decays import multi_step as multi_step
from jaxdecay.decays import natural_exponential as natural_exponential
from jaxdecay.decays import noam as noam
from jaxdecay.decays import piecewise_constant as piecewise_constant
from jaxdecay.decays import piecewise_linear as piecewise_linear
from jaxdecay.decays import polynomial as polynomial
from jaxdecay.decays import power_law as power_law
from jaxdecay.decays import rex as rex
from jaxdecay.decays import sine_wave as sine_wave
from jaxdecay.decays import step_decay as step_decay
from jaxdecay.decays import tanh_decay as tanh_decay
from jaxdecay.definition import Family as Family
from jaxdecay.definition import compound as compound
from jaxdecay.definition import decay as decay
from jaxdecay.definition import from_function as from_function
from jaxdecay.feedback import AdaptiveSchedule as AdaptiveSchedule
from jaxdecay.feedback import AdaptiveState as AdaptiveState
from jaxdecay.feedback import Feedback as Feedback
from jaxdecay.feedback import ScheduleLike as ScheduleLike
from jaxdecay.feedback import value_at as value_at
from jaxdecay.inspection import Finding as Finding
from jaxdecay.inspection import check_schedule as check_schedule
from jaxdecay.length import Length as Length
from jaxdecay.length import epochs as epochs
from jaxdecay.length import percent as percent
from jaxdecay.length import samples as samples
from jaxdecay.length import tokens as tokens
from jaxdecay.population import Population as Population
from jaxdecay.population import concat as concat
from jaxdecay.population import grid as grid
from jaxdecay.population import sample as sample
from jaxdecay.population import stack as stack
from jaxdecay.registry import families as families
from jaxdecay.registry import family as family
from jaxdecay.schedule import Schedule as Schedule

if TYPE_CHECKING:
    from jaxdecay.data import Data as Data
    from jaxdecay.data import DataError as DataError
    from jaxdecay.data import data_from_file as data_from_file
    from jaxdecay.data import digits as digits
    from jaxdecay.data import mnist as mnist
    from jaxdecay.elapsed import scale_by_elapsed as scale_by_elapsed
    from jaxdecay.migration import from_keras as from_keras
    from jaxdecay.migration import from_optax as from_optax
    from jaxdecay.migration import from_timm as from_timm
    from jaxdecay.migration import from_torch as from_torch
    from jaxdecay.migration import from_transformers as from_transformers
    from jaxdecay.migration import keras_schedule_class as keras_schedule_class
    from jaxdecay.migration import to_keras as to_keras
    from jaxdecay.migration import to_torch as to_torch
    from jaxdecay.schedules_file import read_schedules as read_schedules
    from jaxdecay.schedules_file import write_schedules as write_schedules
    from jaxdecay.training.checkpoint import CheckpointError as CheckpointError
    from jaxdecay.training.checkpoint import Checkpoints as Checkpoints
    from jaxdecay.training.config import SweepConfig as SweepConfig
    from jaxdecay.training.layout import kernel_first as kernel_first
    from jaxdecay.training.metric import Metric as Metric
    from jaxdecay.training.processes import ProcessError as ProcessError
    from jaxdecay.training.result import SweepResult as SweepResult
    from jaxdecay.training.sweep import sweep as sweep
    from jaxdecay.training.task import MLP as MLP
    from jaxdecay.training.task import Batch as Batch
    from jaxdecay.training.task import Task as Task
    from jaxdecay.training.task import classifier as classifier
    from jaxdecay.training.train import Trained as Trained
    from jaxdecay.training.train import train as train

__version__ = "0.1.0"

_LOADED_WHEN_USED = {
    "jaxdecay.data": ("Data", "DataError", "digits", "mnist", "data_from_file"),
    "jaxdecay.elapsed": ("scale_by_elapsed",),
    "jaxdecay.schedules_file": ("read_schedules", "write_schedules"),
    "jaxdecay.migration": (
        "from_keras",
        "from_optax",
        "from_timm",
        "from_torch",
        "from_transformers",
        "keras_schedule_class",
        "to_keras",
        "to_torch",
    ),
    "jaxdecay.training.checkpoint": ("CheckpointError", "Checkpoints"),
    "jaxdecay.training.config": ("SweepConfig",),
    "jaxdecay.training.layout": ("kernel_first",),
    "jaxdecay.training.metric": ("Metric",),
    "jaxdecay.training.processes": ("ProcessError",),
    "jaxdecay.training.result": ("SweepResult",),
    "jaxdecay.training.sweep": ("sweep",),
    "jaxdecay.training.task": ("Batch", "MLP", "Task", "classifier"),
    "jaxdecay.training.train": ("Trained", "train"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LOADED_WHEN_USED.items():
        if name in names:
            try:
                return getattr(importlib.import_module(module), name)
            except ModuleNotFoundError as error:
                raise ImportError(
                    f"jaxdecay.{name} needs {error.name}: install jaxdecay with [sweep]"
                ) from error
    raise AttributeError(f"module 'jaxdecay' has no attribute {name!r}")


def __dir__() -> list[str]:
    here = [name for name, value in globals().items() if _is_public(name, value)]
    return sorted([*here, *(name for names in _LOADED_WHEN_USED.values() for name in names)])


def _is_public(name: str, value: Any) -> bool:
    ours = getattr(value, "__module__", "").startswith("jaxdecay")
    return (ours and not name.startswith("_")) or name in ("families", "ScheduleLike")
