"""Sphinx: `sphinx-build -W .github/docs build/docs` builds the documentation."""

from typing import Any

import jaxdecay
from jaxdecay.catalogue import catalogue

project = "jaxdecay"
author = "The jaxdecay authors"
release = version = jaxdecay.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"jaxdecay {release}"

default_role = "code"  # docstrings quote code with single backticks
napoleon_custom_sections = ["Source"]
napoleon_use_ivar = True
autodoc_typehints = "none"  # docstrings say what each argument is
autodoc_member_order = "bysource"
myst_heading_anchors = 2
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository; tests check them

FAMILIES = "<!-- the families, group by group; conf.py puts them here -->"


def with_families(page: str) -> str:
    """A page with a section for each group of the catalogue in place of its mark."""
    groups: dict[str, list[str]] = {}
    # A process of tests knows families of its own too.
    entries = (entry for entry in catalogue() if hasattr(jaxdecay, entry.family))
    for entry in entries:
        groups.setdefault(entry.group, []).append(f".. autofunction:: jaxdecay.{entry.family}\n")
    sections = [
        f"## {group}\n\n```{{eval-rst}}\n{''.join(functions)}```\n"
        for group, functions in groups.items()
    ]
    return page.replace(FAMILIES, "\n".join(sections))


def _fill_in(_: Any, __: str, source: list[str]) -> None:
    source[0] = with_families(source[0])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _fill_in)
