"""The command line: `jaxdecay sweep`, `jaxdecay list`, `jaxdecay show`."""

from __future__ import annotations

import ast
import contextlib
import enum
import importlib.util
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_origin

import numpy as np
import typer
from rich.console import Console

import jaxdecay
from jaxdecay.schedule import Schedule, from_plain, nearest

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
    overwrite: Annotated[bool, typer.Option(help="Write over another sweep in --out.")] = False,
    decays: OwnDecays = None,
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
    """
    from jaxdecay.catalogue import default_population
    from jaxdecay.report.files import prepare, save
    from jaxdecay.schedules_file import read_schedules
    from jaxdecay.training.block import one_device_per_core
    from jaxdecay.training.train import steps_per_epoch

    one_device_per_core()
    with _one_line_errors():
        _import_decays(decays)
        given = read_schedules(schedules) if schedules is not None else None
        factory = _optimizer(optimizer)
        task = jaxdecay.classifier(_load(data, data_dir))
        steps = steps_per_epoch(task.data, epochs, batch_size)
        population = given if given is not None else default_population(epochs * steps, steps)
        out = prepare(out, overwrite=overwrite) if out else _new_folder(data)
    result = _run_with_progress(
        task,
        population,
        optimizer=factory,
        epochs=epochs,
        batch_size=batch_size,
        seeds=seeds,
        seed=seed,
        monitor=monitor.value,
        block=block,
        precision=precision.value,
    )
    with _one_line_errors():
        save(result, out, overwrite=overwrite)
    _print_result(result)
    typer.echo(f"Written to {out}: members.csv, history.csv, sweep.json, curves.png")
    if (result.diverged_at >= 0).all():
        _fail("every member diverged; try smaller learning rates", code=1)


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


def _load(data: DataName, data_dir: Path | None) -> Any:
    if data is DataName.MNIST:
        return jaxdecay.mnist(data_dir)
    if data_dir is not None:
        raise ValueError("--data-dir is for --data mnist; digits need no files")
    return jaxdecay.digits()


def _optimizer(name: str) -> Any:
    """An optimizer of Optax by name, if it takes a schedule and needs nothing else."""
    import optax

    known = {}
    for each, value in vars(optax).items():
        if inspect.isfunction(value) and not each.startswith("scale_by_"):
            parameters = inspect.signature(value).parameters
            required = [name for name, one in parameters.items() if one.default is one.empty]
            if required == ["learning_rate"]:
                annotation = parameters["learning_rate"].annotation  # Optax: ScalarOrSchedule
                if any(get_origin(kind) is Callable for kind in get_args(annotation)):
                    known[each] = value
    if name not in known:
        raise ValueError(
            f"unknown optimizer {name!r}{nearest(name, known)}; "
            f"known are {', '.join(sorted(known))}"
        )
    return known[name]


def _run_with_progress(task: Any, population: Any, **settings: Any) -> Any:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    epochs, seeds = settings["epochs"], settings["seeds"]
    console = Console()
    console.print(
        f"{len(population)} schedules × {seeds} seeds = {len(population) * seeds} members, "
        f"{epochs} epochs of {task.data.name}, batch size {settings['batch_size']}",
        highlight=False,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs of members"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("compiling", total=None)

        def report(epoch: int, history: Any) -> None:
            best = np.nanmax(history["test_accuracy"].mean(axis=1), initial=0)
            progress.update(bar, description=f"best accuracy {best:.4f}")

        def trained(done: int, total: int) -> None:
            if not progress.tasks[bar].completed:
                progress.update(bar, description="training")
            progress.update(bar, completed=done, total=total)

        return jaxdecay.sweep(task, population, callback=report, progress=trained, **settings)


def _print_result(result: Any) -> None:
    from jaxdecay.report.leaderboard import leaderboard

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


def _import_decays(path: Path | None) -> None:
    """Runs a Python file whose decays are then known by name."""
    if path is None:
        return
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"--decays: there is no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where pickle looks for a decay
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--decays {path}: {type(error).__name__}: {error}") from error


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

    try:
        yield
    except (ValueError, TypeError, FileNotFoundError, FileExistsError) as error:
        _fail(error, code=2)
    except (DataError, OSError) as error:
        _fail(error, code=1)


def _fail(error: object, code: int) -> NoReturn:
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(code)
