"""Sphinx: `sphinx-build -W .github/docs build/docs` builds the documentation."""

import jaxdecay

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
