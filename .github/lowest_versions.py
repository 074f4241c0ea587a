"""Prints pip constraints that pin every dependency in pyproject.toml to its lowest version.

`python .github/lowest_versions.py > lowest.txt` and then `pip install -c lowest.txt '.[test]'`
install the oldest set of versions that the bounds allow. What the dependencies themselves need
stays at its newest version. Needs `packaging`.
"""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def lowest(project: dict) -> dict[str, str]:
    """The lower bound of every dependency, by name; ValueError for one that has none."""
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
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
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    for name, version in sorted(lowest(project).items()):
        print(f"{name}=={version}")
