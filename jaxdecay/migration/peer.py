"""Shared by the converters for all peers: names, arguments, errors, and sequences of phases."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

from jaxdecay.compose import advance, join, warmup
from jaxdecay.decays import cosine, linear
from jaxdecay.domain import LAST_STEP
from jaxdecay.feedback import AdaptiveSchedule, ScheduleLike
from jaxdecay.population import Population
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import nearest

Converter = Callable[..., Schedule]


class Peer:
    """A library whose schedules are converted, each by a function with the peer's own signature.

    Attributes:
        name: the name of the library, for error messages.
        converters: the functions, by the peer's names for its schedules.
        refused: for arguments of the peer that are not converted, by name, the reason.
    """

    def __init__(self, name: str, refused: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.converters: dict[str, Converter] = {}
        self.refused = refused or {}

    def converter(self, function: Converter) -> Converter:
        """Registers a function under its own name, if that is the peer's."""
        self.converters[function.__name__] = function
        return function

    def named(self, name: str) -> Callable[[Converter], Converter]:
        """Registers a function under the peer's name."""

        def register(function: Converter) -> Converter:
            self.converters[name] = function
            return function

        return register

    def parameters(self, name: Any) -> list[str]:
        """The arguments of a schedule; ValueError if the peer has no schedule of this name."""
        if not isinstance(name, str) or name not in self.converters:
            raise ValueError(
                f"{self.name} has no schedule {name!r} that jaxdecay converts"
                f"{nearest(name, self.converters)}; expected one of {', '.join(self.converters)}"
            )
        return list(inspect.signature(self.converters[name]).parameters)

    def convert(
        self, name: Any, arguments: Mapping[str, Any], positional: Sequence[Any] = ()
    ) -> Schedule:
        """Converts the peer's schedule `name` with these arguments."""
        takes = self.parameters(name)
        where = f"{self.name}'s {name}"
        for argument, value in arguments.items():
            if argument not in takes and argument in self.refused:
                raise ValueError(f"{where}: {argument}={value!r} {self.refused[argument]}")
            if argument not in takes:
                raise ValueError(
                    f"{where} has no argument {argument!r}{nearest(argument, takes)}; "
                    f"it takes {', '.join(takes)}"
                )
        signature = inspect.signature(self.converters[name])
        try:
            bound = signature.bind(*positional, **arguments).arguments
        except TypeError as error:
            raise ValueError(f"{where}: {error}; it takes {', '.join(takes)}") from None
        with self.reported(name, bound):
            for argument, value in bound.items():
                _check_number(signature.parameters[argument], value)
            values = {argument: _as_number(value) for argument, value in bound.items()}
            return self.converters[name](**values)

    @contextlib.contextmanager
    def reported(self, name: str, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Turns every error inside into one line with the peer's schedule and its arguments."""

        def with_call(fault: str) -> ValueError:
            shown = ", ".join(f"{argument}={value!r}" for argument, value in arguments.items())
            return ValueError(f"{self.name}'s {name}({shown}): {fault}")

        try:
            yield
        except ValueError as error:
            if str(error).startswith(f"{self.name}'s "):  # from a schedule inside this one
                raise
            raise with_call(str(error)) from None
        except (TypeError, ArithmeticError, LookupError, AttributeError) as error:
            raise with_call(_explained(error, arguments)) from error


def _check_number(parameter: inspect.Parameter, value: Any) -> None:
    kind, _, optional = str(parameter.annotation).partition(" | ")
    none = value is None and optional != "None"
    if kind in ("int", "float") and (none or isinstance(value, str)):
        raise ValueError(f"{parameter.name} must be a number, got {value!r}")


def _as_number(value: Any) -> Any:
    """Converts a count that is too large for JAX's integers to a float, which families accept."""
    return float(value) if type(value) is int and abs(value) > LAST_STEP else value


TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def _explained(error: Exception, arguments: Mapping[str, Any]) -> str:
    """Explains an error from Python or JAX in terms of the arguments, in one line."""
    if isinstance(error, TRACED):
        return (
            "expected concrete numbers, because the kind of schedule depends on them; pass a "
            "traced number to a family of jaxdecay, or to replace() of the converted schedule"
        )
    if isinstance(error, ZeroDivisionError):
        numbers = {name: value for name, value in arguments.items() if type(value) in (int, float)}
        zeros = [name for name, value in numbers.items() if value == 0]
        return f"the converter divides by 0; expected another {' or '.join(zeros) or 'number'}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    first_line = str(error).partition("\n")[0]
    return f"an argument has the wrong type ({first_line})"


def whole(number: float) -> float:
    """Converts a number to an integer if it is one, so that counts of steps stay exact."""
    return int(number) if float(number).is_integer() else number


def in_sequence(
    schedules: Sequence[ScheduleLike], boundaries: Sequence[float], called: str = "boundaries"
) -> Schedule:
    """One schedule after another, each counting from its boundary; the last one continues."""
    if list(boundaries) != sorted(boundaries):
        raise ValueError(
            f"{called} must not fall, got {list(boundaries)}; expected {sorted(boundaries)}, with "
            "the schedules in that order"
        )
    if boundaries and boundaries[0] < 0:
        raise ValueError(f"{called} must be at least 0, got {list(boundaries)}")
    return join(schedules, lengths=[whole(b - a) for a, b in itertools.pairwise([0, *boundaries])])


def wave(init_value: float, end_value: float, half_period: float) -> Schedule:
    """A cosine that falls and rises forever, as its peer does not stop it at the end."""
    half = whole(half_period)
    return cosine(init_value, transition_steps=half, end_value=end_value, cycle=True)


def ramp_to(
    schedule: ScheduleLike, warmup_steps: float, init_value: float, peak_value: float
) -> Schedule:
    """A line up to `peak_value`, then the schedule, which may start at another value."""
    return in_sequence(
        [linear(init_value, end_value=peak_value, transition_steps=warmup_steps), schedule],
        [warmup_steps],
    )


def ramp_instead(
    schedule: Schedule, warmup_steps: float, init_value: float, peak_value: float
) -> Schedule:
    """Replaces the first steps of a schedule by a line up to `peak_value`."""
    if not warmup_steps:
        return schedule
    return ramp_to(
        advance(schedule, advance_steps=warmup_steps), warmup_steps, init_value, peak_value
    )


def check_steps_alone(where: str, schedule: Any, instead: str) -> None:
    """Raises a TypeError for anything but a schedule, a ValueError if it follows a metric."""
    if isinstance(schedule, Population):
        raise TypeError(
            f"{where}: expected one jaxdecay schedule, got a population of {len(schedule)}; "
            "convert its schedules one by one, such as population[0]"
        )
    if not isinstance(schedule, Schedule):
        hint = "from_function" if callable(schedule) else "constant"
        raise TypeError(
            f"{where}: expected a jaxdecay schedule, got {schedule!r}; "
            f"convert it with jaxdecay.{hint}"
        )
    if isinstance(schedule, AdaptiveSchedule):
        raise ValueError(
            f"{where}: {schedule.family} follows a metric, which the peer does not pass to a "
            f"schedule; expected a schedule of the step alone, or use {instead}"
        )


def warmed_up(schedule: Schedule, warmup_steps: float, init_value: float = 0.0) -> Schedule:
    """The schedule after a warm-up, or unchanged if the warm-up has no steps."""
    return (
        warmup(schedule, warmup_steps=warmup_steps, init_value=init_value)
        if warmup_steps
        else schedule
    )
