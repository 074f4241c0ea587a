"""What makes a sweep the same one: all that changes its numbers, in words that can be compared."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxdecay.population import Population
from jaxdecay.results.provenance import versions
from jaxdecay.training.block import Blocks
from jaxdecay.training.checkpoint import FORMAT, digest
from jaxdecay.training.fingerprint import fingerprint, of_own_decays
from jaxdecay.training.limits import member_shapes

CONFIG = ("jax_enable_x64", "jax_default_prng_impl", "jax_threefry_partitionable")
"""JAX's settings that change what a sweep finds."""


def identity(blocks: Blocks, population: Population) -> dict[str, Any]:
    """What makes a sweep the same one, in words that can be compared: all that changes numbers."""
    packages = versions()
    return {
        "format": FORMAT,
        "data": digest(blocks.task.data),
        **blocks.config.identity(),
        "member": member_shapes(blocks),
        "schedules": [repr(schedule) for schedule in population],
        "packages": {name: packages[name] for name in ("jaxdecay", "jax", "jaxlib")},
        "jax": {name: getattr(jax.config, name) for name in CONFIG},
        "code": _fingerprints(blocks, population),
    }


def _fingerprints(blocks: Blocks, population: Population) -> dict[str, str]:
    """Of all functions that a sweep calls, by name."""
    # Made, an optimizer also shows what its function looks up when it is called. The rate is a
    # number of NumPy, for which JAX compiles nothing.
    made = blocks.config.optimizer(np.float32(0.1))
    functions = {
        "optimizer": {"function": blocks.config.optimizer, "transformation": made},
        **{
            each.name: getattr(blocks.task, each.name)
            for each in dataclasses.fields(blocks.task)
            if each.name != "data"
        },
    }
    return {
        **{name: fingerprint(each, f"the {name}") for name, each in functions.items()},
        **{f"decay {name}": each for name, each in of_own_decays(population).items()},
    }
