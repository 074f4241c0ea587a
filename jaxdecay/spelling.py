"""Suggestions for unknown names, and counts with their nouns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(name: Any, known: Iterable[str]) -> str:
    """The end of an error message that suggests the nearest known name, or an empty string."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def counted(number: int, noun: str) -> str:
    """A count and its noun, in the plural unless it is one.

    Example:
        >>> from jaxdecay.spelling import counted
        >>> counted(1, "seed"), counted(2_000, "seed")
        ('1 seed', '2,000 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
