"""What a release is built from: versions, bounds, changelog, citation and workflows."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import jaxdecay

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_re*.yml"))


def script(name: str) -> ModuleType:
    """A script of .github/, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".github" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOWEST = script("lowest_versions").lowest
CHECK = script("release_version").check


def pyproject(*dependencies: str, extra: tuple[str, ...] = ()) -> dict:
    project = {"name": "ours", "dependencies": list(dependencies)}
    project["optional-dependencies"] = {"more": list(extra)}
    return {"build-system": {"requires": ["builder>=1.27"]}, "project": project}


def test_lowest_versions_are_the_lower_bounds() -> None:
    extra = ("ours[other]", "d >= 2024.8.6; python_version > '3'")
    found = LOWEST(pyproject("a>=1.2,<2", "B_c[extra]>=0.3,!=0.4", extra=extra))
    assert found == {"builder": "1.27", "a": "1.2", "b-c": "0.3", "d": "2024.8.6"}


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        (["a<2"], "a<2: expected one lower bound, as in a>=1.0"),
        (["a==2"], "a==2: expected one lower bound"),
        (["a>=1", "a>=2"], "a has two lower bounds, 1 and 2"),
    ],
)
def test_a_dependency_has_one_lower_bound(dependencies: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LOWEST(pyproject(*dependencies))


def test_every_dependency_of_the_package_has_a_lower_bound_that_it_allows() -> None:
    lowest = LOWEST(PYPROJECT)
    assert {"hatchling", "jax", "flax", "sphinx", "mlflow", "pytest-xdist"} <= set(lowest)
    requirements = [Requirement(line) for line in PROJECT["dependencies"]]
    assert all(lowest[each.name] in each.specifier for each in requirements)


PACKAGE = '"""Docstring."""\n\n__version__ = "0.2.0"\n'


def test_a_tag_that_names_the_version_passes() -> None:
    CHECK("v0.2.0", PACKAGE, "## [Unreleased]\n\n## [0.2.0] - 2026-01-31\n")


@pytest.mark.parametrize(
    ("tag", "changelog", "message"),
    [
        ("v0.2.1", "## [0.2.0] - 2026-01-31\n", "tag v0.2.1 does not match __version__ 0.2.0"),
        ("0.2.0", "## [0.2.0] - 2026-01-31\n", "expected v0.2.0"),
        ("v0.2.0", "## [Unreleased]\n", "no section for 0.2.0"),
        ("v0.2.0", "## [0.2.0]\n", "no section for 0.2.0"),
        ("v0.2.0", "## [0x2.0] - 2026-01-31\n", "no section for 0.2.0"),
    ],
)
def test_a_tag_that_disagrees_is_refused(tag: str, changelog: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        CHECK(tag, PACKAGE, changelog)


def test_the_version_is_stated_once() -> None:
    Version(jaxdecay.__version__)
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_changelog_lists_versions_newest_first() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(.+)\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]]
    assert all(released), headings
    versions = [Version(each[1]) for each in released if each]
    assert versions == sorted(versions, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= kinds


def test_the_citation_names_the_package_as_pyproject_does() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert PROJECT["name"] in citation["title"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_have_what_a_form_needs(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields) > 0


def test_only_the_job_that_publishes_may_request_an_identity() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert "permissions" not in build
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["needs"] == "build"
    assert publish["environment"] == "pypi"
    assert not any("run" in step for step in publish["steps"])  # no code of ours near the token


def test_python_versions_are_those_of_ci() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    tested = workflow["jobs"]["newest"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: "
    classified = [each.removeprefix(prefix) for each in PROJECT["classifiers"] if prefix in each]
    assert tested == [version for version in classified if "." in version]
    assert PROJECT["requires-python"] == f">={tested[0]}"
