"""The data of a sweep as files: `members.csv`, `history.csv` and `sweep.json`."""

from __future__ import annotations

import csv
import hashlib
import io
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
from jaxdecay.results.sealed import SEAL, DamagedError, digest_of, read_sealed, sealed
from jaxdecay.schedule import Schedule

NAMES = (MEMBERS, HISTORY, SWEEP)
"""What `SweepResult.save` writes."""

RUN = "run.json"
CHECKPOINTS = "checkpoints"
"""What the command line adds: the settings of a sweep, and its state to resume it from."""

DIGESTS = "digests"
"""The key in `sweep.json` of the digests of the tables."""

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
        ValueError: the folder holds no finished sweep, or its files are not of one sweep.
        DamagedError: its files are damaged, or differ from what was written.
    """
    folder = Path(folder)
    check_folder(folder)
    try:
        facts = read_sealed(folder / SWEEP)
        rows = _members(folder)
        fields = _fields(folder, facts, rows)
        _check(fields, facts)
        fault = disagreement(facts, rows, fields["history"], fields["diverged_at"])
    except FileNotFoundError as error:
        resume = f"; resume it: jaxdecay sweep --resume {folder}"
        raise ValueError(
            f"'{folder}' holds no finished sweep: {Path(error.filename).name} is missing"
            f"{resume if (folder / RUN).exists() else ''}"
        ) from None
    except DamagedError:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, csv.Error) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DamagedError(f"the files of the sweep in '{folder}' are damaged: {reason}") from None
    if fault is not None:
        raise ValueError(NOT_OF_ONE_SWEEP.format(folder=folder, fault=fault))
    values = value_digests(fields["history"], fields["final_learning_rate"])
    for name, digest in values.items() if SEAL in facts else ():
        if facts[DIGESTS][name]["values"] != digest:
            raise DamagedError(
                f"{folder / name} differs from what was written; undo the change, or, if you made "
                f'it on purpose, remove the line "{SEAL}" from {SWEEP}'
            )
    return fields


def changed_results(folder: Path) -> list[str]:
    """The names of the files of a finished sweep that differ from what was written in any byte."""
    try:
        about = read_sealed(folder / SWEEP)
        digests = {name: about[DIGESTS][name]["bytes"] for name in (HISTORY, MEMBERS)}
    except (DamagedError, LookupError, TypeError):
        return [SWEEP]
    paths = {name: folder / name for name in digests}
    changed = [
        name
        for name, path in paths.items()
        if not path.exists() or _sha256(path.read_bytes()) != digests[name]
    ]
    return changed if SEAL in about else [*changed, SWEEP]


def write_results(
    folder: Path, tables: Mapping[str, bytes], values: Mapping[str, str], facts: Mapping[str, Any]
) -> None:
    """Writes the tables, and then `sweep.json` with facts and the digests of each table.

    Args:
        folder: of the sweep.
        tables: by the name of a file.
        values: from `value_digests`.
        facts: what JSON holds.
    """
    for name, contents in tables.items():
        write(folder / name, contents)
    digests = {
        name: {"bytes": _sha256(contents), "values": values[name]}
        for name, contents in tables.items()
    }
    write(folder / SWEEP, sealed({**facts, DIGESTS: digests}))


def value_digests(history: Mapping[str, np.ndarray], final_rates: np.ndarray) -> dict[str, str]:
    """By the name of a table, the digest of the numbers that are read from it.

    It stays the same if a spreadsheet sorts the rows or writes numbers in another way.
    """
    numbers = {HISTORY: history, MEMBERS: {"final_learning_rate": final_rates}}
    return {
        name: digest_of(name, {column: _as_read(values) for column, values in columns.items()})
        for name, columns in numbers.items()
    }


def _as_read(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    return np.where(np.isnan(values), np.float32(np.nan), values)


def _sha256(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()


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


def _check(fields: Mapping[str, Any], about: Mapping[str, Any]) -> None:
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
    columns = {f"test_{metric.name}": "is measured" for metric in fields["measures"]}
    for column, why in {**columns, f"test_{fields['ranks_by']}": "ranks"}.items():
        if column not in fields["history"]:
            raise ValueError(f"{HISTORY} lacks the column {column}, which {why}")
    epochs = len(fields["history"]["train_loss"])
    if epochs != about["epochs"]:
        raise ValueError(f"{HISTORY} has {epochs} epochs, but {SWEEP} says {about['epochs']}")


def read_target(folder: Path) -> float | None:
    """The target by whose steps a finished sweep is ranked; None if it is ranked by its metric."""
    return read_sealed(folder / SWEEP).get("target")


def read_history(
    folder: Path, schedules: int, seeds: int, *, grows: bool = False
) -> dict[str, np.ndarray]:
    """The epochs in `history.csv`: by name, [E, S, K].

    Args:
        folder: of the sweep.
        schedules: S.
        seeds: K.
        grows: whether a sweep may be appending to it, so that its last epoch is incomplete and
            ignored.
    """
    members = schedules * seeds
    text = (folder / HISTORY).read_text(encoding="utf-8")
    header, *lines = text.splitlines() or [""]
    if grows:
        complete = text.count("\n") - 1  # the last line may be a part of one
        lines = lines[: complete // members * members]
    if not header or not lines:
        raise ValueError(f"{HISTORY} is empty")
    names = next(csv.reader([header]))
    try:
        rows = np.loadtxt(lines, np.float64, delimiter=",", comments=None, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{HISTORY}: {error}") from None
    missing = [name for name in COLUMNS if name not in names]
    if rows.shape[1] != len(names) or missing:
        lacks = (
            f"lacks the columns {', '.join(missing)}" if missing else "has rows of other lengths"
        )
        raise ValueError(f"{HISTORY} {lacks}; its header has {', '.join(names)}")
    columns = dict(zip(names, rows.T, strict=True))
    member, epoch = columns.pop("member"), columns.pop("epoch")
    order = np.lexsort((member, epoch))  # a spreadsheet may have sorted it in another way
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
    """`history.csv` of a sweep that is still running, to which each epoch is appended.

    A reader may find a part of the last epoch, also after the process was killed. A resumed sweep
    adds all epochs of its checkpoint again, so it depends on nothing in the file.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY
        self._size = 0

    def add(self, epoch: int, history: Mapping[str, np.ndarray]) -> None:
        """Writes one row for each member; the first epoch replaces the former file.

        Args:
            epoch: counted from 0.
            history: of the epoch, arrays [S, K].

        Raises:
            FileNotFoundError: the file was removed.
            OSError: it cannot be written.
        """
        text = csv_table(history_rows(epoch, history), header=not self._size)
        if not self._size:
            write(self._path, text)
        else:
            try:
                with self._path.open("r+b", buffering=0) as file:
                    file.truncate(self._size)
                    file.seek(self._size)
                    file.write(text)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self._path)) from None
        self._size += len(text)


def history_table(epochs: Iterable[Mapping[str, np.ndarray]]) -> bytes:
    """`history.csv` from the histories of all epochs."""
    return b"".join(
        csv_table(history_rows(epoch, history), header=not epoch)
        for epoch, history in enumerate(epochs)
    )


def history_rows(epoch: int, history: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """One row for each member, from the epoch's history of arrays [S, K]."""
    columns = {name: values.ravel().tolist() for name, values in history.items()}
    for member, values in enumerate(zip(*columns.values(), strict=True)):
        yield {"member": member, "epoch": epoch, **dict(zip(columns, values, strict=True))}


def csv_table(rows: Iterable[Mapping[str, Any]], *, header: bool = True) -> bytes:
    """A table as CSV; its columns are the keys of the first row, which the header names."""
    rows = list(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    if header:
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
