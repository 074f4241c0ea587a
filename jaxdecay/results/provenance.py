"""Where a sweep was trained: the machine and the versions of its software."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
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
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    """As installed, or of a source tree that is not; "unknown" rather than an error."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return getattr(sys.modules.get(package), "__version__", "unknown")
