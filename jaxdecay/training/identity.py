"""The identity of a sweep: everything that changes its numbers, as comparable text."""

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
"""The settings of JAX that change the numbers of a sweep."""


def identity(blocks: Blocks, population: Population) -> dict[str, Any]:
    """Everything that changes the numbers of a sweep: only a sweep with an equal one resumes it."""
    packages = versions()
    return {
        "format": FORMAT,
        "data": digest(blocks.task.data),
        **blocks.config.identity(),
        "schedules": [repr(schedule) for schedule in population],
        "packages": {name: packages[name] for name in ("jaxdecay", "jax", "jaxlib")},
        "jax": {name: getattr(jax.config, name) for name in CONFIG},
        "member": member_shapes(blocks),
        "code": _fingerprints(blocks, population),
    }


def _fingerprints(blocks: Blocks, population: Population) -> dict[str, str]:
    """The fingerprints, by name, of all functions that a sweep calls."""
    # The transformation also contains what the optimizer's function looks up when it is called. The
    # rate is a NumPy number, for which JAX compiles nothing.
    transformation = blocks.config.optimizer(np.float32(0.1))
    functions = {
        "optimizer": {"function": blocks.config.optimizer, "transformation": transformation},
        **{
            field.name: getattr(blocks.task, field.name)
            for field in dataclasses.fields(blocks.task)
            if field.name != "data"
        },
    }
    return {
        **{name: fingerprint(function, f"the {name}") for name, function in functions.items()},
        **{f"decay {name}": digest for name, digest in of_own_decays(population).items()},
    }
