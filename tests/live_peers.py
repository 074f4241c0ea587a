"""What tests against Optax and Keras share: drawn numbers, steps, and how values are compared.

Both run here, in float64 (JAX's x64 mode): in float32 their own rounding near the end of a decay
is larger than the tolerance. Ours run in the mode of the test run, by default float32. Random
hyperparameters are rounded to float32, so that both sides are given the same numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
from parity import Claim
from rows import called

from jaxdecay import Schedule

RTOL = 1e-6
LAST_STEP = 2**31 - 1

Chance = np.random.Generator
Peer = Callable[[Any], Any]
Arguments = dict[str, Any]


def number(value: float) -> float:
    return float(np.float32(value))


def rate(chance: Chance, *, or_zero: bool = False) -> float:
    zero = or_zero and chance.random() < 0.5
    return 0.0 if zero else number(10 ** chance.uniform(-4, 0))


def length(chance: Chance) -> int:
    return int(chance.integers(2, 900))


def steps_to(end: int) -> np.ndarray:
    """Every step to a little past the end, and some far past it."""
    steps = np.array([*range(end + 20), 10_000_000, LAST_STEP], np.int64)
    return np.pad(steps, (0, 4_096 - len(steps)), mode="edge")  # one shape compiles once


def in_float64(make: Callable[[], Peer], steps: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        values = make()(jnp.asarray(steps))
    return np.broadcast_to(np.asarray(values, np.float64), steps.shape)


def assert_equal(
    schedule: Schedule, steps: np.ndarray, expected: Any, *, constants: bool = False
) -> None:
    """Compiled, at every step, relative to the value there: 0 must be 0.

    With the hyperparameters as arguments, which compiles once for all of a family, and, for some
    settings, as constants of the program.
    """
    calls = [partial(called, schedule), *([jax.jit(schedule)] if constants else [])]
    for call in calls:
        values = np.asarray(call(jnp.asarray(steps)), np.float64)
        np.testing.assert_allclose(values, expected, rtol=RTOL, atol=0)


# Optax, where it is right. Each function draws arguments of one of its schedules, and the last
# step of interest.


class Drawn(NamedTuple):
    arguments: Arguments
    end: int
    held: float | None = None
    """The end value that the peer documents, where it does not keep it exactly.

    JAX divides an array of steps by T as t·(1/T), also in float64, and 1 − t/T is then not always
    0 at the end.
    """


class Live(NamedTuple):
    draw: Callable[[Chance], Drawn]
    claim: Claim


def held_from(end: int, end_value: float | None, make: Callable[[], Peer]) -> Callable[[], Peer]:
    if end_value is None:
        return make

    def made() -> Peer:
        schedule = make()
        return lambda steps: jnp.where(steps < end, schedule(steps), end_value)

    return made


SEEDS = range(2)


def keras_in_float64(make: Callable[[], Peer], steps: np.ndarray) -> np.ndarray:
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        return in_float64(make, steps)
    finally:
        keras.config.set_floatx(before)
