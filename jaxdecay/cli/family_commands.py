"""The commands for schedules: `list` and `show`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

import jaxdecay
from jaxdecay.cli.app import OwnDecays, app
from jaxdecay.cli.exits import one_line_errors
from jaxdecay.cli.own_decays import import_decays


@app.command("list")
def list_families(
    family: Annotated[
        str | None, typer.Argument(help="Show the full description of this family.")
    ] = None,
    decays: OwnDecays = None,
) -> None:
    """List every family, in groups: formula, hyperparameters, ranges, and defaults in [brackets].

    For example:

    jaxdecay list

    jaxdecay list cosine
    """
    with one_line_errors():
        from jaxdecay.cli.schedules import arguments_of, print_catalogue

        import_decays(decays)
        if family is not None:
            found = jaxdecay.family(family)
            typer.echo(f"{family}({arguments_of(found)})\n\n{inspect.getdoc(found)}")
        else:
            print_catalogue()


@app.command()
def show(
    family: Annotated[
        str, typer.Argument(help="A family, as listed by `jaxdecay list`, or a schedules file.")
    ],
    hyperparameters: Annotated[
        list[str] | None, typer.Argument(help="name=value, each value as in JSON.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="The last step to show.")] = 1_000,
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Steps in an epoch, for lengths in epochs.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a picture: .png, .pdf or .svg.")] = None,
    decays: OwnDecays = None,
) -> None:
    """Draw a schedule, or those of a schedules file, in the terminal, and check it.

    For example:

    jaxdecay show inverse_time init_value=0.1 decay_rate=0.5 --steps 1000

    jaxdecay show warmup 'schedule={"family": "cosine", "init_value": 0.1,
    "transition_steps": 900}' warmup_steps=100

    jaxdecay show cosine init_value=0.1 transition_steps=100%

    jaxdecay show decays.toml --steps 9375 --plot decays.png
    """
    with one_line_errors():
        from jaxdecay.cli.schedules import draw_in_terminal, schedules_of

        import_decays(decays)
        schedules = [
            schedule.resolve(steps=steps, steps_per_epoch=steps_per_epoch)
            for schedule in schedules_of(family, hyperparameters or [])
        ]
        if plot is not None and plot.suffix not in (".png", ".pdf", ".svg"):
            raise ValueError(f"--plot needs a name that ends in .png, .pdf or .svg, got {plot}")
        if plot is not None and not plot.parent.is_dir():
            raise ValueError(
                f"--plot {plot}: folder '{plot.parent}' does not exist; create it first"
            )
        draw_in_terminal(schedules, steps)
        if plot is not None:
            from jaxdecay.report.pictures import draw_schedules

            draw_schedules(schedules, steps).savefig(plot)
            typer.echo(f"Written to {plot}")
