"""The memory and disk space that a sweep needs, checked before work starts."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxdecay.memory import free_memory, size
from jaxdecay.spelling import counted
from jaxdecay.training.block import Blocks
from jaxdecay.training.train import Member, init_member


def member_of(blocks: Blocks) -> Member:
    """The shapes of a member."""
    return jax.eval_shape(
        lambda key: init_member(blocks.task, blocks.config.optimizer, jnp.asarray(1e-3), key),
        jax.random.key(0),
    )


def member_shapes(blocks: Blocks) -> dict[str, str]:
    """The dtype and shape of each array of a member, by its path."""
    return {
        jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree.leaves_with_path(member_of(blocks))
    }


def check_limits(
    blocks: Blocks,
    members: int,
    block: int,
    steps: int,
    schedules: int,
) -> None:
    """Refuses a sweep whose members do not fit into this machine's memory or on its disk.

    With N members in this process, B members per block and D devices, the sweep needs, in bytes,

        N · (parameters and optimizer state) + D · (B · 3 · parameters + data) + S · 4 · steps

    On a CPU, checkpoints and branching schedules need N · (parameters and optimizer state) again.
    Each stored checkpoint, and the one being written, needs the same amount on disk, beside what
    `Checkpoints.reserve` leaves for other files.

    Raises:
        ValueError: memory or disk space is too small; the message says how many members fit.
    """
    member = member_of(blocks)
    member_bytes = bytes_of(member)
    devices = blocks.mesh.size
    fixed = devices * (block * 3 * bytes_of(member.parameters) + bytes_of(blocks.task.data))
    fixed += schedules * 4 * steps
    on_cpu = blocks.mesh.devices.flat[0].platform == "cpu"
    checkpoints = blocks.config.checkpoints
    copies = 2 if on_cpu and (checkpoints is not None or schedules > 1) else 1
    remedy = "fewer seeds or schedules"
    _check("memory", members, copies * member_bytes, fixed, _free_memory(blocks), remedy)
    if checkpoints is not None:
        stored = checkpoints.keep + 1
        free = shutil.disk_usage(_existing(Path(checkpoints.folder))).free + checkpoints.size()
        disk = f"disk space in {checkpoints.folder}"
        remedy = "another folder, or keep fewer checkpoints"
        of_all_processes = members * jax.process_count()  # which share the disk
        _check(disk, of_all_processes, stored * member_bytes, checkpoints.reserve, free, remedy)


def _check(
    what: str, members: int, member_bytes: int, fixed: int, free: int | None, remedy: str
) -> None:
    needed = members * member_bytes + fixed
    if free is not None and needed > free:
        most = max(0, (free - fixed) // member_bytes)
        raise ValueError(
            f"{counted(members, 'member')} would need {size(needed)} of {what}, but {size(free)} "
            f"are free: at most {counted(most, 'member')} would fit; use {remedy}"
        )


def _free_memory(blocks: Blocks) -> int | None:
    """Bytes of free memory on the devices of this process; None if they do not report it."""
    devices = list(blocks.mesh.devices.flat)
    if devices[0].platform != "cpu":
        stats = [device.memory_stats() for device in devices]
        if not all(stats):
            return None
        return sum(device["bytes_limit"] - device["bytes_in_use"] for device in stats)
    return free_memory()


def bytes_of(tree: Any) -> int:
    """The bytes of all arrays of a tree."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _existing(path: Path) -> Path:
    """The path itself or its nearest parent that exists."""
    paths = [path.absolute(), *path.absolute().parents]
    return next(candidate for candidate in paths if candidate.exists())
