"""`about.json`, beside the checkpoints of a sweep: what identifies it, and its block size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdecay.results.files import write
from jaxdecay.results.sealed import SEAL, DamagedError, read_sealed, sealed

ABOUT = "about.json"


class CheckpointError(Exception):
    """Checkpoints cannot be written or read; one line says which ones and why.

    Attributes:
        result: the `SweepResult` of a sweep that trained all its epochs and could not write the
            last checkpoint; None otherwise.
    """

    result: Any = None


def write_about(path: Path, about: Mapping[str, Any], block: int) -> None:
    """Writes `about.json`."""
    write(path, sealed({"block": block, "about": about}))


def read_about(path: Path, about: Mapping[str, Any]) -> int:
    """The block size of the stored sweep.

    Raises:
        FileNotFoundError: there is none.
        ValueError: `about` describes another sweep.
        CheckpointError: the file is damaged or cannot be read.
    """
    try:
        record = read_sealed(path)
        # Nobody edits this file on purpose, so one without its seal is damaged.
        if set(record) != {SEAL, "block", "about"}:
            raise DamagedError
        block, stored = int(record["block"]), dict(record["about"])
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, OverflowError):
        raise CheckpointError(
            f"{path} is damaged or from another version of jaxdecay; restore it from a copy, or "
            "start the sweep from scratch"
        ) from None
    _check_same(stored, about, path.parent)
    return block


def stored_identity(path: Path) -> Mapping[str, Any] | None:
    """What identifies the stored sweep; None if the file is missing or damaged."""
    try:
        record = read_sealed(path)
        return dict(record["about"]) if SEAL in record else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_same(stored: Mapping[str, Any], requested: Mapping[str, Any], folder: Any) -> None:
    for name, value in json.loads(json.dumps(requested)).items():
        before = stored.get(name)
        if before == value:
            continue
        if name == "code":
            change = _changed_code(before, value)
        elif name == "data":
            change = "the data changed since it was started"
        else:
            what, was, now = difference(name, before, value)
            change = f"{what} was {was} and is now {now}"
        raise ValueError(
            f"{folder} contains the checkpoints of another sweep: {change}; "
            "undo the change to resume it, or start from scratch in another folder"
        )


def _changed_code(stored: Any, requested: dict[str, str]) -> str:
    """The names of the functions whose fingerprints differ."""
    changed = changed_functions(stored if isinstance(stored, dict) else {}, requested)
    return (
        f"{' and '.join(changed)} changed since the sweep was started (the source, "
        "a value that it uses, or the version of a package)"
    )


def changed_functions(stored: dict[str, str], requested: dict[str, str]) -> list[str]:
    """The names of the functions whose fingerprints differ."""
    names = requested | stored
    return [name for name in names if requested.get(name) != stored.get(name)]


def difference(name: str, stored: Any, requested: Any) -> tuple[str, Any, Any]:
    """The first difference of two values, and its name: an index or a key if they have these."""
    if isinstance(requested, dict) and isinstance(stored, dict):
        keys: list[Any] = [*requested, *stored]
        stored, requested = ([values.get(key) for key in keys] for values in (stored, requested))
    elif isinstance(requested, list) and isinstance(stored, list):
        if len(requested) != len(stored):
            return f"the number of {name}", len(stored), len(requested)
        keys = list(range(len(requested)))
    else:
        return name, stored, requested
    triples = zip(keys, stored, requested, strict=True)
    key, stored, requested = next(triple for triple in triples if triple[1] != triple[2])
    return f"{name}[{key}]", stored, requested
