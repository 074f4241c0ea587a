"""The files of a sweep: two tables, a picture, a report, and `sweep.json`."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxdecay.population import stack
from jaxdecay.schedule import Schedule
from jaxdecay.training.metric import Metric
from jaxdecay.training.result import SweepResult

NAMES = ("report.html", "members.csv", "history.csv", "curves.png", "sweep.json")
RUN = "run.json"
CHECKPOINTS = "checkpoints"


def save(
    result: SweepResult,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    target: float | None = None,
) -> None:
    """Writes the files of a sweep; `sweep.json` last, so that where it is, all are whole.

    Args:
        result: what to write.
        folder: made if need be.
        overwrite: write even if the folder holds another sweep.
        target: rank by steps to it, as `SweepResult.ranking` does.

    Raises:
        FileExistsError: the folder holds another sweep.
    """
    from jaxdecay.report.page import page
    from jaxdecay.report.pictures import draw_curves  # here: a sweep starts without Matplotlib

    folder = prepare(folder, overwrite=overwrite)
    (folder / "sweep.json").unlink(missing_ok=True)  # until it is back, what is here is not whole
    history = HistoryFile(folder)
    for epoch in range(len(result.history["train_loss"])):
        history.add(epoch, {name: each[epoch] for name, each in result.history.items()})
    history.write()
    write(folder / "members.csv", _csv(member_rows(result)))
    picture = io.BytesIO()
    draw_curves(result).savefig(picture, format="png")
    write(folder / "curves.png", picture.getvalue())
    write(folder / "report.html", page(result, target=target).encode())
    write(folder / "sweep.json", json.dumps(summary(result, target), indent=2).encode() + b"\n")


def load(folder: str | os.PathLike[str]) -> SweepResult:
    """Reads a finished sweep back from its files.

    Args:
        folder: as written by `save`.

    Returns:
        What was saved; numbers are the same to the last bit.

    Raises:
        ValueError: the folder holds no finished sweep, or its files do not belong together.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        with (folder / "members.csv").open(newline="", encoding="utf-8") as file:
            csv.field_size_limit(sys.maxsize)  # a schedule may be long
            rates = [float(row["final_learning_rate"]) for row in csv.DictReader(file)]
        shape = len(about["schedules"]), len(about["seeds"])
        diverged_at = np.full(shape, -1, np.int32)
        for each in about["diverged"]:
            diverged_at[each["schedule"], about["seeds"].index(each["seed"])] = each["step"]
        return SweepResult(
            population=stack(Schedule.from_dict(each) for each in about["schedules"]),
            seeds=tuple(about["seeds"]),
            history=read_history(folder, *shape),
            diverged_at=diverged_at,
            final_learning_rate=np.array(rates, np.float32).reshape(shape),
            settings=about["settings"],
            steps=about["steps"],
            member_steps=about["member_steps"],
            compile_seconds=about["compile_seconds"],
            run_seconds=about["run_seconds"],
            machine=about["machine"],
            versions=about["versions"],
            measures=tuple(Metric(**each) for each in about["measures"]),
            ranks_by=about["ranks_by"],
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        go_on = f"; go on with it: jaxdecay sweep --resume {folder}"
        raise ValueError(
            f"{folder} holds no finished sweep: {Path(error.filename).name} is missing"
            f"{go_on if (folder / RUN).exists() else ''}"
        ) from None
    except (KeyError, IndexError, TypeError, ValueError, csv.Error) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"the files of the sweep in {folder} are damaged: {reason}") from None


def target_of(folder: Path) -> float | None:
    """What a finished sweep is ranked by the steps to, if it is."""
    return json.loads((folder / "sweep.json").read_text(encoding="utf-8")).get("target")


def read_history(folder: Path, schedules: int, seeds: int) -> dict[str, np.ndarray]:
    """The epochs in `history.csv` until now: by name, [E, S, K]."""
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        names = next(csv.reader(file), [])[2:]
        rows = np.loadtxt(file, np.float32, delimiter=",", ndmin=2)
    if not names or not len(rows):
        raise ValueError("history.csv is empty")
    # Ordered by epoch, then by member; the first columns are these two.
    values = rows[:, 2:].reshape(-1, schedules, seeds, len(names))
    return {name: values[..., column] for column, name in enumerate(names)}


def prepare(folder: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Makes sure that a sweep can be written into a folder, before there is one to lose.

    Raises:
        FileExistsError: the folder holds another sweep and `overwrite` is False.
        OSError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    there = [name for name in (*NAMES, RUN) if (folder / name).exists()]
    if there and not overwrite:
        go_on = f"go on with it with --resume {folder}, " if RUN in there else ""
        raise FileExistsError(
            f"{folder} holds another sweep ({', '.join(there)}); {go_on}"
            "choose another folder, or overwrite it with --overwrite (overwrite=True in Python)"
        )
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; the files of a sweep need a folder")
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / ".writable", b"")
    (folder / ".writable").unlink()
    return folder


def remove_results(folder: Path) -> None:
    """Removes the results of a sweep that is about to have others."""
    for name in ("sweep.json", *NAMES):
        (folder / name).unlink(missing_ok=True)


def are_whole(folder: Path) -> bool:
    """Whether a folder holds the results of all epochs of its sweep."""
    return (folder / "sweep.json").exists()


class HistoryFile:
    """`history.csv` of a sweep that is still running: it grows by whole epochs.

    Whoever reads it finds all epochs until then or, a moment later, one more: it is written
    beside its place and then moved there.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "history.csv"
        self._parts: list[bytes] = []

    def add(self, epoch: int, history: Mapping[str, np.ndarray]) -> None:
        """One row for each member, in the epoch's history of arrays [S, K]."""
        text = _csv(history_rows(epoch, history))
        self._parts.append(text if not self._parts else text[text.index(b"\n") + 1 :])

    def write(self) -> None:
        """Puts all that was added in its place."""
        write(self._path, b"".join(self._parts))


def history_rows(epoch: int, history: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """One row for each member, in the epoch's history of arrays [S, K]."""
    columns = {name: values.ravel().tolist() for name, values in history.items()}
    for member, values in enumerate(zip(*columns.values(), strict=True)):
        yield {"member": member, "epoch": epoch, **dict(zip(columns, values, strict=True))}


def member_rows(result: SweepResult) -> Iterator[dict[str, Any]]:
    """One row a member: what it was, how it ended, its last metrics."""
    metrics = result.metrics
    order = [name for name in metrics if name.startswith("test_")] + ["train_loss"]
    for member, (index, schedule, k, seed) in enumerate(_members(result)):
        values = schedule.to_dict()
        yield {
            "member": member,
            "schedule": index,
            "family": values.pop("family"),
            "hyperparameters": json.dumps(values),
            "seed": seed,
            "status": result.status(index, k),
            **{name: float(metrics[name][index, k]) for name in order},
            "final_learning_rate": float(result.final_learning_rate[index, k]),
        }


def summary(result: SweepResult, target: float | None = None) -> dict[str, Any]:
    """Settings, schedules, versions, machine and speed: what `sweep.json` holds."""
    steps_to = None if target is None else result.steps_to(target, result.main_metric).mean(axis=1)
    return {
        "settings": dict(result.settings),
        "measures": [metric.to_dict() for metric in result.measures],
        "ranks_by": result.ranks_by,
        "schedules": [schedule.to_dict() for schedule in result.population],
        "seeds": list(result.seeds),
        "members": int(result.diverged_at.size),
        "diverged_members": int(np.sum(result.diverged_at >= 0)),
        "diverged": [
            {
                "schedule": s,
                "seed": result.seeds[k],
                "step": int(result.diverged_at[s, k]),
                "epoch": int(result.sound_epochs[s, k]),
            }
            for s, k in np.argwhere(result.diverged_at >= 0).tolist()
        ],
        "ranking": result.ranking(target=target).tolist(),
        "target": target,
        "steps_to_target": None if steps_to is None else _plain(steps_to),
        "comparison": _comparison(result),
        "steps": result.steps,
        "member_steps": result.member_steps,
        "wall_seconds": result.compile_seconds + result.run_seconds,
        "compile_seconds": result.compile_seconds,
        "run_seconds": result.run_seconds,
        "member_steps_per_second": result.member_steps_per_second,
        "versions": dict(result.versions),
        "machine": dict(result.machine),
    }


def _comparison(result: SweepResult) -> dict[str, Any]:
    """By name lists over schedules; null where there is no number."""
    found = dataclasses.asdict(result.compare())
    return {
        name: _plain(value) if isinstance(value, np.ndarray) else value
        for name, value in found.items()
    }


def _plain(values: np.ndarray) -> list[Any]:
    """A list for JSON, which has no infinities and nothing that is not a number."""
    return [each if np.isfinite(each) else None for each in values.tolist()]


def _members(result: SweepResult) -> Iterator[tuple[int, Any, int, int]]:
    """Schedule by schedule, seed by seed: index, schedule, index of the seed, seed."""
    for index, schedule in enumerate(result.population):
        for k, seed in enumerate(result.seeds):
            yield index, schedule, k, seed


def _csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    rows = list(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write(path: Path, contents: bytes) -> None:
    """All of a file or nothing of it: written beside its place and then moved there."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(contents)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
