"""Prints pip constraints that pin every dependency in pyproject.toml to its lowest version.

`python .github/lowest_versions.py > lowest.txt` and then `pip install -c lowest.txt '.[test]'`
install every dependency at its lowest version, and what these need in turn at its newest. Needs
`packaging`.
"""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def lowest(pyproject: dict) -> dict[str, str]:
    """The lower bound of every dependency, by name; ValueError for one that has none."""
    project = pyproject["project"]
    groups = [
        pyproject["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
    ]
    versions = {}
    for requirement in (Requirement(line) for group in groups for line in group):
        name = canonicalize_name(requirement.name)
        if name == project["name"]:
            continue  # one of its own extras
        bounds = [part.version for part in requirement.specifier if part.operator == ">="]
        if len(bounds) != 1:
            raise ValueError(f"{requirement}: expected one lower bound, as in {name}>=1.0; add it")
        if versions.setdefault(name, bounds[0]) != bounds[0]:
            raise ValueError(
                f"{name} has two lower bounds, {versions[name]} and {bounds[0]}; give it one"
            )
    return versions


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "pyproject.toml"
    for name, version in sorted(lowest(tomllib.loads(path.read_text(encoding="utf-8"))).items()):
        print(f"{name}=={version}")
