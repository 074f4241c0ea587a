"""The report of a sweep, as a file beside its data."""

from __future__ import annotations

import os
from pathlib import Path

from jaxdecay.report import REPORT
from jaxdecay.report.page import page
from jaxdecay.results.files import write
from jaxdecay.results.result import SweepResult


def write_report(
    result: SweepResult, folder: str | os.PathLike[str], *, target: float | None = None
) -> None:
    """Writes `report.html`, one file that opens without network.

    Args:
        result: the sweep.
        folder: created if it does not exist; a report in it is replaced.
        target: rank by the steps to it, as `SweepResult.ranking` does.

    Example:
        >>> import jaxdecay, os, tempfile
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
        >>> folder = tempfile.mkdtemp()
        >>> jaxdecay.write_report(jaxdecay.sweep(task, rates), folder)
        >>> sorted(os.listdir(folder))
        ['report.html']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / REPORT, page(result, target=target).encode())
