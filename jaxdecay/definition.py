"""Defining decays: `decay`, `compound` and `from_function` turn functions into families."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from jax import Array
from jax.core import Tracer

from jaxdecay.domain import Domain
from jaxdecay.feedback import AdaptiveSchedule, Feedback
from jaxdecay.length import is_relative
from jaxdecay.pairs import as_one
from jaxdecay.parameter import Parameter, as_python, read_parameter
from jaxdecay.registry import families, nearest, register
from jaxdecay.schedule import Schedule
from jaxdecay.serialization import introduce_to_flax
from jaxdecay.signatures import describe

P = ParamSpec("P")
S_co = TypeVar("S_co", bound=Schedule, covariant=True)


class Family(Protocol[P, S_co]):
    """A decay as users call it: a function of hyperparameters that returns a `Schedule`.

    Attributes:
        decay: what is known of it.
    """

    decay: Decay
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> S_co:
        """A schedule with these hyperparameters and options."""
        ...


class Decay:
    """What is known of a decay: its function and what its signature declares.

    Attributes:
        family: the name of the decay in files and tables.
        function: the decay itself, a function of `step` and the hyperparameters; of a compound,
            a function of the hyperparameters that returns a schedule.
        parameters: hyperparameters and options by name, in the order of the signature.
        check: raises ValueError for hyperparameters that do not fit each other.
        is_compound: whether it is a compound.
        feedback: how its schedules follow a metric, or None.
        order: the hyperparameters that follow each other in time, in that order: lengths, and
            schedules that begin after them. Any other length begins at step 0.
        unit: from its hyperparameters, how many of its steps its parts count as one; None for 1.
        public: the function that users call; None for a schedule from a plain function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        check: Callable[..., None] | None = None,
        is_compound: bool = False,
        feedback: Feedback | None = None,
        order: Sequence[str] = (),
        unit: Callable[..., float] | None = None,
    ) -> None:
        self.family: str = getattr(function, "__name__", type(function).__name__)
        self.function = function
        self.check = check
        self.is_compound = is_compound
        self.feedback = feedback
        self.order = tuple(order)
        self.unit = unit
        self.public: Family[..., Schedule] | None = None
        self.signature = _signature_without_step(self.family, function, is_compound)
        self.parameters: Mapping[str, Parameter] = types.MappingProxyType(
            {
                name: read_parameter(self.family, each)
                for name, each in self.signature.parameters.items()
            }
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Schedule:
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
        # Lengths of a run that is not known yet are compared once they are resolved.
        if self.check is not None and not any(map(is_relative, values.values())):
            self.check(**{name: as_one(each) for name, each in values.items()})
        options = {name: each for name, each in values.items() if self._is_option(name)}
        hyperparameters = {name: each for name, each in values.items() if name not in options}
        return self.schedule(hyperparameters, options)

    def schedule(
        self, hyperparameters: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Schedule | AdaptiveSchedule:
        """A schedule of values that are already checked."""
        introduce_to_flax()
        kind = Schedule if self.feedback is None else AdaptiveSchedule
        return kind(self, hyperparameters, options)

    def value(self, step: Array, values: Mapping[str, Any]) -> Array:
        """The value at one step, of hyperparameters as arrays and options."""
        if self.is_compound:
            return self.function(**values)(step)
        return self.function(step, **values)

    def __repr__(self) -> str:
        return f"<decay {self.family}({', '.join(self.parameters)})>"

    def __reduce__(self) -> tuple[Any, ...]:
        # For what pickles functions by value, without the names that only annotations use; a
        # schedule is pickled by its public function.
        options = {
            "check": self.check,
            "is_compound": self.is_compound,
            "feedback": self.feedback,
            "order": self.order,
            "unit": self.unit,
        }
        annotations = {name: each.annotation for name, each in self.signature.parameters.items()}
        return _restored, (self.function, annotations, options)

    def name_in_files(self) -> str:
        """The name by which a file finds it; ValueError if it has none."""
        return self.family

    def written(self, arguments: Sequence[str]) -> str:
        """The call of it with these arguments, as Python."""
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

    def _by_name(self, given: int) -> str:
        first, *others = self.parameters
        named = f"give the others by name: {', '.join(others)}" if others else "and no other"
        return (
            f"{self.family} takes one positional argument, {first}, but {given} were given; {named}"
        )

    def _checked(self, parameter: Parameter, value: Any) -> Any:
        where = f"{self.family}: {parameter.name}"
        if value is None and parameter.default is None:
            return value
        if parameter.kind == "schedule":
            return _checked_operand(where, parameter.domain, value)
        if parameter.kind == "schedules":
            if isinstance(value, Schedule) or not isinstance(value, Iterable):
                raise ValueError(f"{where} must be a sequence of schedules, got {value!r}")
            return tuple(
                _checked_operand(f"{where}[{index}]", parameter.domain, each)
                for index, each in enumerate(value)
            )
        return parameter.checked(where, value)


def decay_of(family: Any) -> Decay:
    """What is known of a family; TypeError for something else.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.definition import decay_of
        >>> list(decay_of(jaxdecay.constant).parameters)
        ['value']
    """
    found = getattr(family, "decay", None)
    if not isinstance(found, Decay) or isinstance(family, Schedule):
        raise TypeError(
            "expected a decay, such as jaxdecay.cosine or jaxdecay.family('cosine'), "
            f"got {family!r}"
        )
    return found


@overload
def decay(function: Callable[Concatenate[Any, P], Any], /) -> Family[P, Schedule]: ...
@overload
def decay(
    *,
    check: Callable[..., None] | None = None,
    feedback: Feedback,
    order: Sequence[str] = (),
) -> Callable[[Callable[Concatenate[Any, P], Any]], Family[P, AdaptiveSchedule]]: ...
@overload
def decay(
    *,
    check: Callable[..., None] | None = None,
    order: Sequence[str] = (),
    unit: Callable[..., float] | None = None,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Family[P, Schedule]]: ...
def decay(
    function: Any = None,
    /,
    *,
    check: Callable[..., None] | None = None,
    feedback: Feedback | None = None,
    order: Sequence[str] = (),
    unit: Callable[..., float] | None = None,
) -> Any:
    """Turns a function of `step` and hyperparameters into a function that returns schedules.

    The function computes one value from one step; `Schedule` does the rest: it takes arrays of
    steps, never passes a negative step, and converts numbers to arrays of one float type
    (counts of steps given as integers stay integers). A parameter annotated `bool` or `Literal`
    is a static option; one annotated `ScheduleLike` is another schedule; every other one is a
    hyperparameter with the domain of its annotation (see `jaxdecay.domain`).

    Args:
        function: `f(step, first, *, others...) -> value`, composed of JAX operations. Its name
            becomes the family. One hyperparameter may be given by position, the others only by
            name.
        check: called with all hyperparameters and options when a schedule is created; raises
            ValueError if they do not fit each other.
        feedback: for an adaptive schedule, how it follows a metric.
        order: names of hyperparameters that follow each other in time, in that order: lengths,
            and schedules that begin after them. It decides where lengths such as
            `jaxdecay.percent(10)` begin.
        unit: `unit(**hyperparameters)`, for a decay whose schedules count something else than
            steps: how many steps one of theirs is.

    Returns:
        A function of the hyperparameters that returns a `Schedule`.

    Raises:
        TypeError: the function's first parameter is not positional, more than one hyperparameter
            is, or a parameter is `*args` or `**kwargs`.
        ValueError: another module has already defined a decay with this name.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.domain import Positive, PositiveSteps
        >>> @jaxdecay.decay
        ... def hyperbola(step, init_value: Positive, *, half_life: PositiveSteps):
        ...     return init_value * half_life / (half_life + step)
        >>> schedule = hyperbola(0.5, half_life=100)
        >>> schedule
        hyperbola(init_value=0.5, half_life=100)
        >>> float(schedule(100))
        0.25
    """

    def define(function: Callable[..., Any]) -> Any:
        return _defined(
            Decay(function, check=check, feedback=feedback, order=order, unit=unit), function
        )

    return define if function is None else define(function)


@overload
def compound(function: Callable[P, Schedule], /) -> Family[P, Schedule]: ...
@overload
def compound(
    *, check: Callable[..., None] | None = None, order: Sequence[str] = ()
) -> Callable[[Callable[P, Schedule]], Family[P, Schedule]]: ...
def compound(
    function: Any = None,
    /,
    *,
    check: Callable[..., None] | None = None,
    order: Sequence[str] = (),
) -> Any:
    """Turns a function that composes schedules into a decay with a name of its own.

    The schedules that it returns keep the hyperparameters of the function as leaves; `parts()`
    gives the schedules that they are composed of.

    Args:
        function: `f(first, *, others...) -> schedule`, with annotations as for `decay`. It is
            called with arrays or tracers too, so it calculates as a decay does.
        check: called with all hyperparameters and options when a schedule is created; raises
            ValueError if they do not fit each other.
        order: as for `decay`.

    Returns:
        A function of the hyperparameters that returns a `Schedule`.

    Raises:
        TypeError: more than one hyperparameter is positional, or a parameter is `*args` or
            `**kwargs`.
        ValueError: another module has already defined a decay with this name.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.domain import Positive, Steps
        >>> @jaxdecay.compound
        ... def hold_then_fall(init_value: Positive, *, hold_steps: Steps, fall_steps: Steps):
        ...     fall = jaxdecay.linear(init_value, end_value=0.0, transition_steps=fall_steps)
        ...     return jaxdecay.join([init_value, fall], lengths=[hold_steps, fall_steps])
        >>> schedule = hold_then_fall(0.5, hold_steps=100, fall_steps=10)
        >>> float(schedule(105))
        0.25
        >>> schedule.parts().schedules[1]
        linear(init_value=0.5, end_value=0.0, transition_steps=10)
    """

    def define(function: Callable[..., Any]) -> Any:
        return _defined(Decay(function, check=check, is_compound=True, order=order), function)

    return define if function is None else define(function)


def _defined(known: Decay, function: Callable[..., Any]) -> Any:
    """The public function of a decay, registered."""
    positional = [
        name
        for name, each in known.signature.parameters.items()
        if each.kind is not each.KEYWORD_ONLY
    ]
    if len(positional) > 1:
        raise TypeError(
            f"{known.family}: only one hyperparameter may be positional, {positional[0]}; write "
            f"`*, ` before {positional[1]}, so that no two numbers can be mixed up"
        )

    @functools.wraps(function)
    def family(*args: Any, **kwargs: Any) -> Schedule:
        return known(*args, **kwargs)

    public: Any = family
    describe(public, known.signature, function)
    public.decay = known
    known.public = public
    register(public)
    return public


def _signature_without_step(
    family: str, function: Callable[..., Any], is_compound: bool
) -> inspect.Signature:
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise TypeError(f"an annotation of {family} is not known: {error}") from None
    parameters = list(signature.parameters.values())
    if not is_compound:
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if not parameters or parameters[0].kind not in positional:
            raise TypeError(f"{family}: the first parameter of a decay is its step")
        parameters = parameters[1:]
    taken = [each.name for each in parameters if hasattr(AdaptiveSchedule, each.name)]
    if taken:
        raise TypeError(
            f"{family}: a hyperparameter cannot be named {taken[0]!r}, which means "
            "something else for a schedule"
        )
    return signature.replace(parameters=parameters, return_annotation=Schedule)


def _restored(function: Any, annotations: Mapping[str, Any], options: Mapping[str, Any]) -> Decay:
    """The decay of a pickled function: the one that is registered, if it is the same."""
    known = families.get(getattr(function, "__name__", ""))
    code = getattr(function, "__code__", None)
    if known is not None and getattr(known.decay.function, "__code__", None) == code:
        return known.decay
    function.__annotations__ = dict(annotations)
    return Decay(function, **options)


def _checked_operand(where: str, domain: Domain, value: Any) -> Any:
    """A schedule, or a number that stands for one."""
    if isinstance(value, AdaptiveSchedule):
        raise ValueError(
            f"{where} cannot follow a metric inside another schedule, got {value!r}; "
            f"put {value.family} around the complete schedule"
        )
    if isinstance(value, Schedule | Tracer):
        return value
    if not callable(value) and not isinstance(value, list | tuple | str):
        fault = domain.fault(value)
        if fault is None:
            return as_python(value, count=False)
    hint = "; jaxdecay.from_function makes a schedule of a function" if callable(value) else ""
    raise ValueError(f"{where} must be a jaxdecay schedule or {domain}, got {value!r}{hint}")


class FunctionDecay(Decay):
    """The decay that a plain function is, known by the function and not by a name."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionDecay) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return FunctionDecay, (self.function,)

    def name_in_files(self) -> str:
        """A file cannot name a function."""
        raise ValueError(
            f"a schedule from from_function({self.family}, …) has no name in files; write "
            f"@jaxdecay.decay above the function {self.family} and call that instead"
        )

    def written(self, arguments: Sequence[str]) -> str:
        """The call of `from_function`."""
        return f"from_function({', '.join([self.family, *arguments])})"


def from_function(f: Callable[..., Any], /, **hyperparameters: Any) -> Schedule:
    """A schedule from a function of your own, or from an Optax schedule, as it is.

    Formula: `f(step, **hyperparameters)`.

    Args:
        f: `f(step, **hyperparameters) -> value`, composed of JAX operations, for one step. An
            annotation of `jaxdecay.domain` says what a hyperparameter may be; without one it is
            any finite number.
        **hyperparameters: those of the function, in its own units; they are leaves, which can be
            traced, stacked and differentiated.

    Returns:
        A `Schedule`. Those of equal functions and hyperparameters are equal. It pickles if the
        function does; a file cannot hold it: `@jaxdecay.decay` gives a function a name there.

    Raises:
        TypeError: a hyperparameter that the function does not have, or lacks, or a function that
            `jaxdecay.decay` refuses.
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> def hyperbola(step, init_value, half_life):
        ...     return init_value * half_life / (half_life + step)
        >>> schedule = jaxdecay.from_function(hyperbola, init_value=0.5, half_life=100)
        >>> schedule
        from_function(hyperbola, init_value=0.5, half_life=100.0)
        >>> float(schedule(100)), float(jaxdecay.warmup(schedule, warmup_steps=10)(110))
        (0.25, 0.25)

    Source:
        PyTorch `LambdaLR`; Keras `LearningRateScheduler`; any `optax.Schedule`.
    """
    if isinstance(f, Schedule) or isinstance(getattr(f, "decay", None), Decay):
        raise TypeError(f"from_function takes a function, got {f!r}, which is already a schedule")
    return FunctionDecay(f)(**hyperparameters)
