"""Every option of a sweep, once: `sweep`, `run.json`, the fingerprint and the command line read it.

A new option is a field of `SweepConfig`, a flag of the command line, and the line where it acts.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np
import optax

from jaxdecay.population import Population
from jaxdecay.spelling import nearest
from jaxdecay.training.checkpoint import Checkpoints
from jaxdecay.training.checks import check_integers
from jaxdecay.training.optimizers import Optimizer, name_of
from jaxdecay.training.task import Task

_SAME_NUMBERS = {"changes_numbers": False}
_NOT_STORED = {"changes_numbers": False, "stored": False}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """The options of a sweep; `sweep` takes each by its name.

    Attributes:
        optimizer: builds an Optax optimizer from a learning rate. Schedules count its updates,
            which are fewer than batches if `optax.MultiSteps` accumulates gradients.
        epochs: passes through the training data, at least 1.
        batch_size: examples per step, at least 1.
        seeds: K, the number of seeds, at least 1.
        seed: the first seed, from 0; the others follow it, up to 2³²−1.
        monitor: the name in the history that adaptive schedules follow: after each epoch each
            member's schedule sees the member's own value. If larger is better, as for
            "test_accuracy", the schedule needs `mode="max"`.
        block: the most members that one device trains together, at least 1. None for up to 8 on a
            CPU and up to 64 elsewhere; if a device trains more than 64 members, a short
            measurement finds the fastest size on this machine, which is stored for the next
            sweep. The size changes results by rounding errors only.
        precision: for matrix products, as in `jax.default_matmul_precision`: "default" (the
            fastest of the device), "float32" and others.
        stop_diverged: whether to stop when every member has diverged.
        checkpoints: where to store the sweep at the ends of epochs. A second call with the same
            arguments resumes it. On CPUs of the same model that gives bit-identical results if
            the block is the same, whatever the number of devices; on GPUs, rounding may differ.
            `epochs` may be larger than before; schedules keep their lengths.
        should_stop: called after each epoch, on all processes. If it returns true on one of them,
            all stop, and the result has fewer epochs.
        callback: `callback(epoch, history)`: called after each epoch, counted from 0, with its
            history, arrays [S, K]; a resumed sweep first calls it for each completed epoch.
        progress: `progress(done, total)`: called at the start and after each round of blocks;
            both count member-epochs.

    Raises:
        TypeError: a number is not an integer, or `optimizer` is not a function of the rate.
        ValueError: a number is out of its range.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.SweepConfig(epochs=15, seeds=3).batch_size
        32
    """

    optimizer: Optimizer = optax.sgd
    epochs: int = dataclasses.field(default=1, metadata=_SAME_NUMBERS)
    batch_size: int = 32
    seeds: int = 1
    seed: int = 0
    monitor: str = "test_loss"
    block: int | None = dataclasses.field(default=None, metadata=_SAME_NUMBERS)
    precision: str = "default"
    stop_diverged: bool = dataclasses.field(default=False, metadata=_SAME_NUMBERS)
    checkpoints: Checkpoints | None = dataclasses.field(default=None, metadata=_NOT_STORED)
    should_stop: Callable[[], bool] | None = dataclasses.field(default=None, metadata=_NOT_STORED)
    callback: Callable[[int, Mapping[str, np.ndarray]], None] | None = dataclasses.field(
        default=None, metadata=_NOT_STORED
    )
    progress: Callable[[int, int], None] | None = dataclasses.field(
        default=None, metadata=_NOT_STORED
    )

    def __post_init__(self) -> None:
        if not callable(self.optimizer):
            raise TypeError(
                "optimizer must be a function that builds one from a learning rate, such as "
                f"optax.sgd or lambda rate: optax.sgd(rate, momentum=0.9), got {self.optimizer!r}"
            )
        counts = {"epochs": self.epochs, "batch_size": self.batch_size, "seeds": self.seeds}
        if self.block is not None:
            counts["block"] = self.block
        check_integers(**counts, seed=self.seed)
        for name, value in counts.items():
            if value < 1:
                hint = "; None measures the fastest size" if name == "block" else ""
                raise ValueError(f"{name} must be at least 1, got {value}{hint}")
        if not 0 <= self.seed <= self.seed + self.seeds <= 2**32:
            raise ValueError(
                f"seeds must be within 0 … 2³²−1, got {self.seeds} seeds that start at {self.seed}"
            )

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The K seeds."""
        return tuple(range(self.seed, self.seed + self.seeds))

    def to_dict(self) -> dict[str, Any]:
        """The stored options as plain JSON types, the optimizer by its name."""
        values = {name: getattr(self, name) for name in stored_options()}
        return {**values, "optimizer": name_of(self.optimizer)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], optimizer: Optimizer) -> Self:
        """Reads what `to_dict` wrote; an option that is missing gets its default.

        Args:
            values: the options by name, as from `to_dict`.
            optimizer: the function whose name `values` contain.

        Raises:
            ValueError: an option is unknown, or its value has another type.
        """
        unknown = sorted(set(values) - set(stored_options()))
        if unknown:
            raise ValueError(f"this version of jaxdecay has no option {unknown[0]!r}")
        config = cls(**{**values, "optimizer": optimizer})
        for name, default in stored_options().items():
            value, kinds = getattr(config, name), {type(default)}
            kinds |= {int} if default is None else set()
            if name != "optimizer" and type(value) not in kinds:
                raise ValueError(f"{name} is {value!r}")
        return config

    def identity(self) -> dict[str, Any]:
        """The options that change the numbers of a sweep, which must be the same to resume it."""
        fields = dataclasses.fields(self)
        changing = {field.name for field in fields if field.metadata.get("changes_numbers", True)}
        return {name: value for name, value in self.to_dict().items() if name in changing}


@functools.cache
def stored_options() -> Mapping[str, Any]:
    """The defaults, by name, of the options that `run.json` stores."""
    fields = dataclasses.fields(SweepConfig)
    return {field.name: field.default for field in fields if field.metadata.get("stored", True)}


Options = ParamSpec("Options")
Result = TypeVar("Result", covariant=True)


class TakesOptions(Protocol[Options, Result]):
    """A function that takes a task, a population, and the options of a sweep by name."""

    def __call__(
        self, task: Task, population: Population, *_: Options.args, **options: Options.kwargs
    ) -> Result:
        """Creates the `SweepConfig` and calls the function with it."""
        ...


def options_of(
    config: Callable[Options, SweepConfig],
) -> Callable[[Callable[[Task, Population, SweepConfig], Result]], TakesOptions[Options, Result]]:
    """Turns a function that takes a `SweepConfig` into one that takes its options by name."""

    def decorate(
        function: Callable[[Task, Population, SweepConfig], Result],
    ) -> TakesOptions[Options, Result]:
        @functools.wraps(function)
        def with_options(task: Task, population: Population, **options: Any) -> Result:
            for name in options:
                if name not in known:
                    raise TypeError(
                        f"{function.__name__}() got an unexpected option {name!r}"
                        f"{nearest(name, known)}; options are {', '.join(known)}"
                    )
            return function(task, population, config(**options))  # pyright: ignore[reportCallIssue]

        known = inspect.signature(config).parameters
        own = inspect.signature(function)
        shown = [*list(own.parameters.values())[:2], *known.values()]
        vars(with_options)["__signature__"] = own.replace(parameters=shown)
        return with_options  # pyright: ignore[reportReturnType]

    return decorate
