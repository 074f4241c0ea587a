"""Parameters of a decay, as its signature declares them: their kinds and domains."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxdecay.domain import Domain
from jaxdecay.length import Length
from jaxdecay.pairs import Pair


@dataclasses.dataclass(frozen=True)
class IsSchedule:
    """Marks the annotation of a parameter that is itself a schedule."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a decay after `step`.

    Attributes:
        name: its name.
        kind: "number" (a number or a vector), "schedule", "schedules" (a tuple of them) or
            "option" (static: a `bool` or a `Literal`).
        domain: the values that a number may take.
        choices: the values that an option may have.
        default: its default, `inspect.Parameter.empty` if it must be given.
    """

    name: str
    kind: Literal["number", "schedule", "schedules", "option"]
    domain: Domain
    choices: tuple[Any, ...]
    default: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    def is_default(self, value: Any) -> bool:
        """Whether a value equals its default and has the same type."""
        same_type = not self.required and type(value) is type(self.default)
        return same_type and value == self.default

    def checked(self, where: str, value: Any) -> Any:
        """The value as it is stored; ValueError, which starts with `where`, for a wrong one."""
        return self._option(where, value) if self.kind == "option" else self._number(where, value)

    def _option(self, where: str, value: Any) -> Any:
        value = bool(value) if isinstance(value, np.bool_) else value
        if not any(type(choice) is type(value) and choice == value for choice in self.choices):
            allowed = " or ".join(map(repr, self.choices))
            raise ValueError(f"{where} must be {allowed}, got {value!r}")
        return value

    def _number(self, where: str, value: Any) -> Any:
        if isinstance(value, Pair):  # from another schedule, inside a JAX transformation
            return value if self.domain.digits else value.number()
        if isinstance(value, Length):
            return self._relative(where, value)
        listed = isinstance(value, list | tuple)
        if listed and self.domain.rank and any(isinstance(part, Length) for part in value):
            single = dataclasses.replace(self, domain=dataclasses.replace(self.domain, rank=0))
            return tuple(
                single.checked(f"{where}[{index}]", part) for index, part in enumerate(value)
            )
        if isinstance(value, Sequence) and not isinstance(value, str):
            nested = any(isinstance(part, bool | Sequence) or np.ndim(part) for part in value)
            if nested or not self.domain.rank:
                hint = "" if nested else "; jaxdecay.grid makes one schedule per value"
                raise ValueError(f"{where} must be {self.domain}, got {value!r}{hint}")
            traced = any(isinstance(part, jax.Array) for part in value)
            value = jnp.stack(list(map(jnp.asarray, value))) if traced else np.asarray(value)
        if isinstance(value, Tracer):
            return value
        fault = self.domain.fault(value)
        if fault is not None or np.ndim(value) < self.domain.rank:
            raise ValueError(f"{where} {fault or f'must be {self.domain}, got {value!r}'}")
        return as_python(value, count=self.domain.count)

    def _relative(self, where: str, value: Length) -> Length:
        if not self.domain.relative or self.domain.rank:
            hint = "put it in a list" if self.domain.relative else "give numbers, not a length"
            raise ValueError(f"{where} must be {self.domain}, got {value!r}; {hint}")
        return value


def as_python(value: Any, *, count: bool) -> Any:
    """A single concrete number as a Python number, so that it prints and compares as written.

    An integer that does not count steps becomes a float.
    """
    if np.ndim(value):
        return value
    number = value if isinstance(value, int | float) else np.asarray(value).item()
    return number if count else float(number)


def read_parameter(family: str, parameter: inspect.Parameter) -> Parameter:
    """The parameter that a signature declares; TypeError for one that cannot be passed by name."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise TypeError(
            f"{family}: each parameter needs a name, got *{parameter.name}; list them one by one"
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise TypeError(f"{family}: {parameter.name} must be accepted by name; remove the /")
    annotation = parameter.annotation
    if get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    kind, choices = "number", ()
    if annotation is bool:
        kind, choices = "option", (False, True)
    elif get_origin(annotation) is Literal:
        kind, choices = "option", get_args(annotation)
    elif _is_schedule(annotation):
        kind = "schedule"
    elif get_origin(annotation) is Sequence:
        (annotation,) = get_args(annotation)
        if not _is_schedule(annotation):
            raise TypeError(
                f"{family}: {parameter.name} must be annotated with a domain of jaxdecay.domain, "
                "such as Values, or Sequence[ScheduleLike]"
            )
        kind = "schedules"
    return Parameter(parameter.name, kind, Domain.of(annotation), choices, parameter.default)


def _is_schedule(annotation: Any) -> bool:
    return any(isinstance(mark, IsSchedule) for mark in getattr(annotation, "__metadata__", ()))
