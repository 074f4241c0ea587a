"""Digests: what is read from disk is what was written there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def digest_of(facts: Any, arrays: Mapping[str, np.ndarray] | None = None) -> str:
    """SHA-256 of values that JSON holds, and of arrays: names, types, shapes and bytes."""
    sha256 = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted((arrays or {}).items()):
        array = np.ascontiguousarray(array)
        sha256.update(f"{name}{array.dtype}{array.shape}".encode())
        sha256.update(array.reshape(-1).view(np.uint8).data)
    return sha256.hexdigest()
