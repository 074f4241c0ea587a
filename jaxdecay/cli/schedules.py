"""Schedules and families in the terminal: `jaxdecay list` and `jaxdecay show`."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from jaxdecay.catalogue import catalogue
from jaxdecay.cli.streams import readable
from jaxdecay.feedback import value_at
from jaxdecay.inspection.check import check_schedule
from jaxdecay.plain import from_plain
from jaxdecay.schedule import Schedule
from jaxdecay.schedules_file import read_schedules

BLOCKS = "▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Quarters of a character, which curves are drawn with."""


def print_catalogue() -> None:
    """Every family, in groups."""
    console = Console(highlight=False)
    console.print(
        "In the formulas: t is the step, T transition_steps, I init_value, E end_value, "
        "P peak_value, W warmup_steps, r decay_rate, p = t / T up to 1. Brackets hold a default. "
        "`jaxdecay list FAMILY` explains the other letters.",
        markup=False,
    )
    group = ""
    for entry in catalogue():
        if entry.group != group:
            group = entry.group
            console.print(Text.assemble("\n", (group, "bold underline")))
        console.print(Text.assemble((entry.family, "bold"), "  ", readable(entry.summary)))
        for line in (entry.formula, ", ".join(entry.parameters)):
            console.print(Padding(Text(readable(line)), (0, 0, 0, 4)))


def arguments_of(family: Any) -> str:
    """The hyperparameters of a family, with their defaults, as one writes them."""
    parameters = inspect.signature(family).parameters.values()
    return ", ".join(
        each.name if each.default is each.empty else f"{each.name}={each.default!r}"
        for each in parameters
    )


def schedules_of(family: str, hyperparameters: list[str]) -> list[Schedule]:
    """The schedule of a family and its hyperparameters, or all schedules of a file."""
    if family.endswith(".toml"):
        if hyperparameters:
            raise ValueError(
                f"{family} contains the hyperparameters already; leave out {hyperparameters[0]!r}"
            )
        return list(read_schedules(family))
    values: dict[str, Any] = {}
    for text in hyperparameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not of the form name=value, such as init_value=0.1")
        values[name] = _value(value)
    return [from_plain({"family": family, **values})]


def _value(text: str) -> Any:
    """A value as in JSON, else as in Python, else the text itself."""
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError):
            return read(text)
    return text


def draw_in_terminal(schedules: list[Schedule], steps: int) -> None:
    """Curves, and below them each schedule and what is probably a mistake in it."""
    import uniplot  # which needs a moment

    at = np.unique(np.linspace(0, steps, 2_001).astype(np.int64))
    # float64: the squares of large rates, by which uniplot chooses its ticks, must be finite.
    values = [np.asarray(value_at(schedule, at), np.float64) for schedule in schedules]
    drawn = uniplot.plot_to_string(
        values,
        [at] * len(values),
        lines=True,
        width=64,
        height=14,
        character_set="block" if readable(BLOCKS) == BLOCKS else "ascii",
    )
    typer.echo(drawn)
    for schedule in schedules:
        typer.echo(repr(schedule))
        for finding in check_schedule(schedule, steps):
            typer.echo(f"  note: {finding}")
    if len(schedules) == 1:
        shown = np.unique(np.linspace(0, steps, 11).astype(np.int64))
        for step, value in zip(shown, np.asarray(value_at(schedules[0], shown)), strict=True):
            typer.echo(f"{step:>12,}  {value!s}")
