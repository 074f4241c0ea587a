"""Gradients and slopes that Optax gets wrong, and ours."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from parity import wrong

import jaxdecay

pytestmark = pytest.mark.usefixtures("on_cpu")


@wrong("Optax", "polynomial")
def test_gradient_at_the_end_of_a_power_below_1(float32: None, relaxed_promotion: None) -> None:
    values = (1.0, 0.25, 0.5, 100.0)
    theirs = jax.grad(lambda end: optax.polynomial_schedule(*values[:3], end)(100))(100.0)
    assert math.isnan(theirs)
    names = ("init_value", "end_value", "power", "transition_steps")
    ours = jax.jit(jax.grad(lambda named, step: jaxdecay.polynomial(**named)(step)))
    for step in (100, 130):
        slopes = ours(dict(zip(names, values, strict=True)), step)
        # From the end on the value is end_value, whatever the others are.
        assert [float(slopes[name]) for name in names] == [0.0, 1.0, 0.0, 0.0]


@wrong("Optax", "join")
def test_gradient_before_a_branch_of_join(float32: None, relaxed_promotion: None) -> None:
    """A branch α/√(t + 1) is no number at the negative steps that Optax shows it."""

    def theirs(alpha: Any) -> Any:
        branch = optax.join_schedules([lambda t: 0.5, lambda t: alpha / jnp.sqrt(t + 1.0)], [100])
        return branch(50)

    def ours(alpha: Any, step: int) -> Any:
        return jaxdecay.join([0.5, jaxdecay.inverse_sqrt(alpha)], lengths=[100, 100])(step)

    assert float(theirs(0.5)) == 0.5
    assert math.isnan(jax.grad(theirs)(0.5))
    assert float(jax.grad(ours)(0.5, 50)) == 0.0
    assert float(jax.grad(ours)(0.5, 103)) == 0.5  # 1/√4


@wrong("Optax", "exponential")
def test_gradient_before_an_exponential_begins(float32: None, relaxed_promotion: None) -> None:
    """½⁻²⁰⁰ is infinite, and in the branch that is not taken."""

    def theirs(decay_rate: Any) -> Any:
        return optax.exponential_decay(1.0, 100, decay_rate, transition_begin=20_000)(0)

    def ours(decay_rate: Any) -> Any:
        return jaxdecay.delay(
            jaxdecay.exponential(1.0, decay_rate=decay_rate, transition_steps=100),
            delay_steps=20_000,
        )(0)

    assert float(theirs(0.5)) == float(ours(0.5)) == 1.0
    assert math.isnan(jax.grad(theirs)(0.5))
    assert float(jax.grad(ours)(0.5)) == 0.0


@wrong("Optax", "one_cycle")
def test_gradient_of_a_fraction(float32: None, relaxed_promotion: None) -> None:
    """Optax rounds the fraction to a step, whose gradient is 0."""
    fraction, step, end = 0.3, 20, 100
    assert jax.grad(lambda f: optax.cosine_onecycle_schedule(end, 1.0, f)(step))(fraction) == 0
    ours = jax.jit(
        jax.grad(lambda f: jaxdecay.one_cycle(1.0, transition_steps=end, warmup_fraction=f)(step))
    )(fraction)
    angle = math.pi * step / (fraction * end)  # of 1/25 + (1 − 1/25)·½(1 − cos angle)
    np.testing.assert_allclose(ours, -0.96 * math.sin(angle) / 2 * angle / fraction, rtol=1e-5)
