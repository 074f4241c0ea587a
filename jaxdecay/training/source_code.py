"""What a function is written as, which globals it uses, and which package a module is part of."""

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
    """Name and version of the installed package that a module, by its globals, is part of.

    None for modules of the user: also for those of packages that are installed as editable, other
    than this library and those that it is built on.
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
    """Name and version of the package, or packages, that a module of the first level is from."""
    try:
        return f"{top} {importlib.metadata.version(top)}"
    except importlib.metadata.PackageNotFoundError:  # the package has another name: scikit-learn
        names = sorted(set(importlib.metadata.packages_distributions().get(top, ())))
        found = [f"{name} {importlib.metadata.version(name)}" for name in names]
        return ", ".join(found) or None


def module_named(name: str) -> types.ModuleType | None:
    """A module that is loaded, or else the nearest package around it that is."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return sys.modules.get(name)


def source_of(function: types.FunctionType) -> str:
    """A function as a syntax tree, in which comments, docstring and layout do not show.

    The file may have been edited since it was loaded. So where what is there does not compile to
    the function that runs, or nothing is there, it is the function's bytecode.
    """
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    definition = _definitions("".join(lines)).get(_identity(code))
    return _instructions(code) if definition is None else _tree(definition)


def used_globals(function: types.FunctionType) -> list[tuple[str, Any]]:
    """The globals that a function uses, by name; of modules of the user, the used attributes."""
    names, attributes, imported = set(), set(), set()
    for code in _all_codes(function.__code__):
        for each in dis.get_instructions(code):
            if each.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"):
                names.add(each.argval)
            elif each.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                attributes.add(each.argval)
            elif each.opname == "IMPORT_NAME":
                imported.add(each.argval)
    known = function.__globals__
    found = {name: known[name] for name in names if name in known}
    package = str(known.get("__package__") or "")
    for name in imported:
        for full in (name, f"{package}.{name}".rstrip(".")):  # absolute, or relative
            if full in sys.modules:
                found[full] = sys.modules[full]
    seen: set[int] = set()
    return [
        pair
        for name, each in sorted(found.items())
        if each is not builtins
        for pair in _attributes_used(name, each, attributes, seen)
    ]


def _attributes_used(
    name: str, value: Any, attributes: Set[str], seen: set[int]
) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, types.ModuleType) or package_of(vars(value)) is not None:
        yield name, value
    elif id(value) not in seen:
        seen.add(id(value))
        for each in sorted(attributes & vars(value).keys()):
            yield from _attributes_used(f"{name}.{each}", vars(value)[each], attributes, seen)


def _all_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those of the functions and classes inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _all_codes(each)


def _identity(code: types.CodeType) -> tuple[Any, ...]:
    """What two compilations of the same text have in common, wherever in a file it is."""
    constants = tuple(
        _identity(each) if isinstance(each, types.CodeType) else _constant(each)
        for each in code.co_consts
    )
    return (code.co_qualname, code.co_code, code.co_names, code.co_varnames, constants)


def _constant(value: Any) -> str:
    """A constant as text; Python shows sets in an order that differs between processes."""
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_constant, value))})"
    if isinstance(value, tuple):
        return f"tuple({[_constant(each) for each in value]})"
    return f"{type(value).__name__}({value!r})"


def _instructions(code: types.CodeType) -> str:
    """Bytecode as text, without the places in the file."""
    lines = []
    for each in dis.get_instructions(code):
        value = each.argval
        inner = isinstance(value, types.CodeType)
        lines.append(f"{each.opname} {_instructions(value) if inner else _constant(value)}")
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return f"({arguments}, {code.co_flags}: {'; '.join(lines)})"


class _Place(NamedTuple):
    """A function in a text: where it begins and the span of its body, as (line, column)."""

    line: int
    name: str
    begin: tuple[int, int]
    end: tuple[int, int]
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@functools.lru_cache(maxsize=256)
def _definitions(text: str) -> dict[tuple[Any, ...], ast.AST]:
    """The functions of a text, by what they compile to."""
    try:
        tree = ast.parse(text)
        with warnings.catch_warnings(action="ignore"):
            whole = compile(tree, "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    places: dict[tuple[int, str], list[_Place]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            place = _place(node)
            places.setdefault((place.line, place.name), []).append(place)
    found = {}
    for code in _all_codes(whole):
        here = places.get((code.co_firstlineno, code.co_name), [])
        if len(here) > 1:  # lambdas that begin in one line; of nested ones the innermost
            begin, end = _span(code)
            around = (place for place in here if place.begin <= begin and end <= place.end)
            here = sorted(around, key=lambda place: place.begin)
        if here:
            found[_identity(code)] = here[-1].node
    return found


def _place(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> _Place:
    if isinstance(node, ast.Lambda):
        first, last, line, name = node.body, node.body, node.lineno, "<lambda>"
    else:
        first, last, name = node.body[0], node.body[-1], node.name
        line = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    begin = first.lineno, first.col_offset
    return _Place(line, name, begin, (last.end_lineno or 0, last.end_col_offset or 0), node)


def _span(code: types.CodeType) -> tuple[tuple[int, int], tuple[int, int]]:
    """From the first to the last character that a code object is compiled from."""
    begins, ends = [], []
    for line, last_line, column, last_column in code.co_positions():
        known = None not in (line, last_line, column, last_column)
        if known and column != last_column:  # else nothing that was written
            begins.append((line, column))
            ends.append((last_line, last_column))
    return min(begins, default=(0, 0)), max(ends, default=(0, 0))


def _tree(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python that reads the same program."""
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
