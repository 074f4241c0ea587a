"""The house: what imports what, how long files and functions are, and what an import loads."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import jaxdecay

PACKAGE = Path(jaxdecay.__file__).parent
ROOT = PACKAGE.parent

LAYERS = """
serialization unconstrained spelling groups inspection.marks
domain length pairs
parameter number signatures
declaration
registry resolution
plain
schedule
feedback
definition
inspection
decays extent
compose
compounds adaptive elapsed
population
candidates
arrays memory
data catalogue schedules_file calculus
results
training
report
migration
cli __init__
__main__
"""
"""From the bottom to the top, a line a layer: what stands in it imports only what stands below.

A folder stands for all of its files but those that have a place of their own. What is inside a
folder, or in `TOGETHER`, may import what stands beside it; that there is no circle is tested.
"""

TOGETHER = [{"decays", "extent"}]
"""What may import each other's files within one layer: `extent` adds counts as decays do."""

LAZY = {"__main__", "cli"}
"""The command line: it loads what a command needs when the command runs, to start quickly."""

LAZY_ARROWS = {
    ("migration.torch", "migration.torch_scheduler"),  # a class of PyTorch's, which may be missing
}

WRONG: set[tuple[str, str]] = set()
"""Arrows that still point upwards or close a circle; to be emptied."""

LONGEST_FILE = 400
LONGEST_FUNCTION = 50

TOO_LONG: set[str] = set()
"""Files and functions above the limits; to be emptied."""

HEAVY = ["flax", "optax", "orbax", "matplotlib", "typer", "rich", "sklearn", "pooch", "uniplot"]


def module_name(path: Path) -> str:
    """The name of a file inside the package; of a folder's `__init__.py` that of the folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(node: ast.AST) -> Iterator[str]:
    """The files of the package that an import statement names."""
    if isinstance(node, ast.Import):
        names = [each.name for each in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        assert not node.level, "imports inside the package are absolute"
        inner = [f"{node.module}.{each.name}" for each in node.names]
        names = [each if each.removeprefix("jaxdecay.") in FILES else node.module for each in inner]
    else:
        return
    inside = {name.removeprefix("jaxdecay.") for name in names if name.startswith("jaxdecay.")}
    yield from inside & FILES.keys()


def imports(text: str) -> tuple[set[str], set[str]]:
    """What a file imports when it is loaded, and what its functions import when they are called.

    Imports for type checkers count as those of the first kind: who reads needs them as well.
    """
    tree = ast.parse(text)
    functions = [each for each in ast.walk(tree) if isinstance(each, FUNCTIONS)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    at_once, when_called = set(), set()
    for node in ast.walk(tree):
        (when_called if id(node) in inside else at_once).update(imported(node))
    return at_once, when_called


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
IMPORTS = {name: imports(path.read_text()) for name, path in FILES.items()}
ARROWS = {(name, each) for name, kinds in IMPORTS.items() for kind in kinds for each in kind}


def place(name: str) -> tuple[int, str]:
    """The layer of a file, and the name in it that stands for the file."""
    parts = name.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    for each in names:
        for level, line in enumerate(LAYERS.split("\n")):
            if each in line.split():
                return level, each
    raise KeyError(f"{name} has no layer")


def points_upwards(arrow: tuple[str, str]) -> bool:
    (level, room), (other_level, other_room) = map(place, arrow)
    beside = room == other_room or any({room, other_room} <= each for each in TOGETHER)
    return other_level > level or (other_level == level and not beside)


def circle(arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Files of which each imports the next and the last the first; empty if there are none."""
    below: dict[str, set[str]] = {}
    for name, other in arrows:
        below.setdefault(name, set()).add(other)
    try:
        graphlib.TopologicalSorter(below).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_dependencies_point_downwards_those_of_functions_included():
    upward = {arrow for arrow in ARROWS if points_upwards(arrow)}
    assert upward <= WRONG, "put what both need below them, or hand it over from above"


def test_no_circle():
    assert circle(ARROWS - WRONG) == []
    assert WRONG <= ARROWS, "take out what is mended"


def test_the_imports_inside_functions_are_known():
    found = {(name, each) for name, (at_once, later) in IMPORTS.items() for each in later - at_once}
    elsewhere = {arrow for arrow in found if place(arrow[0])[1] not in LAZY}
    assert elsewhere - WRONG == LAZY_ARROWS, "import at the top of the file"


def test_every_layer_holds_something():
    rooms = {place(name)[1] for name in FILES}
    assert rooms == set(LAYERS.split())


def test_the_reader_of_imports_sees_every_kind():
    text = """
from typing import TYPE_CHECKING
import jaxdecay.pairs
from jaxdecay import domain, schedule
from jaxdecay.decays import cosine
if TYPE_CHECKING:
    from jaxdecay.population import Population
class Late:
    def method(self):
        from jaxdecay.report.pictures import draw_schedules
"""
    at_once = {"pairs", "domain", "schedule", "decays", "population"}
    assert imports(text) == (at_once, {"report.pictures"})


def test_the_tests_of_arrows_and_circles_can_fail():
    assert points_upwards(("schedule", "report.pictures"))
    assert points_upwards(("registry", "plain"))
    assert not points_upwards(("decays.cosines", "decays.time"))
    assert circle([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")])
    assert not circle([("a", "b"), ("b", "c"), ("a", "c")])


# How long files and functions are.


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def too_long(path: Path, text: str) -> Iterator[str]:
    """The file, and its functions, that are above the limits, with their lengths."""
    name = path.relative_to(ROOT).as_posix()
    if (length := len(text.splitlines())) > LONGEST_FILE:
        yield f"{name}: {length} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FUNCTIONS[:2]) and (length := body_length(node)) > LONGEST_FUNCTION:
            yield f"{name}: {node.name}: {length} lines"


def test_no_file_and_no_function_is_too_long():
    folders = ("jaxdecay", "benchmarks", "examples", "tests")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 200
    found = {each for path in paths for each in too_long(path, path.read_text())}
    assert {each.rsplit(": ", 1)[0] for each in found} == TOO_LONG, sorted(found)


def test_what_is_too_long_is_seen():
    long = "def f():\n    '''Words.'''\n" + "    x = 1\n" * 51
    path = ROOT / "jaxdecay" / "long.py"
    assert list(too_long(path, long)) == ["jaxdecay/long.py: f: 51 lines"]
    assert list(too_long(path, "x = 1\n" * 401)) == ["jaxdecay/long.py: 401 lines"]
    assert list(too_long(path, "x = 1\n" * 400)) == []


# Families declare what is known of them.


def test_a_file_lists_the_families_that_it_defines():
    defined: dict[str, list[str]] = {}
    for name, family in jaxdecay.families.items():
        if family.__module__.startswith("jaxdecay."):
            defined.setdefault(family.__module__, []).append(name)
            assert getattr(jaxdecay, name) is family
    assert len(defined) > 10
    for module, names in defined.items():
        assert sys.modules[module].__all__ == sorted(names), module


def asks_for_a_family(text: str) -> list[int]:
    """Lines that compare the name of a schedule's family with a text."""
    compared = (each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Compare))
    return [
        node.lineno
        for node in compared
        if any(isinstance(each, ast.Attribute) and each.attr == "family" for each in ast.walk(node))
        and any(isinstance(each, ast.Constant) for each in ast.walk(node))
    ]


def test_no_code_asks_for_the_name_of_a_family():
    assert asks_for_a_family('schedule.family == "warmup" or other.family in ("add", "scale")')
    found = {name: asks_for_a_family(path.read_text()) for name, path in FILES.items()}
    assert {name for name, lines in found.items() if lines} == set()


# What an import loads.
def loaded_by(statement: str) -> set[str]:
    program = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_is_light():
    used = "import jaxdecay; jaxdecay.cosine(0.1, transition_steps=10)(3)"
    assert not loaded_by(used) & set(HEAVY)


def test_the_test_of_imports_can_fail():
    assert {"flax", "optax"} <= loaded_by("import jaxdecay; jaxdecay.train")


def test_every_public_name_is_there_and_documented():
    names = [name for name in dir(jaxdecay) if not name.startswith("_")]
    assert {"sweep", "train", "mnist", "digits", "cosine", "Schedule", "Population"} <= set(names)
    for name in names:
        value = getattr(jaxdecay, name)
        if callable(value) and getattr(value, "__module__", "").startswith("jaxdecay"):
            assert value.__doc__, name


@pytest.mark.parametrize("name", jaxdecay.families)
def test_every_family_says_all_of_it(name):
    family = jaxdecay.families[name]
    if family.__module__.startswith("jaxdecay."):
        for part in ("Formula: ", "Args:", "Returns:", "Raises:", "Example:", ">>> ", "Source:"):
            assert part in family.__doc__, f"{name}: {part}"
        for parameter in family.decay.parameters:
            assert f"\n        {parameter}: " in family.__doc__, f"{name}: {parameter}"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'cosin'"):
        jaxdecay.cosin  # noqa: B018
