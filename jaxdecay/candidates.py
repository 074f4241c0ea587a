"""Populations of one family: every combination of some values, or values drawn at random."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxdecay.declaration import Decay, Family
from jaxdecay.definition import decay_of
from jaxdecay.parameter import Parameter
from jaxdecay.population import Population, stack
from jaxdecay.schedule import Schedule


def grid(family: Family[..., Schedule], /, **values: Any) -> Population:
    """Every combination of the given values of hyperparameters and options.

    Args:
        family: a decay, for example `jaxdecay.inverse_time`.
        **values: by name, one value or a list of values. For a hyperparameter that is a vector
            (or a tuple of schedules), a list is one vector and a list of lists is a grid.

    Returns:
        A `Population`; the last hyperparameter varies fastest.

    Raises:
        TypeError: an unknown or missing hyperparameter.
        ValueError: an empty list, or a value outside its domain.

    Example:
        >>> import jaxdecay
        >>> population = jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.1, 0.3], decay_rate=0.5)
        >>> list(population)
        [inverse_time(init_value=0.1, decay_rate=0.5), inverse_time(init_value=0.3, decay_rate=0.5)]
    """
    decay = decay_of(family)
    choices = {}
    for name, value in values.items():
        choices[name] = choices_of(decay.parameters.get(name), value)
        if not choices[name]:
            raise ValueError(f"grid of {decay.family}: {name} has no values; give at least one")
    return stack(
        decay(**dict(zip(choices, combination, strict=True)))
        for combination in itertools.product(*choices.values())
    )


def sample(family: Family[..., Schedule], number: int, key: Array, /, **values: Any) -> Population:
    """Schedules drawn at random: random search.

    Args:
        family: a decay, for example `jaxdecay.inverse_time`.
        number: how many schedules, at least 1.
        key: a JAX random key.
        **values: by name, a fixed value, or a tuple (low, high) to draw from. What is not
            named keeps its default; without a default it is drawn from the search range of its
            domain, on its scale (logarithmic for learning rates).

    Returns:
        A `Population` of `number` schedules.

    Raises:
        TypeError: an unknown hyperparameter.
        ValueError: `number` below 1, a hyperparameter that cannot be drawn, or a range that is
            empty or outside the domain.

    Example:
        >>> import jax, jaxdecay
        >>> key = jax.random.key(0)
        >>> jaxdecay.sample(jaxdecay.cosine, 8, key, init_value=(0.01, 1.0), transition_steps=500)
        Population of 8 schedules
          8 cosine  init_value 0.0174 … 0.484, transition_steps 500
    """
    decay = decay_of(family)
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"sample of {decay.family}: number must be at least 1, got {number}")
    columns = {name: [value] * number for name, value in values.items()}
    for position, (name, parameter) in enumerate(decay.parameters.items()):
        value = values.get(name)
        is_range = parameter.kind == "number" and not parameter.domain.rank
        is_range = is_range and isinstance(value, tuple)
        if is_range or (value is None and parameter.required):
            low, high = _search_range(decay, parameter, value)
            drawn = parameter.domain.draw(jax.random.fold_in(key, position), number, low, high)
            columns[name] = drawn.tolist()
    return stack(
        decay(**{name: column[row] for name, column in columns.items()}) for row in range(number)
    )


def choices_of(parameter: Parameter | None, value: Any) -> list[Any]:
    """The values that a grid takes for one hyperparameter; None stands for an unknown one."""
    if isinstance(value, str | Schedule) or not hasattr(value, "__len__"):
        return [value]
    if not isinstance(value, list | tuple) and np.ndim(value) == 0:
        return [value]
    choices = list(value)
    one_vector = parameter is not None and (
        parameter.kind == "schedules" or bool(parameter.domain.rank)
    )
    if one_vector and not (choices and all(np.ndim(choice) == 1 for choice in choices)):
        return [value]
    return choices


def _search_range(
    decay: Decay, parameter: Parameter, limits: tuple[Any, ...] | None
) -> tuple[float, float]:
    where = f"sample of {decay.family}: {parameter.name}"
    if limits is None:
        search = parameter.domain.search if parameter.kind == "number" else None
        if search is None:
            raise ValueError(f"{where} cannot be drawn at random; give it a value")
        return search.low, search.high
    low, high = limits
    for end in (low, high):
        fault = parameter.domain.fault(end)
        if fault is not None:
            raise ValueError(f"{where} {fault}")
    if parameter.domain.count:
        low, high = math.ceil(low), math.floor(high)
    if low > high:
        between = "an integer from low to high" if parameter.domain.count else "low ≤ high"
        raise ValueError(f"{where} has an empty range, {limits}; expected (low, high), {between}")
    return low, high
