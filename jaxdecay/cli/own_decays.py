"""Decays of the user's own, from a Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def import_decays(path: str | Path | None) -> None:
    """Runs a Python file whose decays are then known by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has the name of another module, or fails.
    """
    if path is None:
        return
    path = Path(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"--decays: Python file '{path}' does not exist")
    other = _other_module(path)
    if other is not None:
        raise ValueError(
            f"--decays: '{path}' has the name of the module {path.stem!r} ({other}), which Python "
            "would take it for; rename the file"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where pickle looks for a decay
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also SystemExit, which would end the sweep as if all were well
        raise ValueError(f"--decays {path}: {type(error).__name__}: {error}") from error


def _other_module(path: Path) -> str | None:
    """Where the module is that Python finds by the name of this file, if it is another."""
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    specs = (finder.find_spec(path.stem, None) for finder in finders)
    origin = next((spec.origin for spec in specs if spec is not None), None)
    is_this = origin is not None and Path(origin).exists() and path.samefile(origin)
    return None if is_this else origin
