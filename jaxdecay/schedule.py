"""The core: a decay is a function of `step`, a schedule is a decay bound to its hyperparameters.

`decay` turns a function into a factory of `Schedule`s. A `Schedule` is a callable pytree whose
hyperparameters are leaves, so JAX can trace, stack, map and differentiate it, and Optax takes it
as a learning rate.
"""

from __future__ import annotations

import dataclasses
import difflib
import html
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    overload,
)

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Ge
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.domain import LARGEST_FLOAT_STEP, LAST_STEP, Domain
from jaxdecay.parameter import IsSchedule, Parameter, as_python, read_parameter

P = ParamSpec("P")

families: dict[str, Decay[...]] = {}
"""Every decay that was made, by its family name."""


@dataclasses.dataclass(frozen=True)
class Feedback:
    """How a schedule with state follows a metric: two pure functions.

    Attributes:
        init: `init(**hyperparameters, **options) -> state`, a pytree of arrays with a field
            `scale`, which multiplies the schedule's value.
        update: `update(state, metric, **hyperparameters, **options) -> state`.
    """

    init: Callable[..., Any]
    update: Callable[..., Any]


class Decay(Generic[P]):
    """A decay: call it with hyperparameters to get a `Schedule`. Made by `decay` or `compound`.

    Attributes:
        family: the name of the decay in files and tables.
        function: the decay itself, a function of `step` and the hyperparameters; of a compound,
            a function of the hyperparameters that puts a schedule together.
        is_compound: whether it is a compound.
        feedback: how its schedules follow a metric, or None.
        parameters: hyperparameters and options, by name, in the order of the signature.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        check: Callable[..., None] | None = None,
        *,
        is_compound: bool = False,
        feedback: Feedback | None = None,
    ) -> None:
        try:
            signature = inspect.signature(function, eval_str=True)
        except NameError as error:
            raise TypeError(f"an annotation of {function.__name__} is not known: {error}") from None
        self.family: str = getattr(function, "__name__", "")
        self.is_compound = is_compound
        self.feedback = feedback
        parameters = list(signature.parameters.values())
        if not is_compound:
            positional = (
                inspect.Parameter.POSITIONAL_ONLY,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
            )
            if not parameters or parameters[0].kind not in positional:
                raise TypeError(f"{self.family}: the first parameter of a decay is its step")
            parameters = parameters[1:]
        taken = [each.name for each in parameters if hasattr(Schedule, each.name)]
        if taken:
            raise TypeError(
                f"{self.family}: a hyperparameter cannot be named {taken[0]!r}, which means "
                "something else for a schedule"
            )
        self.function = function
        self.check = check
        self.parameters: Mapping[str, Parameter] = types.MappingProxyType(
            {each.name: read_parameter(self.family, each) for each in parameters}
        )
        self.__name__ = self.family
        self.__qualname__: str = getattr(function, "__qualname__", self.family)
        self.__module__: str = function.__module__
        self.__doc__ = function.__doc__
        self.__signature__ = signature.replace(parameters=parameters, return_annotation=Schedule)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Schedule:
        """A schedule with these hyperparameters and options, checked where they are concrete."""
        unknown = [name for name in kwargs if name not in self.parameters]
        if unknown:
            raise TypeError(self._unknown(unknown[0]))
        try:
            bound = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.family}: {error}; {self._takes()}") from None
        bound.apply_defaults()
        values = {
            name: self._checked(self.parameters[name], value)
            for name, value in bound.arguments.items()
        }
        if self.check is not None:
            self.check(**values)
        options = {name: each for name, each in values.items() if self._is_option(name)}
        hyperparameters = {name: each for name, each in values.items() if name not in options}
        return Schedule(self, hyperparameters, options)

    def value(self, step: Array, values: Mapping[str, Any]) -> Array:
        """The value at one step, of hyperparameters as arrays and options."""
        if self.is_compound:
            return self.function(**values)(step)
        return self.function(step, **values)

    def __repr__(self) -> str:
        return f"<decay {self.family}({', '.join(self.parameters)})>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__  # pickled by reference, as functions are

    def name_in_files(self) -> str:
        """The name by which a file finds it; ValueError if it has none."""
        return self.family

    def written(self, arguments: Sequence[str]) -> str:
        """The call of it with these arguments, as Python."""
        return f"{self.family}({', '.join(arguments)})"

    def _is_option(self, name: str) -> bool:
        return self.parameters[name].kind == "option"

    def _takes(self) -> str:
        return f"it takes {', '.join(self.parameters)}"

    def _unknown(self, name: str) -> str:
        return (
            f"{self.family} has no hyperparameter {name!r}"
            f"{nearest(name, self.parameters)}; {self._takes()}"
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


@overload
def decay(function: Callable[Concatenate[Any, P], Any], /) -> Decay[P]: ...
@overload
def decay(
    *, check: Callable[..., None] | None = None, feedback: Feedback | None = None
) -> Callable[[Callable[Concatenate[Any, P], Any]], Decay[P]]: ...
def decay(
    function: Any = None,
    /,
    *,
    check: Callable[..., None] | None = None,
    feedback: Feedback | None = None,
) -> Any:
    """Turns a function of `step` and hyperparameters into a factory of schedules.

    The function computes one value from one step; `Schedule` does the rest: it takes arrays of
    steps, never passes a negative step, and converts numbers to arrays of one float type
    (counts of steps given as integers stay integers). A parameter annotated `bool` or `Literal`
    is a static option; one annotated `ScheduleLike` is another schedule; every other one is a
    hyperparameter with the domain of its annotation (see `jaxdecay.domain`).

    Args:
        function: `f(step, **hyperparameters) -> value`, made of JAX operations. Its name
            becomes the family.
        check: called with all hyperparameters and options when a schedule is made; raises
            ValueError if they do not fit each other.
        feedback: for a schedule with state, how it follows a metric.

    Returns:
        A `Decay`: call it with hyperparameters to get a `Schedule`.

    Raises:
        TypeError: the function's first parameter is not positional, or a parameter is `*args`.
        ValueError: another module has already made a decay of this name.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.domain import Positive, PositiveSteps
        >>> @jaxdecay.decay
        ... def hyperbola(step, init_value: Positive, half_life: PositiveSteps):
        ...     return init_value * half_life / (half_life + step)
        >>> schedule = hyperbola(0.5, half_life=100)
        >>> schedule
        hyperbola(init_value=0.5, half_life=100)
        >>> float(schedule(100))
        0.25
    """
    if function is None:
        return lambda function: _register(Decay(function, check, feedback=feedback))
    return _register(Decay(function))


@overload
def compound(function: Callable[P, Schedule], /) -> Decay[P]: ...
@overload
def compound(*, check: Callable[..., None]) -> Callable[[Callable[P, Schedule]], Decay[P]]: ...
def compound(function: Any = None, /, *, check: Callable[..., None] | None = None) -> Any:
    """Turns a function that puts schedules together into a decay with a name of its own.

    The schedules that it makes keep the hyperparameters of the function as leaves; `parts()`
    gives the schedules that they are put together from.

    Args:
        function: `f(**hyperparameters) -> schedule`, with annotations as for `decay`. It is
            called with arrays or tracers too, so it calculates as a decay does.
        check: called with all hyperparameters and options when a schedule is made; raises
            ValueError if they do not fit each other.

    Returns:
        A `Decay`: call it with hyperparameters to get a `Schedule`.

    Raises:
        TypeError: a parameter is `*args` or `**kwargs`.
        ValueError: another module has already made a decay of this name.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.domain import Positive, Steps
        >>> @jaxdecay.compound
        ... def hold_then_fall(init_value: Positive, hold_steps: Steps, transition_steps: Steps):
        ...     fall = jaxdecay.linear(init_value, 0.0, transition_steps)
        ...     return jaxdecay.join([init_value, fall], [hold_steps, transition_steps])
        >>> schedule = hold_then_fall(0.5, hold_steps=100, transition_steps=10)
        >>> float(schedule(105))
        0.25
        >>> schedule.parts().schedules[1]
        linear(init_value=0.5, end_value=0.0, transition_steps=10)
    """
    if function is None:
        return lambda function: _register(Decay(function, check, is_compound=True))
    return _register(Decay(function, is_compound=True))


def family(name: str) -> Decay[...]:
    """The decay of a family name; ValueError with the nearest name if there is none.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.family("constant")(0.5)
        constant(value=0.5)
    """
    if not isinstance(name, str) or name not in families:
        raise ValueError(
            f"unknown family {name!r}{nearest(name, families)}; known are {', '.join(families)}"
        )
    return families[name]


def nearest(name: Any, known: Iterable[str]) -> str:
    """The end of an error message that names the nearest known name, or an empty string."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


@jax.tree_util.register_pytree_with_keys_class
class Schedule:
    """A decay bound to its hyperparameters: a learning rate as a function of `step`.

    Made by calling a decay, for example `jaxdecay.inverse_time(0.1, decay_rate=0.5)`. It is
    immutable; it is a pytree whose leaves are its hyperparameters; it is an `optax.Schedule`.
    Hyperparameters and options are attributes. `+` and `*` take numbers and schedules.

    Attributes:
        decay: the decay (static).
        hyperparameters: its hyperparameters by name, in the order of the signature (leaves).
        options: its options by name (static).

    Example:
        >>> import jax, jaxdecay
        >>> schedule = jaxdecay.inverse_time(0.1, decay_rate=0.5)
        >>> float(schedule(2)), schedule.decay_rate
        (0.05000000074505806, 0.5)
        >>> jax.tree.leaves(schedule)
        [0.1, 0.5, 1, 1.0]
        >>> schedule.replace(decay_rate=0.25)
        inverse_time(init_value=0.1, decay_rate=0.25)
    """

    __slots__ = ("__weakref__", "decay", "hyperparameters", "options")

    decay: Decay[...]
    hyperparameters: Mapping[str, Any]
    options: Mapping[str, Any]

    def __init__(
        self, decay: Decay[...], hyperparameters: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        object.__setattr__(self, "decay", decay)
        object.__setattr__(self, "hyperparameters", types.MappingProxyType(dict(hyperparameters)))
        object.__setattr__(self, "options", types.MappingProxyType(dict(options)))

    # As a function.

    def __call__(self, step: ArrayLike, state: Any = None) -> Array:
        """The value at a step.

        Args:
            step: number of updates finished before this one, from 0 to 2³¹−1; a number or an
                array of any integer or float type. A negative step counts as 0, a larger
                integer as the largest.
            state: for a schedule with state, what it learned from its metric; without it the
                value is the one before any metric.

        Returns:
            A float array of the shape of `step`: float32, or float64 where JAX's x64 mode is on.

        Raises:
            ValueError: the schedule is stacked and this is not inside `jax.vmap`.
        """
        step = _as_step(step)
        if step.ndim:
            return jax.vmap(self, in_axes=(0, None))(step.ravel(), state).reshape(step.shape)
        value = jnp.asarray(self.decay.value(step, self._arguments()), float)
        if state is not None and self.decay.feedback is not None:
            value = value * state.scale
        if value.ndim:
            raise ValueError(
                f"{self.family}: one step must give one value, got an array of shape {value.shape}"
            )
        return value

    def init(self) -> Any:
        """The state before any metric: `()` for a schedule without state.

        Example:
            >>> import jaxdecay
            >>> jaxdecay.constant(0.1).init()
            ()
        """
        feedback = self.decay.feedback
        return () if feedback is None else feedback.init(**self._arguments())

    def update(self, state: Any, metric: ArrayLike) -> Any:
        """The state after a metric: a pure function, to be compiled and mapped.

        Args:
            state: of `init()`, or of the update before.
            metric: a number, such as the loss on data not trained on.

        Returns:
            A state of the same kind.

        Raises:
            ValueError: the metric is an array of several numbers.

        Example:
            >>> import jaxdecay
            >>> schedule = jaxdecay.constant(0.1)
            >>> schedule.update(schedule.init(), 2.0)
            ()
        """
        feedback = self.decay.feedback
        if np.ndim(metric):
            raise ValueError(
                f"{self.family}: a metric is one number, got an array of shape {np.shape(metric)}; "
                "for many members use jax.vmap, or a jaxdecay.Population"
            )
        if feedback is None:
            return state
        return feedback.update(state, as_number(metric), **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        """Hyperparameters as arrays, and options."""
        numbers = {
            name: self._as_array(self.decay.parameters[name], value)
            for name, value in self.hyperparameters.items()
        }
        return {**numbers, **self.options}

    def parts(self) -> Schedule:
        """The schedule that a compound is put together from; other schedules are their own.

        Example:
            >>> import jaxdecay
            >>> schedule = jaxdecay.linear(0.1, 0.0, 100)
            >>> schedule.parts() == schedule
            True
        """
        if not self.decay.is_compound:
            return self
        return self.decay.function(**self.hyperparameters, **self.options)

    def _as_array(self, parameter: Parameter, value: Any) -> Any:
        if value is None or parameter.kind == "schedules" or isinstance(value, Schedule):
            return value
        if np.ndim(value) != parameter.domain.rank:
            raise ValueError(
                f"{self.family}: {parameter.name} has shape {np.shape(value)}, "
                f"expected {parameter.domain.rank} axes; to call stacked schedules use "
                "jax.vmap(lambda schedule: schedule(step))(schedules), or a jaxdecay.Population"
            )
        return as_number(value, count=parameter.domain.count)

    @property
    def family(self) -> str:
        """The name of its decay."""
        return self.decay.family

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for values in (self.hyperparameters, self.options):
                if name in values:
                    return values[name]
            raise AttributeError(self.decay._unknown(name))
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a schedule cannot be changed; use replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a schedule cannot be changed")

    def replace(self, **changes: Any) -> Schedule:
        """The same schedule with other hyperparameters or options, checked like a new one."""
        return self.decay(**{**self.hyperparameters, **self.options, **changes})

    __array_ufunc__ = None  # NumPy leaves `array * schedule` to the schedule

    # As arithmetic, made of decays in `compose`, which are found by name: that file needs this one.

    def __add__(self, other: Schedule | ArrayLike) -> Schedule:
        return family("add")(self, other)

    def __radd__(self, other: Schedule | ArrayLike) -> Schedule:
        return family("add")(other, self)

    def __mul__(self, other: Schedule | ArrayLike) -> Schedule:
        if isinstance(other, Schedule):
            return family("multiply")(self, other)
        return family("scale")(self, other)

    def __rmul__(self, other: ArrayLike) -> Schedule:
        return family("scale")(self, other)

    # As a pytree.

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        """Hyperparameters with their names; the rest is static."""
        children = tuple(
            (jax.tree_util.GetAttrKey(name), value) for name, value in self.hyperparameters.items()
        )
        return children, (self.decay, tuple(self.options.items()))

    @classmethod
    def tree_unflatten(cls, auxiliary: Any, children: Iterable[Any]) -> Schedule:
        """A schedule of whatever JAX puts in the place of hyperparameters; never checked."""
        decay, options = auxiliary
        names = (name for name, each in decay.parameters.items() if each.kind != "option")
        return cls(decay, dict(zip(names, children, strict=True)), dict(options))

    # As a value.

    def _identity(self) -> tuple[Any, ...]:
        leaves, structure = jax.tree.flatten(self)
        if any(isinstance(leaf, Tracer) for leaf in leaves):
            return (id(self),)
        arrays = [_as_used(np.asarray(leaf)) for leaf in leaves]
        return structure, tuple((each.dtype, each.shape, each.tobytes()) for each in arrays)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self is other or self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return Schedule, (self.decay, dict(self.hyperparameters), dict(self.options))

    def __repr__(self) -> str:
        shown = [
            f"{name}={_repr(value)}"
            for name, value in {**self.hyperparameters, **self.options}.items()
            if not _is_default(self.decay.parameters[name], value)
        ]
        return self.decay.written(shown)

    def _repr_html_(self) -> str:
        """In a notebook: the code that makes it, and each hyperparameter with its domain."""
        cells = [
            (name, _repr(value), str(self.decay.parameters[name].domain))
            for name, value in self.hyperparameters.items()
            if self.decay.parameters[name].kind == "number"
        ]
        rows = ["".join(f"<td>{html.escape(each)}</td>" for each in row) for row in cells]
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<code>{html.escape(repr(self))}</code><table>{table}</table>"

    def plot(self, steps: int) -> Any:
        """Draws its values from step 0 to `steps`.

        Returns:
            A Matplotlib `Figure`, which a notebook shows and `savefig` writes.
        """
        from jaxdecay.report.pictures import draw_schedules

        return draw_schedules([self], steps)

    # As data.

    def to_dict(self) -> dict[str, Any]:
        """The schedule as plain JSON types: its family, hyperparameters and options by name.

        Raises:
            ValueError: its decay has no name, as those of `from_function`.

        Example:
            >>> import jaxdecay
            >>> jaxdecay.step_decay(0.1, 0.5, 10).to_dict()
            {'family': 'step_decay', 'init_value': 0.1, 'decay_rate': 0.5, 'transition_steps': 10}
        """
        try:
            values = {name: plain(value) for name, value in self.hyperparameters.items()}
        except RecursionError:
            raise ValueError("schedules are nested too deeply to be written") from None
        values = {name: value for name, value in values.items() if value is not None}
        return {"family": self.decay.name_in_files(), **values, **self.options}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schedule:
        """The schedule of a dictionary made by `to_dict`, or written by hand.

        Raises:
            ValueError: an unknown family or hyperparameter, or a value outside its domain.

        Example:
            >>> import jaxdecay
            >>> jaxdecay.Schedule.from_dict({"family": "constant", "value": 0.1})
            constant(value=0.1)
        """
        if not isinstance(data, Mapping) or "family" not in data:
            raise ValueError(f"a schedule needs a dictionary with a family, got {data!r}")
        try:
            values = {name: from_plain(value) for name, value in data.items() if name != "family"}
            return family(data["family"])(**values)
        except TypeError as error:
            raise ValueError(str(error)) from None
        except RecursionError:
            raise ValueError("schedules are nested too deeply to be read") from None


ScheduleLike = Annotated[Schedule | ArrayLike, IsSchedule(), Ge(0)]
"""A schedule, or a number that stands for a constant one."""


def value_at(schedule: ScheduleLike, step: ArrayLike) -> Array:
    """The value of a schedule, or of a number that stands for a constant one, at a step."""
    return schedule(step) if isinstance(schedule, Schedule) else as_number(schedule)


def as_number(value: Any, *, count: bool = False) -> Array:
    """A number in JAX's default float type; an integer that counts steps in its integer type."""
    integer = count and jnp.issubdtype(jnp.result_type(value), jnp.integer)
    return jnp.asarray(value, int if integer else float)


def _as_used(array: np.ndarray) -> np.ndarray:
    """Floats in the type that a schedule calculates with, integers as they would be written."""
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(jnp.result_type(float))
    return array.astype(int) if jnp.issubdtype(array.dtype, jnp.integer) else array


def plain(value: Any) -> Any:
    """A hyperparameter as plain JSON types: numbers, lists and dictionaries."""
    if isinstance(value, Schedule):
        return value.to_dict()
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def from_plain(value: Any) -> Any:
    """The opposite of `plain`: dictionaries become schedules."""
    if isinstance(value, Mapping):
        return Schedule.from_dict(value)
    return [from_plain(each) for each in value] if isinstance(value, list) else value


def _register(made: Decay[P]) -> Decay[P]:
    before = families.get(made.family)
    if before is not None and before.__module__ != made.__module__:
        raise ValueError(
            f"a decay named {made.family!r} exists already, in {before.__module__}; "
            "give this function another name"
        )
    families[made.family] = made
    return made


def _checked_operand(where: str, domain: Domain, value: Any) -> Any:
    """A schedule, or a number that stands for one."""
    if isinstance(value, Schedule):
        if value.decay.feedback is not None:
            raise ValueError(
                f"{where} cannot follow a metric inside another schedule, got {value!r}; "
                f"put {value.family} around the whole schedule"
            )
        return value
    if isinstance(value, Tracer):
        return value
    if not callable(value) and not isinstance(value, list | tuple | str):
        fault = domain.fault(value)
        if fault is None:
            return as_python(value, count=False)
    hint = "; jaxdecay.from_function makes a schedule of a function" if callable(value) else ""
    raise ValueError(f"{where} must be a jaxdecay schedule or {domain}, got {value!r}{hint}")


def _as_step(step: ArrayLike) -> Array:
    """A step as JAX's default integer or float type, not below 0."""
    array = step if isinstance(step, jax.Array) else np.asarray(step)
    real = any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.integer, jnp.floating, jnp.bool))
    if not real:
        raise TypeError(f"a step is a real number, or an array of them, got {step!r}")
    if jnp.issubdtype(array.dtype, jnp.floating):
        return jnp.clip(jnp.asarray(array, float), 0, LARGEST_FLOAT_STEP)
    if jnp.issubdtype(array.dtype, jnp.integer):
        # Cut off in its own type: JAX would wrap what does not fit into its integers.
        largest = min(LAST_STEP, jnp.iinfo(array.dtype).max)
        array = array.clip(max=array.dtype.type(largest))
    return jnp.maximum(jnp.asarray(array).astype(int), 0)


def _repr(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_repr, value))}]"
    concrete = isinstance(value, np.ndarray | np.generic | jax.Array)
    if concrete and not isinstance(value, Tracer) and value.ndim <= 1:
        return repr(value.tolist())
    return repr(value)


def _is_default(parameter: Parameter, value: Any) -> bool:
    return (
        not parameter.required
        and type(value) is type(parameter.default)
        and (value == parameter.default)
    )
