"""The catalogue: a description of every family, and the built-in population."""

from __future__ import annotations

import dataclasses
import doctest
import functools
import inspect
from typing import Any

from jaxdecay import compose, compounds, decays
from jaxdecay.candidates import grid
from jaxdecay.declaration import Family
from jaxdecay.groups import Group
from jaxdecay.length import epochs as epochs_of
from jaxdecay.length import percent
from jaxdecay.parameter import Parameter
from jaxdecay.population import Population, concat, stack
from jaxdecay.registry import families, family
from jaxdecay.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Entry:
    """One family of the catalogue.

    Attributes:
        family: the name of the family.
        group: the group of similar families that it belongs to.
        summary: a description in one sentence.
        formula: the formula for its value, in the symbols of its docstring.
        parameters: descriptions of its hyperparameters and options, with ranges and defaults.
    """

    family: str
    group: str
    summary: str
    formula: str
    parameters: tuple[str, ...]


def catalogue() -> list[Entry]:
    """Every registered family, including your own, by group; read from its signature and docstring.

    Example:
        >>> from jaxdecay.catalogue import catalogue
        >>> entry = next(entry for entry in catalogue() if entry.family == "step_decay")
        >>> entry.formula, entry.parameters[1]
        ('I·r^⌊t/T⌋.', 'decay_rate > 0')
    """
    order = {str(group): index for index, group in enumerate(Group)}
    by_group = sorted(families.values(), key=lambda f: order.get(f.decay.group, len(order)))
    return [_entry(public) for public in by_group]


def _entry(public: Family[..., Schedule]) -> Entry:
    decay = public.decay
    paragraphs = (inspect.getdoc(public) or "").split("\n\n")
    formulas = [paragraph for paragraph in paragraphs if paragraph.startswith("Formula: ")]
    return Entry(
        family=decay.family,
        group=decay.group,
        summary=" ".join(paragraphs[0].split()),
        formula=" ".join(formulas[0].split())[len("Formula: ") :] if formulas else "",
        parameters=tuple(map(_describe, decay.parameters.values())),
    )


def example(name: str) -> Schedule:
    """The `schedule` from the example in a family's docstring, for pictures and benchmarks.

    Raises:
        ValueError: the family does not exist, or its example creates no `schedule`.

    Example:
        >>> from jaxdecay.catalogue import example
        >>> example("rex")
        rex(init_value=1.0, transition_steps=1000)
    """
    namespace: dict[str, Any] = {}
    for line in doctest.DocTestParser().get_examples(inspect.getdoc(family(name)) or ""):
        exec(line.source, namespace)
        if "schedule" in namespace:
            return namespace["schedule"]
    raise ValueError(
        f"the docstring of {name} has no example that creates a schedule; write one that begins "
        f"with >>> schedule = {name}(…)"
    )


def _describe(parameter: Parameter) -> str:
    words = {
        "option": "|".join(map(str, parameter.choices)),
        "schedule": "schedule or number",
        "schedules": "list of schedules",
        "number": parameter.domain.limits(),
    }[parameter.kind]
    if parameter.kind == "number" and parameter.domain.rank:
        words = f"list, each {words}"
    default = "" if parameter.required else f" [{parameter.default}]"
    return f"{parameter.name} {words}{default}".replace("  ", " ")


RATES = {"sgd": (0.05, 0.15, 0.5)}
"""The first learning rates in the built-in population, by optimizer."""

RATES_OF_OTHERS = (0.001, 0.003, 0.01)
"""The first learning rates for optimizers such as Adam, which scale their steps themselves."""


def default_population(epochs: int, optimizer: str = "sgd") -> Population:
    """The decays in common use, each at three learning rates.

    Args:
        epochs: passes through the training data, at least 1.
        optimizer: its name in Optax, which decides the learning rates.

    Returns:
        A `Population` with lengths relative to the run; `resolve` turns them into steps.
    """
    rates = list(RATES.get(optimizer, RATES_OF_OTHERS))
    run, third, epoch = percent(100), percent(100 / 3), epochs_of(1)
    thirds = [[rate, rate / 3, rate / 10] for rate in rates]
    quarter = max(1, epochs // 4)
    drops = [decays.step_decay(rate, decay_rate=0.5, transition_steps=quarter) for rate in rates]
    stairs = [
        decays.discrete_staircase(rate, decrement=rate / epochs, transition_steps=epoch)
        for rate in rates
    ]
    warmups = [
        compounds.warmup_cosine(
            rate, warmup_steps=percent(10), transition_steps=percent(90), init_value=rate / 10
        )
        for rate in rates
    ]
    plateaus = [
        compounds.warmup_stable_decay(
            rate,
            warmup_steps=percent(10),
            stable_steps=percent(70),
            transition_steps=percent(20),
            init_value=rate / 10,
        )
        for rate in rates
    ]
    from_rates = functools.partial(grid, init_value=rates)
    to_end = functools.partial(from_rates, transition_steps=run)
    return concat(
        grid(decays.constant, value=rates),
        to_end(decays.linear, end_value=0.0),
        to_end(decays.polynomial, end_value=0.0, power=2.0),
        to_end(decays.cosine),
        to_end(decays.exponential, decay_rate=[0.1, 0.01]),
        to_end(decays.natural_exponential, decay_rate=3.0),
        to_end(decays.inverse_time, decay_rate=[3.0, 30.0]),
        from_rates(decays.inverse_sqrt),
        from_rates(decays.inverse_sqrt, transition_steps=epoch, staircase=True),
        from_rates(decays.step_decay, decay_rate=0.1, transition_steps=third),
        stack(stairs),
        grid(decays.piecewise_constant, values=thirds, boundaries=[third, percent(200 / 3)]),
        grid(compose.per_epoch, schedule=drops, steps_per_epoch=epoch),
        to_end(decays.rex),
        from_rates(decays.cosine_restarts, period=third),
        stack(warmups),
        stack(plateaus),
        grid(compounds.one_cycle, peak_value=rates, transition_steps=run),
    )
