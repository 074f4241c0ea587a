"""The commands that train: `sweep` and `confirm`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from jaxdecay.cli.app import (
    CONFIRM_BEST,
    CONFIRM_SEEDS,
    AsJson,
    DecaysOfFolder,
    NoCompilationCache,
    Overwrite,
    OwnDecays,
    Quiet,
    SweepFolder,
    Target,
    app,
)
from jaxdecay.cli.exits import one_line_errors


class Monitor(enum.StrEnum):
    """The metrics of a classifier."""

    TEST_LOSS = "test_loss"
    TEST_ACCURACY = "test_accuracy"
    TRAIN_LOSS = "train_loss"


class Precision(enum.StrEnum):
    """Of matrix products, as JAX names them."""

    DEFAULT = "default"
    TENSORFLOAT32 = "tensorfloat32"
    FLOAT32 = "float32"


@app.command()
def sweep(
    context: typer.Context,
    data: Annotated[
        str, typer.Option(help="What to train on: digits, mnist, or a .npz file with your own.")
    ] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the MNIST files [default: JAXDECAY_DATA, or download]."),
    ] = None,
    schedules: Annotated[
        Path | None, typer.Option(help="TOML file of [[schedule]] tables [default: built-in ones].")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the training data.")] = 15,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples in a step.")] = 32,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds for each schedule.")] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The first seed.")] = 0,
    optimizer: Annotated[str, typer.Option(help="Name of an Optax optimizer.")] = "sgd",
    monitor: Annotated[
        Monitor, typer.Option(help="The metric that adaptive schedules follow, once an epoch.")
    ] = Monitor.TEST_LOSS,
    block: Annotated[
        int | None,
        typer.Option(
            min=1, help="Members (schedule × seed) a device trains together [default: the fastest]."
        ),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Precision of matrix products; matters on a GPU.")
    ] = Precision.DEFAULT,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files [default: runs/<data>-<n>].")
    ] = None,
    overwrite: Overwrite = False,
    decays: OwnDecays = None,
    checkpoint_every: Annotated[
        int, typer.Option(min=1, help="Epochs from one checkpoint to the next.")
    ] = 1,
    keep: Annotated[int, typer.Option(min=2, help="How many checkpoints are stored.")] = 3,
    stop_diverged: Annotated[
        bool, typer.Option("--stop-diverged", help="Stop when every member has diverged.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Resume the sweep in this folder; only --epochs can change.")
    ] = None,
    target: Target = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="This is one of many processes of the sweep.")
    ] = False,
    coordinator: Annotated[
        str | None, typer.Option(help="Address:port of process 0 [default: detected by JAX].")
    ] = None,
    process: Annotated[
        int | None,
        typer.Option(min=0, help="Index of this process, from 0 [default: detected by JAX]."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Number of processes [default: detected by JAX].")
    ] = None,
    no_compilation_cache: NoCompilationCache = False,
) -> None:
    """Train many schedules × seeds at once and show which did best.

    Without options it trains a built-in population on handwritten digits, in less than a minute
    and offline. On MNIST, with schedules of your own:

    jaxdecay sweep --data mnist --schedules decays.toml --epochs 15 --out runs/mnist

    or on data of your own, arrays that numpy.savez has written under the names train_inputs,
    train_labels, test_inputs and test_labels: --data mine.npz.

    decays.toml contains, for example, the following. A list creates one schedule for each of its
    values; several lists, one for each combination:

    \b
    [[schedule]]
    family = "inverse_time"
    init_value = [0.03, 0.1, 0.3]
    decay_rate = 0.001

    However a sweep was stopped, this resumes it from its last checkpoint:

    jaxdecay sweep --resume runs/mnist
    """
    with one_line_errors():
        from jaxdecay.cli.display import display_for
        from jaxdecay.cli.folders import check_free
        from jaxdecay.cli.processes import compare, connect
        from jaxdecay.cli.starting import check_resumes, resume_sweep, start_sweep
        from jaxdecay.training.devices import store_compiled_programs
        from jaxdecay.training.processes import together

        display = display_for(quiet, as_json)
        shared = out if resume is None else resume
        if distributed and shared is not None:
            check_free(shared)
        connect(distributed, coordinator, process, processes)
        if not no_compilation_cache:
            store_compiled_programs()
        options = context.params
        compare(options)
        given = {name for name in options if _is_given(context, name)}
        if resume is not None:
            with together():
                check_resumes(given)
            resume_sweep(
                resume,
                epochs=epochs if "epochs" in given else None,
                decays=decays,
                display=display,
                target=target,
            )
        else:
            start_sweep(options, display)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option is on the command line, and not left to its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@app.command()
def confirm(
    folder: SweepFolder,
    best: Annotated[
        int, typer.Option(min=2, help="How many of the best schedules to train again.")
    ] = CONFIRM_BEST,
    seeds: Annotated[
        int, typer.Option(min=2, help="How many seeds for each of them.")
    ] = CONFIRM_SEEDS,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files [default: FOLDER-confirmed].")
    ] = None,
    overwrite: Overwrite = False,
    target: Target = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    decays: DecaysOfFolder = None,
    no_compilation_cache: NoCompilationCache = False,
) -> None:
    """Train the best schedules of a finished sweep again, with new seeds, to separate them.

    The best of many schedules with few seeds is partly lucky: with the seeds that selected it, it
    looks better than it is. Here all seeds are new; everything else is unchanged. For example:

    jaxdecay sweep --out runs/digits

    jaxdecay confirm runs/digits --best 5

    To narrow the choice further, run confirm on runs/digits-confirmed: it uses new seeds again.
    """
    with one_line_errors():
        from jaxdecay.cli.display import display_for
        from jaxdecay.cli.folders import confirmed_folder
        from jaxdecay.cli.processes import connect
        from jaxdecay.cli.starting import confirm_sweep
        from jaxdecay.training.devices import store_compiled_programs

        display = display_for(quiet, as_json)
        connect(False, None, None, None)
        if not no_compilation_cache:
            store_compiled_programs()
        confirm_sweep(
            folder,
            confirmed_folder(folder) if out is None else out,
            best=best,
            seeds=seeds,
            overwrite=overwrite,
            decays=decays,
            display=display,
            target=target,
        )
