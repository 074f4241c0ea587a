"""Where a schedule ends, as its decay declares it or from the lengths of its parts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdecay.decays.time import same_kind
from jaxdecay.domain import LAST_STEP
from jaxdecay.pairs import as_one
from jaxdecay.schedule import Schedule


def end_of(schedule: Any) -> Any:
    """The step from which a schedule holds its last value; None if it declares none.

    It is the `end` that the decay declares; or the sum of the lengths in its `order`, if these are
    all; or, for a compound without either, the end of its parts. It is None for numbers, for decays
    without an end, such as `exponential`, and for those that cycle.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.extent import end_of
        >>> end_of(jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=90))
        100
        >>> end_of(jaxdecay.constant(0.1)) is None
        True
    """
    if not isinstance(schedule, Schedule):
        return None
    decay = schedule.decay
    if decay.end is not None:
        values = {name: as_one(value) for name, value in schedule.hyperparameters.items()}
        return decay.end(**values, **schedule.options)
    counts = {name for name, parameter in decay.parameters.items() if parameter.domain.count}
    if decay.order and counts <= set(decay.order):
        return _end_of_sequence(schedule)
    return end_of(schedule.parts()) if decay.is_compound else None


def _end_of_sequence(schedule: Schedule) -> Any:
    """The sum of the lengths, plus the end of the schedule that comes last."""
    end, lengths = 0, ()
    for name in schedule.decay.order:
        value = as_one(schedule.hyperparameters[name])
        kind = schedule.decay.parameters[name].kind
        if kind == "number":
            lengths = value if schedule.decay.parameters[name].domain.rank else (value,)
            lengths = lengths.tolist() if isinstance(lengths, np.ndarray) else lengths
            for length in lengths:
                end = _sum(end, length)
        elif kind == "schedule" or len(value) > len(lengths):
            last = end_of(value if kind == "schedule" else value[-1])
            if last is None:
                return None
            end = _sum(end, last)
    return end


def _sum(first: Any, second: Any) -> Any:
    """The sum of two counts; integers are limited to the largest step."""
    if isinstance(first, int | float) and isinstance(second, int | float):
        total = first + second
        return min(total, LAST_STEP) if isinstance(total, int) else total
    first, second = same_kind(first, second)
    if not jnp.issubdtype(first.dtype, jnp.integer):
        return first + second
    return jnp.where(first > LAST_STEP - second, LAST_STEP, first + second)
