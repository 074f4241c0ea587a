"""Decays of the user's own, from a Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def import_decays(path: str | Path | None) -> None:
    """Runs a Python file whose decays are then known by name."""
    if path is None:
        return
    path = Path(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"--decays: Python file '{path}' does not exist")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where pickle looks for a decay
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--decays {path}: {type(error).__name__}: {error}") from error
