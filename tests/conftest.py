"""Strict defaults: no silent broadcasting, no silent promotion; few or many random examples."""

from __future__ import annotations

import collections
import gc
import os
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from chromium import running
from compiler import flags

if "PYTEST_XDIST_WORKER" not in os.environ:
    # Of this process and of those that tests start. Compiled programs need no locations in source
    # files, which take a part of the time to make them.
    os.environ |= {
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_TRACEBACK_IN_LOCATIONS_LIMIT": "0",
        "XLA_FLAGS": flags(),
    }

import jax

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


def pytest_configure(config: pytest.Config) -> None:
    """What one test compiles, no other does, in whatever process, nor in the next run."""
    if not hasattr(config, "workerinput"):
        folder = str(config.cache.mkdir("compiled"))
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        jax.config.update("jax_compilation_cache_dir", folder)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with the mark `quick_each(n)`, all but each nth of its parameters are slow."""
    seen = collections.Counter[tuple[Any, ...]]()
    for item in items:
        mark = item.get_closest_marker("quick_each")
        if mark is not None and item.get_closest_marker("slow") is None:
            name = item.path, getattr(item, "originalname", item.name)
            if seen[name] % mark.args[0]:
                item.add_marker(pytest.mark.slow)
            seen[name] += 1


def pytest_collection_finish() -> None:
    """What was imported stays; looking through it for garbage takes a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for tests with `chromium.IN_A_BROWSER`."""
    with running() as driver:
        yield driver


@pytest.fixture
def hangup() -> Iterator[None]:
    """SIGHUP as in a terminal, also for processes that a test starts: `nohup pytest` ignores it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def relaxed_promotion() -> Iterator[None]:
    """JAX's own promotion rules, for tests that call other people's code (Optax, Keras)."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def float32() -> Iterator[None]:
    """Float32 also in a run with x64 on: for what is true of float32 only."""
    with jax.enable_x64(False):
        yield


@pytest.fixture
def double() -> Iterator[None]:
    """As peers calculate: in float32 a rate is rounded at each change."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def on_cpu() -> Iterator[None]:
    """What a peer's compiled program rounds to depends on the device."""
    with jax.default_device(jax.devices("cpu")[0]):
        yield
