"""The house: what imports what, and what `import jaxdecay` does not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxdecay

PACKAGE = Path(jaxdecay.__file__).parent

LAYERS = [
    {"serialization", "unconstrained"},
    {"domain", "length", "pairs", "registry"},
    {"parameter", "number", "resolution", "signatures"},
    {"schedule"},
    {"feedback"},
    {"definition"},
    {"decays.time"},
    {"decays.transition", "extent"},
    {"decays.piecewise", "decays.ending", "decays.rates", "decays.periodic"},
    {"decays"},
    {"compose"},
    {"compounds", "adaptive", "elapsed"},
    {"population"},
    {"phases"},
    {"arrays", "training.metric"},
    {"data", "catalogue", "schedules_file", "calculus", "inspection"},
    {"machine", "training.layout", "training.labels", "training.result"},
    {"training.task", "training.optimizers"},
    {"training.checks"},
    {"training.train", "training.processes"},
    {"training.checkpoint"},
    {"training.config", "training.devices", "training.placement", "training.plan"},
    {"training.block"},
    {"training.program"},
    {"training.source_code"},
    {"training.fingerprint"},
    {"training.limits"},
    {"training.identity", "training.state"},
    {"training.block_size"},
    {"training.sweep"},
    {"report.hyperparameters", "report.statistics", "report.progress"},
    {"report.pictures"},
    {"report.files", "report.leaderboard"},
    {"report.page", "report.watch", "report.export"},
    {"report"},
    {"migration.peer"},
    {"migration.torch_state", "migration.torch_scheduler"},
    {"migration.optax", "migration.keras", "migration.torch"},
    {"migration.torch_sequences", "migration.transformers", "migration.timm"},
    {"migration.timm_factory"},
    {"migration"},
    {"streams"},
    {"run", "interrupts", "exits", "own_decays"},
    {"sweeping", "showing"},
    {"cli", "__init__"},
    {"__main__"},
]
"""From the bottom to the top: a module may import modules of lower layers only."""

UPWARD_WHEN_CALLED = {
    ("schedule", "report.pictures"),
    ("population", "report.pictures"),
    ("training.result", "report.export"),
    ("training.result", "report.files"),
    ("training.result", "report.leaderboard"),
    ("training.result", "report.pictures"),
    ("training.result", "report.statistics"),
    ("report.files", "report.page"),
}
"""The methods that draw, write and compare: they load what is above them when they are called."""

HEAVY = ["flax", "optax", "orbax", "matplotlib", "typer", "rich", "sklearn", "pooch", "uniplot"]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports when it is loaded, not inside functions."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxdecay."):
            found.add(node.module.removeprefix("jaxdecay."))
        elif isinstance(node, ast.ImportFrom) and node.module == "jaxdecay":
            found.update(name.name for name in node.names if (PACKAGE / f"{name.name}.py").exists())
    return found


def imports_when_called(path: Path) -> set[str]:
    """Modules of the package that the functions of a file import."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]
    names = [node.module or "" for node in inside if isinstance(node, ast.ImportFrom)]
    return {name.removeprefix("jaxdecay.") for name in names if name.startswith("jaxdecay.")}


def layer_of(name: str) -> int:
    return next(level for level, names in enumerate(LAYERS) if name in names)


MODULES = [path for path in PACKAGE.rglob("*.py") if module_name(path).count("__init__") == 0]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_dependencies_point_downwards(path):
    level = layer_of(module_name(path))
    upward = [name for name in imports(path) if layer_of(name) >= level]
    assert not upward, f"{module_name(path)} imports {upward}, which are not below it"


def test_few_imports_inside_functions_point_upwards():
    found = {
        (module_name(path), name)
        for path in MODULES
        for name in imports_when_called(path)
        if layer_of(name) >= layer_of(module_name(path))
    }
    assert found == UPWARD_WHEN_CALLED


def test_the_reader_of_imports_sees_them():
    assert {"domain", "definition"} < imports(PACKAGE / "compose.py")


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
