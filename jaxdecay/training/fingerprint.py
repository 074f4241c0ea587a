"""Fingerprints: one digest of everything that decides what a function computes.

A fingerprint covers a value and all that it reaches: of the user's functions their source,
defaults, closures and the globals that they name; of objects the state that pickle would write; of
arrays every byte; of installed packages only names and versions. It is the same in every process.

The values are the nodes of a graph. The digest of a node takes in those of the values that it
holds. Where these lead back to it, it starts with its own contents, and takes in the others round
by round, until a round separates no more nodes than the one before (Weisfeiler and Leman's
refinement). So neither the order of the walk nor which equal values are one object matters.
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
"""Functions that hold nothing but the function that they wrap and what it gave before."""
_BUILTIN = (
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.WrapperDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
_SAYS_NOTHING = {
    *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__"),
    *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
    "__slotnames__",  # which copyreg leaves behind
}
"""Of a class's namespace: what Python adds, and what changes no number."""


class _Node(NamedTuple):
    """A value: a label for its own contents, and the values that it holds, with their names."""

    label: tuple[Any, ...]
    parts: Sequence[tuple[str, Any]] = ()
    ordered: bool = True


class _OpaqueError(Exception):
    """A value whose contents cannot be read."""


def fingerprint(value: Any, what: str) -> str:
    """A digest of a value and of all that decides what it computes, the same in every process.

    Args:
        value: a function, a class, an object, or a pytree of them.
        what: names the value in the error message.

    Returns:
        A SHA-256 digest, in hexadecimal.

    Raises:
        ValueError: the value holds an object whose contents cannot be read, such as a lock, an
            open file or a generator.

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
        parts = [each if isinstance(each, bytes) else colours[each] for each in edges[index]]
        return _hash(labels[index], *(parts if ordered[index] else sorted(parts)))

    in_cycles = []
    for index in _from_the_ends(edges, in_cycles):
        colours[index] = colour(index)
    kinds = 0
    while len({colours[index] for index in in_cycles}) > kinds:
        kinds = len({colours[index] for index in in_cycles})
        for index, each in [(index, colour(index)) for index in in_cycles]:
            colours[index] = each
    # All of them, since the first has not yet heard of the most distant ones.
    return _hash(colours[0], *sorted({colours[index] for index in in_cycles})).hex()


def _from_the_ends(edges: list[list[int | bytes]], others: list[int]) -> Iterator[int]:
    """The nodes from which no cycle is reached, each after its parts; the rest go into `others`."""
    parts = [{each for each in held if isinstance(each, int)} for held in edges]
    users: list[list[int]] = [[] for _ in edges]
    for index, held in enumerate(parts):
        for each in held:
            users[each].append(index)
    missing = [len(held) for held in parts]
    ready = [index for index, count in enumerate(missing) if not count]
    for index in ready:  # which grows
        yield index
        for user in users[index]:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    others.extend(index for index, count in enumerate(missing) if count)


def of_own_decays(schedules: Iterable[Schedule]) -> dict[str, str]:
    """By family, a fingerprint of each decay that is not this library's.

    Decays of functions may share a name; then it covers also which schedules have which.

    Raises:
        ValueError: a decay holds an object whose contents cannot be read.
    """
    used: dict[str, dict[Decay, list[int]]] = {}
    for index, schedule in enumerate(schedules):
        for decay in _decays(schedule):
            if not decay.function.__module__.startswith("jaxdecay."):
                used.setdefault(decay.family, {}).setdefault(decay, []).append(index)
    return {
        family: fingerprint(list(found.items() if len(found) > 1 else found), f"the decay {family}")
        for family, found in used.items()
    }


def _decays(value: Any) -> Iterator[Decay]:
    """The decays of a schedule and of those inside it."""
    if isinstance(value, Schedule):
        yield value.decay
        value = tuple(value.hyperparameters.values())
    if isinstance(value, tuple):
        for each in value:
            yield from _decays(each)


def _graph(value: Any, what: str) -> tuple[list[bytes], list[list[int | bytes]], list[bool]]:
    """Of each value that is reached: the digest of its label, its parts, whether these have order.

    A part is the number of a node, or the digest of a plain value.
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
            reached.append(part)  # which also keeps its id from being given to another
            paths.append(path)
        return numbers[id(part)]

    for index, each in enumerate(reached):  # which grows
        path = paths[index]
        try:
            node = _described(each)
        except _OpaqueError:
            kind = f"{type(each).__module__}.{type(each).__qualname__}"
            raise ValueError(
                f"{what} cannot be compared when the sweep is resumed: {path or 'it'} is a {kind}, "
                "whose contents cannot be read; write it as a function in a module or as a "
                "dataclass, or leave out checkpoints"
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
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.digest()


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
        *zip(code.co_freevars, map(_inside, function.__closure__ or ()), strict=True),
        ("defaults", function.__defaults__),
        *_sorted(function.__kwdefaults__ or {}),
        *_sorted(vars(function)),
    ]
    return _Node(label, parts if package else [*parts, *used_globals(function)])


def _inside(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # assigned later, or never
        return "empty"


def _class(found: type) -> _Node:
    module = module_named(found.__module__)
    package = package_of(vars(module)) if module else None
    if package is not None:
        return _Node(("class", package, found.__module__, found.__qualname__))
    names = {name: each for name, each in vars(found).items() if name not in _SAYS_NOTHING}
    return _Node(("class", found.__qualname__), [("bases", found.__bases__), *_sorted(names)])


def _module(module: types.ModuleType) -> _Node:
    package = package_of(vars(module))
    if package is None:  # what of it is used is not known
        raise _OpaqueError
    return _Node(("module", package, module.__name__))


def _builtin(found: Any) -> _Node:
    owner = getattr(found, "__self__", None)
    kind = getattr(found, "__objclass__", None)
    module = module_named(getattr(found, "__module__", None) or "")
    package = package_of(vars(module)) if module else None
    held = [] if isinstance(owner, types.ModuleType) else [("self", owner), ("class", kind)]
    return _Node(("builtin", package, found.__qualname__), held)


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


def _dict(found: Any) -> _Node:
    """In its order, in which a program may add its values."""
    names = all(isinstance(key, str) for key in found)
    return _Node(("dict", names), list(found.items()) if names else _numbered(found.items()))


def _set(found: Any) -> _Node:
    held = [("[]", each) for each in found]
    return _Node(("set", type(found).__qualname__, len(held)), held, ordered=False)


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
    """The declared fields only: what else a dataclass has is derived from them, or remembered."""
    held = [
        (each.name, getattr(value, each.name))
        for each in dataclasses.fields(value)
        if hasattr(value, each.name)
    ]
    return _Node(("dataclass",), [("class", type(value)), *held])


def _as_pickled(value: Any) -> _Node:
    """What pickle would write, but that functions and classes are not left at their names."""
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
    held = (
        _remembered_left_out(type(value), state) if isinstance(state, dict) else [("state", state)]
    )
    items = [list(each) for each in rest[1:3] if each is not None]
    return _Node(("object",), [("make", make), ("arguments", arguments), *held, ("items", items)])


def _remembered_left_out(kind: type, state: dict[str, Any]) -> list[tuple[str, Any]]:
    """The state of an object without the values of its cached properties."""
    return [
        (name, each)
        for name, each in _sorted(state)
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    ]


def _sorted(values: Any) -> list[tuple[str, Any]]:
    return sorted(((str(name), each) for name, each in values.items()), key=lambda pair: pair[0])


def _numbered(values: Any) -> list[tuple[str, Any]]:
    return [(f"[{index}]", each) for index, each in enumerate(values)]


def _attributes(label: str, *names: str) -> Callable[[Any], _Node]:
    return lambda value: _Node((label,), [(name, getattr(value, name)) for name in names])


_KINDS: tuple[tuple[Any, Callable[[Any], _Node]], ...] = (
    (_ATOMS, lambda value: _Node((type(value).__qualname__, _text(value)))),
    (
        enum.Enum,
        lambda each: _Node(("enum", type(each).__qualname__, each.name), [("", each.value)]),
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
