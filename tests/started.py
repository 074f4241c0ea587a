"""Sweeps of the command line as processes of their own, one or several, while they run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

NOTICES_SOON = "import jaxdecay.cli.processes; jaxdecay.cli.processes.HEARTBEAT_SECONDS = 5"
"""That another process has died, so that the test takes less time."""

INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""As a terminal starts a process, however the tests were started."""


def first(statement: str, *arguments: object) -> list[str]:
    """The command, in a process that does something else first."""
    then = "import runpy; runpy.run_module('jaxdecay', run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", f"{statement}; {then}", "sweep", *map(str, arguments)]


def start(*arguments: object, cwd: Path, before: str = INTERRUPTIBLE) -> subprocess.Popen[str]:
    """Starts `jaxdecay sweep`, so that it can be interrupted."""
    return subprocess.Popen(
        first(before, *arguments),
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", "JAX_NUM_CPU_DEVICES": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(there, process: subprocess.Popen[str], seconds: float = 300) -> None:
    """Until something is there, while a process runs."""
    end = time.monotonic() + seconds
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def until(lines: Iterable[str], words: str) -> str:
    """What a process writes until it writes these words."""
    read = ""
    for line in lines:
        read += line
        if words in line:
            return read
    raise AssertionError(f"it ended without {words!r}: {read}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start_two(*arguments: object, cwd: Path) -> list[subprocess.Popen[str]]:
    return start_each([arguments, arguments], cwd)


def start_each(
    processes: list[tuple[object, ...]], cwd: Path, before: str = NOTICES_SOON
) -> list[subprocess.Popen[str]]:
    """The processes of one sweep, each with its arguments."""
    port = free_port()
    return [
        start(
            *arguments,
            *("--distributed", "--coordinator", f"127.0.0.1:{port}"),
            *("--process", process, "--processes", len(processes)),
            cwd=cwd,
            before=f"{INTERRUPTIBLE}; {before}",
        )
        for process, arguments in enumerate(processes)
    ]
