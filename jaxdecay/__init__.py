"""Learning-rate decays for JAX: traceable, stackable, differentiable Optax schedules.

The decays and populations need only JAX. Training, data and reports are loaded when they are
first used, so that `import jaxdecay` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jaxdecay.adaptive import *
from jaxdecay.calculus import from_gradient_norms as from_gradient_norms
from jaxdecay.calculus import integral as integral
from jaxdecay.calculus import mean_value as mean_value
from jaxdecay.calculus import step_at as step_at
from jaxdecay.candidates import grid as grid
from jaxdecay.candidates import sample as sample
from jaxdecay.compose import *
from jaxdecay.compounds import *
from jaxdecay.decays import *
from jaxdecay.declaration import Family as Family
from jaxdecay.declaration import Feedback as Feedback
from jaxdecay.definition import compound as compound
from jaxdecay.definition import decay as decay
from jaxdecay.definition import from_function as from_function
from jaxdecay.feedback import AdaptiveSchedule as AdaptiveSchedule
from jaxdecay.feedback import AdaptiveState as AdaptiveState
from jaxdecay.feedback import ScheduleLike as ScheduleLike
from jaxdecay.feedback import value_at as value_at
from jaxdecay.inspection.check import Finding as Finding
from jaxdecay.inspection.check import check_schedule as check_schedule
from jaxdecay.length import Length as Length
from jaxdecay.length import epochs as epochs
from jaxdecay.length import percent as percent
from jaxdecay.length import samples as samples
from jaxdecay.length import tokens as tokens
from jaxdecay.population import Population as Population
from jaxdecay.population import concat as concat
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
    from jaxdecay.report.export import to_mlflow as to_mlflow
    from jaxdecay.report.export import to_tensorboard as to_tensorboard
    from jaxdecay.report.files import write_report as write_report
    from jaxdecay.report.plot import plot as plot
    from jaxdecay.results.metric import Metric as Metric
    from jaxdecay.results.result import SweepResult as SweepResult
    from jaxdecay.schedules_file import read_schedules as read_schedules
    from jaxdecay.schedules_file import write_schedules as write_schedules
    from jaxdecay.training.about import CheckpointError as CheckpointError
    from jaxdecay.training.checkpoint import Checkpoints as Checkpoints
    from jaxdecay.training.config import SweepConfig as SweepConfig
    from jaxdecay.training.layout import kernel_first as kernel_first
    from jaxdecay.training.processes import ProcessError as ProcessError
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
    "jaxdecay.training.about": ("CheckpointError",),
    "jaxdecay.training.checkpoint": ("Checkpoints",),
    "jaxdecay.training.config": ("SweepConfig",),
    "jaxdecay.training.layout": ("kernel_first",),
    "jaxdecay.report.export": ("to_mlflow", "to_tensorboard"),
    "jaxdecay.report.files": ("write_report",),
    "jaxdecay.report.plot": ("plot",),
    "jaxdecay.results.metric": ("Metric",),
    "jaxdecay.training.processes": ("ProcessError",),
    "jaxdecay.results.result": ("SweepResult",),
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
