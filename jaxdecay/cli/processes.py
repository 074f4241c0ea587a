"""The processes of one sweep: which this is, and how they wait for each other."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxdecay.cli.exits import note
from jaxdecay.cli.interrupts import Interrupts
from jaxdecay.training.devices import one_device_per_core
from jaxdecay.training.differences import check_same
from jaxdecay.training.processes import ProcessError

HEARTBEAT_SECONDS = 30
"""How long after the death of a process JAX ends those that wait for it."""

CONNECT_SECONDS = 120
"""How long a process waits for the others to start: as long as slow machines need for that."""

SILENT_SECONDS = 5
"""How long it waits before it says so."""

MAY_DIFFER = {
    *("process", "coordinator", "quiet", "as_json", "no_compilation_cache"),
    *("data", "data_dir", "schedules", "decays"),
}
"""Options that each process may have for itself; of files, what they hold is compared later."""


def connect(
    distributed: bool, coordinator: str | None, process: int | None, processes: int | None
) -> None:
    """Makes each processor core a device, and this process one of many if it is distributed.

    Raises:
        ValueError: JAX cannot determine the process index and count, and they were not given; or
            they do not match.
        ProcessError: the others do not answer.
    """
    one_device_per_core()
    if not distributed:
        if (coordinator, process, processes) != (None, None, None):
            raise ValueError("--coordinator, --process and --processes need --distributed")
        return
    if coordinator is not None and not re.fullmatch(r".+:\d+", coordinator):
        raise ValueError(f"--coordinator must be HOST:PORT, got {coordinator!r}")
    if process is not None and processes is not None and process >= processes:
        raise ValueError(
            f"--process {process} is not one of --processes {processes}; number them from 0 to "
            f"{processes - 1}"
        )
    where = "" if coordinator is None else f" (the first one at {coordinator})"
    try:
        with _waiting(f"the other processes of this sweep{where}"):
            jax.distributed.initialize(
                coordinator,
                processes,
                process,
                initialization_timeout=2 * CONNECT_SECONDS,  # JAX would abort, with a stack of C++
                heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            )
    except ValueError as error:
        raise ValueError(
            f"--distributed: {error} JAX finds no Slurm, Kubernetes, Open MPI or Cloud TPU here; "
            "give --coordinator HOST:PORT, --process and --processes"
        ) from None
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ProcessError(
            f"this process could not connect to the others{where}: {reason}"
        ) from error


@contextlib.contextmanager
def _waiting(for_whom: str) -> Iterator[None]:
    """Says that it waits, for what and how long; a signal ends the process at once."""

    def end(line: str, code: int) -> None:
        note(line)
        os._exit(code)  # the main thread waits in JAX

    def stop() -> None:
        end(f"stopped while waiting for {for_whom}", 128 + (interrupts.number or 0))

    remedy = "start all processes within that time, with the same --coordinator and --processes"
    late = f"error: waited {CONNECT_SECONDS} s for {for_whom}; {remedy}"
    soon = f"note: waiting up to {CONNECT_SECONDS} s for {for_whom}"
    timers = (
        threading.Timer(SILENT_SECONDS, note, [soon]),
        threading.Timer(CONNECT_SECONDS, end, [late, 1]),
    )
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        with Interrupts(stop, stop) as interrupts:
            yield
    finally:
        for timer in timers:
            timer.cancel()


def compare(options: Mapping[str, Any]) -> None:
    """ValueError, on all processes, if one of them was started with another option."""
    parts = {name: getattr(value, "value", value) for name, value in options.items()}
    check_same(
        {
            f"--{name.replace('_', '-')}": str(part.resolve()) if isinstance(part, Path) else part
            for name, part in parts.items()
            if name not in MAY_DIFFER
        }
    )


def is_first() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0
