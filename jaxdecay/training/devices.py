"""The devices of this process, and the folder for the programs compiled for them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from pathlib import Path

import jax
import pooch
from jax.sharding import AxisType, Mesh

SETTINGS = ("JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES", "XLA_FLAGS")
"""Environment variables that decide which devices JAX finds."""


def one_device_per_core() -> None:
    """Makes each processor core a JAX device, unless the number is set or JAX is already in use.

    As separate devices, cores train their own blocks and wait for each other once per epoch. As
    one device, they share each operation of a step and wait for each other after every one.
    """
    set_by_flags = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if jax.config.values["jax_num_cpu_devices"] < 0 and not set_by_flags:
        with contextlib.suppress(RuntimeError):  # JAX is already in use
            jax.config.update("jax_num_cpu_devices", _cores())


def fault_of_devices() -> str | None:
    """Why JAX finds no devices, in one line; None if it finds some."""
    try:
        jax.devices()
    except RuntimeError as error:
        reason = f": {(str(error).strip().splitlines() or ['unknown'])[0]}"
    except Exception:  # an assertion, or with `python -O` what comes after it
        reason = ""
    else:
        return None
    given = " ".join(f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ)
    remedy = f" with {given}{reason}; correct or unset it" if given else reason
    return f"JAX finds no devices{remedy}"


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def store_compiled_programs() -> None:
    """Stores compiled programs in the user's cache folder, unless JAX's own settings decide.

    Later processes that need the same program load it from there. Each kind of processor has its
    own folder: machines that share a home folder may not be able to run each other's programs.
    """
    settings = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")
    if jax.config.values["jax_compilation_cache_dir"] or any(
        setting in os.environ for setting in settings
    ):
        return
    folder = pooch.os_cache("jaxdecay") / "compiled" / _processor()
    with contextlib.suppress(OSError):  # if the folder cannot be written, each process compiles
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", str(folder))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _processor() -> str:
    """The kind of processor, as 16 hexadecimal digits."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        kind = sorted({line for line in lines if line.startswith(("model name", "flags"))})
        return hashlib.sha256("".join(kind).encode()).hexdigest()[:16]
    return hashlib.sha256(" ".join(platform.uname()[4:]).encode()).hexdigest()[:16]


def own_devices() -> list[int]:
    """The indices of this process's devices among those of all processes."""
    own = jax.process_index()
    return [place for place, device in enumerate(jax.devices()) if device.process_index == own]


def member_mesh() -> Mesh:
    """The devices of this process along one axis, `member`."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), ("member",), (AxisType.Auto,), devices=devices)
