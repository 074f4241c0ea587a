"""The core: a schedule is a decay bound to its hyperparameters.

A `Schedule` is a callable pytree whose hyperparameters are leaves, so JAX can trace, stack, map
and differentiate it, and Optax takes it as a learning rate. An `AdaptiveSchedule` also follows a
metric, as an `optax.schedules.StatefulSchedule`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay import plain
from jaxdecay.declaration import BoundDecay
from jaxdecay.length import Position, Run
from jaxdecay.number import as_number, as_step, as_used, clamped, is_strong, weakly_typed
from jaxdecay.pairs import Pair, as_one, joined, normalised, split
from jaxdecay.parameter import Parameter
from jaxdecay.registry import family
from jaxdecay.resolution import resolved
from jaxdecay.serialization import serializable


class _Known(NamedTuple):
    """What a schedule caches on its first call."""

    leaves: list[Any]
    structure: Any
    traced: bool
    weak: bool
    evaluate: Any


@jax.tree_util.register_pytree_with_keys_class
class Schedule(BoundDecay):
    """A decay bound to its hyperparameters: a learning rate as a function of `step`.

    Call a decay to create one, for example `jaxdecay.inverse_time(0.1, decay_rate=0.5)`. It is
    immutable, a pytree with its hyperparameters as leaves, and an `optax.Schedule`.
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

    __slots__ = ("_cached",)

    # As a function.

    def __call__(self, step: ArrayLike) -> Array:
        """The value at a step.

        Args:
            step: number of completed updates, from 0 to 2³¹−1; a number or an array of any
                integer or float type. A negative step counts as 0, a larger integer as 2³¹−1.

        Returns:
            A float array with the shape of `step`: float32, or float64 in JAX's x64 mode. Unless
            a hyperparameter or the step is a float array, it is weakly typed, like a Python
            number, and does not change the type of what it multiplies.

        Raises:
            ValueError: the schedule is stacked and called outside `jax.vmap`, or a length is
                relative to the run: call `resolve` first.
        """
        at, known = as_step(step), self._known()
        if known.evaluate is None or isinstance(at, Tracer):
            return self._value(known.weak, at)
        return known.evaluate(known.leaves, at)

    def _run(self, method: str, *arguments: Any) -> Any:
        """Calls a method; unless something is traced, it is compiled once per structure."""
        known = self._known()
        if known.traced or any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arguments)):
            return getattr(self, method)(known.weak, *arguments)
        return _compiled(known.structure, known.weak, method)(known.leaves, *arguments)

    def _known(self) -> _Known:
        """The leaves and what follows from them, computed once."""
        try:
            return self._cached
        except AttributeError:
            self._check_resolved()
            leaves, structure = jax.tree.flatten(self)
            traced = any(isinstance(leaf, Tracer) for leaf in leaves)
            weak = not any(map(is_strong, leaves))
            evaluate = None if traced else _compiled(structure, weak, "_value")
            object.__setattr__(self, "_cached", _Known(leaves, structure, traced, weak, evaluate))
            return self._cached

    def _value(self, weak: bool, step: Array) -> Array:
        step = clamped(step)
        if step.ndim:
            return jax.vmap(functools.partial(self._value, weak))(step.ravel()).reshape(step.shape)
        value = jnp.asarray(self.decay.value(step, self._arguments()), float)
        if value.ndim:
            raise ValueError(
                f"{self.family}: one step must give one value, got an array of shape "
                f"{value.shape}; return a number"
            )
        return weakly_typed(value) if weak and not is_strong(step) else value

    def _arguments(self) -> dict[str, Any]:
        """Hyperparameters as arrays, and options."""
        numbers = {
            name: self._as_array(self.decay.parameters[name], value)
            for name, value in self.hyperparameters.items()
        }
        return {**numbers, **self.options}

    def parts(self) -> Schedule:
        """The schedule that a compound is composed of; any other schedule returns itself.

        Example:
            >>> import jaxdecay
            >>> schedule = jaxdecay.linear(0.1, end_value=0.0, transition_steps=100)
            >>> schedule.parts() == schedule
            True
        """
        if not self.decay.is_compound:
            return self
        self._check_resolved()
        return self.decay.function(**self.hyperparameters, **self.options)

    def resolve(
        self,
        *,
        steps: float | None = None,
        steps_per_epoch: float | None = None,
        samples_per_step: ArrayLike | None = None,
        tokens_per_step: ArrayLike | None = None,
    ) -> Self:
        """The schedule with its relative lengths converted to counts of steps.

        Lengths that follow each other, such as warm-up, plateau and decay, are added up before
        they are rounded: shares that sum to 100 % end at `steps` exactly.

        Args:
            steps: updates in the run, > 0; needed for `percent`.
            steps_per_epoch: updates in one pass through the data, > 0; needed for `epochs`.
            samples_per_step: examples in a batch, > 0; needed for `samples`. For batches that
                grow, an array with one number per step; its last number holds for later steps.
            tokens_per_step: tokens in a batch, likewise; needed for `tokens`.

        Returns:
            A schedule without relative lengths; the same object if it had none.

        Raises:
            ValueError: an argument that a length needs is missing, or the resolved lengths do
                not fit each other.

        Example:
            >>> import jaxdecay
            >>> schedule = jaxdecay.warmup_cosine(
            ...     0.1,
            ...     warmup_steps=jaxdecay.epochs(1),
            ...     transition_steps=jaxdecay.percent(90),
            ... )
            >>> schedule.resolve(steps=1_000, steps_per_epoch=100)
            warmup_cosine(peak_value=0.1, warmup_steps=100, transition_steps=900)
        """
        run = Run(steps, steps_per_epoch, samples_per_step, tokens_per_step)
        return resolved(self, run, Position())

    def partition(self) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], Self]]:
        """The hyperparameters that have a gradient, and a function that replaces them.

        Returns:
            A dictionary of the float leaves by name, such as "init_value" or
            "schedule.end_value", and a function that rebuilds the schedule from such a
            dictionary. Counts of steps given as integers have no gradient and stay as they are.

        Example:
            >>> import jax, jaxdecay
            >>> decay = jaxdecay.cosine(0.5, transition_steps=90)
            >>> schedule = jaxdecay.warmup(decay, warmup_steps=10)
            >>> floats, rebuild = schedule.partition()
            >>> list(floats)
            ['schedule.init_value', 'schedule.end_value', 'schedule.power', 'init_value']
            >>> float(jax.grad(lambda floats: rebuild(floats)(5))(floats)["schedule.init_value"])
            0.5
        """
        return partition(self)

    def _as_array(self, parameter: Parameter, value: Any) -> Any:
        if value is None or parameter.kind == "schedules" or isinstance(value, Schedule):
            return value
        if parameter.domain.digits:
            value = split(value)
        if isinstance(value, Pair):
            high = self._as_number(parameter, value.high)
            return normalised(Pair(high, jax.lax.stop_gradient(as_number(value.low))))
        return self._as_number(parameter, value)

    def _as_number(self, parameter: Parameter, value: Any) -> Array:
        if np.ndim(value) != parameter.domain.rank:
            raise ValueError(
                f"{self.family}: {parameter.name} has shape {np.shape(value)}, "
                f"expected {parameter.domain.rank} axes; to call stacked schedules use "
                "jax.vmap(lambda schedule: schedule(step))(schedules), or a jaxdecay.Population"
            )
        return as_number(value, count=parameter.domain.count)

    __array_ufunc__ = None  # NumPy leaves `array * schedule` to the schedule

    # As arithmetic. The decays are looked up by name, as `compose` imports this file.

    def __add__(self, other: Schedule | ArrayLike) -> Schedule:
        return family("add")(self, second=other)

    def __radd__(self, other: Schedule | ArrayLike) -> Schedule:
        return family("add")(other, second=self)

    def __mul__(self, other: Schedule | ArrayLike) -> Schedule:
        if isinstance(other, Schedule):
            return family("multiply")(self, second=other)
        return family("scale")(self, factor=other)

    def __rmul__(self, other: ArrayLike) -> Schedule:
        return family("scale")(self, factor=other)

    # As a pytree.

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        """Hyperparameters with their names; the rest is static.

        A number marked `Digits` becomes two leaves, `high` and `low`: JAX would round a single one.
        """
        parameters = self.decay.parameters
        children = tuple(
            (
                jax.tree_util.GetAttrKey(name),
                split(value) if parameters[name].domain.digits else value,
            )
            for name, value in self.hyperparameters.items()
        )
        return children, (self.decay, tuple(self.options.items()))

    @classmethod
    def tree_unflatten(cls, auxiliary: Any, children: Iterable[Any]) -> Schedule:
        """A schedule from whatever JAX passes as hyperparameters; never checked."""
        decay, options = auxiliary
        parameters = decay.parameters.items()
        names = (name for name, parameter in parameters if parameter.kind != "option")
        values = dict(zip(names, map(joined, children), strict=True))
        return cls(decay, values, dict(options))

    # As a value.

    def _identity(self) -> tuple[Any, ...]:
        leaves, structure = jax.tree.flatten(self)
        if any(isinstance(leaf, Tracer) for leaf in leaves):
            return (id(self),)
        arrays = [as_used(np.asarray(leaf)) for leaf in leaves]
        return structure, tuple((array.dtype, array.shape, array.tobytes()) for array in arrays)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self is other or self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        family = self.decay.public or self.decay
        return _unpickled, (family, dict(self.hyperparameters), dict(self.options))

    # As data.

    def to_dict(self) -> dict[str, Any]:
        """The schedule as plain JSON types: its family, hyperparameters and options by name.

        Raises:
            ValueError: its decay has no name, as with `from_function`.

        Example:
            >>> import jaxdecay
            >>> jaxdecay.step_decay(0.1, decay_rate=0.5, transition_steps=10).to_dict()
            {'family': 'step_decay', 'init_value': 0.1, 'decay_rate': 0.5, 'transition_steps': 10}
        """
        return plain.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schedule:
        """The schedule that a dictionary describes, from `to_dict` or written by hand.

        Raises:
            ValueError: an unknown family or hyperparameter, or a value outside its domain.

        Example:
            >>> import jaxdecay
            >>> jaxdecay.Schedule.from_dict({"family": "constant", "value": 0.1})
            constant(value=0.1)
        """
        return plain.from_dict(data)


def known_to_others(kind: type[Schedule]) -> None:
    """Registers a class of schedules with `jax.export` and Flax."""
    serializable(
        kind,
        children=lambda schedule: dict(schedule.hyperparameters),
        restored=lambda schedule, values: kind(schedule.decay, values, schedule.options),
        static=lambda data: [data[0].name_in_files(), [list(option) for option in data[1]]],
        from_static=lambda data: (family(data[0]).decay, tuple(map(tuple, data[1]))),
    )


known_to_others(Schedule)


def partition(tree: Any) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], Any]]:
    """The float leaves of a pytree by name, and a function that rebuilds it with other values."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(
        tree, is_leaf=lambda node: isinstance(node, Pair)
    )
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    values = dict(zip(names, (joined(leaf) for _, leaf in leaves), strict=True))
    numbers = {name: as_one(value) for name, value in values.items()}
    floats = {
        name: number
        for name, number in numbers.items()
        if jnp.issubdtype(jnp.result_type(number), jnp.floating)
    }

    def rebuild(floats: Mapping[str, Any]) -> Any:
        return structure.unflatten({**values, **floats}[name] for name in names)

    return floats, rebuild


@functools.lru_cache(maxsize=1024)
def _compiled(structure: Any, weak: bool, method: str) -> Any:
    """A method, compiled for all schedules with this structure; their leaves are arguments."""

    def run(leaves: list[Any], *arguments: Any) -> Any:
        return getattr(structure.unflatten(leaves), method)(weak, *arguments)

    return jax.jit(run)


def _unpickled(family: Any, hyperparameters: Any, options: Any) -> Schedule:
    return getattr(family, "decay", family).schedule(hyperparameters, options)
