"""What a sweep needs and what there is: memory and disk, known before work starts."""

from __future__ import annotations

import contextlib
import math
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import psutil

from jaxdecay.training.block import Blocks
from jaxdecay.training.train import Member, init_member

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells how much memory a container may use."""


def member_of(blocks: Blocks) -> Member:
    """The shapes of a member."""
    return jax.eval_shape(
        lambda key: init_member(blocks.task, blocks.config.optimizer, jnp.asarray(1e-3), key),
        jax.random.key(0),
    )


def member_shapes(blocks: Blocks) -> dict[str, str]:
    """By path, shape and dtype of all that a member consists of."""
    return {
        jax.tree_util.keystr(path): f"{each.dtype}{list(each.shape)}"
        for path, each in jax.tree.leaves_with_path(member_of(blocks))
    }


def check_limits(
    blocks: Blocks,
    members: int,
    block: int,
    steps: int,
    schedules: int,
) -> None:
    """Refuses a sweep whose members do not fit into this machine's memory, or on its disk.

    With N members in this process, B in a block and D devices it needs, in bytes,

        N · (parameters and optimizer state) + D · (B · 3 · parameters + data) + S · 4 · steps

    On a CPU it needs N · (parameters and optimizer state) once more for checkpoints and for
    schedules that part, and with checkpoints as much on disk for each one that is kept, and one
    that is being written.

    Raises:
        ValueError: it needs more than there is; says how many members fit.
    """
    one = member_of(blocks)
    each = bytes_of(one)
    devices = blocks.mesh.size
    fixed = devices * (block * 3 * bytes_of(one.parameters) + bytes_of(blocks.task.data))
    fixed += schedules * 4 * steps
    on_cpu = blocks.mesh.devices.flat[0].platform == "cpu"
    checkpoints = blocks.config.checkpoints
    copies = 2 if on_cpu and (checkpoints is not None or schedules > 1) else 1
    _check("memory", members, copies * each, fixed, _memory(blocks), "fewer seeds or schedules")
    if checkpoints is not None:
        kept = checkpoints.keep + 1
        free = shutil.disk_usage(_existing(Path(checkpoints.folder))).free + checkpoints.size()
        where = f"disk space in {checkpoints.folder}"
        everyone = members * jax.process_count()  # they share the disk
        _check(where, everyone, kept * each, 0, free, "another folder, or keep fewer checkpoints")


def _check(what: str, members: int, each: int, fixed: int, there: int | None, remedy: str) -> None:
    needed = members * each + fixed
    if there is not None and needed > there:
        most = max(0, (there - fixed) // each)
        raise ValueError(
            f"{members:,} members need {_gib(needed)} of {what}, there are {_gib(there)}: "
            f"at most {most:,} members fit; use {remedy}"
        )


def _memory(blocks: Blocks) -> int | None:
    """Bytes that the devices of this process have left; None where they do not say."""
    devices = list(blocks.mesh.devices.flat)
    if devices[0].platform != "cpu":
        stats = [device.memory_stats() for device in devices]
        if not all(stats):
            return None
        return sum(each["bytes_limit"] - each["bytes_in_use"] for each in stats)
    left = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no container, or no limit
        limit = int((CGROUP / "memory.max").read_text(encoding="utf-8"))
        left = min(left, limit - int((CGROUP / "memory.current").read_text(encoding="utf-8")))
    return left


def bytes_of(tree: Any) -> int:
    """The bytes of all arrays of a tree."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _existing(path: Path) -> Path:
    """The nearest folder that there is already."""
    return next(each for each in [path.absolute(), *path.absolute().parents] if each.exists())


def _gib(number: int) -> str:
    return f"{number / 2**30:.1f} GiB"
