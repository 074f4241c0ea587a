"""All commands of `jaxdecay`; they are listed in the order in which they are imported here."""

from __future__ import annotations

from jaxdecay.cli import family_commands as _family_commands  # noqa: F401
from jaxdecay.cli import result_commands as _result_commands  # noqa: F401
from jaxdecay.cli import sweep_commands as _sweep_commands  # noqa: F401
from jaxdecay.cli.app import app as app
