"""How many members a block should have: measured once on each machine, then stored."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pooch

from jaxdecay.results.files import write
from jaxdecay.training.block import Blocks
from jaxdecay.training.limits import member_shapes
from jaxdecay.training.placement import by_device, everywhere

SMALLEST = {"cpu": 8}
"""The smallest size to try, by platform; 64 on others, as smaller blocks keep a GPU waiting."""

FEW = 64
"""Up to so many members per device, the smallest size is used: measuring would take seconds."""

LARGEST = 2**16
WORSE = 0.8
"""Doubling stops at the first size whose speed is below this share of the best speed."""

PROBE_STEPS = 64
PROBE_SECONDS = 0.25


def fastest_block(blocks: Blocks, members: int) -> int:
    """The block size with which a device trains the most members per second.

    Times a few real steps with each size, and doubles the size until that no longer helps. The
    measured speeds are stored in the cache folder, by devices, version and flags of the
    compiler, inputs, parameters, optimizer state and batch size.
    """
    size = SMALLEST.get(jax.local_devices()[0].platform, 64)
    if members <= FEW:
        return min(members, size)
    known = _read()
    speeds = known.setdefault(_name(blocks), {})
    best = size
    while size < 2 * members and size <= LARGEST:
        if str(size) not in speeds:
            speeds[str(size)] = member_steps_per_second(blocks, size)
        if speeds[str(size)] > speeds[str(best)]:
            best = size
        if speeds[str(size)] < WORSE * speeds[str(best)]:
            break
        size *= 2
    _write(known)
    return min(best, members)


def member_steps_per_second(blocks: Blocks, size: int) -> float:
    """Member-steps per second of one device with blocks of this size; 0 if memory is too small."""
    devices = blocks.mesh.size
    data = blocks.task.data
    chosen = np.resize(
        np.arange(len(np.asarray(data.train_labels))), PROBE_STEPS * blocks.config.batch_size
    )
    data = dataclasses.replace(
        data,
        train_inputs=np.asarray(data.train_inputs)[chosen],
        train_labels=np.asarray(data.train_labels)[chosen],
        test_inputs=np.asarray(data.test_inputs)[:1],
        test_labels=np.asarray(data.test_labels)[:1],
    )
    rates = by_device(blocks.mesh, np.full((devices, PROBE_STEPS, 1, size), 1e-3, np.float32))
    keys = by_device(blocks.mesh, jnp.broadcast_to(jax.random.key(0), (devices, 1)))
    try:
        members = jax.jit(blocks.init)(rates[:, 0], keys)
        epoch, data = everywhere(blocks.mesh, (jnp.asarray(0), data))
        traced = jax.jit(blocks.run_epoch, donate_argnums=0).trace(
            members, rates, keys, epoch, data
        )
        run = blocks.compile(traced)
        seconds = []
        while sum(seconds) < PROBE_SECONDS or len(seconds) < 4:
            started = time.perf_counter()
            members, history = run(members, rates, keys, epoch, data)
            jax.block_until_ready(history)
            seconds.append(time.perf_counter() - started)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return 0.0
    # The fastest run: the first one allocates memory, and other programs slow down some others.
    return size * PROBE_STEPS / min(seconds)


def _name(blocks: Blocks) -> str:
    device = jax.local_devices()[0]
    devices = f"{blocks.mesh.size} × {device.device_kind} of {os.cpu_count()} cores"
    inputs = np.shape(blocks.task.data.train_inputs)[1:]
    options = {**blocks.config.identity(), "seeds": None, "seed": None, "monitor": None}
    compiled = (jax.__version__, os.environ.get("XLA_FLAGS", ""))
    contents = (member_shapes(blocks), inputs, options, *compiled)
    digest = hashlib.sha256(repr(contents).encode()).hexdigest()[:16]
    return f"{devices}, batch {blocks.config.batch_size}, {digest}"


def _cache_file() -> Path:
    return pooch.os_cache("jaxdecay") / "block_sizes.json"


def _read() -> dict[str, dict[str, float]]:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_cache_file().read_text(encoding="utf-8"))
    return {}


def _write(known: dict[str, dict[str, float]]) -> None:
    """Stores the speeds; if the cache folder cannot be written, the next sweep measures again."""
    with contextlib.suppress(OSError):
        _cache_file().parent.mkdir(parents=True, exist_ok=True)
        write(_cache_file(), json.dumps(known, indent=2).encode())
