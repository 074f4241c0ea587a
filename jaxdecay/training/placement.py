"""Where arrays are placed: a part on each device, or all of it on every device."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def by_device(mesh: Mesh, tree: Any) -> Any:
    """Arrays with a first axis of devices, each part on its device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec("member")))


def everywhere(mesh: Mesh, tree: Any) -> Any:
    """Arrays that every device needs in full."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
