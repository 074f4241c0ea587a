"""The command line: one function for each command of `jaxdecay`."""

from __future__ import annotations

import contextlib
import enum
import inspect
import math
from pathlib import Path
from typing import Annotated, Any

import typer

import jaxdecay
from jaxdecay.exits import one_line_errors
from jaxdecay.own_decays import import_decays

app = typer.Typer(
    help="Learning-rate decays for JAX, and sweeps that train them all at once.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


OwnDecays = Annotated[
    Path | None, typer.Option("--decays", help="Python file with decays of your own; it is run.")
]


def _positive(value: float | None) -> float | None:
    """A number above 0 and finite; typer's own limits let those through that are no number."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is not a number above 0")
    return value


Target = Annotated[
    float | None,
    typer.Option(
        help="Rank by the steps to this test accuracy, such as 0.97 [by the last one].",
        callback=_positive,
    ),
]
SweepFolder = Annotated[Path, typer.Argument(help="Folder of a sweep.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the files [runs/<data>-<n>].")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace another sweep in --out.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print lines of JSON, one for each epoch.")]


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
        Path | None, typer.Option(help="Folder of the MNIST files [JAXDECAY_DATA, or download].")
    ] = None,
    schedules: Annotated[
        Path | None, typer.Option(help="TOML file of [[schedule]] tables [a built-in population].")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the training data.")] = 15,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples a step.")] = 32,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds for each schedule.")] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The first seed.")] = 0,
    optimizer: Annotated[str, typer.Option(help="Name of an Optax optimizer.")] = "sgd",
    monitor: Annotated[
        Monitor, typer.Option(help="The metric that schedules with state follow, once an epoch.")
    ] = Monitor.TEST_LOSS,
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Members that a device trains at a time [the fastest, measured]."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of matrix products; matters on a GPU.")
    ] = Precision.DEFAULT,
    out: Out = None,
    overwrite: Overwrite = False,
    decays: OwnDecays = None,
    checkpoint_every: Annotated[
        int, typer.Option(min=1, help="Epochs from one checkpoint to the next.")
    ] = 1,
    keep: Annotated[int, typer.Option(min=2, help="How many checkpoints are kept.")] = 3,
    stop_diverged: Annotated[
        bool, typer.Option("--stop-diverged", help="Stop when every member has diverged.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a sweep to go on with; says all but --epochs.")
    ] = None,
    target: Target = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="This is one of many processes of the sweep.")
    ] = False,
    coordinator: Annotated[
        str | None, typer.Option(help="Address:port of the first process [JAX finds out].")
    ] = None,
    process: Annotated[
        int | None, typer.Option(min=0, help="Which process this is, from 0 [JAX finds out].")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many there are [JAX finds out].")
    ] = None,
) -> None:
    """Train many schedules × seeds at once and say which did best.

    Without options it trains a built-in population on handwritten digits, in seconds and without
    network. On MNIST, with schedules of your own:

    jaxdecay sweep --data mnist --schedules decays.toml --epochs 15 --out runs/mnist

    or on data of your own, arrays that numpy.savez has written under the names train_inputs,
    train_labels, test_inputs and test_labels: --data mine.npz.

    decays.toml holds, for example (a list means every one of its values):

    \b
    [[schedule]]
    family = "inverse_time"
    init_value = [0.03, 0.1, 0.3]
    decay_rate = 0.001

    A sweep that was stopped, in whatever way, goes on from its last whole epoch with

    jaxdecay sweep --resume runs/mnist
    """
    from jaxdecay.catalogue import default_population
    from jaxdecay.report.files import are_whole, prepare
    from jaxdecay.run import (
        Run,
        connect,
        is_first,
        load,
        mnist_folder,
        new_folder,
        optimizer_named,
    )
    from jaxdecay.schedules_file import read_schedules
    from jaxdecay.sweeping import print_finished, train
    from jaxdecay.training.checkpoint import digest
    from jaxdecay.training.config import SweepConfig, stored_options
    from jaxdecay.training.fingerprint import of_own_decays
    from jaxdecay.training.train import steps_per_epoch

    given = {
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    with one_line_errors():
        tell = _tell(quiet, as_json)
        connect(distributed, coordinator, process, processes)
        if resume is not None:
            _check_only_with_resume(given)
            run = Run.read(resume)
            wanted = run.epochs_more(epochs) if "epochs" in given else run
            if wanted == run and are_whole(resume):
                print_finished(resume, run.config.epochs, tell)
                return
            import_decays(run.decays)
            task = jaxdecay.classifier(run.load())
            train(wanted, task, resume, goes_on=True, tell=tell, target=target)
            return
        import_decays(decays)
        population = read_schedules(schedules) if schedules is not None else None
        flags = {name: context.params[name] for name in stored_options()}
        plain = {name: getattr(each, "value", each) for name, each in flags.items()}
        config = SweepConfig(**{**plain, "optimizer": optimizer_named(optimizer)})
        task = jaxdecay.classifier(load(data, data_dir))
        steps = steps_per_epoch(task.data, epochs, batch_size)
        if population is None:
            population = default_population(epochs, optimizer)
        population = population.resolve(
            steps=epochs * steps, steps_per_epoch=steps, samples_per_step=batch_size
        )
        run = Run(
            data=str(Path(data).absolute()) if data.endswith(".npz") else data,
            data_dir=mnist_folder(data_dir) if data == "mnist" else None,
            digest=digest(task.data),
            decays=str(decays.absolute()) if decays else None,
            own_decays=of_own_decays(population),
            schedules=[schedule.to_dict() for schedule in population],
            confirms=None,
            steps=steps,
            config=config,
            checkpoint_every=checkpoint_every,
            keep=keep,
        )
        if distributed and out is None:
            raise ValueError("--distributed needs --out: a folder that all processes share")
        folder = out if out is not None else new_folder(data)
        if is_first():
            prepare(folder, overwrite=overwrite)
        train(run, task, folder, goes_on=False, tell=tell, target=target)


@app.command()
def confirm(
    folder: SweepFolder,
    best: Annotated[int, typer.Option(min=2, help="How many of its schedules.")] = 8,
    seeds: Annotated[int, typer.Option(min=2, help="How many seeds for each of them.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files [FOLDER-confirmed].")
    ] = None,
    overwrite: Overwrite = False,
    target: Target = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    decays: OwnDecays = None,
) -> None:
    """Train the best schedules of a finished sweep again, with new seeds, to tell them apart.

    The best of many schedules with few seeds is the best in part by luck. Here all seeds are new,
    so what they say of a schedule does not depend on why it was chosen. All else is as it was. For
    example:

    jaxdecay sweep --out runs/digits

    jaxdecay confirm runs/digits --best 5

    To choose once more among these, confirm runs/digits-confirmed, which takes new seeds again.
    """
    with one_line_errors():
        from jaxdecay.report.files import prepare, target_of
        from jaxdecay.run import Run, connect
        from jaxdecay.sweeping import best_schedules, train

        tell = _tell(quiet, as_json)
        before = Run.read(folder)
        connect(False, None, None, None)
        result = _load(folder, decays)
        target = target_of(folder) if target is None else target
        run = before.confirmed(folder, best_schedules(result, best, target), seeds)
        task = jaxdecay.classifier(run.load())
        out = Path(f"{folder}-confirmed") if out is None else out
        if out.resolve() == folder.resolve():
            raise ValueError(f"--out {out} holds the sweep to confirm; choose another folder")
        prepare(out, overwrite=overwrite)
        train(run, task, out, goes_on=False, tell=tell, target=target)


@app.command()
def report(folder: SweepFolder, target: Target = None, decays: OwnDecays = None) -> None:
    """Write the report of a finished sweep: report.html, one file that opens without network.

    A sweep writes it at its end; this writes it again, for example with --target.
    """
    with one_line_errors():
        result = _load(folder, decays)
        from jaxdecay.report.files import write
        from jaxdecay.report.page import page

        write(folder / "report.html", page(result, target=target).encode())
        typer.echo(f"Written to {folder / 'report.html'}")


@app.command()
def plot(
    folder: SweepFolder,
    out: Annotated[Path | None, typer.Option(help="Folder for the pictures [FOLDER].")] = None,
    dark: Annotated[bool, typer.Option("--dark", help="On a dark ground.")] = False,
    dots: Annotated[int, typer.Option(min=10, max=1_200, help="Dots per inch.")] = 200,
    decays: OwnDecays = None,
) -> None:
    """Draw a finished sweep for papers and talks, as PNG.

    Its curves, the seeds of the best schedules, and for each family the final metric against its
    hyperparameters.
    """
    with one_line_errors():
        result = _load(folder, decays)
        from jaxdecay.report.pictures import draw_all

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
    decays: OwnDecays = None,
) -> None:
    """Write a finished sweep for TensorBoard, or log it with MLflow: a run for each member.

    For example:

    jaxdecay export runs/mnist --tensorboard runs/tensorboard

    tensorboard --logdir runs/tensorboard

    MLflow's experiment is new and has the name of the folder. jaxdecay's extras `tensorboard`
    and `mlflow` bring what shows them.
    """
    with one_line_errors():
        if tensorboard is None and mlflow is None:
            raise ValueError("nothing to do; say where to: --tensorboard FOLDER or --mlflow URI")
        result = _load(folder, decays)
        if tensorboard is not None:
            result.to_tensorboard(tensorboard)
            typer.echo(f"Written to {tensorboard}; tensorboard --logdir {tensorboard} shows it")
        if mlflow is not None:
            result.to_mlflow(str(folder), mlflow)
            typer.echo(f"Logged to {mlflow} as experiment {folder}")


@app.command()
def watch(
    folder: SweepFolder,
    as_json: AsJson = False,
) -> None:
    """Follow a sweep that runs elsewhere, from its files, until its results are there.

    Ctrl-C ends the watching, not the sweep.
    """
    with one_line_errors(), contextlib.suppress(KeyboardInterrupt):
        from jaxdecay.report import progress
        from jaxdecay.report.files import are_whole, target_of
        from jaxdecay.report.watch import watch as follow
        from jaxdecay.run import Run, is_written
        from jaxdecay.sweeping import print_result
        from jaxdecay.training.metric import ACCURACY

        run = Run.read(folder)
        kind = progress.JsonLines if as_json else progress.for_people()
        metric, larger = f"test_{ACCURACY.name}", ACCURACY.larger_is_better
        display = kind(
            len(run.schedules) * run.config.seeds, run.config.epochs, run.steps, metric, larger
        )
        told = False

        def idle() -> None:
            nonlocal told
            if not told and not is_written(folder) and not are_whole(folder):
                told = True
                typer.echo(
                    f"note: no sweep of this machine is writing into {folder}, {display.epoch} of "
                    f"{run.config.epochs} epochs are done; if it was stopped, go on with it: "
                    f"jaxdecay sweep --resume {folder}",
                    err=True,
                )

        follow(folder, display, len(run.schedules), run.config.seeds, idle)
        tell = "json" if as_json else "all"
        print_result(_load(folder, None), run, folder, tell, target_of(folder))


def _tell(quiet: bool, as_json: bool) -> Any:
    """What a sweep prints; ValueError if it is asked for both."""
    if quiet and as_json:
        raise ValueError("--quiet and --json exclude each other; choose one")
    return "json" if as_json else "result" if quiet else "all"


def _load(folder: Path, decays: Path | None) -> Any:
    """The sweep of a folder, and first the decays of its own that it was started with."""
    from jaxdecay.report.files import RUN, load
    from jaxdecay.run import Run

    kept = Run.read(folder).decays if (folder / RUN).exists() else None
    import_decays(kept if decays is None else decays)
    return load(folder)


@app.command("list")
def list_families(
    family: Annotated[str | None, typer.Argument(help="One family, told in full.")] = None,
    decays: OwnDecays = None,
) -> None:
    """List every family, in groups: formula, hyperparameters, their ranges and [defaults].

    For example:

    jaxdecay list

    jaxdecay list cosine
    """
    with one_line_errors():
        from jaxdecay.showing import arguments_of, print_catalogue

        import_decays(decays)
        if family is not None:
            told = jaxdecay.family(family)
            typer.echo(f"{family}({arguments_of(told)})\n\n{inspect.getdoc(told)}")
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
        from jaxdecay.showing import draw_in_terminal, schedules_of

        import_decays(decays)
        schedules = [
            schedule.resolve(steps=steps, steps_per_epoch=steps_per_epoch)
            for schedule in schedules_of(family, hyperparameters or [])
        ]
        if plot is not None and plot.suffix not in (".png", ".pdf", ".svg"):
            raise ValueError(f"--plot needs a name that ends in .png, .pdf or .svg, got {plot}")
        if plot is not None and not plot.parent.is_dir():
            raise ValueError(f"--plot: {plot.parent} is no folder")
        draw_in_terminal(schedules, steps)
        if plot is not None:
            from jaxdecay.report.pictures import draw_schedules

            draw_schedules(schedules, steps).savefig(plot)
            typer.echo(f"Written to {plot}")


def _check_only_with_resume(given: set[str]) -> None:
    """ValueError for options that a sweep to go on with has already."""
    others = given - {"resume", "epochs", "target", "quiet", "as_json"}
    others -= {"distributed", "coordinator", "process", "processes"}
    if others:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(others))
        raise ValueError(
            f"--resume takes all but --epochs from the folder; leave out {options}, or start anew"
        )
