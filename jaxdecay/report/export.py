"""A sweep where people already look: in TensorBoard and in MLflow, each member a run of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from jaxdecay.results.hyperparameters import flattened
from jaxdecay.results.result import SweepResult

MLFLOW_METRICS = 1_000
"""So many numbers MLflow takes at a time."""


class ExportError(Exception):
    """Another program refused a sweep; the message is one line."""


@dataclasses.dataclass(frozen=True)
class MemberRun:
    """One member as trackers know it.

    Attributes:
        name: which begins with the member's number, as in `members.csv`.
        hyperparameters: of its schedule, those of a schedule inside another with dots, and the
            seed, the optimizer and the batch size.
        points: metric, step and value; those after it diverged are not there.
        diverged: whether it did.
    """

    name: str
    hyperparameters: dict[str, bool | float | str]
    points: list[tuple[str, int, float]]
    diverged: bool


def to_tensorboard(result: SweepResult, folder: str | os.PathLike[str]) -> None:
    """Writes the files that TensorBoard reads, its HParams page included.

    Args:
        result: the sweep.
        folder: created if it does not exist; each member gets a folder in it.

    Raises:
        FileExistsError: the folder is not empty.
        ModuleNotFoundError: tensorboardX is not installed.
    """
    from tensorboardX import FileWriter
    from tensorboardX.summary import hparams, scalar

    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; choose another folder for TensorBoard")
    for run in _shown(result):
        with contextlib.closing(FileWriter(str(folder / run.name))) as writer:
            # Without the first, a description of the experiment: TensorBoard would take that of
            # any one run for all, which has the hyperparameters of one family only.
            for summary in hparams(run.hyperparameters, {})[1:]:
                writer.add_summary(summary)
            for name, step, value in run.points:
                writer.add_summary(scalar(name, value), step)


def to_mlflow(result: SweepResult, experiment: str, tracking_uri: str | None = None) -> None:
    """Logs each member as a run of MLflow; those that diverged as failed.

    Args:
        result: the sweep.
        experiment: its name; created if it does not exist.
        tracking_uri: of a server or a database, such as "sqlite:///mlflow.db"; None for MLflow's
            own choice.

    Raises:
        ModuleNotFoundError: MLflow is not installed.
        ExportError: MLflow does not answer, or the experiment has runs already.
    """
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    with _one_line():
        client = MlflowClient(tracking_uri)
        found = client.get_experiment_by_name(experiment)
        number = client.create_experiment(experiment) if found is None else found.experiment_id
        if client.search_runs([number], max_results=1):
            raise ExportError(f"experiment {experiment} has runs already; choose another name")
        now = time.time_ns() // 1_000_000
        for run in _shown(result):
            its = client.create_run(number, run_name=run.name).info.run_id
            metrics = [Metric(name, value, now, step) for name, step, value in run.points]
            params = [Param(name, str(value)) for name, value in run.hyperparameters.items()]
            client.log_batch(its, params=params)
            for start in range(0, len(metrics), MLFLOW_METRICS):
                client.log_batch(its, metrics=metrics[start : start + MLFLOW_METRICS])
            client.set_terminated(its, "FAILED" if run.diverged else "FINISHED")


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Turns any error of MLflow, its database or its server into one line."""
    try:
        yield
    except ExportError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"MLflow: {reason[:300]}") from error


def member_runs(result: SweepResult) -> Iterator[MemberRun]:
    """The members in the order of `members.csv`.

    Example:
        >>> import jaxdecay
        >>> from jaxdecay.report.export import member_runs
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> rates = jaxdecay.grid(jaxdecay.cosine, init_value=[0.1, 0.3], transition_steps=88)
        >>> run = next(member_runs(jaxdecay.sweep(task, rates, epochs=2)))
        >>> run.name, run.hyperparameters["init_value"], run.points[-1][:2]
        ('0-cosine-seed-0', 0.1, ('train_loss', 88))
    """
    settings, epochs = result.settings, result.epochs
    steps = result.steps // epochs
    digits = len(str(result.diverged.size - 1))
    members = ((s, k) for s in range(len(result.population)) for k in range(len(result.seeds)))
    for member, (s, k) in enumerate(members):
        schedule, seed = result.population[s], result.seeds[k]
        values = {name: each[:, s, k].tolist() for name, each in result.history.items()}
        yield MemberRun(
            name=f"{member:0{digits}}-{schedule.family}-seed-{seed}",
            hyperparameters={
                "seed": seed,
                "optimizer": settings["optimizer"],
                "batch_size": settings["batch_size"],
                **{name: _plain(value) for name, value in flattened(schedule.to_dict())},
            },
            points=[
                # The learning rate is that of an epoch's first step, the others come at its end.
                (name, steps * (epoch + (name != "learning_rate")), each[epoch])
                for epoch in range(epochs)
                for name, each in values.items()
                if math.isfinite(each[epoch])
            ],
            diverged=bool(result.diverged[s, k]),
        )


def _shown(result: SweepResult) -> Iterator[MemberRun]:
    """The runs, with a progress bar if that takes long."""
    return iter(tqdm(member_runs(result), total=result.diverged.size, unit="run", delay=1))


def _plain(value: Any) -> bool | float | str:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
