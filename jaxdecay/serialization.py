"""Our classes in formats of others: functions that JAX exports, and the state of Flax.

Each class is declared where it is defined. `jax.export` learns of it at once. Flax does when it is
loaded, as we do not load it: with the first schedule that is created afterwards.
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
"""Kinds that Flax does not know of yet."""


def serializable(
    kind: type,
    *,
    children: Callable[[Any], Mapping[str, Any]],
    restored: Callable[[Any, Mapping[str, Any]], Any],
    static: Callable[[Any], Any],
    from_static: Callable[[Any], Any],
) -> None:
    """Makes a class that is a pytree known to `jax.export` and to `flax.serialization`.

    Args:
        kind: the class.
        children: what a state dictionary holds of an instance, by name.
        restored: `restored(instance, children)`, the instance with other children.
        static: the auxiliary data of the pytree as JSON types.
        from_static: the auxiliary data from what `static` returned.
    """
    jax.export.register_pytree_node_serialization(
        kind,
        serialized_name=f"jaxdecay.{kind.__name__}",
        serialize_auxdata=lambda data: json.dumps(static(data)).encode(),
        deserialize_auxdata=lambda text: from_static(json.loads(text)),
    )
    _waiting.append(_Kind(kind, children, restored))


def serializable_state(kind: type) -> None:
    """Makes the state of an adaptive schedule, a named tuple, known to `jax.export`."""
    jax.export.register_namedtuple_serialization(kind, serialized_name=f"jaxdecay.{kind.__name__}")


def introduce_to_flax() -> None:
    """Tells Flax of our classes, if it is loaded and has not been told."""
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
                f"a state of {', '.join(state)} cannot be restored to {instance!r}, "
                f"which has {', '.join(expected)}"
            )
        values = {
            name: flax.from_state_dict(value, state[name], name=name)
            for name, value in expected.items()
        }
        return kind.restored(instance, values)

    flax.register_serialization_state(kind.type, to_state, from_state)
