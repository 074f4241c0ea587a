"""The command line: `jaxdecay sweep`, `jaxdecay list`, `jaxdecay show`."""

from __future__ import annotations

import ast
import contextlib
import enum
import importlib.util
import inspect
import itertools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import jax
import numpy as np
import typer
from rich.console import Console

import jaxdecay
from jaxdecay.schedule import Schedule, from_plain

if TYPE_CHECKING:
    from jaxdecay.run import Run

app = typer.Typer(
    help="Learning-rate decays for JAX, and sweeps that train them all at once.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


class DataName(enum.StrEnum):
    """The data sets that a sweep can be trained on."""

    DIGITS = "digits"
    MNIST = "mnist"


Tell = Literal["all", "result", "json", "nothing"]
"""What a sweep prints."""

OwnDecays = Annotated[
    Path | None, typer.Option("--decays", help="Python file with decays of your own; it is run.")
]


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
    data: Annotated[DataName, typer.Option(help="What to train on.")] = DataName.DIGITS,
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
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files [runs/<data>-<n>].")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove another sweep from --out first.")
    ] = False,
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
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print lines of JSON, one for each epoch.")
    ] = False,
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

    where decays.toml holds, for example (a list means every one of its values):

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
    from jaxdecay.run import Run, connect, is_first, load, mnist_folder, optimizer_named
    from jaxdecay.schedules_file import read_schedules
    from jaxdecay.training.train import steps_per_epoch

    given = {
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    with _one_line_errors():
        if quiet and as_json:
            raise ValueError("--quiet and --json exclude each other; choose one")
        tell = "json" if as_json else "result" if quiet else "all"
        connect(distributed, coordinator, process, processes)
        if resume is not None:
            _check_only_with_resume(given)
            run = Run.read(resume)
            wanted = run.epochs_more(epochs) if "epochs" in given else run
            if wanted == run and are_whole(resume):
                _print_finished(resume, run.epochs, tell)
                return
            _import_decays(run.decays)
            task = jaxdecay.classifier(load(run.data, run.data_dir))
            _train(wanted, task, resume, goes_on=True, tell=tell)
            return
        _import_decays(decays)
        population = read_schedules(schedules) if schedules is not None else None
        optimizer_named(optimizer)
        task = jaxdecay.classifier(load(data.value, data_dir))
        steps = steps_per_epoch(task.data, epochs, batch_size)
        if population is None:
            population = default_population(epochs * steps, steps)
        run = Run(
            data=data.value,
            data_dir=mnist_folder(data_dir) if data is DataName.MNIST else None,
            decays=str(decays.absolute()) if decays else None,
            schedules=[schedule.to_dict() for schedule in population],
            epochs=epochs,
            batch_size=batch_size,
            seeds=seeds,
            seed=seed,
            optimizer=optimizer,
            monitor=monitor.value,
            block=block,
            precision=precision.value,
            checkpoint_every=checkpoint_every,
            keep=keep,
            stop_diverged=stop_diverged,
        )
        if distributed and out is None:
            raise ValueError("--distributed needs --out: a folder that all processes share")
        folder = out if out is not None else _new_folder(data)
        if is_first():
            prepare(folder, overwrite=overwrite)
        _train(run, task, folder, goes_on=False, tell=tell)


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
    from rich.padding import Padding
    from rich.text import Text

    from jaxdecay.catalogue import catalogue

    with _one_line_errors():
        _import_decays(decays)
        if family is not None:
            told = jaxdecay.family(family)
            typer.echo(f"{family}{inspect.signature(told)}\n\n{inspect.getdoc(told)}")
            return
    console = Console(highlight=False)
    console.print(
        "In formulas t is the step, T transition_steps, I init_value, E end_value, P peak_value, "
        "W warmup_steps, r decay_rate, p the share of T that is done; other letters are explained "
        "by `jaxdecay list FAMILY`; [in brackets] a default.",
        markup=False,
    )
    group = ""
    for entry in catalogue():
        if entry.group != group:
            group = entry.group
            console.print(Text.assemble("\n", (group, "bold underline")))
        console.print(Text.assemble((entry.family, "bold"), "  ", entry.summary))
        for line in (entry.formula, ", ".join(entry.parameters)):
            console.print(Padding(Text(line), (0, 0, 0, 4)))


@app.command()
def show(
    family: Annotated[
        str, typer.Argument(help="A family, as listed by `jaxdecay list`, or a schedules file.")
    ],
    hyperparameters: Annotated[
        list[str] | None, typer.Argument(help="name=value, each value as in JSON.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="The last step to show.")] = 1_000,
    plot: Annotated[Path | None, typer.Option(help="Write a picture: .png, .pdf or .svg.")] = None,
    decays: OwnDecays = None,
) -> None:
    """Draw a schedule, or those of a schedules file, in the terminal, and check it.

    For example:

    jaxdecay show inverse_time init_value=0.1 decay_rate=0.5 --steps 1000

    jaxdecay show warmup 'schedule={"family": "cosine", "init_value": 0.1,
    "transition_steps": 900}' warmup_steps=100

    jaxdecay show decays.toml --steps 9375 --plot decays.png
    """
    with _one_line_errors():
        _import_decays(decays)
        schedules = _schedules(family, hyperparameters or [])
        if plot is not None and plot.suffix not in (".png", ".pdf", ".svg"):
            raise ValueError(f"--plot needs a name that ends in .png, .pdf or .svg, got {plot}")
        _draw_in_terminal(schedules, steps)
        if plot is not None:
            from jaxdecay.report.curves import draw_schedules

            draw_schedules(schedules, steps).savefig(plot)
            typer.echo(f"Written to {plot}")


def _new_folder(data: DataName) -> Path:
    """A folder of runs/ that no other sweep has, not even one that is started right now."""
    for number in itertools.count(1):
        folder = Path("runs", f"{data.value}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError("unreachable")


def log_in_lines() -> None:
    """What this library logs becomes a note; Orbax's log repeats what errors say.

    After an error it also leaves tasks behind, whose loop is closed.
    """
    for noisy in ("absl", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    sys.unraisablehook = lambda left: (
        None if "Event loop is closed" in str(left.exc_value) else sys.__unraisablehook__(left)
    )
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("note: %(message)s"))
    log = logging.getLogger("jaxdecay")
    log.addHandler(notes)
    log.propagate = False


def _check_only_with_resume(given: set[str]) -> None:
    """ValueError for options that a sweep to go on with has already."""
    others = given - {"resume", "epochs", "quiet", "as_json"}
    others -= {"distributed", "coordinator", "process", "processes"}
    if others:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(others))
        raise ValueError(
            f"--resume takes all but --epochs from the folder; leave out {options}, or start anew"
        )


def _train(run: Run, task: Any, folder: Path, *, goes_on: bool, tell: Tell) -> None:
    """Trains what is left of a run, keeps it in its folder, and tells how it ended."""
    from jaxdecay.interrupts import Interrupts
    from jaxdecay.report import files
    from jaxdecay.run import alone, is_first, meet, optimizer_named
    from jaxdecay.training.sweep import check_arguments

    first = is_first()
    population, optimizer = run.population(), optimizer_named(run.optimizer)
    check_arguments(task, population, optimizer, run.seeds, run.seed, run.monitor, run.block)

    def begin() -> None:
        files.remove_results(folder)  # of fewer epochs: they come back when they are whole
        run.write(folder)

    with alone(folder) if first else contextlib.nullcontext():
        if first and not goes_on:
            files.remove(folder)
            begin()
        meet()
        history = files.HistoryFile(folder)

        def report(epoch: int, found: Any) -> None:
            if not first:
                return
            if epoch == 0 and goes_on:
                begin()
            if not (folder / files.RUN).exists():
                raise OSError(f"{folder} was moved or removed; what was in it is where it is now")
            history.add(epoch, found)
            history.write()

        try:
            with Interrupts(_say_stopping, _say_stopped) as interrupts:
                result = _run_and_tell(
                    tell if first else "nothing",
                    task,
                    population,
                    report,
                    optimizer=optimizer,
                    epochs=run.epochs,
                    batch_size=run.batch_size,
                    seeds=run.seeds,
                    seed=run.seed,
                    monitor=run.monitor,
                    block=run.block,
                    precision=run.precision,
                    checkpoints=jaxdecay.Checkpoints(
                        folder / files.CHECKPOINTS, every=run.checkpoint_every, keep=run.keep
                    ),
                    stop_diverged=run.stop_diverged,
                    should_stop=lambda: interrupts.number is not None,
                )
        except (ValueError, TypeError):
            if first and not goes_on and not (folder / "history.csv").exists():
                files.remove(folder)  # nothing was trained: the folder is free for another try
            raise
        _end(result, run, folder, interrupts.number, tell)


def _end(result: Any, run: Run, folder: Path, interrupted: int | None, tell: Tell) -> None:
    """Writes and prints what was found, or how to go on; exits with the code that fits."""
    from jaxdecay.report.files import save
    from jaxdecay.run import is_first

    done = len(result.history["train_loss"])
    all_diverged = bool((result.diverged_at >= 0).all())
    if done < run.epochs and not (run.stop_diverged and all_diverged):
        if is_first():
            _print_stopped(done, run.epochs, f"jaxdecay sweep --resume {folder}", tell)
    elif is_first():
        save(result, folder, overwrite=True)
        _print_result(result, folder, tell)
    if interrupted is not None:
        raise typer.Exit(128 + interrupted)
    if all_diverged:
        _fail("every member diverged; try smaller learning rates", code=1)


def _say_stopping() -> None:
    typer.echo("\nstopping after this epoch; once more to stop at once", err=True)


def _say_stopped() -> None:
    Console().show_cursor(True)
    typer.echo("\nstopped; the last whole epoch is kept", err=True)


def _run_and_tell(
    tell: Tell, task: Any, population: Any, report: Callable[[int, Any], None], **settings: Any
) -> Any:
    """Trains, and says how far it is."""
    from jaxdecay.report import progress
    from jaxdecay.training.train import steps_per_epoch

    epochs, seeds, batch_size = settings["epochs"], settings["seeds"], settings["batch_size"]
    members = len(population) * seeds
    kinds = {"all": progress.for_people(), "json": progress.JsonLines}
    kind = kinds.get(tell, progress.Display)
    if tell == "all":
        typer.echo(
            f"{len(population)} schedules × {seeds} seeds = {members} members, "
            f"{epochs} epochs of {task.data.name}, batch size {batch_size}"
        )
    display = kind(members, epochs, steps_per_epoch(task.data, epochs, batch_size))

    def trained_epoch(epoch: int, history: Any) -> None:
        report(epoch, history)
        display.add_epoch(epoch, history)

    with display.shown():
        return jaxdecay.sweep(
            task, population, callback=trained_epoch, progress=display.trained, **settings
        )


def _print_finished(folder: Path, epochs: int, tell: Tell) -> None:
    """What is said of a sweep that has ended before."""
    from jaxdecay.report.progress import print_json

    if tell == "json":
        summary = json.loads((folder / "sweep.json").read_text())
        print_json(event="finished", folder=str(folder), **summary)
    else:
        typer.echo(f"{folder} holds the finished sweep of {epochs} epochs")


def _print_stopped(done: int, epochs: int, command: str, tell: Tell) -> None:
    from jaxdecay.report.progress import print_json

    if tell == "json":
        print_json(event="stopped", epoch=done, epochs=epochs, go_on_with=command)
    else:
        typer.echo(f"stopped after epoch {done} of {epochs}; go on with: {command}")


def _print_result(result: Any, folder: Path, tell: Tell) -> None:
    from jaxdecay.report.files import summary
    from jaxdecay.report.leaderboard import leaderboard
    from jaxdecay.report.progress import print_json

    if tell == "json":
        print_json(event="finished", folder=str(folder), **summary(result))
        return
    Console().print(leaderboard(result))
    if (result.diverged_at < 0).all(axis=1).any():
        typer.echo(f"best: {result.best()!r}")
    diverged = int((result.diverged_at >= 0).sum())
    note = f" {diverged} diverged: see status in members.csv." if diverged else ""
    typer.echo(
        f"{result.diverged_at.size} members in {result.run_seconds:.1f} s "
        f"({result.member_steps_per_second:,.0f} member-steps/s), after "
        f"{result.compile_seconds:.1f} s to compile.{note}"
    )
    typer.echo(f"Written to {folder}: members.csv, history.csv, sweep.json, curves.png")


def _import_decays(path: str | Path | None) -> None:
    """Runs a Python file whose decays are then known by name."""
    if path is None:
        return
    path = Path(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"--decays: there is no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where pickle looks for a decay
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--decays {path}: {type(error).__name__}: {error}") from error


def _schedules(family: str, hyperparameters: list[str]) -> list[Schedule]:
    """The schedule of a family and its hyperparameters, or all schedules of a file."""
    from jaxdecay.schedules_file import read_schedules

    if family.endswith(".toml"):
        if hyperparameters:
            raise ValueError(f"{family} holds the hyperparameters; got {hyperparameters[0]!r} too")
        return list(read_schedules(family))
    values: dict[str, Any] = {}
    for text in hyperparameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not of the form name=value, such as init_value=0.1")
        values[name] = _value(value)
    return [from_plain({"family": family, **values})]


def _value(text: str) -> Any:
    """A value as in JSON, else as in Python, else the text itself."""
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError):
            return read(text)
    return text


def _draw_in_terminal(schedules: list[Schedule], steps: int) -> None:
    import uniplot

    at = np.unique(np.linspace(0, steps, 2_001).astype(np.int64))
    values = [np.asarray(schedule(at)) for schedule in schedules]
    typer.echo(uniplot.plot_to_string(values, [at] * len(values), lines=True, width=64, height=14))
    for schedule in schedules:
        typer.echo(repr(schedule))
        for finding in jaxdecay.check(schedule, steps):
            typer.echo(f"  note: {finding}")
    if len(schedules) == 1:
        shown = np.unique(np.linspace(0, steps, 11).astype(np.int64))
        for step, value in zip(shown, np.asarray(schedules[0](shown)), strict=True):
            typer.echo(f"{step:>12,}  {value:.9g}")


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Wrong use ends with exit code 2, failure with 1; either says so in one line."""
    from jaxdecay.data import DataError
    from jaxdecay.training.checkpoint import CheckpointError
    from jaxdecay.training.processes import ProcessError

    try:
        yield
    except (ValueError, TypeError, FileNotFoundError, FileExistsError) as error:
        _fail(error, code=2)
    except (DataError, CheckpointError, ProcessError, OSError) as error:
        _fail(error, code=1)


def _fail(error: object, code: int) -> NoReturn:
    typer.echo(f"error: {error}", err=True)
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        os._exit(code)  # an orderly exit would wait for the other processes, which may be gone
    raise typer.Exit(code)
