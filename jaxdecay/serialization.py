"""Registers the library's classes with `jax.export` and with Flax's serialization.

A class is registered with `jax.export` where it is defined. The library does not import Flax: once
Flax is imported, the next schedule that is created registers the classes with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.export


class _Kind(NamedTuple):
    type: type
    children: Callable[[Any], Mapping[str, Any]]
    restored: Callable[[Any, Mapping[str, Any]], Any]


_waiting: list[_Kind] = []
"""Classes that are not registered with Flax yet."""


def serializable(
    kind: type,
    *,
    children: Callable[[Any], Mapping[str, Any]],
    restored: Callable[[Any, Mapping[str, Any]], Any],
    static: Callable[[Any], Any],
    from_static: Callable[[Any], Any],
) -> None:
    """Registers a pytree class with `jax.export` and `flax.serialization`.

    Args:
        kind: the class.
        children: returns the entries of the state dictionary of an instance, by name.
        restored: `restored(instance, children)`, the instance with other children.
        static: converts the auxiliary data of the pytree to JSON types.
        from_static: the inverse of `static`.
    """
    jax.export.register_pytree_node_serialization(
        kind,
        serialized_name=f"jaxdecay.{kind.__name__}",
        serialize_auxdata=lambda data: json.dumps(static(data)).encode(),
        deserialize_auxdata=lambda text: from_static(json.loads(text)),
    )
    _waiting.append(_Kind(kind, children, restored))


def serializable_state(kind: type) -> None:
    """Registers a named tuple, such as the state of an adaptive schedule, with `jax.export`."""
    jax.export.register_namedtuple_serialization(kind, serialized_name=f"jaxdecay.{kind.__name__}")


def introduce_to_flax() -> None:
    """Registers the waiting classes with Flax, if it is imported."""
    if _waiting and "flax.serialization" in sys.modules:
        while _waiting:
            _register(sys.modules["flax.serialization"], _waiting.pop())


def _register(flax: Any, kind: _Kind) -> None:
    def to_state(instance: Any) -> dict[str, Any]:
        return {name: flax.to_state_dict(value) for name, value in kind.children(instance).items()}

    def from_state(instance: Any, state: Mapping[str, Any]) -> Any:
        expected = kind.children(instance)
        if set(state) != set(expected):
            raise ValueError(
                f"a state with {', '.join(state)} cannot be restored to {instance!r}, which has "
                f"{', '.join(expected)}; restore it to a schedule of the same family"
            )
        values = {
            name: flax.from_state_dict(value, state[name], name=name)
            for name, value in expected.items()
        }
        return kind.restored(instance, values)

    flax.register_serialization_state(kind.type, to_state, from_state)
