"""How a sweep of the command line begins: new, resumed, or to confirm another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jaxdecay
from jaxdecay.catalogue import default_population
from jaxdecay.cli.display import Display
from jaxdecay.cli.exits import note
from jaxdecay.cli.folders import load_result, new_folder
from jaxdecay.cli.inputs import is_file, load_data, mnist_folder, optimizer_named
from jaxdecay.cli.own_decays import import_decays
from jaxdecay.cli.processes import is_first
from jaxdecay.cli.run import Run
from jaxdecay.cli.sweeping import train
from jaxdecay.results.files import (
    CHECKPOINTS,
    are_complete,
    changed_results,
    prepare,
    read_target,
)
from jaxdecay.results.metric import check_target
from jaxdecay.results.result import SweepResult
from jaxdecay.results.sealed import DamagedError
from jaxdecay.schedules_file import read_schedules
from jaxdecay.training.checkpoint import Checkpoints, check_path, digest
from jaxdecay.training.config import SweepConfig, stored_options
from jaxdecay.training.differences import check_same
from jaxdecay.training.fingerprint import of_own_decays
from jaxdecay.training.processes import any_of, together
from jaxdecay.training.train import steps_per_epoch

WITH_RESUME = {
    *("resume", "epochs", "decays", "target", "quiet", "as_json", "no_compilation_cache"),
    *("distributed", "coordinator", "process", "processes"),
}
"""The options that a sweep to resume takes; all others are stored in its folder."""


def start_sweep(options: Mapping[str, Any], display: Display) -> None:
    """Trains a new sweep.

    Args:
        options: all options of `jaxdecay sweep`, by name.
        display: shows it.
    """
    with together():
        import_decays(options["decays"])
        file, out = options["schedules"], options["out"]
        population = None if file is None else read_schedules(file)
        run, task = _new_run(options, population)
        check_target(task.measures, f"test_{task.ranks_by}", options["target"])
        if options["distributed"] and out is None:
            raise ValueError("--distributed needs --out: a folder that all processes share")
        check_path((Path("runs") if out is None else out) / CHECKPOINTS)
    check_same(run.parts())
    with together():
        folder = new_folder(options["data"]) if out is None else out
        if is_first():
            prepare(folder, overwrite=options["overwrite"])
    train(run, task, folder, resume=False, display=display, target=options["target"])


def _new_run(
    options: Mapping[str, Any], population: jaxdecay.Population | None
) -> tuple[Run, jaxdecay.Task]:
    """What a new sweep trains; the built-in population if none is given."""
    flags = {name: options[name] for name in stored_options()}
    plain = {name: getattr(value, "value", value) for name, value in flags.items()}
    config = SweepConfig(**{**plain, "optimizer": optimizer_named(options["optimizer"])})
    data, data_dir, decays = options["data"], options["data_dir"], options["decays"]
    task = jaxdecay.classifier(load_data(data, data_dir))
    steps = steps_per_epoch(task.data, config.epochs, config.batch_size)
    if population is None:
        population = default_population(config.epochs, options["optimizer"])
    population = population.resolve(
        steps=config.epochs * steps, steps_per_epoch=steps, samples_per_step=config.batch_size
    )
    run = Run(
        data=str(Path(data).absolute()) if is_file(data) else data,
        data_dir=mnist_folder(data_dir) if data == "mnist" else None,
        data_sha256=digest(task.data),
        decays=None,
        own_decays=of_own_decays(population),
        schedules=[schedule.to_dict() for schedule in population],
        confirms=None,
        steps=steps,
        config=config,
        checkpoint_every=options["checkpoint_every"],
        keep=options["keep"],
    ).with_decays(decays)
    return run, task


def check_resumes(given: set[str]) -> None:
    """ValueError for options that a sweep to resume has stored."""
    if others := given - WITH_RESUME:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(others))
        raise ValueError(
            f"{options} cannot be given with --resume: the folder stores what is trained; leave "
            f"{'it' if len(others) == 1 else 'them'} out, or start a new sweep"
        )


def resume_sweep(
    folder: Path,
    *,
    epochs: int | None,
    decays: Path | None,
    display: Display,
    target: float | None,
) -> None:
    """Trains what is left of a sweep; if nothing is, shows that it has ended.

    Args:
        folder: of the sweep.
        epochs: of all, at least as many as before; None for as many.
        decays: Python file of its own decays, which is run; None if it needs none.
        display: shows it.
        target: of the metric that ranks schedules.
    """
    with together():
        stored = Run.read(folder)
        run = stored if epochs is None else stored.epochs_more(epochs)
        is_finished = run == stored and are_complete(folder) and not _must_write_again(folder)
    if any_of(is_finished):
        if is_first():
            display.has_finished(folder, stored.config.epochs)
        return
    with together():
        run.import_decays(folder, decays)
        task = jaxdecay.classifier(run.load())
        check_target(task.measures, f"test_{task.ranks_by}", target)
    run = run.with_decays(decays)
    check_same(run.parts())
    train(run, task, folder, resume=True, display=display, target=target)


def _must_write_again(folder: Path) -> bool:
    """Whether results of a finished sweep were changed, which is then printed.

    Raises:
        DamagedError: they were, and no checkpoint holds them.
    """
    changed = changed_results(folder)
    if not changed:
        return False
    what = f"{' and '.join(str(folder / name) for name in changed)} differs from what was written"
    if not Checkpoints(folder / CHECKPOINTS).size():
        raise DamagedError(f"{what}, and no checkpoint holds the results; undo the change")
    note(f"note: {what}; all results are written again from the last checkpoint")
    return True


def confirm_sweep(
    folder: Path,
    out: Path,
    *,
    best: int,
    seeds: int,
    overwrite: bool,
    decays: Path | None,
    display: Display,
    target: float | None,
) -> None:
    """Trains the best schedules of a finished sweep with new seeds, into another folder."""
    before = Run.read(folder)
    result = load_result(folder, decays)
    target = read_target(folder) if target is None else target
    run = before.confirmed(folder, best_schedules(result, best, target), seeds)
    run = run.with_decays(decays)
    task = jaxdecay.classifier(run.load())
    if out.resolve() == folder.resolve():
        raise ValueError(f"--out {out} holds the sweep to confirm; choose another folder")
    check_path(out / CHECKPOINTS)
    prepare(out, overwrite=overwrite)
    train(run, task, out, resume=False, display=display, target=target)


def best_schedules(result: SweepResult, most: int, target: float | None) -> list[int]:
    """Indices of the best schedules of a sweep; ValueError if fewer than two did not diverge."""
    best = [row.index for row in result.rows(target=target) if not row.diverged][:most]
    if len(best) < 2:
        raise ValueError(
            f"{len(best)} of the schedules did not diverge; confirm needs at least two, "
            "so sweep more schedules, or smaller learning rates"
        )
    return best
