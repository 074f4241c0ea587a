"""Places arrays on devices: one part on each device, or a copy on every device."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def by_device(mesh: Mesh, tree: Any) -> Any:
    """Arrays whose first axis is the devices, with each part on its device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec("member")))


def everywhere(mesh: Mesh, tree: Any) -> Any:
    """Arrays with a copy on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
