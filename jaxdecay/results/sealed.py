"""JSON files that prove themselves: what is read from disk is what was written there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SEAL = "sha256"
"""The first key of a sealed file: the digest of everything else in it."""


class DamagedError(ValueError):
    """A file of a sweep is not as it was written; one line names it and says what to do."""


def digest_of(facts: Any, arrays: Mapping[str, np.ndarray] | None = None) -> str:
    """SHA-256 of values that JSON holds, and of arrays: names, types, shapes and bytes."""
    sha256 = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted((arrays or {}).items()):
        array = np.ascontiguousarray(array)
        sha256.update(f"{name}{array.dtype}{array.shape}".encode())
        sha256.update(array.reshape(-1).view(np.uint8).data)
    return sha256.hexdigest()


def sealed(record: Mapping[str, Any]) -> bytes:
    """A JSON file that begins with the digest of everything else in it."""
    plain = json.loads(json.dumps(record))
    return json.dumps({SEAL: digest_of(plain), **plain}, indent=1, allow_nan=False).encode() + b"\n"


def read_sealed(path: Path) -> dict[str, Any]:
    """What `sealed` wrote, with its seal: a person who edits a file on purpose removes that line.

    Raises:
        DamagedError: the file is not JSON, or has a seal and is not as it was written.
        OSError: it cannot be read.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("it is not a JSON object")
        rest = {name: value for name, value in record.items() if name != SEAL}
        is_as_written = record.get(SEAL, None) == digest_of(rest)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: {error}; restore it from a copy") from None
    if SEAL in record and not is_as_written:
        raise DamagedError(
            f"{path} differs from what was written; undo the change, or, if you made it on "
            f'purpose, remove the line "{SEAL}" from the file'
        )
    return record
