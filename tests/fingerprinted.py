"""What tests of fingerprints share: modules loaded from texts, and their marks."""

from __future__ import annotations

import importlib.util
import itertools
import textwrap
import types
from pathlib import Path

from jaxdecay.training.fingerprint import fingerprint

NUMBERS = itertools.count()


def loaded_in(folder: Path, text: str) -> types.ModuleType:
    """A module from a text; each is a file of its own, `mine.py`."""
    path = folder / str(next(NUMBERS)) / "mine.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return loaded_from(path)


def loaded_from(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mark(value) -> str:
    return fingerprint(value, "the loss")
