"""The catalogue: what every family is, in words, and a population with all of them."""

from __future__ import annotations

import dataclasses
import inspect

from jaxdecay import compose, compounds, decays
from jaxdecay.parameter import Parameter
from jaxdecay.population import Population, concat, grid, stack
from jaxdecay.schedule import Decay, families

GROUPS = {
    "jaxdecay.decays.piecewise": "Values, as given",
    "jaxdecay.decays.ending": "To an end that is reached at transition_steps and held",
    "jaxdecay.decays.rates": "By a rate, for ever",
    "jaxdecay.decays.periodic": "In cycles",
    "jaxdecay.compose": "Made of schedules",
    "jaxdecay.compounds": "Compounds, put together from the ones above",
    "jaxdecay.stateful": "With state, following a metric",
}
"""What the families of a module have in common, in the order of the list."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One family of the catalogue.

    Attributes:
        family: its name.
        group: what it has in common with the families next to it.
        summary: what it is, in one sentence.
        formula: its value, in the symbols of its docstring.
        parameters: hyperparameters and options in words, with ranges and defaults.
    """

    family: str
    group: str
    summary: str
    formula: str
    parameters: tuple[str, ...]


def catalogue() -> list[Entry]:
    """Every known family, your own included, group by group, read from its function.

    Example:
        >>> from jaxdecay.catalogue import catalogue
        >>> entry = next(entry for entry in catalogue() if entry.family == "step_decay")
        >>> entry.formula, entry.parameters[1]
        ('I·r^⌊t/T⌋.', 'decay_rate > 0')
    """
    modules = [*GROUPS]
    place = {module: index for index, module in enumerate(modules)}
    known = sorted(families.values(), key=lambda each: place.get(each.__module__, len(modules)))
    return [_entry(decay) for decay in known]


def _entry(decay: Decay[...]) -> Entry:
    paragraphs = (inspect.getdoc(decay) or "").split("\n\n")
    formulas = [each for each in paragraphs if each.startswith("Formula: ")]
    return Entry(
        family=decay.family,
        group=GROUPS.get(decay.__module__, "Your own"),
        summary=" ".join(paragraphs[0].split()),
        formula=" ".join(formulas[0].split())[len("Formula: ") :] if formulas else "",
        parameters=tuple(map(_describe, decay.parameters.values())),
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
"""The first learning rates of the built-in population, by optimizer."""

RATES_OF_OTHERS = (0.001, 0.003, 0.01)
"""Of optimizers such as Adam, which scale their steps themselves."""


def default_population(steps: int, steps_per_epoch: int, optimizer: str = "sgd") -> Population:
    """A population with the shapes of decay that people use, each at three learning rates.

    Args:
        steps: updates of the whole training.
        steps_per_epoch: updates of one epoch.
        optimizer: its name in Optax; learning rates suit it.

    Returns:
        A `Population`. Decays with an end reach it at `steps`.
    """
    rates = list(RATES.get(optimizer, RATES_OF_OTHERS))
    epochs = max(1, steps // steps_per_epoch)
    third = max(1, steps // 3)
    thirds = [[rate, rate / 3, rate / 10] for rate in rates]
    tenth, fifth = steps // 10, steps // 5
    drops = [decays.step_decay(rate, 0.5, max(1, epochs // 4)) for rate in rates]
    stairs = [decays.discrete_staircase(rate, rate / epochs, steps_per_epoch) for rate in rates]
    return concat(
        grid(decays.constant, value=rates),
        grid(decays.linear, init_value=rates, end_value=0.0, transition_steps=steps),
        grid(decays.polynomial, init_value=rates, end_value=0.0, power=2.0, transition_steps=steps),
        grid(decays.cosine, init_value=rates, transition_steps=steps),
        grid(decays.exponential, init_value=rates, decay_rate=[0.1, 0.01], transition_steps=steps),
        grid(decays.natural_exponential, init_value=rates, decay_rate=3.0, transition_steps=steps),
        grid(decays.inverse_time, init_value=rates, decay_rate=[3.0, 30.0], transition_steps=steps),
        grid(decays.inverse_sqrt, init_value=rates),
        grid(
            decays.inverse_sqrt,
            init_value=rates,
            transition_steps=steps_per_epoch,
            staircase=True,
        ),
        grid(decays.step_decay, init_value=rates, decay_rate=0.1, transition_steps=third),
        stack(stairs),
        grid(decays.piecewise_constant, values=thirds, boundaries=[third, 2 * third]),
        grid(compose.per_epoch, schedule=drops, steps_per_epoch=steps_per_epoch),
        grid(decays.rex, init_value=rates, transition_steps=steps),
        grid(decays.cosine_restarts, init_value=rates, transition_steps=third),
        stack(
            compounds.warmup_cosine(rate, tenth, steps - tenth, init_value=rate / 10)
            for rate in rates
        ),
        stack(
            compounds.warmup_stable_decay(
                rate, tenth, steps - tenth - fifth, fifth, init_value=rate / 10
            )
            for rate in rates
        ),
        grid(compounds.one_cycle, peak_value=rates, transition_steps=steps),
    )
