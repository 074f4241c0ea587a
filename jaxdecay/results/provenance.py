"""Where a sweep was trained: the machine and the versions of its software."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import jax

PACKAGES = ("jaxdecay", "jax", "jaxlib", "optax", "flax", "numpy")


def machine() -> dict[str, Any]:
    """Platform, processor cores and JAX's devices."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "devices": [device.device_kind for device in jax.devices()],
    }


def versions() -> dict[str, str]:
    """The versions, by name, of Python and of the packages that affect results."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages}
