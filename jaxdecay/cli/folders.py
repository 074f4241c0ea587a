"""The folder of a sweep: who writes into it, and what a running sweep writes."""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import filelock
import numpy as np

from jaxdecay.cli.own_decays import import_decays
from jaxdecay.cli.run import Run
from jaxdecay.report import REPORT
from jaxdecay.results import files
from jaxdecay.results.result import SweepResult

LOCK = ".lock"
"""The file that a sweep holds locked while it writes into its folder."""


def load_result(folder: Path, decays: Path | None) -> SweepResult:
    """The result of a finished sweep, after its own decays have been imported.

    Args:
        folder: of the sweep.
        decays: Python file of its own decays, which is run; None if it needs none.
    """
    if not (folder / files.RUN).exists():
        import_decays(decays)
        return SweepResult.load(folder)
    run = Run.read(folder)
    run.import_decays(folder, decays)
    return run.result(folder)


class Output:
    """What a running sweep writes into its folder, epoch by epoch.

    Args:
        run: the settings of the sweep.
        folder: that `jaxdecay.results.files.prepare` has prepared.
    """

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder = run, folder
        self._history = files.HistoryFile(folder)
        self._has_begun = False

    def begin(self) -> None:
        """Makes the folder this sweep's: removes earlier results, and writes the settings."""
        if not self._has_begun:
            files.remove_parts(self._folder)
            for name in (files.SWEEP, *files.NAMES, REPORT):
                (self._folder / name).unlink(missing_ok=True)
            self._run.write(self._folder)
        self._has_begun = True

    def add_epoch(self, epoch: int, history: Mapping[str, np.ndarray]) -> None:
        """Appends an epoch to `history.csv`; OSError if its files were moved or removed."""
        self.begin()
        try:
            (self._folder / files.RUN).stat()
            self._history.add(epoch, history)
        except FileNotFoundError:
            raise OSError(
                f"'{self._folder}' was moved or removed while the sweep ran; resume it where its "
                "files are now"
            ) from None


@contextlib.contextmanager
def alone(folder: Path, *, patience: float = 0) -> Iterator[None]:
    """While this runs, no other sweep writes into the folder.

    Args:
        folder: of the sweep.
        patience: seconds to wait for another one to end.

    Raises:
        ValueError: another one writes into it.
        OSError: the file system cannot lock a file.
    """
    lock = filelock.FileLock(folder / LOCK, timeout=patience)
    try:
        with warnings.catch_warnings():  # of a system without locks, where a file stands for one
            warnings.simplefilter("ignore", UserWarning)
            lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"another sweep is writing into '{folder}'; choose another folder, or wait for it"
        ) from None
    except OSError as error:
        raise OSError(
            f"'{folder / LOCK}' cannot be locked: {error.strerror}; choose a folder on a local "
            "disk, or mount this file system with locks (NFS: local_lock=flock)"
        ) from error
    try:
        yield
    finally:
        lock.release()


def check_free(folder: Path) -> None:
    """ValueError if a sweep writes into the folder, so that no process joins one that is running.

    JAX ends all processes of a sweep when another one with the index of one of them connects.
    """
    if (folder / LOCK).exists():
        with contextlib.suppress(OSError), alone(folder, patience=2):  # others look as well
            pass


def is_written(folder: Path) -> bool:
    """Whether a sweep on this machine is writing into the folder now, or that is unknown."""
    try:
        with alone(folder):
            return False
    except (ValueError, OSError):
        return True


def confirmed_folder(folder: Path) -> Path:
    """Where a sweep is confirmed by default: beside its folder, also where that is "."."""
    named = folder.resolve() if folder.name in ("", "..") else folder
    return named.with_name(f"{named.name}-confirmed")


def new_folder(data: str) -> Path:
    """Creates a folder in runs/ that no other sweep has, not even one started right now."""
    name = re.sub(r"[][\\\ud800-\udfff]", "-", Path(data).stem)  # checkpoints cannot be in such
    Path("runs").mkdir(exist_ok=True)
    for number in itertools.count(1):
        folder = Path("runs", f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("unreachable")
