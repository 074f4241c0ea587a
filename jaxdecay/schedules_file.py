"""Schedules files: populations written in TOML.

[[schedule]]
family = "inverse_time"
init_value = [0.03, 0.1, 0.3]  # a list is a grid
decay_rate = 0.001

[[schedule]]
family = "warmup"
warmup_steps = 100
schedule = { family = "cosine", init_value = [0.1, 0.3], transition_steps = 900 }
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxdecay.candidates import choices_of, grid
from jaxdecay.declaration import Decay
from jaxdecay.definition import decay_of
from jaxdecay.plain import from_plain
from jaxdecay.population import Population, concat
from jaxdecay.registry import family
from jaxdecay.schedule import Schedule

MOST = 100_000
"""Schedules in a file. To create so many takes half a minute; more are probably not meant."""


def read_schedules(path: str | os.PathLike[str]) -> Population:
    """Reads a population from a schedules file, in the order of its tables.

    Args:
        path: a TOML file with `[[schedule]]` tables, each with a `family` and hyperparameters. A
            list means a grid (a list of lists, for a hyperparameter that is itself a list). A
            schedule inside another is written as a table of the same kind.

    Returns:
        A `Population`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not TOML, a table is invalid, or its lists describe more than
            100,000 schedules; the message names the file and the line.

    Example:
        >>> import pathlib, tempfile
        >>> from jaxdecay.schedules_file import read_schedules
        >>> text = '[[schedule]]\\nfamily = "constant"\\nvalue = [0.1, 0.2]'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "schedules.toml")
        ...     _ = path.write_text(text, encoding="utf-8")
        ...     population = read_schedules(path)
        >>> list(population)
        [constant(value=0.1), constant(value=0.2)]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"schedules file {path} does not exist")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    tables = content.pop("schedule", None)
    if content:
        raise ValueError(
            f"{path} may contain only [[schedule]] tables, got {next(iter(content))!r}; remove it, "
            "or move it into a table"
        )
    are_tables = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if not tables or not are_tables:
        raise ValueError(f"{path} contains no [[schedule]] tables; write at least one")
    populations = []
    for index, table in enumerate(tables):
        left = MOST - sum(map(len, populations))
        populations.append(_read_table(path, text, index, table, left))
    return concat(*populations)


def write_schedules(schedules: Iterable[Schedule], path: str | os.PathLike[str]) -> None:
    """Writes schedules into a schedules file, which `read_schedules` reads back unchanged.

    Args:
        schedules: schedules or a population.
        path: the file to write; an existing one is overwritten.

    Raises:
        ValueError: `schedules` is empty, or one of them cannot be written to files.

    Example:
        >>> import pathlib, tempfile, jaxdecay
        >>> from jaxdecay.schedules_file import read_schedules, write_schedules
        >>> warm = jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=900), warmup_steps=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "schedules.toml")
        ...     write_schedules([warm], path)
        ...     list(read_schedules(path)) == [warm]
        True
    """
    text = "\n".join(map(to_toml, schedules))
    if not text:
        raise ValueError(f"{path}: got no schedules to write; give at least one")
    Path(path).write_text(text, encoding="utf-8")


def to_toml(schedule: Schedule) -> str:
    """A schedule as a `[[schedule]]` table, to append to a file.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.schedules_file import to_toml
        >>> print(to_toml(jaxdecay.constant(0.1)))
        [[schedule]]
        family = "constant"
        value = 0.1
        <BLANKLINE>
    """
    import tomli_w

    text = tomli_w.dumps(schedule.to_dict())
    return "[[schedule]]\n" + re.sub(r"^(\[+)", r"\1schedule.", text, flags=re.MULTILINE)


def _read_table(
    path: Path, text: str, index: int, table: Mapping[str, Any], most: int
) -> Population:
    try:
        return _expand(table, most)
    except (ValueError, TypeError, RecursionError) as error:
        heads = [
            number
            for number, line in enumerate(text.splitlines(), start=1)
            if line.replace(" ", "").startswith("[[schedule]]")
        ]
        line = f", line {heads[index]}" if len(heads) > index else ""
        raise ValueError(f"{path}{line}, schedule {index + 1}: {error}") from None


def _expand(table: Mapping[str, Any], most: int) -> Population:
    """The grid that a table with lists describes; it is counted before it is created."""
    if not isinstance(table.get("family"), str):
        raise ValueError('a schedule needs a family, such as family = "inverse_time"')
    named = family(table["family"])
    decay = decay_of(named)
    values = {
        name: _expand_value(decay, name, value, most)
        for name, value in table.items()
        if name != "family"
    }
    choices = (choices_of(decay.parameters.get(name), value) for name, value in values.items())
    number = math.prod(map(len, choices))
    if number > most:
        raise ValueError(
            f"up to here the file describes {MOST - most + number:,} schedules, expected at most "
            f"{MOST:,}; use shorter lists, or draw schedules at random with jaxdecay.sample"
        )
    return grid(named, **values)


def _expand_value(decay: Decay, name: str, value: Any, most: int) -> Any:
    parameter = decay.parameters.get(name)
    if parameter is None or parameter.kind != "schedule":
        return from_plain(value)
    choices = value if isinstance(value, list) else [value]
    return [
        schedule
        for choice in choices
        for schedule in (_expand(choice, most) if isinstance(choice, Mapping) else [choice])
    ]
