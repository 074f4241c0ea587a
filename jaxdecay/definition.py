"""Defining decays: `decay`, `compound` and `from_function` turn functions into families."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, overload

from jaxdecay.declaration import Decay, Family, Feedback
from jaxdecay.feedback import AdaptiveSchedule
from jaxdecay.groups import Group
from jaxdecay.inspection.marks import Clock, Marks
from jaxdecay.registry import families, register
from jaxdecay.schedule import Schedule
from jaxdecay.signatures import describe

P = ParamSpec("P")


class NamedDecay(Decay):
    """A decay with a name, under which it is registered."""

    def __init__(
        self, function: Callable[..., Any], *, feedback: Feedback | None = None, **declared: Any
    ) -> None:
        kind = Schedule if feedback is None else AdaptiveSchedule
        super().__init__(function, kind=kind, feedback=feedback, **declared)

    def __reduce__(self) -> tuple[Any, ...]:
        # For picklers that store functions by value and lose the names that only annotations
        # use. A schedule itself is pickled by its public function.
        declared = {
            "feedback": self.feedback,
            "check": self.check,
            "is_compound": self.is_compound,
            "order": self.order,
            "unit": self.unit,
            "end": self.end,
            "phases": self.phases,
            "group": self.group,
        }
        parameters = self.signature.parameters.values()
        annotations = {parameter.name: parameter.annotation for parameter in parameters}
        return _restored, (self.function, annotations, declared)


def decay_of(family: Any) -> Decay:
    """The `Decay` of a family; TypeError for anything else.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.definition import decay_of
        >>> list(decay_of(jaxdecay.constant).parameters)
        ['value']
    """
    declared = getattr(family, "decay", None)
    if not isinstance(declared, Decay) or isinstance(family, Schedule):
        raise TypeError(
            "expected a decay, such as jaxdecay.cosine or jaxdecay.family('cosine'), "
            f"got {family!r}"
        )
    return declared


@overload
def decay(function: Callable[Concatenate[Any, P], Any], /) -> Family[P, Schedule]: ...
@overload
def decay(
    *,
    feedback: Feedback,
    check: Callable[..., None] | None = None,
    order: Sequence[str] = (),
    phases: Callable[[Any, Clock], Marks] | None = None,
    group: str = Group.OWN,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Family[P, AdaptiveSchedule]]: ...
@overload
def decay(
    *,
    check: Callable[..., None] | None = None,
    order: Sequence[str] = (),
    unit: Callable[..., float] | None = None,
    end: Callable[..., Any] | None = None,
    phases: Callable[[Any, Clock], Marks] | None = None,
    group: str = Group.OWN,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Family[P, Schedule]]: ...
def decay(
    function: Any = None,
    /,
    *,
    check: Callable[..., None] | None = None,
    feedback: Feedback | None = None,
    order: Sequence[str] = (),
    unit: Callable[..., float] | None = None,
    end: Callable[..., Any] | None = None,
    phases: Callable[[Any, Clock], Marks] | None = None,
    group: str = Group.OWN,
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
        order: names of the hyperparameters that follow each other in time, first to last:
            lengths, and schedules that begin after them. A relative length, such as
            `jaxdecay.percent(10)`, begins where the one before it ends.
        unit: `unit(**hyperparameters)`, for a decay whose inner schedules do not count steps:
            how many steps one of their units takes.
        end: `end(**hyperparameters, **options)`, the step from which the last value is held, or
            None if it never is. Default: the sum of the lengths in `order`, if these are all.
        phases: `phases(schedule, clock)`, which yields when the parts of a schedule begin and
            end, so that `jaxdecay.check_schedule` can compare them with the run: a function
            from `jaxdecay.inspection.phases`, or one built from them. Default: only the values
            are checked.
        group: the heading under which catalogue and gallery list the family.

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
        declared = {"order": order, "unit": unit, "end": end, "phases": phases, "group": group}
        return _defined(NamedDecay(function, check=check, feedback=feedback, **declared), function)

    return define if function is None else define(function)


@overload
def compound(function: Callable[P, Schedule], /) -> Family[P, Schedule]: ...
@overload
def compound(
    *,
    check: Callable[..., None] | None = None,
    order: Sequence[str] = (),
    end: Callable[..., Any] | None = None,
    group: str = Group.OWN,
) -> Callable[[Callable[P, Schedule]], Family[P, Schedule]]: ...
def compound(
    function: Any = None,
    /,
    *,
    check: Callable[..., None] | None = None,
    order: Sequence[str] = (),
    end: Callable[..., Any] | None = None,
    group: str = Group.OWN,
) -> Any:
    """Turns a function that composes schedules into a decay with a name of its own.

    The schedules that it returns keep the hyperparameters of the function as leaves; `parts()`
    gives the schedules that they are composed of.

    Args:
        function: `f(first, *, others...) -> schedule`, with annotations as for `decay`. It is
            also called with arrays and tracers: use operators, and no `if` on a hyperparameter.
        check: called with all hyperparameters and options when a schedule is created; raises
            ValueError if they do not fit each other.
        order: as for `decay`.
        end: as for `decay`. Default: the end of its parts.
        group: as for `decay`.

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
        declared = {"order": order, "end": end, "group": group}
        return _defined(NamedDecay(function, check=check, is_compound=True, **declared), function)

    return define if function is None else define(function)


def _defined(known: Decay, function: Callable[..., Any]) -> Any:
    """The public function of a decay, registered."""
    positional = [
        parameter.name
        for parameter in known.signature.parameters.values()
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    if len(positional) > 1:
        raise TypeError(
            f"{known.family}: only one hyperparameter may be positional, got "
            f"{', '.join(positional)}; write `*, ` before {positional[1]}"
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


def _restored(function: Any, annotations: Mapping[str, Any], declared: Mapping[str, Any]) -> Decay:
    """The decay of an unpickled function: the registered one, if it has the same code."""
    known = families.get(getattr(function, "__name__", ""))
    code = getattr(function, "__code__", None)
    if known is not None and getattr(known.decay.function, "__code__", None) == code:
        return known.decay
    function.__annotations__ = dict(annotations)
    return NamedDecay(function, **declared)


class FunctionDecay(Decay):
    """A decay without a name; two are equal if their functions are."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function, kind=Schedule)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionDecay) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return FunctionDecay, (self.function,)

    def name_in_files(self) -> str:
        """Raises ValueError: a file cannot name a plain function."""
        raise ValueError(
            f"a schedule from from_function({self.family}, …) has no name in files; write "
            f"@jaxdecay.decay above the function {self.family} and call that instead"
        )

    def written(self, arguments: Sequence[str]) -> str:
        """The call of `from_function` that creates the schedule."""
        return f"from_function({', '.join([self.family, *arguments])})"


def from_function(f: Callable[..., Any], /, **hyperparameters: Any) -> Schedule:
    """A schedule from your own function, or from an Optax schedule.

    Formula: `f(step, **hyperparameters)`.

    Args:
        f: `f(step, **hyperparameters) -> value`, composed of JAX operations, for one step. An
            annotation from `jaxdecay.domain` limits a hyperparameter; without one any finite
            number is allowed.
        **hyperparameters: the hyperparameters of the function, in its own units. They are
            leaves, which can be traced, stacked and differentiated.

    Returns:
        A `Schedule`. Two are equal if their functions and hyperparameters are. It can be pickled
        if the function can, but not written to a file: for that use `@jaxdecay.decay`.

    Raises:
        TypeError: a hyperparameter that the function does not have, a missing one, or a function
            that `jaxdecay.decay` rejects.
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
        raise TypeError(
            f"from_function takes a function, got {f!r}, which is already a schedule; use it as is"
        )
    return FunctionDecay(f)(**hyperparameters)
