"""Converts schedules to plain JSON types, as in files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxdecay.declaration import BoundDecay
from jaxdecay.length import Length, parse_length
from jaxdecay.pairs import as_one
from jaxdecay.registry import family


def to_dict(schedule: BoundDecay) -> dict[str, Any]:
    """A schedule as a dictionary: its family, hyperparameters and options by name.

    Raises:
        ValueError: its decay has no name, or schedules are nested too deeply.
    """
    try:
        values = {name: _plain(value) for name, value in schedule.hyperparameters.items()}
    except RecursionError:
        raise ValueError("schedules are nested too deeply to be written; compose fewer") from None
    values = {name: value for name, value in values.items() if value is not None}
    return {"family": schedule.decay.name_in_files(), **values, **schedule.options}


def from_dict(data: Any) -> Any:
    """The schedule that a dictionary describes, from `to_dict` or written by hand.

    Raises:
        ValueError: an unknown family or hyperparameter, or a value outside its domain.
    """
    if not isinstance(data, Mapping) or "family" not in data:
        raise ValueError(f"a schedule must be a dictionary with the key 'family', got {data!r}")
    try:
        values = {name: from_plain(value) for name, value in data.items() if name != "family"}
        return family(data["family"])(**values)
    except TypeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("schedules are nested too deeply to be read; compose fewer") from None


def from_plain(value: Any) -> Any:
    """A hyperparameter: dictionaries become schedules, strings such as "10%" lengths."""
    if isinstance(value, Mapping):
        return from_dict(value)
    if isinstance(value, str):
        return parse_length(value) or value
    return [from_plain(part) for part in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """A hyperparameter as plain JSON types: numbers, lists and dictionaries."""
    value = as_one(value)
    if isinstance(value, BoundDecay):
        return to_dict(value)
    if isinstance(value, Length):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value
