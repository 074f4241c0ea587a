"""The processes of one sweep: which this is, and how they wait for each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxdecay.training.agreement import check_same
from jaxdecay.training.devices import one_device_per_core
from jaxdecay.training.processes import ProcessError

HEARTBEAT_SECONDS = 30
"""How long after the death of a process JAX ends those that wait for it."""

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
        ValueError: JAX cannot determine the process index and count, and they were not given.
        ProcessError: the others do not answer.
    """
    one_device_per_core()
    if not distributed:
        if (coordinator, process, processes) != (None, None, None):
            raise ValueError("--coordinator, --process and --processes need --distributed")
        return
    if coordinator is not None and not re.fullmatch(r".+:\d+", coordinator):
        raise ValueError(f"--coordinator must be HOST:PORT, got {coordinator!r}")
    try:
        jax.distributed.initialize(
            coordinator, processes, process, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
        )
    except ValueError as error:
        raise ValueError(
            f"--distributed: {error} JAX finds no Slurm, Kubernetes, Open MPI or Cloud TPU here; "
            "give --coordinator HOST:PORT, --process and --processes"
        ) from None
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ProcessError(f"this process could not connect to the others: {reason}") from error


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
