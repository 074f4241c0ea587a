"""Populations: many schedules as one pytree, whatever their families.

`grid` builds every combination, `sample` draws at random, `stack` takes single schedules and
`concat` joins populations. A `Population` is a pytree: it can be traced, differentiated and passed
to a compiled function. Called with a step, it returns the values of all schedules.
"""

from __future__ import annotations

import html
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.feedback import AdaptiveSchedule, value_at
from jaxdecay.length import Length
from jaxdecay.number import as_number
from jaxdecay.pairs import Pair, as_one
from jaxdecay.resolution import has_lengths
from jaxdecay.schedule import Schedule, partition
from jaxdecay.serialization import serializable
from jaxdecay.spelling import counted


@jax.tree_util.register_pytree_with_keys_class
class Population:
    """S schedules of any families, created by `stack`, `grid`, `sample` or `concat`.

    Schedules of one family and structure are stored together, with stacked hyperparameters, so
    that the cost of tracing and compiling grows with the number of families, not of schedules.

    Attributes:
        groups: stacked schedules, one for each family and structure (leaves have a leading axis).
        order: for each schedule, its position among the rows of all groups (static).

    Example:
        >>> import jaxdecay
        >>> population = jaxdecay.concat(
        ...     jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.1, 0.3], decay_rate=[0.5, 1.0]),
        ...     jaxdecay.grid(jaxdecay.cosine, init_value=[0.1, 0.3], transition_steps=100),
        ... )
        >>> population
        Population of 6 schedules
          4 inverse_time  init_value 0.1 … 0.3, decay_rate 0.5 … 1
          2 cosine        init_value 0.1 … 0.3, transition_steps 100
        >>> population[4]
        cosine(init_value=0.1, transition_steps=100)
        >>> [round(float(value), 4) for value in population(2)]
        [0.05, 0.0333, 0.15, 0.1, 0.0999, 0.2997]
    """

    def __init__(self, groups: Sequence[Schedule], order: Sequence[int]) -> None:
        self.groups = tuple(groups)
        self.order = tuple(order)

    def __call__(self, step: ArrayLike, states: Any = None) -> Array:
        """The values of all S schedules at a step.

        Args:
            step: as for `Schedule`: a number or an array.
            states: from `init_states()` or `update_states()`, for adaptive schedules; without
                them the values are those before any metric.

        Returns:
            A float array of shape [S, *step.shape].
        """
        states = [None] * len(self.groups) if states is None else states
        values = [
            jax.vmap(lambda schedule, state: value_at(schedule, step, state))(group, state)
            for group, state in zip(self.groups, states, strict=True)
        ]
        rows = jnp.concatenate(values)
        return rows if self._in_order() else rows[np.asarray(self.order)]

    @property
    def is_adaptive(self) -> bool:
        """Whether any of its schedules follows a metric."""
        return any(isinstance(group, AdaptiveSchedule) for group in self.groups)

    def init_states(self) -> tuple[Any, ...]:
        """For each group, the stacked states of its schedules before any metric.

        Example:
            >>> import jaxdecay
            >>> jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3]).init_states()
            ((),)
        """
        return tuple(
            jax.vmap(lambda schedule: schedule.init())(group)
            if isinstance(group, AdaptiveSchedule)
            else ()
            for group in self.groups
        )

    def update_states(self, states: tuple[Any, ...], values: ArrayLike) -> tuple[Any, ...]:
        """The states after each schedule has seen its own metric.

        Args:
            states: from `init_states()`, or from the update before.
            values: one metric per schedule, of shape [S].

        Returns:
            States of the same kind.

        Raises:
            ValueError: `values` does not have the shape [S].

        Example:
            >>> import jaxdecay
            >>> population = jaxdecay.grid(
            ...     jaxdecay.reduce_on_plateau, schedule=0.5, factor=0.5, patience=[0, 1]
            ... )
            >>> states = population.init_states()
            >>> for losses in ([2.0, 2.0], [2.0, 2.0]):
            ...     states = population.update_states(states, losses)
            >>> population(2, states).tolist()
            [0.25, 0.5]
        """
        values = as_number(values)
        if values.shape != (len(self),):
            raise ValueError(
                f"a population of {counted(len(self), 'schedule')} takes one metric each, got an "
                f"array of shape {values.shape}; pass one of shape ({len(self)},)"
            )
        rows = values if self._in_order() else values[np.argsort(self.order)]
        starts = itertools.accumulate(map(_rows, self.groups), initial=0)
        return tuple(
            jax.vmap(lambda schedule, state, value: schedule.update(state, value=value))(
                group, state, rows[start : start + _rows(group)]
            )
            if isinstance(group, AdaptiveSchedule)
            else state
            for group, state, start in zip(self.groups, states, starts, strict=False)
        )

    def resolve(
        self,
        *,
        steps: float | None = None,
        steps_per_epoch: float | None = None,
        samples_per_step: ArrayLike | None = None,
        tokens_per_step: ArrayLike | None = None,
    ) -> Population:
        """The population with relative lengths as counts of steps, as by `Schedule.resolve`.

        Example:
            >>> import jaxdecay
            >>> population = jaxdecay.grid(
            ...     jaxdecay.cosine, init_value=[0.1, 0.3], transition_steps=jaxdecay.percent(100)
            ... )
            >>> population.resolve(steps=500)[1]
            cosine(init_value=0.3, transition_steps=500)
        """
        if not has_lengths(self):
            return self
        return stack(
            schedule.resolve(
                steps=steps,
                steps_per_epoch=steps_per_epoch,
                samples_per_step=samples_per_step,
                tokens_per_step=tokens_per_step,
            )
            for schedule in self
        )

    def partition(self) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], Population]]:
        """The stacked hyperparameters that have a gradient; see `Schedule.partition`.

        Example:
            >>> import jaxdecay
            >>> floats, rebuild = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3]).partition()
            >>> floats
            {'groups.0.value': array([0.1, 0.3])}
        """
        return partition(self)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Schedule]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Schedule: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> Population: ...
    def __getitem__(self, index: Any) -> Schedule | Population:
        """A schedule for an index; a population for a slice, a list of indices or a mask."""
        if np.ndim(index) == 0 and not isinstance(index, slice):
            index = operator.index(index)
            if not -len(self) <= index < len(self):
                raise IndexError(
                    f"index {index} is out of range for a population of "
                    f"{counted(len(self), 'schedule')}"
                )
            position = self.order[index]
            for group in self.groups:
                if position < _rows(group):
                    return _row(group, position)
                position -= _rows(group)
        chosen = np.arange(len(self))[index]
        if chosen.size == 0:
            raise ValueError(
                f"the index selects none of the {len(self)} schedules; a population needs one"
            )
        return stack(self[int(row)] for row in chosen)

    def __repr__(self) -> str:
        rows = self._summary()
        count, name = (max(len(row[place]) for row in rows) for place in (0, 1))
        lines = [f"  {row[0]:>{count}} {row[1]:{name}}  {row[2]}" for row in rows]
        return "\n".join([f"Population of {counted(len(self), 'schedule')}", *lines])

    def _repr_html_(self) -> str:
        """In a notebook: a table of the families and of the ranges of their hyperparameters."""
        rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self._summary()]
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"Population of {counted(len(self), 'schedule')}<table>{table}</table>"

    def _summary(self) -> list[tuple[str, str, str]]:
        """For each group: the number of schedules, their family, the ranges of their values."""
        counts = [np.shape(_first_leaf(group))[:1] for group in self.groups]
        return [
            (str(*count), _name(group), _ranges(group))
            for count, group in zip(counts, self.groups, strict=True)
        ]

    def tree_flatten_with_keys(self) -> tuple[tuple[Any, ...], Any]:
        """The stacked schedules; their order is static."""
        return ((jax.tree_util.GetAttrKey("groups"), self.groups),), self.order

    @classmethod
    def tree_unflatten(cls, order: Any, children: Iterable[Any]) -> Population:
        """A population from whatever JAX passes as groups; never checked."""
        (groups,) = children
        population = object.__new__(cls)
        population.groups, population.order = groups, order
        return population

    def _in_order(self) -> bool:
        return self.order == tuple(range(len(self)))


serializable(
    Population,
    children=lambda population: {"groups": population.groups},
    restored=lambda population, values: Population.tree_unflatten(
        population.order, values.values()
    ),
    static=list,
    from_static=tuple,
)


def stack(schedules: Iterable[Schedule]) -> Population:
    """A population of the given schedules, in their order.

    Args:
        schedules: at least one schedule; families may differ.

    Returns:
        A `Population`.

    Raises:
        ValueError: no schedules.
        TypeError: something that is not a schedule.

    Example:
        >>> import jaxdecay
        >>> len(
        ...     jaxdecay.stack(
        ...         [
        ...             jaxdecay.constant(0.1),
        ...             jaxdecay.linear(0.1, end_value=0.0, transition_steps=100),
        ...         ]
        ...     )
        ... )
        2
    """
    kinds: dict[Any, list[tuple[int, list[Any]]]] = {}
    for index, schedule in enumerate(schedules):
        if not isinstance(schedule, Schedule):
            raise TypeError(
                f"stack takes schedules, such as jaxdecay.constant(0.1), got {schedule!r}"
            )
        leaves, structure = jax.tree.flatten(schedule)
        if not leaves:
            raise ValueError(f"{schedule!r} has no hyperparameters to stack; give its function one")
        shapes = tuple((np.shape(leaf), _is_integer(leaf)) for leaf in leaves)
        kinds.setdefault((structure, shapes), []).append((index, leaves))
    if not kinds:
        raise ValueError("a population needs at least one schedule, got none")
    groups, positions = [], {}
    for (structure, _), members in kinds.items():
        first = len(positions)
        positions.update({index: first + row for row, (index, _) in enumerate(members)})
        columns = zip(*(leaves for _, leaves in members), strict=True)
        groups.append(structure.unflatten([_stack_leaves(column) for column in columns]))
    return Population(groups, [positions[index] for index in range(len(positions))])


def concat(*populations: Population) -> Population:
    """Joins populations into one, in their order; families may differ.

    Raises:
        TypeError: something that is not a population.
        ValueError: no populations.

    Example:
        >>> import jaxdecay
        >>> small = jaxdecay.grid(jaxdecay.constant, value=[0.01, 0.1])
        >>> len(jaxdecay.concat(small, small))
        4
    """
    for population in populations:
        if not isinstance(population, Population):
            raise TypeError(
                "concat takes populations as separate arguments, got "
                f"{type(population).__name__}; to combine schedules use jaxdecay.stack"
            )
    if len(populations) == 1:
        return populations[0]
    return stack(itertools.chain.from_iterable(populations))


def _is_integer(leaf: Any) -> bool:
    if type(leaf) in (int, float):  # as most are, and JAX needs long to say so
        return type(leaf) is int
    return jnp.issubdtype(jnp.result_type(leaf), jnp.integer)


def _stack_leaves(leaves: Sequence[Any]) -> Any:
    # NumPy stores Python's numbers in full; JAX rounds them to float32 when it uses them.
    traced = any(isinstance(leaf, jax.Array) for leaf in leaves)
    return jnp.stack([jnp.asarray(leaf) for leaf in leaves]) if traced else np.stack(leaves)


def _first_leaf(group: Schedule) -> Any:
    return next(iter(jax.tree.leaves(group)), None)


def _rows(group: Schedule) -> int:
    return _first_leaf(group).shape[0]


def _row(group: Schedule, row: int) -> Schedule:
    def pick(leaf: Any) -> Any:
        value = leaf[row]
        return value.item() if isinstance(value, np.generic) else value

    return jax.tree.map(pick, group)


def _name(group: Schedule) -> str:
    """Its family and, in brackets, those of its inner schedules."""
    values = jax.tree.leaves(
        list(group.hyperparameters.values()), is_leaf=lambda node: isinstance(node, Schedule)
    )
    inner = [_name(value) for value in values if isinstance(value, Schedule)]
    return f"{group.family}({', '.join(inner)})" if inner else group.family


def _ranges(group: Schedule) -> str:
    """The hyperparameters and options that are not at their defaults, with their ranges."""
    words = []
    paths = jax.tree_util.tree_leaves_with_path(
        group, is_leaf=lambda node: isinstance(node, Pair | Length)
    )
    for path, value in paths:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        unit = value.unit if isinstance(value, Length) else None
        leaf: Any = as_one(value.value if isinstance(value, Length) else value)
        concrete = isinstance(leaf, np.ndarray | Array) and not isinstance(leaf, Tracer)
        if not concrete or leaf.ndim != 1 or not jnp.issubdtype(leaf.dtype, jnp.number):
            words.append(name)
            continue
        low, high = np.min(leaf), np.max(leaf)
        parameter = group.decay.parameters.get(name)
        suffix = {None: "", "percent": "%"}.get(unit, f" {unit}")
        if low < high:
            words.append(f"{name} {low:.3g} … {high:.3g}{suffix}")
        elif unit is not None or parameter is None or parameter.default != low:
            words.append(f"{name} {low:.3g}{suffix}")
    for name, value in group.options.items():
        if value != group.decay.parameters[name].default:
            words.append(f"{name} {value}")
    return ", ".join(words)
