"""The commands for a sweep that runs or has ended: `report`, `plot`, `export` and `watch`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from jaxdecay.cli.app import AsJson, DecaysOfFolder, SweepFolder, Target, app
from jaxdecay.cli.exits import one_line_errors


@app.command()
def report(folder: SweepFolder, target: Target = None, decays: DecaysOfFolder = None) -> None:
    """Write the report of a finished sweep: report.html, one file that opens offline.

    Every sweep writes a report when it ends. This command writes it again, for example with
    --target.
    """
    with one_line_errors():
        from jaxdecay.cli.folders import load_result
        from jaxdecay.report import REPORT
        from jaxdecay.report.page import page
        from jaxdecay.results.files import write

        result = load_result(folder, decays)
        write(folder / REPORT, page(result, target=target).encode())
        typer.echo(f"Written to {folder / REPORT}")


@app.command()
def plot(
    folder: SweepFolder,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures [default: FOLDER].")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Use a dark background.")] = False,
    dots: Annotated[int, typer.Option(min=10, max=1_200, help="Dots per inch.")] = 200,
    decays: DecaysOfFolder = None,
) -> None:
    """Draw a finished sweep for papers and talks, as PNG.

    Its curves, the seeds of the best schedules, and for each family the final metric against its
    hyperparameters.
    """
    with one_line_errors():
        from jaxdecay.cli.folders import load_result
        from jaxdecay.report.pictures import draw_all

        result = load_result(folder, decays)
        place = folder if out is None else out
        if place.exists() and not place.is_dir():
            raise ValueError(f"--out {place} is a file; the pictures need a folder")
        place.mkdir(parents=True, exist_ok=True)
        names = draw_all(result, place, dark=dark, dots=dots)
        typer.echo(f"Written to {place}: {', '.join(names)}")


@app.command()
def export(
    folder: SweepFolder,
    tensorboard: Annotated[
        Path | None, typer.Option(help="An empty folder, for TensorBoard's --logdir.")
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(help="Tracking URI: http://localhost:5000, sqlite:///mlflow.db, …"),
    ] = None,
    decays: DecaysOfFolder = None,
) -> None:
    """Write a finished sweep for TensorBoard, or log it with MLflow.

    Each schedule with each seed becomes a run.

    For example:

    jaxdecay export runs/mnist --tensorboard runs/tensorboard

    tensorboard --logdir runs/tensorboard

    A new MLflow experiment is created, named after the folder. Install TensorBoard or MLflow with
    pip install 'jaxdecay[tensorboard]' or pip install 'jaxdecay[mlflow]'.
    """
    with one_line_errors():
        if tensorboard is None and mlflow is None:
            raise ValueError(
                "export needs a destination; give --tensorboard FOLDER or --mlflow URI"
            )
        from jaxdecay.cli.folders import load_result
        from jaxdecay.report.export import to_mlflow, to_tensorboard

        result = load_result(folder, decays)
        if tensorboard is not None:
            to_tensorboard(result, tensorboard)
            typer.echo(f"Written to {tensorboard}; tensorboard --logdir {tensorboard} shows it")
        if mlflow is not None:
            to_mlflow(result, str(folder), mlflow)
            typer.echo(f"Logged to {mlflow} as experiment {folder}")


@app.command()
def watch(folder: SweepFolder, as_json: AsJson = False, decays: DecaysOfFolder = None) -> None:
    """Follow a sweep that runs elsewhere, from its files, until its results are complete.

    Ctrl-C ends the watching, not the sweep.
    """
    with one_line_errors(), contextlib.suppress(KeyboardInterrupt):
        from jaxdecay.cli.display import display_for
        from jaxdecay.cli.watch import watch

        watch(folder, decays, display_for(quiet=False, as_json=as_json))
