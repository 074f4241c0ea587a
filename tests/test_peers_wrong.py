"""Where Optax or Keras is wrong: its numbers, and ours.

The hyperparameters and the program are those with which it was seen.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from compiler import AS_USERS_DO
from live_peers import RTOL, Arguments, Peer, number
from parity import wrong
from rows import called

import jaxdecay
from jaxdecay import Schedule

pytestmark = pytest.mark.usefixtures("on_cpu")


@wrong("Optax", "linear")
def test_jitted_optax_linear_misses_its_end(float32: None, relaxed_promotion: None) -> None:
    """Compiled, Optax's 1 − t/T is 1 − t·(1/T), which is not 0 at T, and even negative."""
    lengths = (3, 7, 11, 49, 1_000)
    compiled = functools.partial(jax.jit, compiler_options=AS_USERS_DO)
    theirs = [float(compiled(optax.linear_schedule(1.0, 0.0, end))(end)) for end in lengths]
    ours = [
        float(compiled(jaxdecay.linear(1.0, end_value=0.0, transition_steps=end))(end))
        for end in lengths
    ]
    assert any(value != 0 for value in theirs)
    assert any(value < 0 for value in theirs)
    assert ours == [0.0] * len(lengths)


@wrong("Optax", "polynomial")
def test_jitted_optax_polynomial_ends_in_nan(float32: None, relaxed_promotion: None) -> None:
    """Compiled, its remaining share at the end is negative, of which a root is not a number."""
    compiled = functools.partial(jax.jit, compiler_options=AS_USERS_DO)
    theirs = compiled(optax.polynomial_schedule(0.1, 0.0, 0.9, 1_000))
    ours = compiled(jaxdecay.polynomial(0.1, end_value=0.0, power=0.9, transition_steps=1_000))
    assert math.isnan(theirs(1_000))
    assert math.isnan(theirs(5_000))
    assert float(ours(1_000)) == float(ours(5_000)) == 0.0


TRACED: dict[str, tuple[Callable[..., Peer], Callable[..., Schedule], list[float], float]] = {
    # theirs, ours, values of the traced hyperparameter, our value at step 30 for the last of them
    "linear transition_steps": (
        lambda end: optax.linear_schedule(1.0, 0.0, end),
        lambda end: jaxdecay.linear(1.0, end_value=0.0, transition_steps=end),
        [50, 40],
        1 / 4,
    ),
    "polynomial transition_steps": (
        lambda end: optax.polynomial_schedule(1.0, 0.0, 2.0, end),
        lambda end: jaxdecay.polynomial(1.0, end_value=0.0, power=2.0, transition_steps=end),
        [50, 40],
        1 / 16,
    ),
    "cosine transition_steps": (
        lambda end: optax.cosine_decay_schedule(1.0, end),
        lambda end: jaxdecay.cosine(1.0, transition_steps=end),
        [50, 60],
        1 / 2,
    ),
    "exponential transition_steps": (
        lambda unit: optax.exponential_decay(1.0, unit, 0.5),
        lambda unit: jaxdecay.exponential(1.0, decay_rate=0.5, transition_steps=unit),
        [20, 10],
        1 / 8,
    ),
    "exponential decay_rate": (
        lambda decay_rate: optax.exponential_decay(1.0, 10, decay_rate),
        lambda decay_rate: jaxdecay.exponential(1.0, decay_rate=decay_rate, transition_steps=10),
        [0.25, 0.5],
        1 / 8,
    ),
    "delay delay_steps": (
        lambda begin: optax.linear_schedule(1.0, 0.0, 40, begin),
        lambda begin: jaxdecay.delay(
            jaxdecay.linear(1.0, end_value=0.0, transition_steps=40), delay_steps=begin
        ),
        [5, 10],
        1 / 2,
    ),
    "warmup_cosine peak_value": (
        lambda peak: optax.warmup_cosine_decay_schedule(0.0, peak, 10, 50),
        lambda peak: jaxdecay.warmup_cosine(peak, warmup_steps=10, transition_steps=40),
        [1.0, 0.5],
        1 / 4,
    ),
    "warmup warmup_steps": (
        lambda steps: optax.warmup_constant_schedule(0.0, 1.0, steps),
        lambda steps: jaxdecay.warmup(1.0, warmup_steps=steps),
        [40, 60],
        1 / 2,
    ),
    "one_cycle warmup_fraction": (
        lambda fraction: optax.cosine_onecycle_schedule(100, 1.0, fraction, 2.0),
        lambda fraction: jaxdecay.one_cycle(
            1.0, transition_steps=100, warmup_fraction=fraction, initial_divisor=2.0
        ),
        [0.5, 0.6],
        3 / 4,
    ),
    "one_cycle initial_divisor": (
        lambda divisor: optax.linear_onecycle_schedule(100, 1.0, 0.6, 0.85, divisor),
        lambda divisor: jaxdecay.one_cycle(
            1.0, transition_steps=100, warmup_fraction=0.6, initial_divisor=divisor, shape="linear"
        ),
        [4.0, 2.0],
        3 / 4,
    ),
    "piecewise_constant values": (
        lambda factor: optax.piecewise_constant_schedule(1.0, {10: factor}),
        lambda value: jaxdecay.piecewise_constant(jnp.stack([1.0, value]), boundaries=[10]),
        [0.5, 0.25],
        1 / 4,
    ),
    "piecewise_linear boundaries": (
        lambda boundary: optax.piecewise_interpolate_schedule("linear", 1.0, {boundary: 0.5}),
        lambda boundary: jaxdecay.piecewise_linear([1.0, 0.5], boundaries=jnp.stack([0, boundary])),
        [40, 60],
        3 / 4,
    ),
}


@wrong("Optax", " ".join(dict.fromkeys(name.split()[0] for name in TRACED)))
@pytest.mark.parametrize("name", TRACED)
def test_optax_cannot_be_traced(name: str, relaxed_promotion: None) -> None:
    theirs, ours, values, expected = TRACED[name]
    values = jnp.asarray(values)
    # Of JAX, because Python branches on a tracer or rounds it, or of Python, which cannot hash one.
    refused = "TracerBoolConversionError|ConcretizationTypeError|concrete value|unhashable"
    with pytest.raises(TypeError, match=refused):
        jax.jit(lambda value: theirs(value)(30))(values[-1])
    with pytest.raises(TypeError, match=refused):
        jax.vmap(lambda value: theirs(value)(30))(values)
    mapped = jax.jit(jax.vmap(lambda value: ours(value)(30)))(values)
    np.testing.assert_allclose(mapped[-1], expected, rtol=RTOL)


@wrong("Optax", "cosine")
@wrong("Keras", "cosine")
def test_cosine_keeps_its_digits_near_the_end(float32: None, relaxed_promotion: None) -> None:
    end = 10_000
    step = jnp.asarray(end - 1)
    exact = math.sin(math.pi / 2 / end) ** 2  # ½(1 + cos π(T − 1)/T)
    for theirs in (
        optax.cosine_decay_schedule(1.0, end),
        keras.optimizers.schedules.CosineDecay(1.0, end),
    ):
        assert abs(float(theirs(step)) / exact - 1) > 0.2
    schedule = jaxdecay.cosine(1.0, transition_steps=end)
    np.testing.assert_allclose(jax.jit(schedule)(step), exact, rtol=RTOL)


@wrong("Optax", "exponential step_decay")
@wrong("Keras", "exponential step_decay")
@pytest.mark.parametrize("compiled", [False, True])
def test_stairs_fall_at_their_step(compiled: bool, float32: None, relaxed_promotion: None) -> None:
    """⌊t/T⌋ in floats is a step early from 10 773 999 on, for T = 1000."""
    steps = jnp.array([10_773_998, 10_773_999, 10_774_000])
    schedules = (
        optax.exponential_decay(1.0, 1_000, 0.999, staircase=True),
        keras.optimizers.schedules.ExponentialDecay(1.0, 1_000, 0.999, staircase=True),
        jaxdecay.exponential(1.0, decay_rate=0.999, transition_steps=1_000, staircase=True),
        jaxdecay.step_decay(1.0, decay_rate=0.999, transition_steps=1_000),
    )
    calls = [jax.jit(schedule) if compiled else schedule for schedule in schedules]
    falls = [np.flatnonzero(np.diff(np.asarray(call(steps)))).tolist() for call in calls]
    assert falls == [[0], [0], [1], [1]]


@wrong("Optax", "exponential step_decay")
@wrong("Keras", "exponential step_decay")
@pytest.mark.parametrize("unit", [41, 47, 55, 1_001])
def test_compiled_stairs_fall_at_their_step(
    unit: int, float32: None, relaxed_promotion: None
) -> None:
    """⌊t·(1/T)⌋, as a compiler writes ⌊t/T⌋, is a step late at T itself for one T in ten."""
    schedules = (
        optax.exponential_decay(1.0, unit, 0.5, staircase=True),
        keras.optimizers.schedules.ExponentialDecay(1.0, unit, 0.5, staircase=True),
        jaxdecay.exponential(1.0, decay_rate=0.5, transition_steps=unit, staircase=True),
        jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=unit),
    )
    values = [float(jax.jit(schedule)(jnp.asarray(unit))) for schedule in schedules]
    late = unit in (41, 47, 55)
    assert values == [1.0 if late else 0.5] * 2 + [0.5, 0.5]


@wrong("Optax", "linear polynomial")
def test_optax_never_decays_in_no_steps(relaxed_promotion: None) -> None:
    for end in (0, -1):
        assert optax.linear_schedule(1.0, 0.25, end)(5) == 1.0
    for step in (0, 5):
        assert float(jaxdecay.linear(1.0, end_value=0.25, transition_steps=0)(step)) == 0.25
        assert (
            float(jaxdecay.polynomial(1.0, end_value=0.25, power=2.0, transition_steps=0)(step))
            == 0.25
        )
        assert float(jaxdecay.cosine(1.0, transition_steps=0, end_value=0.25)(step)) == 0.25


@wrong("Keras", "piecewise_constant")
def test_keras_keeps_the_old_value_at_a_boundary(relaxed_promotion: None) -> None:
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
    optaxs = optax.piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.5})
    ours = jaxdecay.piecewise_constant([1.0, 0.5, 0.25], boundaries=[10, 20])
    steps = (9, 10, 11, 19, 20, 21)
    new, old = [1.0, 0.5, 0.5, 0.5, 0.25, 0.25], [1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    assert [float(theirs(step)) for step in steps] == old
    assert [float(optaxs(step)) for step in steps] == new
    assert [float(ours(step)) for step in steps] == new


@wrong("Optax", "piecewise_linear")
def test_optax_interpolates_an_array_of_steps_wrongly(relaxed_promotion: None) -> None:
    theirs = optax.piecewise_interpolate_schedule("linear", 1.0, {5: 0.1})
    steps = np.arange(4)
    one_by_one = [float(theirs(step)) for step in steps]
    assert np.max(np.abs(np.asarray(theirs(steps)) - one_by_one)) > 1
    ours = jaxdecay.piecewise_linear([1.0, 0.1], boundaries=[0, 5])
    np.testing.assert_allclose(called(ours, jnp.asarray(steps)), one_by_one, rtol=RTOL)


@wrong("Optax", "one_cycle")
@pytest.mark.parametrize(
    ("make", "short"),
    [
        (optax.linear_onecycle_schedule, {"transition_steps": 1}),
        (optax.cosine_onecycle_schedule, {"transition_steps": 10, "pct_start": 1.0}),
    ],
)
def test_optax_drops_phases_of_a_short_cycle(
    make: Any, short: Arguments, relaxed_promotion: None
) -> None:
    """Three steps hold no warm-up of 0.9 steps: Optax starts at the peak."""
    assert float(make(3, 1.0)(0)) == 1.0
    assert float(
        called(jaxdecay.one_cycle(1.0, transition_steps=3), jnp.arange(3))[0]
    ) == np.float32(1 / 25)
    with pytest.raises(ValueError, match="skips those that share a step"):
        jaxdecay.from_optax(make.__name__, peak_value=1.0, **short)


@wrong("Optax", "warmup")
def test_optax_never_leaves_a_warmup_of_no_steps(relaxed_promotion: None) -> None:
    assert optax.warmup_constant_schedule(0.0, 1.0, 0)(100) == 0.0
    assert float(jaxdecay.warmup(1.0, warmup_steps=0)(100)) == 1.0
    with pytest.raises(ValueError, match=r"jaxdecay.constant\(1.0\)"):
        jaxdecay.from_optax(
            "warmup_constant_schedule", init_value=0.0, peak_value=1.0, warmup_steps=0
        )


@wrong("Keras", "cosine_restarts")
def test_keras_misses_restarts(float32: None, relaxed_promotion: None) -> None:
    """⌊log₁₀⌋ in floats of what should be 10, 100, 10000: the end of the cycle before."""
    theirs = keras.optimizers.schedules.CosineDecayRestarts(1.0, 10, t_mul=10.0)
    ours = jaxdecay.cosine_restarts(1.0, period=10, period_multiplier=10)
    restarts = jnp.array([0, 10, 110, 1_110, 11_110])
    np.testing.assert_allclose(jax.vmap(theirs)(restarts), [1, 0, 0, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(called(ours, restarts), np.ones(5))


@wrong("Optax", "cosine exponential")
@wrong("Keras", "exponential")
def test_digits_of_many_steps(float32: None, relaxed_promotion: None) -> None:
    """½(1 + cos) is 0 too early; 0.9999999 is 17 % off as a power, a rate of 1e-7 is not."""
    end, step = 1_000_000, 1_000_000 - 10
    assert float(optax.cosine_decay_schedule(1.0, end)(step)) == 0.0
    exact = math.sin(math.pi / 2 * 10 / end) ** 2
    np.testing.assert_allclose(jaxdecay.cosine(1.0, transition_steps=end)(step), exact, rtol=RTOL)

    step, exact = 10_000_000, 0.9999999**10_000_000
    for theirs in (
        optax.exponential_decay(1.0, 1, 0.9999999),
        keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.9999999),
    ):
        assert abs(float(theirs(step)) / exact - 1) > 0.15
    natural = jaxdecay.natural_exponential(1.0, decay_rate=number(1e-7))
    np.testing.assert_allclose(natural(step), math.exp(-number(1e-7) * step), rtol=RTOL)
    np.testing.assert_allclose(natural(step), exact, rtol=2e-6)


def test_tokens_do_not_wrap(float32: None, relaxed_promotion: None) -> None:
    """step · batch · length leaves int32 at a thousand steps; `in_units` counts on."""
    assert int(jnp.int32(1_000) * 4_096 * 1_024) < 0
    tokens = jaxdecay.count_units(
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=1e10), units_per_step=4_096.0 * 1_024
    )
    np.testing.assert_allclose(tokens(1_000), 1 - 0.4194304, rtol=RTOL)


def test_a_cooldown_is_not_negative_past_its_end(float32: None, relaxed_promotion: None) -> None:
    """min(1, (N − t)/C), as Big Vision and Scenic write it, falls below 0 after step N."""
    length, fall = 100, 20
    assert min(1, (length - 130) / fall) < 0
    schedule = jaxdecay.cooldown(
        jaxdecay.inverse_sqrt(1.0), begin=length - fall, transition_steps=fall
    )
    assert [float(schedule(step)) for step in (100, 130)] == [0.0, 0.0]
