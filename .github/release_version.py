"""Checks that a tag, `__version__` and the changelog name the same version.

`python .github/release_version.py v0.2.0` prints nothing if the package is version 0.2.0 and the
changelog has a dated section for it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def check(tag: str, package: str, changelog: str) -> None:
    """Raises ValueError unless all three name one version.

    Args:
        tag: the tag, such as v0.2.0.
        package: text of `jaxdecay/__init__.py`.
        changelog: text of `CHANGELOG.md`.
    """
    version = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE)[1]
    if tag != f"v{version}":
        raise ValueError(f"tag {tag} does not match __version__ {version}; expected v{version}")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, changelog, re.MULTILINE):
        raise ValueError(
            f"CHANGELOG.md has no section for {version}; expected '## [{version}] - YYYY-MM-DD'"
        )


if __name__ == "__main__":
    try:
        check(
            sys.argv[1],
            (ROOT / "jaxdecay" / "__init__.py").read_text(encoding="utf-8"),
            (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        )
    except ValueError as error:
        sys.exit(str(error))
