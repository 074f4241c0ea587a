"""The founding number: Keras's `ExponentialDecay(0.1, 1000, 0.96, staircase=True)` at step 28125.

That is after 28 transitions. Keras holds 0.96 as a float32.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jaxdecay
from jaxdecay import Schedule

pytestmark = pytest.mark.usefixtures("on_cpu")

FOUNDING_NUMBER = 0.031885575503110886  # 0.1 · 0.96²⁸ as Keras computes it, in float32
KERAS_BASE = np.float32(0.96)  # 2·10⁻⁸ below 0.96


def founding() -> Schedule:
    return jaxdecay.exponential(0.1, decay_rate=KERAS_BASE, transition_steps=1_000, staircase=True)


def test_founding_number_of_keras(float32: None, relaxed_promotion: None) -> None:
    theirs = keras.optimizers.schedules.ExponentialDecay(0.1, 1_000, 0.96, staircase=True)
    assert float(theirs(28_125)) == FOUNDING_NUMBER


FOUNDING: dict[str, Callable[[], Any]] = {
    "eager": lambda: founding()(28_125),
    "jitted with constants": lambda: jax.jit(lambda: founding()(28_125))(),
    "jitted step": lambda: jax.jit(founding())(28_125),
    "jitted schedule": lambda: jax.jit(lambda schedule: schedule(28_125))(founding()),
    "jitted hyperparameters": lambda: jax.jit(
        lambda **numbers: jaxdecay.exponential(**numbers, staircase=True)(28_125)
    )(init_value=0.1, decay_rate=KERAS_BASE, transition_steps=1_000),
    "mapped over steps": lambda: jax.vmap(founding())(jnp.array([3, 28_125]))[1],
    "array of steps": lambda: founding()(jnp.array([[3, 28_125]]))[0, 1],
    "mapped over rates": lambda: jax.vmap(
        lambda decay_rate: founding().replace(decay_rate=decay_rate)(28_125)
    )(jnp.array([0.5, 0.96]))[1],
    "population": lambda: population()(28_125)[2],
    "jitted population": lambda: jax.jit(lambda each: each(28_125))(population())[2],
    "one of a population": lambda: population()[2](28_125),
}


def population() -> jaxdecay.Population:
    others = [
        jaxdecay.exponential(0.3, decay_rate=0.5, transition_steps=10, staircase=True),
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=10),
    ]
    return jaxdecay.stack([*others, founding(), jaxdecay.constant(0.1)])


@pytest.mark.parametrize("way", FOUNDING)
def test_founding_number(way: str, float32: None) -> None:
    assert float(FOUNDING[way]()) == FOUNDING_NUMBER
