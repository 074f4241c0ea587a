"""The command line, run as people run it, or in this process where only its words matter."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxdecay.cli.commands import app
from jaxdecay.cli.streams import degrade
from jaxdecay.results.sealed import SEAL

COLUMNS = "100"
TWO = """
[[schedule]]
family = "constant"
value = 0.1

[[schedule]]
family = "inverse_time"
init_value = [0.1, 0.3]
decay_rate = 0.01
"""
"""A schedules file with one schedule and a grid of two."""


def finished(words: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a process to its end, in a folder; its output is 100 columns wide."""
    return subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, "COLUMNS": COLUMNS, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def in_a_process(
    *arguments: object, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `jaxdecay` with these arguments as a process of its own."""
    words = [sys.executable, "-m", "jaxdecay", *map(str, arguments)]
    return finished(words, cwd, **environment)


def in_this_process(
    *arguments: object, cwd: Path, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The same without the seconds in which a process starts; its output in an encoding."""
    jax.devices()  # a command that is the first to use JAX decides about its devices
    words = [str(argument) for argument in arguments]
    written = [io.BytesIO(), io.BytesIO()]
    output, errors = (io.TextIOWrapper(each, encoding, write_through=True) for each in written)
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        patch.setenv("COLUMNS", COLUMNS)
        patch.chdir(cwd)
        degrade()
        with pytest.raises(SystemExit) as ended:
            app(words)
    code = int(ended.value.code or 0)
    texts = [each.getvalue().decode(encoding, "surrogateescape") for each in written]
    told = [text.replace(os.linesep, "\n") for text in texts]
    return subprocess.CompletedProcess(words, code, *told)


def error_of(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line that a failed command wrote; checks its exit code."""
    assert done.returncode == code, done.stderr + done.stdout
    assert not re.search("Traceback|Warning", done.stderr + done.stdout)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(("error:", "Error:"))]
    return line


def edit(path: Path, **changes: object) -> None:
    """Changes a JSON file of a sweep on purpose: its seal is removed."""
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in record.items() if k != SEAL}))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
