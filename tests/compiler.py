"""How XLA compiles in the tests: quickly, but for those of what compilers do to numbers."""

from __future__ import annotations

import os

import jaxlib

_HAS_EMITTERS = tuple(map(int, jaxlib.__version__.split(".")[:2])) < (0, 11)
"""Later versions have no such flag, and abort where it is set."""

AS_USERS_DO: dict[str, int | bool] = {"xla_backend_optimization_level": 3}
"""XLA's defaults, as `compiler_options` of `jax.jit`, whatever the flags are."""

_QUICKLY = ["--xla_backend_optimization_level=0"]

if _HAS_EMITTERS:
    AS_USERS_DO["xla_cpu_use_fusion_emitters"] = True
    _QUICKLY.append("--xla_cpu_use_fusion_emitters=false")


def flags() -> str:
    """For XLA_FLAGS: those that are set, and less to compile, which takes most of the tests' time.

    Where an optimization level is set, nothing is added: `.ci/run` runs the laws of numbers that
    way.
    """
    given = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" in given:
        return given
    return " ".join([given, *_QUICKLY]).strip()
