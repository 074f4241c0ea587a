"""The devices of this process: one for each core of a CPU, and the mesh of all of them."""

from __future__ import annotations

import contextlib
import os

import jax
from jax.sharding import AxisType, Mesh


def one_device_per_core() -> None:
    """Makes each processor core a device of JAX, unless their number is set or JAX is in use.

    Cores that train blocks of their own wait for each other once an epoch; as one device, they
    share every operation of a step and wait for each other after each.
    """
    set_by_flags = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if jax.config.values["jax_num_cpu_devices"] < 0 and not set_by_flags:
        with contextlib.suppress(RuntimeError):  # in use
            jax.config.update("jax_num_cpu_devices", _cores())


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def own_devices() -> list[int]:
    """The places of this process's devices among those of all processes."""
    own = jax.process_index()
    return [place for place, device in enumerate(jax.devices()) if device.process_index == own]


def member_mesh() -> Mesh:
    """The devices of this process along one axis, `member`."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), ("member",), (AxisType.Auto,), devices=devices)
