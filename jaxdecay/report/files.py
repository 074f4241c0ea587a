"""What is drawn of a sweep, as files beside its data: the report and the picture of its curves."""

from __future__ import annotations

import io
import os
from pathlib import Path

from jaxdecay.report import CURVES, REPORT
from jaxdecay.report.page import page
from jaxdecay.report.pictures import draw_curves
from jaxdecay.results.files import write
from jaxdecay.results.result import SweepResult


def write_report(
    result: SweepResult, folder: str | os.PathLike[str], *, target: float | None = None
) -> None:
    """Writes `report.html`, one file that opens without network, and `curves.png`.

    Args:
        result: the sweep.
        folder: created if it does not exist; files of these names are replaced.
        target: rank by the steps to it, as `SweepResult.ranking` does.

    Example:
        >>> import jaxdecay, os, tempfile
        >>> task = jaxdecay.classifier(jaxdecay.digits())
        >>> rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
        >>> folder = tempfile.mkdtemp()
        >>> jaxdecay.write_report(jaxdecay.sweep(task, rates), folder)
        >>> sorted(os.listdir(folder))
        ['curves.png', 'report.html']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / REPORT, page(result, target=target).encode())
    picture = io.BytesIO()
    draw_curves(result).savefig(picture, format="png")
    write(folder / CURVES, picture.getvalue())
