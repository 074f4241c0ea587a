"""The source of a function, the globals that it uses, and the package of a module."""

from __future__ import annotations

import ast
import builtins
import dis
import functools
import importlib.metadata
import linecache
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

from jaxdecay.results.provenance import PACKAGES

_STANDARD_LIBRARY = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]


def package_of(module: Mapping[str, Any]) -> str | None:
    """The name and version of a module's installed package; None for the user's own modules.

    Args:
        module: the globals of the module. Editable packages count as the user's own, except this
            library and those that it is built on.
    """
    return _package_of(str(module.get("__name__")), module.get("__file__"))


@functools.cache
def _package_of(name: str, file: str | None) -> str | None:
    top = name.partition(".")[0]
    if top in PACKAGES:
        return _version_of(top)
    if file is None:
        return "python" if top in sys.stdlib_module_names else None
    path = Path(file)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return _version_of(top)
    return "python" if any(map(path.is_relative_to, _STANDARD_LIBRARY)) else None


def _version_of(top: str) -> str | None:
    """The name and version of the package, or packages, that provide a top-level module."""
    try:
        return f"{top} {importlib.metadata.version(top)}"
    except importlib.metadata.PackageNotFoundError:  # the package has another name: scikit-learn
        names = sorted(set(importlib.metadata.packages_distributions().get(top, ())))
        packages = [f"{name} {importlib.metadata.version(name)}" for name in names]
        return ", ".join(packages) or None


def module_named(name: str) -> types.ModuleType | None:
    """A module if it is loaded, else the nearest loaded package around it."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return sys.modules.get(name)


def source_of(function: types.FunctionType) -> str:
    """A function as the text of its syntax tree, without comments, docstring and layout.

    If the file is missing, or was edited after it was loaded so that it no longer compiles to the
    running function, the text is the function's bytecode.
    """
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    definition = _definitions("".join(lines)).get(_identity(code))
    return _instructions(code) if definition is None else _tree(definition)


def used_globals(function: types.FunctionType) -> list[tuple[str, Any]]:
    """The globals that a function uses, by name; for the user's modules, the used attributes."""
    names, attributes, imported = set(), set(), set()
    for code in _all_codes(function.__code__):
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"):
                names.add(instruction.argval)
            elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                attributes.add(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                imported.add(instruction.argval)
    known = function.__globals__
    used = {name: known[name] for name in names if name in known}
    package = str(known.get("__package__") or "")
    for name in imported:
        for full in (name, f"{package}.{name}".rstrip(".")):  # absolute, or relative
            if full in sys.modules:
                used[full] = sys.modules[full]
    seen: set[int] = set()
    return [
        pair
        for name, value in sorted(used.items())
        if value is not builtins
        for pair in _attributes_used(name, value, attributes, seen)
    ]


def _attributes_used(
    name: str, value: Any, attributes: Set[str], seen: set[int]
) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, types.ModuleType) or package_of(vars(value)) is not None:
        yield name, value
    elif id(value) not in seen:
        seen.add(id(value))
        for used in sorted(attributes & vars(value).keys()):
            yield from _attributes_used(f"{name}.{used}", vars(value)[used], attributes, seen)


def _all_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those of the functions and classes inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_codes(constant)


def _identity(code: types.CodeType) -> tuple[Any, ...]:
    """The parts of a code object that do not depend on its place in a file."""
    constants = tuple(
        _identity(constant) if isinstance(constant, types.CodeType) else _constant(constant)
        for constant in code.co_consts
    )
    return (code.co_qualname, code.co_code, code.co_names, code.co_varnames, constants)


def _constant(value: Any) -> str:
    """A constant as text; sorts sets, whose order differs between processes."""
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_constant, value))})"
    if isinstance(value, tuple):
        return f"tuple({[_constant(each) for each in value]})"
    return f"{type(value).__name__}({value!r})"


def _instructions(code: types.CodeType) -> str:
    """Bytecode as text, without line numbers."""
    lines = []
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        text = _instructions(value) if isinstance(value, types.CodeType) else _constant(value)
        lines.append(f"{instruction.opname} {text}")
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return f"({arguments}, {code.co_flags}: {'; '.join(lines)})"


class _Place(NamedTuple):
    """A function in a text: its first line, and the span of its body as (line, column)."""

    line: int
    name: str
    begin: tuple[int, int]
    end: tuple[int, int]
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@functools.lru_cache(maxsize=256)
def _definitions(text: str) -> dict[tuple[Any, ...], ast.AST]:
    """The functions in a text, by the identity of their compiled code."""
    try:
        tree = ast.parse(text)
        with warnings.catch_warnings(action="ignore"):
            module = compile(tree, "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    places: dict[tuple[int, str], list[_Place]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            place = _place(node)
            places.setdefault((place.line, place.name), []).append(place)
    definitions = {}
    for code in _all_codes(module):
        candidates = places.get((code.co_firstlineno, code.co_name), [])
        if len(candidates) > 1:  # lambdas that begin in one line; take the innermost around it
            begin, end = _span(code)
            around = (place for place in candidates if place.begin <= begin and end <= place.end)
            candidates = sorted(around, key=lambda place: place.begin)
        if candidates:
            definitions[_identity(code)] = candidates[-1].node
    return definitions


def _place(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> _Place:
    if isinstance(node, ast.Lambda):
        first, last, line, name = node.body, node.body, node.lineno, "<lambda>"
    else:
        first, last, name = node.body[0], node.body[-1], node.name
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    begin = first.lineno, first.col_offset
    return _Place(line, name, begin, (last.end_lineno or 0, last.end_col_offset or 0), node)


def _span(code: types.CodeType) -> tuple[tuple[int, int], tuple[int, int]]:
    """The positions of the first and the last character of a code object's source."""
    begins, ends = [], []
    for line, last_line, column, last_column in code.co_positions():
        known = None not in (line, last_line, column, last_column)
        if known and column != last_column:  # instructions without source have no span
            begins.append((line, column))
            ends.append((last_line, last_column))
    return min(begins, default=(0, 0)), max(ends, default=(0, 0))


def _tree(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python."""
    if isinstance(node, list):
        return f"[{','.join(map(_tree, node))}]"
    if not isinstance(node, ast.AST):
        return _constant(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "type_comment") or value == []:
            continue
        if value is None and not isinstance(node, ast.Constant):
            continue
        if name == "body" and isinstance(value, list) and _has_docstring(node):
            value = value[1:]
        fields.append(f"{name}={_tree(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _has_docstring(node: ast.AST) -> bool:
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
