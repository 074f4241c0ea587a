"""Checkpoints: the state of a sweep at the end of an epoch, written to disk by Orbax.

A checkpoint stores members one after another, without their blocks and devices, so a sweep can
resume with other blocks, on other devices and in other processes. `about.json`, beside the
checkpoints, identifies the sweep.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxdecay.data import Data
from jaxdecay.results.sealed import digest_of
from jaxdecay.training.about import ABOUT, CheckpointError, read_about, write_about
from jaxdecay.training.chunks import Chunks, padded, read_array, read_members
from jaxdecay.training.processes import ProcessError, shared, texts_of_all, together

FORMAT = 6
"""The version of what is written; a sweep resumes from the same version only."""
ITEM = "sweep"
"""The name of what each checkpoint contains."""
UNREAD = ".unread"
"""The suffix of a checkpoint that could not be read, perhaps only this time."""

_log = logging.getLogger("jaxdecay")


class Snapshot(NamedTuple):
    """A sweep at the end of an epoch. S schedules, K seeds, E epochs done.

    Attributes:
        members: those of this process, or that it needs; their bytes as `packed` writes them.
        trunk: [S], the schedule whose member each schedule shares; see `Plan`.
        history: by name, arrays [E, S, K] for all members of the sweep.
        diverged_at: [S, K], for all members of the sweep.
        member_steps: the steps trained; a shared step counts once.
        run_seconds: the time spent training.
    """

    members: Chunks
    trunk: np.ndarray
    history: dict[str, np.ndarray]
    diverged_at: np.ndarray
    member_steps: int
    run_seconds: float

    @property
    def epochs(self) -> int:
        """The number of completed epochs."""
        return len(next(iter(self.history.values())))


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """Where and how often a sweep writes checkpoints, and how many it keeps.

    Args:
        folder: created if missing. If it contains checkpoints, the sweep resumes from the newest
            complete one.
        every: epochs between two checkpoints, at least 1; the last epoch always gets one.
        keep: how many to keep, at least 2: if the newest is damaged, the one before it is used.
        anew: start from scratch: existing checkpoints are removed when training begins.
        reserve: bytes of disk space to leave for other files; a sweep for which too little is
            free does not start.

    Raises:
        ValueError: `every` or `keep` is too small, or Orbax cannot read from a folder of this
            name.

    Example:
        >>> import tempfile, jaxdecay
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = jaxdecay.Checkpoints(folder)
        ...     _ = jaxdecay.sweep(task, rates, epochs=2, checkpoints=store)
        ...     result = jaxdecay.sweep(task, rates, epochs=3, checkpoints=store)  # one more epoch
        >>> result.history["test_loss"].shape
        (3, 2, 1)
    """

    folder: str | os.PathLike[str]
    every: int = 1
    keep: int = 3
    anew: bool = False
    reserve: int = 0

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {self.every}")
        if self.keep < 2:
            raise ValueError(
                f"keep must be at least 2 checkpoints (the newest, and one to use if it is "
                f"damaged), got {self.keep}"
            )
        check_path(self.folder)

    def block(self, about: Mapping[str, Any]) -> int | None:
        """The block size of the sweep stored in the folder; None if the folder stores none.

        Raises:
            ValueError: `about` describes another sweep than the stored one, or the sweep starts
                from scratch in a folder with files that are not checkpoints.
            CheckpointError: `about.json` is damaged or missing, or cannot be read.
        """
        path, folder = self._about, Path(self.folder)
        if self.anew:
            if not path.exists() and folder.is_dir() and any(folder.iterdir()):
                raise ValueError(
                    f"{folder} has no {ABOUT}, so the files in it may not be those of a sweep; "
                    "choose another folder, or delete them"
                )
            return None
        with contextlib.suppress(FileNotFoundError):
            return read_about(path, about)
        if checkpoints := _checkpoint_folders(folder):
            raise CheckpointError(
                f"{path} is missing, so the checkpoints beside it ({checkpoints[0].name}, …) may "
                "belong to another sweep; copy it there, or start the sweep from scratch"
            )
        return None

    def restore(self, mine: np.ndarray) -> Snapshot | None:
        """The members in `mine`, [S, K], from the newest complete checkpoint; None without one.

        All processes read the same checkpoint: what one of them cannot read, none uses.

        Raises:
            CheckpointError: every checkpoint is damaged, or the processes see different ones.
        """
        folder, faults = Path(self.folder), []
        steps = sorted((int(path.name) for path in _checkpoint_folders(folder)), reverse=True)
        if self.anew or not _common(folder, steps):
            return None
        with _manager(folder) as manager:
            for epochs in steps:
                with together():
                    saved, fault = _tried(manager, epochs, mine)
                reasons = [reason for reason in texts_of_all(fault) if reason]
                if not reasons:
                    return saved
                _log.warning(
                    "ignoring the checkpoint of epoch %d: it cannot be read: %s", epochs, reasons[0]
                )
                faults.append(f"epoch {epochs}: {reasons[0]}")
        raise CheckpointError(
            f"no checkpoint in {self.folder} can be read ({faults[0]}); "
            "try again, or start the sweep from scratch"
        )

    def writer(self, about: Mapping[str, Any], block: int, done: int) -> Writer:
        """A context manager that writes the checkpoints of a sweep after `done` epochs."""
        return Writer(self, about, block, done)

    def size(self) -> int:
        """The bytes that the existing checkpoints occupy on disk."""
        checkpoints = _checkpoint_folders(Path(self.folder))
        paths = (path for checkpoint in checkpoints for path in checkpoint.rglob("*"))
        return sum(path.stat().st_size for path in paths if path.is_file())

    @property
    def _about(self) -> Path:
        return Path(self.folder) / ABOUT


class Writer:
    """Writes checkpoints asynchronously: each is written while the next epoch is trained."""

    def __init__(
        self, checkpoints: Checkpoints, about: Mapping[str, Any], block: int, done: int
    ) -> None:
        self._folder = folder = Path(checkpoints.folder)
        self._every = checkpoints.every
        folder.mkdir(parents=True, exist_ok=True)
        with _writing(folder):
            with together():  # no process reads the folder earlier
                if jax.process_index() == 0:
                    if checkpoints.anew:
                        remove(folder)
                    else:
                        _set_aside(folder, done)
                    write_about(checkpoints._about, about, block)
            self._manager = _manager(
                folder, max_to_keep=checkpoints.keep, cleanup_tmp_directories=True
            )

    def wait(self) -> None:
        """Waits for the previous checkpoint, so that only one copy of the members exists."""
        with _writing(self._folder):
            self._manager.wait_until_finished()

    def is_due(self, done: int, epochs: int) -> bool:
        """Whether a checkpoint is due when `done` of `epochs` are complete."""
        return done == epochs or done % self._every == 0

    def save(self, snapshot: Snapshot) -> None:
        """Starts to write a checkpoint, after the previous one is complete."""
        # Few arrays: TensorStore leaks some hundred bytes for each array that it saves.
        digests = snapshot.members.digests(snapshot.epochs)
        share = shared({**snapshot.members._asdict(), "digests": digests})
        common = {
            "history": padded(np.stack(list(snapshot.history.values()))),
            "diverged_at": snapshot.diverged_at,
            "trunk": snapshot.trunk,
        }
        facts = {
            "epochs": snapshot.epochs,
            "metrics": list(snapshot.history),
            "member_steps": int(snapshot.member_steps),
            "run_seconds": float(snapshot.run_seconds),
        }
        # One chunk of members is what is read at a time.
        layout = {name: ocp.SaveArgs() for name in (*share, *common)}
        layout["members"] = ocp.SaveArgs(shard_axes=(0,))
        stored = ocp.args.PyTreeSave({**share, **common}, save_args=layout)
        with _writing(self._folder):
            self._manager.save(
                snapshot.epochs,
                args=ocp.args.Composite(**{ITEM: stored}),
                custom_metadata={**facts, "digest": digest_of(facts, common)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, ProcessError):  # Orbax would wait for that process
            with _writing(self._folder):
                self._manager.close()


def digest(data: Data) -> str:
    """SHA-256 of all examples and labels."""
    sha256 = hashlib.sha256(repr(data.scale).encode())
    for leaf in jax.tree.leaves(data):
        array = np.ascontiguousarray(leaf)
        sha256.update(f"{array.dtype}{array.shape}".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()


def remove(folder: str | os.PathLike[str]) -> None:
    """Removes the checkpoints in a folder and nothing else."""
    folder = Path(folder)
    for path in folder.iterdir() if folder.is_dir() else []:
        if path.name == ABOUT:
            path.unlink()
        elif re.fullmatch(rf"\d+({re.escape(UNREAD)}|\.orbax-checkpoint-tmp.*)?", path.name):
            shutil.rmtree(path)


def check_path(folder: str | os.PathLike[str]) -> None:
    """ValueError for a folder whose checkpoints Orbax would write and could not read."""
    path = Path(folder).absolute().as_posix()
    if any("\ud800" <= letter <= "\udfff" for letter in path):  # its storage takes UTF-8 only
        raise ValueError(
            f"the folder name {folder} is not text in this locale; "
            "set LC_ALL=C.UTF-8 or PYTHONUTF8=1, or choose another name"
        )
    if found := [letter for letter in "[]\\" if letter in path]:  # it takes paths as patterns
        raise ValueError(
            f"checkpoints cannot be read from {path}: it contains {' and '.join(found)}; choose a "
            "folder whose complete path has no [, ] and \\"
        )


def _checkpoint_folders(folder: Path) -> list[Path]:
    """The folders of single checkpoints, each named after its epoch."""
    return [path for path in folder.glob("*") if path.name.isdecimal()]


def _set_aside(folder: Path, done: int) -> None:
    """Renames the checkpoints of epochs after `done`, which could not be read."""
    for checkpoint in _checkpoint_folders(folder):
        if int(checkpoint.name) > done:
            aside = checkpoint.with_name(checkpoint.name + UNREAD)
            shutil.rmtree(aside, ignore_errors=True)
            checkpoint.rename(aside)
            _log.warning("renamed the unreadable checkpoint to %s", aside)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns any error of Orbax into a `CheckpointError` of one line."""
    try:
        yield
    except ProcessError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = getattr(error, "strerror", None) or lines[0]
        reason = reason if folder.is_dir() else "the folder no longer exists"
        raise CheckpointError(f"the checkpoint in {folder} cannot be written: {reason}") from error


def _manager(folder: Path, **options: Any) -> ocp.CheckpointManager:
    """Reads nothing of the checkpoints until asked for one, as another may be damaged.

    Each array is stored in files of its own. In Orbax's default format, OCDBT, arrays share files,
    and each checkpoint leaks some kB of memory, which adds up over many epochs.
    """
    logging.getLogger("absl").addFilter(_is_news)
    return ocp.CheckpointManager(
        folder.absolute(),
        options=ocp.CheckpointManagerOptions(lightweight_initialize=True, **options),
        item_handlers={ITEM: ocp.PyTreeCheckpointHandler(use_ocdbt=False)},
    )


def _is_news(record: logging.LogRecord) -> bool:
    """False for Orbax's warning, at each checkpoint, that it finds no shared files to merge."""
    return "Skipping merge of OCDBT" not in str(record.msg)


def _common(folder: Path, steps: list[int]) -> list[int]:
    """The epochs of the checkpoints, which all processes must find."""
    found = [json.loads(text) for text in texts_of_all(json.dumps(steps))]
    for process, other in enumerate(found):
        if other != found[0]:
            raise CheckpointError(
                f"the processes find different checkpoints in {folder}: process 0 of epochs "
                f"{found[0]}, process {process} of epochs {other}; all need one shared folder"
            )
    return steps


def _tried(
    manager: ocp.CheckpointManager, epochs: int, mine: np.ndarray
) -> tuple[Snapshot | None, str]:
    """What `_read` returns, or why it cannot be read."""
    try:
        return _read(manager, epochs, mine), ""
    except (MemoryError, jax.errors.JaxRuntimeError):
        raise
    except Exception as error:  # damaged bytes make the reader raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return None, reason[:200]


def _read(manager: ocp.CheckpointManager, epochs: int, mine: np.ndarray) -> Snapshot:
    """Reads the members in `mine`, whichever process saved them.

    Raises:
        Exception: of any kind, if it is damaged.
    """
    folder = Path(manager.directory) / str(epochs) / ITEM
    about = manager.metadata(epochs).custom_metadata
    common = {name: read_array(folder, name) for name in ("history", "diverged_at", "trunk")}
    facts = {name: value for name, value in about.items() if name != "digest"}
    _check_digest(about["digest"], facts, common)
    needed = np.zeros(mine.shape, bool)
    np.logical_or.at(needed, common["trunk"], mine)
    saved = Snapshot(
        members=read_members(folder, epochs, needed),
        trunk=common["trunk"],
        history=dict(zip(about["metrics"], common["history"][:, :epochs], strict=True)),
        diverged_at=common["diverged_at"],
        member_steps=int(about["member_steps"]),
        run_seconds=float(about["run_seconds"]),
    )
    places = saved.members.places
    needed[*places[(places >= 0).all(axis=2)].T] = False
    if (saved.epochs, about["epochs"]) != (epochs, epochs) or needed.any():
        raise ValueError("its arrays do not match each other")
    return saved


def _check_digest(written: str, facts: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> None:
    if written != digest_of(facts, arrays):
        raise ValueError("its history differs from what was written")
