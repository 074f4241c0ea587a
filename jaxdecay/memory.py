"""The memory of this machine that is free, within the limits of a container or a batch job."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

PROCESS = Path("/proc/self")
"""Where Linux reports in which control groups this process is, and where these are mounted."""


class _Files(NamedTuple):
    """The names of what a control group says about memory."""

    limit: str
    usage: str
    reclaimable: str


_VERSION_1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = _Files("memory.max", "memory.current", "inactive_file")


def free_memory() -> int:
    """The bytes that this process may still use: of the machine, and of each of its groups."""
    free = psutil.virtual_memory().available
    for folder, files in _groups():
        with contextlib.suppress(OSError, ValueError):  # no such folder, or no limit
            limit = int((folder / files.limit).read_text(encoding="utf-8"))
            used = int((folder / files.usage).read_text(encoding="utf-8"))
            free = min(free, limit - used + _reclaimable(folder, files.reclaimable))
    return max(0, free)


def size(number: int) -> str:
    """A number of bytes in the largest unit of which there is at least one.

    Example:
        >>> from jaxdecay.memory import size
        >>> size(3 * 2**29), size(12)
        ('1.5 GiB', '12 bytes')
    """
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number >= 2**power:
            return f"{number / 2**power:.1f} {unit}"
    return f"{number} bytes"


def _reclaimable(folder: Path, name: str) -> int:
    """The bytes of files that a group holds in memory until these are needed."""
    with contextlib.suppress(OSError):
        for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def _groups() -> Iterator[tuple[Path, _Files]]:
    """The folders of this process's groups that can limit memory, from the innermost outwards."""
    try:
        groups = (PROCESS / "cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (PROCESS / "mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    paths = {}
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            paths["cgroup2"] = path
        elif "memory" in controllers.split(","):
            paths["cgroup"] = path
    for line in mounts:
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind not in paths or (kind == "cgroup" and "memory" not in options.split(",")):
            continue
        root, mount = before.split(" ")[3:5]
        files = _VERSION_1 if kind == "cgroup" else _VERSION_2
        for folder in _outwards(Path(paths[kind]), Path(root)):
            yield Path(mount) / folder, files


def _outwards(path: Path, root: Path) -> Iterator[Path]:
    """A group and those around it, relative to the root of the mount.

    A container may see only its own group, as the root, and the path as it is outside.
    """
    inside = path.relative_to(root) if path.is_relative_to(root) else Path()
    yield inside
    yield from inside.parents
