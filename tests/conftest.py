"""Strict defaults: no silent broadcasting, no silent promotion; few or many random examples."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

_EVERY = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("quick", max_examples=15, **_EVERY)
hypothesis.settings.register_profile("long", max_examples=1000, **_EVERY)
hypothesis.settings.load_profile(os.environ.get("JAXDECAY_HYPOTHESIS", "quick"))


@pytest.fixture
def relaxed_promotion() -> Iterator[None]:
    """JAX's own promotion rules, for tests that call other people's code (Optax, Keras)."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield
