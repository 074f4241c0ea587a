"""Checkpoints: what a sweep is at the end of an epoch, kept on disk by Orbax.

A checkpoint knows neither blocks nor devices: it holds members, one after another, so that a
sweep goes on with other blocks, on other devices and in other processes. `about.json`, beside the
checkpoints, says which sweep they are of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxdecay.data import Data
from jaxdecay.training.processes import ProcessError, agreed, shared

ABOUT = "about.json"
FORMAT = 4
"""Of what is written; a sweep does not go on from another."""
UNREAD = ".unread"
"""The end of the name of a checkpoint that could not be read, perhaps only this time."""

_log = logging.getLogger("jaxdecay")


class CheckpointError(Exception):
    """Checkpoints that cannot be written, or read; one line says which and why."""


class Snapshot(NamedTuple):
    """Members at the end of an epoch. S schedules, K seeds, E epochs done, M members.

    Attributes:
        places: indices [M, 2], of each member its schedule and its seed.
        members: bytes [M, …], see `packed`.
        trunk: [S], the schedule whose member each schedule shares; see `Plan`.
        history: by name, [E, S, K], of all members of the sweep.
        diverged_at: [S, K], of all members of the sweep.
        member_steps: the steps that were trained; a shared one counts once.
        run_seconds: the time it took.
    """

    places: np.ndarray
    members: np.ndarray
    trunk: np.ndarray
    history: dict[str, np.ndarray]
    diverged_at: np.ndarray
    member_steps: int
    run_seconds: float

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return len(next(iter(self.history.values())))


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """Where a sweep keeps its checkpoints, when it writes one and how many it keeps.

    Args:
        folder: made if need be. A sweep goes on from the newest whole checkpoint that is there.
        every: epochs from one to the next, at least 1; the last epoch always has one.
        keep: how many are kept, at least 2: if the newest is damaged, the one before it serves.
        anew: begin anew: checkpoints that are there are removed when training begins.

    Raises:
        ValueError: `every` or `keep` are too small, or the folder's name is no text in the
            locale of this process.

    Example:
        >>> import tempfile, jaxdecay
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = jaxdecay.Checkpoints(folder)
        ...     _ = jaxdecay.sweep(task, rates, epochs=2, checkpoints=kept)
        ...     result = jaxdecay.sweep(task, rates, epochs=3, checkpoints=kept)  # one epoch more
        >>> result.history["test_loss"].shape
        (3, 2, 1)
    """

    folder: str | os.PathLike[str]
    every: int = 1
    keep: int = 3
    anew: bool = False

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {self.every}")
        if self.keep < 2:
            raise ValueError(
                f"keep must be at least 2, the newest and one in its stead, got {self.keep}"
            )
        if any("\ud800" <= each <= "\udfff" for each in str(Path(self.folder).absolute())):
            raise ValueError(  # Orbax's storage takes UTF-8 only
                f"the name of {self.folder} is no text in this locale; "
                "set LC_ALL=C.UTF-8 or PYTHONUTF8=1, or choose another name"
            )

    def block(self, about: Mapping[str, Any]) -> int | None:
        """The block of the sweep whose checkpoints are there; None if there is none.

        Raises:
            ValueError: they are of another sweep than `about` says, or, where it begins anew, of
                something else than a sweep.
            CheckpointError: they cannot be read.
        """
        path, folder = self._about, Path(self.folder)
        if self.anew:
            if not path.exists() and folder.is_dir() and any(folder.iterdir()):
                raise ValueError(
                    f"{folder} holds something else than a sweep; choose another folder"
                )
            return None
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            block, there = int(there["block"]), dict(there["about"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged; start the sweep anew") from error
        _check_same(there, about, self.folder)
        return block

    def restore(self, mine: np.ndarray) -> Snapshot | None:
        """The newest whole checkpoint, of the members in `mine`, [S, K]; None if there is none.

        Raises:
            CheckpointError: there are some, and all of them are damaged.
        """
        folder, faults = Path(self.folder), []
        if self.anew or not folder.is_dir():
            return None
        with _manager(folder) as manager:
            for epochs in sorted(manager.all_steps(), reverse=True):
                try:
                    return _read(manager, epochs, mine)
                except MemoryError:
                    raise
                except jax.errors.JaxRuntimeError as error:
                    if jax.process_count() > 1:
                        raise ProcessError("another process of this sweep has ended") from error
                    raise
                except Exception as error:  # whatever damaged bytes make the reader do
                    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                    _log.warning(
                        "the checkpoint of epoch %d cannot be read and is not used", epochs
                    )
                    faults.append(f"epoch {epochs}: {reason[:200]}")
        if faults:
            raise CheckpointError(
                f"no checkpoint in {self.folder} can be read ({faults[0]}); "
                "try again, or start the sweep anew"
            )
        return None

    def writer(self, about: Mapping[str, Any], block: int, done: int) -> Writer:
        """Writes the checkpoints of this sweep, of which epochs are done; used in a `with`."""
        return Writer(self, about, block, done)

    def size(self) -> int:
        """The bytes on disk of the checkpoints that are there."""
        paths = (path for each in _epochs_there(Path(self.folder)) for path in each.rglob("*"))
        return sum(path.stat().st_size for path in paths if path.is_file())

    @property
    def _about(self) -> Path:
        return Path(self.folder) / ABOUT


class Writer:
    """Writes checkpoints behind a sweep's back: each is written while the next epoch is trained."""

    def __init__(
        self, checkpoints: Checkpoints, about: Mapping[str, Any], block: int, done: int
    ) -> None:
        self._folder = folder = Path(checkpoints.folder)
        self._every = checkpoints.every
        folder.mkdir(parents=True, exist_ok=True)
        with _writing(folder):
            if jax.process_index() == 0:
                if checkpoints.anew:
                    remove(folder)
                else:
                    _set_aside(folder, done)
                beside = checkpoints._about.with_suffix(".part")
                text = json.dumps({"block": block, "about": about}, indent=1)
                beside.write_text(text, encoding="utf-8")
                os.replace(beside, checkpoints._about)
            agreed(0)  # no process looks before
            self._manager = _manager(
                folder, max_to_keep=checkpoints.keep, cleanup_tmp_directories=True
            )

    def wait(self) -> None:
        """Waits for the checkpoint before, so that there is one copy of the members at a time."""
        with _writing(self._folder):
            self._manager.wait_until_finished()

    def is_due(self, done: int, epochs: int) -> bool:
        """Whether there is a checkpoint after so many of all epochs."""
        return done == epochs or done % self._every == 0

    def save(self, snapshot: Snapshot) -> None:
        """Begins to write a checkpoint; waits for the one before it."""
        # Few arrays: TensorStore leaves some hundred bytes of memory behind for each that is saved.
        arrays = {
            **shared({"places": snapshot.places, "members": snapshot.members}),
            "history": np.stack(list(snapshot.history.values())),
            "diverged_at": snapshot.diverged_at,
            "trunk": snapshot.trunk,
        }
        with _writing(self._folder):
            self._manager.save(
                snapshot.epochs,
                args=ocp.args.Composite(sweep=ocp.args.PyTreeSave(arrays)),
                custom_metadata={
                    "metrics": list(snapshot.history),
                    "member_steps": snapshot.member_steps,
                    "run_seconds": snapshot.run_seconds,
                },
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, ProcessError):  # then there is nobody to write it with
            with _writing(self._folder):
                self._manager.close()


def packed(leaves: Sequence[np.ndarray]) -> np.ndarray:
    """The leaves [M, …] of members, whatever their types, as one array of bytes [M, …]."""
    flat = [leaf.reshape(len(leaf), math.prod(leaf.shape[1:])) for leaf in leaves]
    return np.concatenate([np.ascontiguousarray(leaf).view(np.uint8) for leaf in flat], axis=1)


def unpacked(rows: np.ndarray, like: Sequence[jax.ShapeDtypeStruct]) -> list[np.ndarray]:
    """The leaves that were `packed`, each `like` the shape and type of one member's."""
    ends = np.cumsum([math.prod(each.shape) * each.dtype.itemsize for each in like])
    return [
        np.ascontiguousarray(part).view(each.dtype).reshape(len(rows), *each.shape)
        for part, each in zip(np.split(rows, ends[:-1], axis=1), like, strict=True)
    ]


def digest(data: Data) -> str:
    """SHA-256 of all examples and labels."""
    found = hashlib.sha256(repr(data.scale).encode())
    for leaf in jax.tree.leaves(data):
        array = np.ascontiguousarray(leaf)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def remove(folder: str | os.PathLike[str]) -> None:
    """Removes checkpoints, if there are any, and nothing else."""
    folder = Path(folder)
    for each in folder.iterdir() if folder.is_dir() else []:
        if each.name == ABOUT:
            each.unlink()
        elif re.fullmatch(rf"\d+({re.escape(UNREAD)}|\.orbax-checkpoint-tmp.*)?", each.name):
            shutil.rmtree(each)


def _epochs_there(folder: Path) -> list[Path]:
    """The folders of single checkpoints."""
    return [each for each in folder.glob("*") if each.name.isdecimal()]


def _set_aside(folder: Path, done: int) -> None:
    """Renames the checkpoints of later epochs than are done: they could not be read."""
    for each in _epochs_there(folder):
        if int(each.name) > done:
            aside = each.with_name(each.name + UNREAD)
            shutil.rmtree(aside, ignore_errors=True)
            each.rename(aside)
            _log.warning("the checkpoint that could not be read is kept as %s", aside)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Whatever stops Orbax from writing becomes one line."""
    try:
        yield
    except ProcessError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = getattr(error, "strerror", None) or lines[0]
        reason = reason if folder.is_dir() else "the folder is gone"
        raise CheckpointError(f"the checkpoint in {folder} cannot be written: {reason}") from error


def _manager(folder: Path, **options: Any) -> ocp.CheckpointManager:
    return ocp.CheckpointManager(
        folder.absolute(),
        options=ocp.CheckpointManagerOptions(**options),
        item_handlers={"sweep": ocp.PyTreeCheckpointHandler()},
    )


def _read(manager: ocp.CheckpointManager, epochs: int, mine: np.ndarray) -> Snapshot:
    """The members in `mine`, whichever process has saved them."""
    # As NumPy's arrays: the devices that they were saved from need not be there.
    kinds = jax.tree.map(
        lambda _: ocp.RestoreArgs(restore_type=np.ndarray),
        dict(manager.item_metadata(epochs)["sweep"]),
    )
    arrays = manager.restore(
        epochs, args=ocp.args.Composite(sweep=ocp.args.PyTreeRestore(restore_args=kinds))
    )["sweep"]
    about = manager.metadata(epochs).custom_metadata
    # [processes, members of each, …], filled up where a process had fewer members.
    places, trunk = arrays["places"], arrays["trunk"]
    needed = np.zeros(mine.shape, bool)
    np.logical_or.at(needed, trunk, mine)
    chosen = (places >= 0).all(axis=2) & needed[places[..., 0], places[..., 1]]
    found = Snapshot(
        places=places[chosen],
        members=arrays["members"][chosen],
        trunk=trunk,
        history=dict(zip(about["metrics"], arrays["history"], strict=True)),
        diverged_at=arrays["diverged_at"],
        member_steps=int(about["member_steps"]),
        run_seconds=float(about["run_seconds"]),
    )
    needed[*found.places.T] = False
    if found.epochs != epochs or needed.any():
        raise ValueError("its arrays do not belong together")
    return found


def _check_same(there: Mapping[str, Any], here: Mapping[str, Any], folder: Any) -> None:
    for name, value in json.loads(json.dumps(here)).items():
        other = there.get(name)
        if other == value:
            continue
        if name == "code":
            difference = _changed_code(other, value)
        else:
            name, other, value = _difference(name, other, value)
            difference = f"{name} is {other} there and {value} here"
        raise ValueError(
            f"{folder} holds the checkpoints of another sweep: {difference}; "
            "go on with the same, or start anew in another folder"
        )


def _changed_code(there: Any, here: dict[str, str]) -> str:
    """The names of the functions whose fingerprints differ."""
    there = there if isinstance(there, dict) else {}
    changed = [name for name in here | there if here.get(name) != there.get(name)]
    return (
        f"{' and '.join(changed)} changed since it was started (the source, "
        "a value that is used, or the version of a package)"
    )


def _difference(name: str, there: Any, here: Any) -> tuple[str, Any, Any]:
    """Of two lists or dictionaries, the first difference and its name."""
    if isinstance(here, dict) and isinstance(there, dict):
        keys: list[Any] = [*here, *there]
        there, here = ([each.get(key) for key in keys] for each in (there, here))
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        keys = list(range(len(here)))
    elif isinstance(here, list) and isinstance(there, list):
        return f"the number of {name}", len(there), len(here)
    else:
        return name, there, here
    triples = zip(keys, there, here, strict=True)
    key, there, here = next(each for each in triples if each[1] != each[2])
    return f"{name}[{key}]", there, here
