"""The data of a sweep as files: `members.csv`, `history.csv` and `sweep.json`."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdecay.population import stack
from jaxdecay.results.consistency import HISTORY, MEMBERS, SWEEP, disagreement
from jaxdecay.results.metric import Metric
from jaxdecay.schedule import Schedule

NAMES = (MEMBERS, HISTORY, SWEEP)
"""What `SweepResult.save` writes."""

RUN = "run.json"
CHECKPOINTS = "checkpoints"
"""What the command line adds: the settings of a sweep, and its state to resume it from."""

COLUMNS = ("member", "epoch", "learning_rate", "train_loss", "test_loss")
"""Of every `history.csv`."""

NEEDED = {
    "settings": {"data", "test_examples", "optimizer", "batch_size"},
    "machine": {"platform", "cores"},
    "versions": set(),
}
"""What is read of the dictionaries in `sweep.json`."""

NOT_OF_ONE_SWEEP = (
    "the files in '{folder}' are not of one sweep: {fault}; copy all files of one sweep there"
)
"""The message for a folder whose parts do not belong together."""

LONGEST_CELL = 2**31 - 1
"""Characters of a schedule in a table: as many as Windows allows."""

PART = ".jaxdecay-{}.part"
"""The name of a file that is not complete."""


def read(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of a `SweepResult`, from the files of a finished sweep.

    Raises:
        ValueError: the folder holds no finished sweep, or its files are damaged or not of one
            sweep.
    """
    folder = Path(folder)
    check_folder(folder)
    try:
        facts = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
        rows = _members(folder)
        fields = _fields(folder, facts, rows)
        _check(fields)
        fault = disagreement(facts, rows, fields["history"], fields["diverged_at"])
    except FileNotFoundError as error:
        resume = f"; resume it: jaxdecay sweep --resume {folder}"
        raise ValueError(
            f"'{folder}' holds no finished sweep: {Path(error.filename).name} is missing"
            f"{resume if (folder / RUN).exists() else ''}"
        ) from None
    except (KeyError, IndexError, TypeError, ValueError, csv.Error) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"the files of the sweep in '{folder}' are damaged: {reason}") from None
    if fault is not None:
        raise ValueError(NOT_OF_ONE_SWEEP.format(folder=folder, fault=fault))
    return fields


def check_folder(folder: Path) -> None:
    """ValueError for a folder that does not exist."""
    if not folder.is_dir():
        what = "is a file, not the folder of a sweep" if folder.exists() else "does not exist"
        raise ValueError(f"folder '{folder}' {what}")


def _members(folder: Path) -> list[dict[str, str]]:
    with (folder / MEMBERS).open(newline="", encoding="utf-8") as file:
        csv.field_size_limit(LONGEST_CELL)
        return list(csv.DictReader(file))


def _fields(
    folder: Path, about: Mapping[str, Any], rows: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    shape = len(about["schedules"]), len(about["seeds"])
    rates = dict(map(_final_rate, rows))
    if len(rows) != len(rates) or sorted(rates) != list(range(shape[0] * shape[1])):
        raise ValueError(f"{MEMBERS} does not have each member once")
    diverged_at = np.full(shape, -1, np.int32)
    for member in about["diverged"]:
        diverged_at[member["schedule"], about["seeds"].index(member["seed"])] = member["step"]
    return {
        "population": stack(Schedule.from_dict(values) for values in about["schedules"]),
        "seeds": tuple(about["seeds"]),
        "history": read_history(folder, *shape),
        "diverged_at": diverged_at,
        "final_learning_rate": np.array(
            [rates[each] for each in sorted(rates)], np.float32
        ).reshape(shape),
        "measures": tuple(Metric(**values) for values in about["measures"]),
        **{name: about[name] for name in ("settings", "steps", "member_steps", "compile_seconds")},
        **{name: about[name] for name in ("run_seconds", "machine", "versions", "ranks_by")},
    }


def _final_rate(row: Mapping[str, Any]) -> tuple[int, float]:
    """A member and its last learning rate, from a row of `members.csv`."""
    member, rate = row["member"], row["final_learning_rate"]
    try:
        return int(member), float(rate)
    except (TypeError, ValueError):
        raise ValueError(
            f"{MEMBERS} has a row with member {member!r} and final_learning_rate {rate!r}, which "
            "must be numbers"
        ) from None


def _check(fields: Mapping[str, Any]) -> None:
    """ValueError for fields that a sweep cannot have written."""
    for name, needed in NEEDED.items():
        values = fields[name]
        if not isinstance(values, dict) or not needed <= set(values):
            raise ValueError(f"{name} must be a dictionary with {', '.join(sorted(needed))}")
    counts = {"test_examples": fields["settings"]["test_examples"]}
    for name in ("steps", "member_steps", "run_seconds"):
        counts[name] = fields[name]
    for name, value in counts.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value < math.inf
        ):
            raise ValueError(f"{name} must be a number above 0, got {value!r}")
    if f"test_{fields['ranks_by']}" not in fields["history"]:
        raise ValueError(f"{HISTORY} lacks the column test_{fields['ranks_by']}, which ranks")


def read_target(folder: Path) -> float | None:
    """The target by whose steps a finished sweep is ranked; None if it is ranked by its metric."""
    return json.loads((folder / SWEEP).read_text(encoding="utf-8")).get("target")


def read_history(folder: Path, schedules: int, seeds: int) -> dict[str, np.ndarray]:
    """The epochs in `history.csv` until now: by name, [E, S, K]."""
    with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
        names = next(csv.reader(file), [])
        if not names:
            raise ValueError(f"{HISTORY} is empty")
        try:
            rows = np.loadtxt(file, np.float64, delimiter=",", ndmin=2)
        except ValueError as error:
            raise ValueError(f"{HISTORY}: {error}") from None
    if not len(rows):
        raise ValueError(f"{HISTORY} is empty")
    missing = [name for name in COLUMNS if name not in names]
    if rows.shape[1] != len(names) or missing:
        lacks = (
            f"lacks the columns {', '.join(missing)}" if missing else "has rows of other lengths"
        )
        raise ValueError(f"{HISTORY} {lacks}; its header has {', '.join(names)}")
    columns = dict(zip(names, rows.T, strict=True))
    member, epoch = columns.pop("member"), columns.pop("epoch")
    order = np.lexsort((member, epoch))  # a spreadsheet may have sorted it in another way
    members = schedules * seeds
    place = np.arange(len(rows))
    if (
        len(rows) % members
        or (member[order] != place % members).any()
        or (epoch[order] != place // members).any()
    ):
        raise ValueError(f"{HISTORY} does not have each member once in each epoch")
    shape = (-1, schedules, seeds)
    return {
        name: values[order].astype(np.float32).reshape(shape) for name, values in columns.items()
    }


def prepare(folder: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Makes sure that a sweep can be written into a folder, before any work could be lost.

    Raises:
        FileExistsError: the folder holds another sweep and `overwrite` is False.
        OSError: the folder cannot be created or written to.
    """
    folder = Path(folder)
    existing = [name for name in (*NAMES, RUN) if (folder / name).exists()]
    if existing and not overwrite:
        resume = f"resume it with --resume {folder}, " if RUN in existing else ""
        raise FileExistsError(
            f"'{folder}' holds another sweep ({', '.join(existing)}); {resume}"
            "choose another folder, or replace it with --overwrite (overwrite=True in Python)"
        )
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"'{folder}' is a file; the files of a sweep need a folder")
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / ".writable", b"")
    (folder / ".writable").unlink()
    return folder


def are_complete(folder: Path) -> bool:
    """Whether a folder holds the results of all epochs of its sweep: `sweep.json` is the last."""
    return (folder / SWEEP).exists()


class HistoryFile:
    """`history.csv` of a sweep that is still running: it grows by complete epochs.

    A reader finds all epochs until then or, a moment later, one more.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY
        self._parts: list[bytes] = []

    def add(self, epoch: int, history: Mapping[str, np.ndarray]) -> None:
        """One row for each member, from the epoch's history of arrays [S, K]."""
        text = csv_table(history_rows(epoch, history))
        self._parts.append(text if not self._parts else text[text.index(b"\n") + 1 :])

    def write(self) -> None:
        """Writes all rows that were added."""
        write(self._path, b"".join(self._parts))


def history_rows(epoch: int, history: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """One row for each member, from the epoch's history of arrays [S, K]."""
    columns = {name: values.ravel().tolist() for name, values in history.items()}
    for member, values in enumerate(zip(*columns.values(), strict=True)):
        yield {"member": member, "epoch": epoch, **dict(zip(columns, values, strict=True))}


def csv_table(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A table as CSV; its columns are the keys of the first row."""
    rows = list(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def plain(value: Any) -> Any:
    """An array as a list for JSON, with None for what is not finite; all else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    return [number if np.isfinite(number) else None for number in value.tolist()]


def write(path: Path, contents: bytes) -> None:
    """Writes a complete file or none: beside its place first, then moved there.

    The name beside it is unknown before and must be free, so no link in the folder is followed.

    Raises:
        OSError: the file cannot be written; the error names it.
    """
    beside = path.with_name(PART.format(secrets.token_hex(8)))
    try:
        with beside.open("xb") as file:
            file.write(contents)
        os.replace(beside, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        beside.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Removes what a process that was killed while it wrote has left."""
    for part in folder.glob(PART.format("*")):
        part.unlink(missing_ok=True)
