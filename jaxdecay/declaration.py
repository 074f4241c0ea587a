"""What a decay declares, and the values that a schedule binds to it."""

from __future__ import annotations

import dataclasses
import html
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import jax
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxdecay.domain import Domain
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Marks
from jaxdecay.length import is_relative
from jaxdecay.pairs import as_one
from jaxdecay.parameter import Parameter, as_python, read_parameter
from jaxdecay.serialization import introduce_to_flax
from jaxdecay.spelling import nearest

P = ParamSpec("P")
S_co = TypeVar("S_co", covariant=True)


_NEED_A_NUMBER = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


class Family(Protocol[P, S_co]):
    """A decay as users call it: a function of hyperparameters that returns a `Schedule`.

    Attributes:
        decay: what it declares.
    """

    decay: Decay
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> S_co:
        """A schedule with these hyperparameters and options."""
        ...


@dataclasses.dataclass(frozen=True)
class Feedback:
    """How an adaptive schedule follows a metric: two pure functions.

    The state is any pytree of arrays with a field `scale`, which multiplies the value that the
    function returns.

    Args:
        init: `init(**hyperparameters, **options) -> state`, before any metric.
        update: `update(state, value, **hyperparameters, **options) -> state`, after a metric.

    Example:
        >>> from typing import NamedTuple
        >>> import jax, jax.numpy as jnp, jaxdecay
        >>> from jaxdecay.domain import Factor
        >>> class Worst(NamedTuple):
        ...     scale: jax.Array
        ...     worst: jax.Array
        >>> def update(state, value, *, factor, **_):
        ...     worse = value > state.worst
        ...     scale = jnp.where(worse, state.scale * factor, state.scale)
        ...     return Worst(scale, jnp.maximum(state.worst, value))
        >>> feedback = jaxdecay.Feedback(lambda **_: Worst(jnp.ones(()), -jnp.inf), update)
        >>> @jaxdecay.decay(feedback=feedback)
        ... def reduce_on_record(step, schedule: jaxdecay.ScheduleLike, *, factor: Factor = 0.5):
        ...     return jaxdecay.value_at(schedule, step)
        >>> schedule = reduce_on_record(0.1)
        >>> state = schedule.init()
        >>> for loss in (3.0, 2.0, 4.0):
        ...     state = schedule.update(state, value=loss)
        >>> round(float(schedule(state)), 6)  # the first loss is a record as well
        0.025
    """

    init: Callable[..., Any]
    update: Callable[..., Any]


class BoundDecay:
    """A decay and the values of its parameters: immutable, and the base of every schedule."""

    __slots__ = ("__weakref__", "decay", "hyperparameters", "options")

    decay: Decay
    hyperparameters: Mapping[str, Any]
    options: Mapping[str, Any]

    def __init__(
        self, decay: Decay, hyperparameters: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        object.__setattr__(self, "decay", decay)
        object.__setattr__(self, "hyperparameters", types.MappingProxyType(dict(hyperparameters)))
        object.__setattr__(self, "options", types.MappingProxyType(dict(options)))

    @property
    def family(self) -> str:
        """The name of its decay."""
        return self.decay.family

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for values in (self.hyperparameters, self.options):
                if name in values:
                    return as_one(values[name])
            raise AttributeError(self.decay.unknown(name))
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a schedule cannot be changed; use replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a schedule cannot be changed")

    def replace(self, **changes: Any) -> Self:
        """A copy with other hyperparameters or options, checked like a new schedule."""
        return self.decay(**{**self.hyperparameters, **self.options, **changes})

    def _check_resolved(self) -> None:
        for name, value in self.hyperparameters.items():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, BoundDecay):
                    part._check_resolved()
            if is_relative(value):
                raise ValueError(
                    f"{self.family}: {name} is {_repr(value)}, relative to a run of unknown "
                    "length; call schedule.resolve(steps=…, steps_per_epoch=…) first"
                )

    def __repr__(self) -> str:
        shown = [
            f"{name}={_repr(value)}"
            for name, value in {**self.hyperparameters, **self.options}.items()
            if not self.decay.parameters[name].is_default(value)
        ]
        return self.decay.written(shown)

    def _repr_html_(self) -> str:
        """In a notebook: the code that creates it, and each hyperparameter with its domain."""
        cells = [
            (name, _repr(value), str(self.decay.parameters[name].domain))
            for name, value in self.hyperparameters.items()
            if self.decay.parameters[name].kind == "number"
        ]
        rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in cells]
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<code>{html.escape(repr(self))}</code><table>{table}</table>"


class Decay:
    """A decay: its function and what is declared with it.

    Attributes:
        family: the name of the decay in files and tables.
        function: the decay itself, a function of `step` and the hyperparameters; for a compound,
            a function of the hyperparameters that returns a schedule.
        kind: the class of its schedules.
        parameters: hyperparameters and options by name, in the order of the signature.
        check: raises ValueError for hyperparameters that do not fit each other.
        is_compound: whether it is a compound.
        feedback: how its schedules follow a metric, or None.
        order: the hyperparameters that follow each other in time, in that order: lengths, and
            schedules that begin after them. Any other length begins at step 0.
        unit: computes from the hyperparameters how many of its steps the inner schedules count
            as one; None for 1.
        end: computes from the hyperparameters the step from which the last value is held; None
            if that is the sum of the lengths in `order`.
        phases: yields, for a schedule and its clock, when its parts begin and end; None if that
            is not declared.
        group: the heading under which catalogue, gallery and reference list it.
        public: the function that users call; None for a schedule from a plain function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        kind: type[BoundDecay],
        check: Callable[..., None] | None = None,
        is_compound: bool = False,
        feedback: Feedback | None = None,
        order: Sequence[str] = (),
        unit: Callable[..., float] | None = None,
        end: Callable[..., Any] | None = None,
        phases: Callable[[Any, Clock], Marks] | None = None,
        group: str = Group.OWN,
    ) -> None:
        self.family: str = getattr(function, "__name__", type(function).__name__)
        self.function = function
        self.kind = kind
        self.check = check
        self.is_compound = is_compound
        self.feedback = feedback
        self.order = tuple(order)
        self.unit = unit
        self.end = end
        self.phases = phases
        self.group = group
        self.public: Family[..., Any] | None = None
        self.signature = _signature_without_step(self.family, function, kind, is_compound)
        self.parameters: Mapping[str, Parameter] = types.MappingProxyType(
            {
                name: read_parameter(self.family, parameter)
                for name, parameter in self.signature.parameters.items()
            }
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A schedule with these hyperparameters and options, checked where they are concrete."""
        unknown = [name for name in kwargs if name not in self.parameters]
        if unknown:
            raise TypeError(self.unknown(unknown[0]))
        if len(args) > 1:
            raise TypeError(self._by_name(len(args)))
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.family}: {error}; {self._takes()}") from None
        bound.apply_defaults()
        values = {
            name: self._checked(self.parameters[name], value)
            for name, value in bound.arguments.items()
        }
        # Relative lengths are compared once they are resolved.
        if self.check is not None and not any(map(is_relative, values.values())):
            self.check(**{name: as_one(value) for name, value in values.items()})
        options = {name: value for name, value in values.items() if self._is_option(name)}
        hyperparameters = {name: value for name, value in values.items() if name not in options}
        return self.schedule(hyperparameters, options)

    def schedule(self, hyperparameters: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        """A schedule with values that are already checked."""
        introduce_to_flax()
        return self.kind(self, hyperparameters, options)

    def value(self, step: Array, values: Mapping[str, Any]) -> Array:
        """The value at one step, for hyperparameters as arrays and options.

        Raises:
            TypeError: the decay needs to know a number that JAX traces, as a Python `if` does.
        """
        try:
            if self.is_compound:
                return self.function(**values)(step)
            return self.function(step, **values)
        except _NEED_A_NUMBER as error:
            raise TypeError(
                f"the decay {self.family} uses its step or a hyperparameter where Python needs a "
                "number (if, and, while, range, float, int or a NumPy function), but JAX traces "
                "them; write if as jnp.where, and as &, np as jnp, float(x) as x"
            ) from error

    def __repr__(self) -> str:
        return f"<decay {self.family}({', '.join(self.parameters)})>"

    def name_in_files(self) -> str:
        """The name that files use for it; ValueError if it has none."""
        return self.family

    def written(self, arguments: Sequence[str]) -> str:
        """The Python code of a call with these arguments."""
        return f"{self.family}({', '.join(arguments)})"

    def unknown(self, name: str) -> str:
        """The message for a hyperparameter that it does not have."""
        return (
            f"{self.family} has no hyperparameter {name!r}"
            f"{nearest(name, self.parameters)}; {self._takes()}"
        )

    def _is_option(self, name: str) -> bool:
        return self.parameters[name].kind == "option"

    def _takes(self) -> str:
        return f"it takes {', '.join(self.parameters)}"

    def _by_name(self, count: int) -> str:
        first, *others = self.parameters
        advice = f"pass by name: {', '.join(others)}" if others else "leave out the others"
        return f"{self.family} takes one positional argument, {first}, got {count}; {advice}"

    def _checked(self, parameter: Parameter, value: Any) -> Any:
        where = f"{self.family}: {parameter.name}"
        if value is None and parameter.default is None:
            return value
        if parameter.kind == "schedule":
            return _checked_operand(where, parameter.domain, value)
        if parameter.kind == "schedules":
            if isinstance(value, BoundDecay) or not isinstance(value, Iterable):
                raise ValueError(f"{where} must be a sequence of schedules, got {value!r}")
            return tuple(
                _checked_operand(f"{where}[{index}]", parameter.domain, part)
                for index, part in enumerate(value)
            )
        return parameter.checked(where, value)


def _signature_without_step(
    family: str, function: Callable[..., Any], kind: type[BoundDecay], is_compound: bool
) -> inspect.Signature:
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise TypeError(
            f"{family}: an annotation cannot be evaluated: {error}; define or import it at the top "
            "of the file"
        ) from None
    parameters = list(signature.parameters.values())
    if not is_compound:
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if not parameters or parameters[0].kind not in positional:
            raise TypeError(
                f"{family}: the first parameter of a decay must be its step; write "
                f"def {family}(step, …)"
            )
        parameters = parameters[1:]
    names = [parameter.name for parameter in parameters]
    taken = [name for name in names if hasattr(kind, name) or name in _STATEFUL]
    if taken:
        raise TypeError(
            f"{family}: a hyperparameter cannot be named {taken[0]!r}, as schedules have another "
            "attribute of that name; rename it"
        )
    return signature.replace(parameters=parameters, return_annotation=kind)


_STATEFUL = ("init", "update")
"""Optax treats any object with these attributes as a stateful schedule."""


def _checked_operand(where: str, domain: Domain, value: Any) -> Any:
    """A schedule, or a number that stands for one."""
    if isinstance(value, BoundDecay) and value.decay.feedback is not None:
        raise ValueError(
            f"{where} cannot follow a metric inside another schedule, got {value!r}; "
            f"put {value.family} around the complete schedule"
        )
    if isinstance(value, BoundDecay | Tracer):
        return value
    if not callable(value) and not isinstance(value, list | tuple | str):
        fault = domain.fault(value)
        if fault is None:
            return as_python(value, count=False)
    hint = "; turn a function into one with jaxdecay.from_function" if callable(value) else ""
    raise ValueError(f"{where} must be a jaxdecay schedule or {domain}, got {value!r}{hint}")


def _repr(value: Any) -> str:
    value = as_one(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_repr, value))}]"
    concrete = isinstance(value, np.ndarray | np.generic | jax.Array)
    if concrete and not isinstance(value, Tracer) and value.ndim <= 1:
        return repr(value.tolist())
    return repr(value)
