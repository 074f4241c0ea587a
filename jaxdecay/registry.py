"""The families by name: the library's decays and your own."""

from __future__ import annotations

from typing import Any

from jaxdecay.declaration import Family
from jaxdecay.spelling import nearest

families: dict[str, Family[..., Any]] = {}
"""Every defined decay by its family name."""


def family(name: str) -> Family[..., Any]:
    """The decay with this family name.

    Raises:
        ValueError: no decay has this name; the message suggests the nearest one.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.family("constant")(0.5)
        constant(value=0.5)
    """
    if not isinstance(name, str) or name not in families:
        raise ValueError(
            f"unknown family {name!r}{nearest(name, families)}; known are {', '.join(families)}"
        )
    return families[name]


def register(family: Family[..., Any]) -> None:
    """Adds a decay.

    Raises:
        ValueError: its name is not a Python name, or another module has defined one of this name.
    """
    name = family.decay.family
    if not name.isidentifier():  # in a table it could be a formula, in a page a script
        raise ValueError(
            f"a decay must have a Python name, got {name!r}; give its function another __name__"
        )
    known = families.get(name)
    if known is not None and known.__module__ != family.__module__:
        raise ValueError(
            f"a decay named {name!r} exists already, in {known.__module__}; "
            "give this function another name"
        )
    families[name] = family
