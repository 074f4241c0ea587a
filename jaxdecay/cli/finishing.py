"""The end of a sweep: its results are stored first; whatever fails after that fails alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jaxdecay.cli.display import RESUME, Display
from jaxdecay.cli.exits import complain, note
from jaxdecay.cli.interrupts import Interrupts
from jaxdecay.cli.run import Run
from jaxdecay.report import REPORT
from jaxdecay.report.files import write_report
from jaxdecay.results.files import are_complete
from jaxdecay.results.result import SweepResult


def finish(
    result: SweepResult, run: Run, folder: Path, display: Display, target: float | None
) -> int:
    """Stores a result, shows it and writes its report; prints one line for each that fails.

    Args:
        result: of all epochs.
        run: the settings of the sweep.
        folder: for its files.
        display: shows it.
        target: of the metric that ranks schedules.

    Returns:
        The exit code: 1 if something failed, 128 + the number of a signal that arrived meanwhile.
    """
    parts = _Parts()
    resume, report = run.command(RESUME, folder), run.command("report", folder)
    with Interrupts(_show_finishing, lambda: _show_stopped(run, folder)) as interrupts:
        with parts.alone("the results cannot be stored", f"to store them, run: {resume}"):
            result.save(folder, overwrite=True, target=target)
        are_stored = not parts.failed
        with parts.alone("the results cannot be shown", f"they are in '{folder}'; run: {report}"):
            display.has_result(result, run, folder, target)
        if are_stored:
            with parts.alone(f"{REPORT} cannot be written", f"to write it, run: {report}"):
                write_report(result, folder, target=target)
        if not parts.failed:
            with parts.alone("the names of the files cannot be shown", f"they are in '{folder}'"):
                display.has_written(folder)
    return int(parts.failed) if interrupts.number is None else 128 + interrupts.number


class _Parts:
    """What is done at the end.

    Attributes:
        failed: whether any of it failed.
    """

    def __init__(self) -> None:
        self.failed = False

    @contextlib.contextmanager
    def alone(self, what: str, remedy: str) -> Iterator[None]:
        """Any error is one line that says what failed and what to do; the next part is done."""
        try:
            yield
        except Exception as error:
            self.failed = True
            complain(f"{what}: {_reason(error)}; {remedy}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f" ({error.filename})" if error.filename else "")
    return " ".join(f"{type(error).__name__}: {error}".split())


def _show_finishing() -> None:
    note("all epochs are trained; the results are being written; interrupt again to stop at once")


def _show_stopped(run: Run, folder: Path) -> None:
    missing = "report" if are_complete(folder) else RESUME
    note(f"stopped; to write what is missing, run: {run.command(missing, folder)}")
