"""Fingerprints: one digest of everything that decides what a function computes.

A fingerprint covers a value and everything reachable from it: the source, defaults, closures and
named globals of the user's functions; the state of objects, as pickle would write it; every byte of
arrays; and only the names and versions of installed packages. It is the same in every process.

The values are the nodes of a graph, and the digest of a node includes the digests of its parts. In
a cycle, each node starts with the digest of its own contents and includes its parts round by round,
until a round distinguishes no more nodes than the one before (Weisfeiler–Leman refinement). So the
fingerprint depends neither on the order of the walk nor on which equal values are the same object.
"""

from __future__ import annotations

import copyreg
import dataclasses
import enum
import functools
import hashlib
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer

from jaxdecay.declaration import Decay
from jaxdecay.schedule import Schedule
from jaxdecay.training.source_code import module_named, package_of, source_of, used_globals

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
_COMPILED = (type(jax.jit(lambda: None)), type(functools.lru_cache(lambda: None)))
"""Wrappers whose only state is the wrapped function and a cache of its results."""
_BUILTIN = (
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.WrapperDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
_IGNORED = {
    *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__"),
    *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
    "__slotnames__",  # added by copyreg
}
"""Names in a class that Python adds, or that change no number."""


class _Node(NamedTuple):
    """A value: a label for its own contents, and its parts with their names."""

    label: tuple[Any, ...]
    parts: Sequence[tuple[str, Any]] = ()
    ordered: bool = True


class _OpaqueError(Exception):
    """The contents of a value cannot be read."""


def fingerprint(value: Any, what: str) -> str:
    """A digest of a value and of everything that decides what it computes.

    Args:
        value: a function, a class, an object, or a pytree of them.
        what: the name of the value, for the error message.

    Returns:
        A SHA-256 digest, in hexadecimal.

    Raises:
        ValueError: the value contains an object whose contents cannot be read, such as a lock,
            an open file or a generator.

    Example:
        >>> import optax
        >>> from jaxdecay.training.fingerprint import fingerprint
        >>> small, large = (lambda rate, w=w: optax.adamw(rate, weight_decay=w) for w in (0.1, 0.2))
        >>> fingerprint(small, "the optimizer") == fingerprint(large, "the optimizer")
        False
    """
    labels, edges, ordered = _graph(value, what)
    colours = list(labels)

    def colour(index: int) -> bytes:
        parts = [part if isinstance(part, bytes) else colours[part] for part in edges[index]]
        return _hash(labels[index], *(parts if ordered[index] else sorted(parts)))

    in_cycles = []
    for index in _parts_first(edges, in_cycles):
        colours[index] = colour(index)
    kinds = 0
    while len({colours[index] for index in in_cycles}) > kinds:
        kinds = len({colours[index] for index in in_cycles})
        for index, next_colour in [(index, colour(index)) for index in in_cycles]:
            colours[index] = next_colour
    # The colours of all nodes: that of the first does not include the most distant ones yet.
    return _hash(colours[0], *sorted({colours[index] for index in in_cycles})).hex()


def _parts_first(edges: list[list[int | bytes]], others: list[int]) -> Iterator[int]:
    """The nodes that reach no cycle, each after its parts; adds the other nodes to `others`."""
    parts = [{part for part in node if isinstance(part, int)} for node in edges]
    users: list[list[int]] = [[] for _ in edges]
    for index, node in enumerate(parts):
        for part in node:
            users[part].append(index)
    missing = [len(node) for node in parts]
    ready = [index for index, count in enumerate(missing) if not count]
    for index in ready:  # grows while it is read
        yield index
        for user in users[index]:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    others.extend(index for index, count in enumerate(missing) if count)


def of_own_decays(schedules: Iterable[Schedule]) -> dict[str, str]:
    """Fingerprints, by family, of the decays that are not this library's.

    Several decays from functions may share a name. Their fingerprint then also covers which
    schedules use which.

    Raises:
        ValueError: a decay contains an object whose contents cannot be read.
    """
    used: dict[str, dict[Decay, list[int]]] = {}
    for index, schedule in enumerate(schedules):
        for decay in own_decays([schedule]):
            used.setdefault(decay.family, {}).setdefault(decay, []).append(index)
    return {
        family: fingerprint(list(users.items() if len(users) > 1 else users), f"the decay {family}")
        for family, users in used.items()
    }


def own_decays(schedules: Iterable[Schedule]) -> Iterator[Decay]:
    """The decays, in schedules and inside them, that are not this library's."""
    for schedule in schedules:
        for decay in _decays(schedule):
            # The function of `from_function` may be a method of an object of this library.
            if decay.public is None or not decay.function.__module__.startswith("jaxdecay."):
                yield decay


def _decays(value: Any) -> Iterator[Decay]:
    """The decays of a schedule and of those inside it."""
    if isinstance(value, Schedule):
        yield value.decay
        value = tuple(value.hyperparameters.values())
    if isinstance(value, tuple):
        for part in value:
            yield from _decays(part)


def _graph(value: Any, what: str) -> tuple[list[bytes], list[list[int | bytes]], list[bool]]:
    """The digest of the label of each reachable value, its parts, and whether these are ordered.

    A part is the index of a node, or the digest of a plain value.
    """
    reached, numbers, paths = [value], {id(value): 0}, [""]
    labels: list[bytes] = []
    edges: list[list[int | bytes]] = []
    ordered: list[bool] = []

    def number(part: Any, path: str) -> int | bytes:
        if type(part) in _ATOMS:
            return _hash(_text(part))
        if id(part) not in numbers:
            numbers[id(part)] = len(reached)
            reached.append(part)  # and so stays alive: its id is not reused
            paths.append(path)
        return numbers[id(part)]

    for index, found in enumerate(reached):  # grows while it is read
        path = paths[index]
        try:
            node = _described(found)
        except _OpaqueError:
            kind = f"{type(found).__module__}.{type(found).__qualname__}"
            raise ValueError(
                f"{what} cannot be compared when the sweep is resumed: {path or 'it'} is a {kind}, "
                "whose contents cannot be read; write it as a function in a module or as a "
                "dataclass, or train without checkpoints"
            ) from None
        names = [name for name, _ in node.parts]
        labels.append(_hash(_text((*node.label, *(names if node.ordered else ())))))
        joint = "." if path else ""
        edges.append(
            [
                number(part, f"{path}{'' if name.startswith('[') else joint}{name}")
                for name, part in node.parts
            ]
        )
        ordered.append(node.ordered)
    return labels, edges, ordered


def _hash(*parts: bytes) -> bytes:
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(len(part).to_bytes(8, "little") + part)
    return sha256.digest()


def _text(value: Any) -> bytes:
    return f"{type(value).__name__} {value!r}".encode()


def _described(value: Any) -> _Node:
    if type(value) in (tuple, list):
        return _Node((type(value).__name__,), _numbered(value))
    if type(value) in (dict, types.MappingProxyType):
        return _dict(value)
    for kind, describe in _KINDS:
        if isinstance(value, kind):
            return describe(value)
    if nnx.graph.is_graph_node(value):
        return _Node(("nnx",), _numbered(_split(value)))
    if dataclasses.is_dataclass(value):
        return _of_fields(value)
    return _as_pickled(value)


def _function(function: types.FunctionType) -> _Node:
    code = function.__code__
    package = package_of(function.__globals__)
    inner = "<locals>" in code.co_qualname
    label: tuple[Any, ...] = ("function", package, function.__globals__.get("__name__"))
    if package is None:
        label = ("function", source_of(function))
    elif "<lambda>" in code.co_qualname:
        label += (code.co_qualname, code.co_firstlineno)
    else:
        label += (code.co_qualname,)
    if package is not None and not inner:
        return _Node(label)
    parts = [
        *zip(code.co_freevars, map(_contents, function.__closure__ or ()), strict=True),
        ("defaults", function.__defaults__),
        *_sorted(function.__kwdefaults__ or {}),
        *_sorted(vars(function)),
    ]
    return _Node(label, parts if package else [*parts, *used_globals(function)])


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # assigned later, or never
        return "empty"


def _class(kind: type) -> _Node:
    module = module_named(kind.__module__)
    package = package_of(vars(module)) if module else None
    if package is not None:
        return _Node(("class", package, kind.__module__, kind.__qualname__))
    members = {name: member for name, member in vars(kind).items() if name not in _IGNORED}
    return _Node(("class", kind.__qualname__), [("bases", kind.__bases__), *_sorted(members)])


def _module(module: types.ModuleType) -> _Node:
    package = package_of(vars(module))
    if package is None:  # nothing shows which parts of it are used
        raise _OpaqueError
    return _Node(("module", package, module.__name__))


def _builtin(function: Any) -> _Node:
    owner = getattr(function, "__self__", None)
    kind = getattr(function, "__objclass__", None)
    module = module_named(getattr(function, "__module__", None) or "")
    package = package_of(vars(module)) if module else None
    parts = [] if isinstance(owner, types.ModuleType) else [("self", owner), ("class", kind)]
    return _Node(("builtin", package, function.__qualname__), parts)


def _array(array: Any) -> _Node:
    weak = getattr(array, "weak_type", False)
    if isinstance(array, Tracer):
        raise _OpaqueError
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = jax.random.key_data(array)
        return _Node(("key", str(array.dtype)), [("data", data)])
    numbers = np.asarray(array)
    if numbers.dtype.hasobject:
        return _Node(("array", numbers.shape), _numbered(numbers.ravel().tolist()))
    digest = hashlib.sha256(np.ascontiguousarray(numbers).tobytes()).hexdigest()
    return _Node(
        ("array", np.dtype(numbers.dtype).str, numbers.dtype.name, array.shape, weak, digest)
    )


def _dict(values: Any) -> _Node:
    """A dictionary in its own order: a program may add its values in it."""
    has_names = all(isinstance(key, str) for key in values)
    items = list(values.items()) if has_names else _numbered(values.items())
    return _Node(("dict", has_names), items)


def _set(values: Any) -> _Node:
    parts = [("[]", value) for value in values]
    return _Node(("set", type(values).__qualname__, len(parts)), parts, ordered=False)


def _split(value: Any) -> tuple[Any, Any]:
    graph, state = nnx.split(value)
    return graph, nnx.to_pure_dict(state)


def _variable(variable: Any) -> _Node:
    return _Node(
        ("variable",),
        [
            ("class", type(variable)),
            ("value", variable.get_value()),
            ("metadata", dict(variable.get_metadata())),
        ],
    )


def _of_fields(value: Any) -> _Node:
    """A dataclass by its declared fields: its other attributes are derived or cached."""
    parts = [
        (field.name, getattr(value, field.name))
        for field in dataclasses.fields(value)
        if hasattr(value, field.name)
    ]
    return _Node(("dataclass",), [("class", type(value)), *parts])


def _as_pickled(value: Any) -> _Node:
    """An object as pickle would write it, but with the contents of its functions and classes."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        reduced = reduce(value) if reduce else value.__reduce_ex__(2)
    except Exception:
        raise _OpaqueError from None
    if isinstance(reduced, str):
        label, state = ("named", reduced), getattr(value, "__dict__", {})
        return _Node(label, [("class", type(value)), *_sorted(state)])
    make, arguments, *rest = reduced
    state = rest[0] if rest else None
    parts = _without_caches(type(value), state) if isinstance(state, dict) else [("state", state)]
    items = [list(iterator) for iterator in rest[1:3] if iterator is not None]
    return _Node(("object",), [("make", make), ("arguments", arguments), *parts, ("items", items)])


def _without_caches(kind: type, state: dict[str, Any]) -> list[tuple[str, Any]]:
    """The state of an object without the values of its cached properties."""
    return [
        (name, value)
        for name, value in _sorted(state)
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    ]


def _sorted(values: Any) -> list[tuple[str, Any]]:
    return sorted(((str(name), value) for name, value in values.items()), key=lambda pair: pair[0])


def _numbered(values: Any) -> list[tuple[str, Any]]:
    return [(f"[{index}]", value) for index, value in enumerate(values)]


def _attributes(label: str, *names: str) -> Callable[[Any], _Node]:
    return lambda value: _Node((label,), [(name, getattr(value, name)) for name in names])


_KINDS: tuple[tuple[Any, Callable[[Any], _Node]], ...] = (
    (_ATOMS, lambda value: _Node((type(value).__qualname__, _text(value)))),
    (
        enum.Enum,
        lambda value: _Node(("enum", type(value).__qualname__, value.name), [("", value.value)]),
    ),
    (type, _class),
    (types.FunctionType, _function),
    (types.MethodType, _attributes("method", "__func__", "__self__")),
    (_BUILTIN, _builtin),
    (types.ModuleType, _module),
    (functools.partial, _attributes("partial", "func", "args", "keywords")),
    (_COMPILED, _attributes("compiled", "__wrapped__")),
    ((staticmethod, classmethod), _attributes("unbound", "__class__", "__func__")),
    (property, _attributes("property", "fget", "fset")),
    (functools.cached_property, _attributes("property", "func")),
    ((np.ndarray, np.generic, jax.Array), _array),
    (
        jax.tree_util.PyTreeDef,
        lambda tree: _Node(("tree",), _numbered((tree.node_data(), tree.children()))),
    ),
    (nnx.Variable, _variable),
    ((set, frozenset), _set),
)
