"""The application `jaxdecay`, and the options that several of its commands take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Learning-rate schedules for JAX, and sweeps that train a network with each of them.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)

CONFIRM_BEST = 8
CONFIRM_SEEDS = 20
"""How many of the best schedules `confirm` trains again, and with how many seeds."""


def _positive(value: float | None) -> float | None:
    """A finite number above 0; typer's own limits accept nan."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is not a number above 0")
    return value


Target = Annotated[
    float | None,
    typer.Option(
        help="Rank by the steps until this value [default: by the final test accuracy].",
        callback=_positive,
    ),
]
SweepFolder = Annotated[Path, typer.Argument(help="Folder of a sweep.")]
OwnDecays = Annotated[
    Path | None,
    typer.Option("--decays", help="Python file with decays of your own; it is executed."),
]
DecaysOfFolder = Annotated[
    Path | None,
    typer.Option(
        "--decays",
        help="Python file with the decays of your own that the sweep used; it is executed. "
        "Without this option, no file that FOLDER names is.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace another sweep in --out.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
NoCompilationCache = Annotated[
    bool,
    typer.Option(
        "--no-compilation-cache", help="Compile again; neither read nor store compiled programs."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print lines of JSON, one for each epoch.")]
