"""Against Optax, Keras and PyTorch: the same numbers where they are right, ours where they are not.

Optax and Keras run here, in float64 (JAX's x64 mode): in float32 their own rounding near the end
of a decay is larger than the tolerance. Ours run in the mode of the test run, by default float32.
PyTorch's numbers are recorded in `recorded/torch.json` by `recorded/record_torch.py`. Random
hyperparameters are rounded to float32, so that both sides are given the same numbers.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay import Schedule

RTOL = 1e-6
LAST_STEP = 2**31 - 1
FOUNDING_NUMBER = 0.031885575503110886  # 0.1 · 0.96²⁸ as Keras computes it, in float32

Chance = np.random.Generator
Peer = Callable[[Any], Any]


@pytest.fixture
def float32() -> Iterator[None]:
    """Float32 also in a run with x64 on: for what is true of float32 only."""
    with jax.enable_x64(False):
        yield


@pytest.fixture(autouse=True)
def on_cpu() -> Iterator[None]:
    """What a peer's compiled program rounds to depends on the device."""
    with jax.default_device(jax.devices("cpu")[0]):
        yield


def number(value: float) -> float:
    return float(np.float32(value))


def rate(chance: Chance, *, or_zero: bool = False) -> float:
    zero = or_zero and chance.random() < 0.5
    return 0.0 if zero else number(10 ** chance.uniform(-4, 0))


def length(chance: Chance) -> int:
    return int(chance.integers(2, 900))


def steps_to(end: int, *further: int) -> np.ndarray:
    """Every step to a little past the end, and some far past it."""
    steps = np.array([*range(end + 20), *further], np.int64)
    return np.pad(steps, (0, 4_096 - len(steps)), mode="edge")  # one shape compiles once


def in_float64(make: Callable[[], Peer], steps: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        values = make()(jnp.asarray(steps))
    return np.broadcast_to(np.asarray(values, np.float64), steps.shape)


def assert_equal(schedule: Schedule, steps: np.ndarray, expected: Any) -> None:
    """Eager and compiled, at every step, relative to the value there: 0 must be 0."""
    for call in (schedule, jax.jit(schedule)):
        np.testing.assert_allclose(
            np.asarray(call(jnp.asarray(steps)), np.float64), expected, rtol=RTOL, atol=0
        )


# Optax, where it is right. Each function draws one setting and gives ours, how to make theirs
# (inside x64 mode), and the steps.

Case = tuple[Schedule, Callable[[], Peer], np.ndarray]


def optax_constant(chance: Chance) -> Case:
    value = rate(chance)
    theirs = partial(optax.constant_schedule, value)
    return jaxdecay.constant(value), theirs, steps_to(10, LAST_STEP)


def held_from(end: int, end_value: float, make: Callable[[], Peer]) -> Callable[[], Peer]:
    """The end value that Optax and Keras document.

    JAX divides an array of steps by T as t·(1/T), also in float64, and their 1 − t/T is then not
    always 0 at the end.
    """

    def made() -> Peer:
        schedule = make()
        return lambda steps: jnp.where(steps < end, schedule(steps), end_value)

    return made


def optax_linear(chance: Chance) -> Case:
    init_value, end_value, end = rate(chance), rate(chance, or_zero=True), length(chance)
    theirs = partial(optax.linear_schedule, init_value, end_value, end)
    ours = jaxdecay.linear(init_value, end_value, end)
    return ours, held_from(end, end_value, theirs), steps_to(end, LAST_STEP)


def optax_polynomial(chance: Chance) -> Case:
    init_value, end_value, end = rate(chance), rate(chance, or_zero=True), length(chance)
    power = number(chance.uniform(0.3, 4))
    theirs = partial(optax.polynomial_schedule, init_value, end_value, power, end)
    ours = jaxdecay.polynomial(init_value, end_value, power, end)
    return ours, held_from(end, end_value, theirs), steps_to(end, LAST_STEP)


def optax_exponential(chance: Chance, *, staircase: bool, limit: str) -> Case:
    init_value, transition_steps = rate(chance), int(chance.integers(1, 300))
    growing = limit == "ceiling"
    decay_rate = number(chance.uniform(1.1, 2) if growing else chance.uniform(0.3, 0.99))
    # After 3 of 6 transitions the limit is reached.
    end_value = None if limit == "none" else number(init_value * decay_rate**3)
    theirs = partial(
        optax.exponential_decay,
        init_value,
        transition_steps,
        decay_rate,
        staircase=staircase,
        end_value=end_value,
    )
    ours = jaxdecay.exponential(
        init_value, decay_rate, transition_steps, end_value, staircase=staircase
    )
    return ours, theirs, steps_to(6 * transition_steps)


def optax_cosine(chance: Chance) -> Case:
    init_value, decay_steps = rate(chance), length(chance)
    alpha = chance.choice([0, number(chance.uniform(0, 1))]).item()
    exponent = chance.choice([1.0, number(chance.uniform(0.3, 3))]).item()
    theirs = partial(optax.cosine_decay_schedule, init_value, decay_steps, alpha, exponent)
    ours = jaxdecay.cosine(init_value, decay_steps, alpha * init_value, exponent)
    return ours, theirs, steps_to(decay_steps, LAST_STEP)


def optax_warmup_cosine(chance: Chance) -> Case:
    init_value, peak_value = rate(chance, or_zero=True), rate(chance)
    warmup_steps, left = length(chance), length(chance)
    end_value, exponent = rate(chance), number(chance.uniform(0.5, 2))
    theirs = partial(
        optax.warmup_cosine_decay_schedule,
        init_value,
        peak_value,
        warmup_steps,
        warmup_steps + left,
        end_value,
        exponent,
    )
    decay = jaxdecay.cosine(peak_value, left, end_value, exponent)
    ours = jaxdecay.warmup(decay, warmup_steps, init_value)
    return ours, theirs, steps_to(warmup_steps + left, LAST_STEP)


def optax_warmup_constant(chance: Chance) -> Case:
    init_value, peak_value, warmup_steps = 0.0, rate(chance), length(chance)
    theirs = partial(optax.warmup_constant_schedule, init_value, peak_value, warmup_steps)
    ours = jaxdecay.warmup(peak_value, warmup_steps, init_value)
    return ours, theirs, steps_to(warmup_steps, LAST_STEP)


def optax_piecewise_constant(chance: Chance) -> Case:
    init_value = rate(chance)
    boundaries = np.sort(chance.choice(np.arange(1, 500), 4, replace=False)).tolist()
    scales = [number(each) for each in chance.uniform(0.1, 1.5, 4)]
    theirs = partial(
        optax.piecewise_constant_schedule, init_value, dict(zip(boundaries, scales, strict=True))
    )
    values = np.cumprod([init_value, *scales])  # Optax's are factors, ours are rates
    return jaxdecay.piecewise_constant(values, boundaries), theirs, steps_to(500, LAST_STEP)


def optax_join(chance: Chance) -> Case:
    first, second = int(chance.integers(1, 400)), int(chance.integers(1, 400))
    line, power = (rate(chance), rate(chance), first), (rate(chance), rate(chance), 2.0, 300)
    cosine, boundaries = (rate(chance), 200), [first, first + second]

    def theirs() -> Peer:
        schedules = [
            optax.linear_schedule(*line),
            optax.polynomial_schedule(*power),
            optax.cosine_decay_schedule(*cosine),
        ]
        return optax.join_schedules(schedules, boundaries)

    ours = jaxdecay.join(
        [jaxdecay.linear(*line), jaxdecay.polynomial(*power), jaxdecay.cosine(*cosine)],
        [first, second, 200],
    )
    return ours, theirs, steps_to(first + second + 200, LAST_STEP)


OPTAX = {
    "constant_schedule": optax_constant,
    "linear_schedule": optax_linear,
    "polynomial_schedule": optax_polynomial,
    **{
        f"exponential_decay staircase={staircase} limit={limit}": partial(
            optax_exponential, staircase=staircase, limit=limit
        )
        for staircase in (False, True)
        for limit in ("none", "floor", "ceiling")
    },
    "cosine_decay_schedule": optax_cosine,
    "warmup_cosine_decay_schedule": optax_warmup_cosine,
    "warmup_constant_schedule": optax_warmup_constant,
    "piecewise_constant_schedule": optax_piecewise_constant,
    "join_schedules": optax_join,
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", OPTAX)
def test_equals_optax(name: str, seed: int, relaxed_promotion: None) -> None:
    ours, theirs, steps = OPTAX[name](np.random.default_rng(seed))
    assert_equal(ours, steps, in_float64(theirs, steps))


# Keras, where it is right.


def keras_in_float64(make: Callable[[], Peer], steps: np.ndarray) -> np.ndarray:
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        return in_float64(make, steps)
    finally:
        keras.config.set_floatx(before)


def keras_exponential(chance: Chance, *, staircase: bool) -> Case:
    init_value, decay_steps = rate(chance), int(chance.integers(1, 300))
    decay_rate = number(chance.uniform(0.3, 1.5))
    theirs = partial(
        keras.optimizers.schedules.ExponentialDecay, init_value, decay_steps, decay_rate, staircase
    )
    ours = jaxdecay.exponential(init_value, decay_rate, decay_steps, staircase=staircase)
    return ours, theirs, steps_to(6 * decay_steps)


def keras_inverse_time(chance: Chance, *, staircase: bool) -> Case:
    init_value, decay_steps = rate(chance), int(chance.integers(1, 300))
    decay_rate = number(chance.uniform(0.01, 2))
    theirs = partial(
        keras.optimizers.schedules.InverseTimeDecay, init_value, decay_steps, decay_rate, staircase
    )
    ours = jaxdecay.inverse_time(init_value, decay_rate, decay_steps, staircase=staircase)
    return ours, theirs, steps_to(6 * decay_steps, 10_000_000)


def keras_polynomial(chance: Chance, *, cycle: bool) -> Case:
    init_value, decay_steps, power = rate(chance), length(chance), number(chance.uniform(0.3, 3))
    end_value = rate(chance, or_zero=True)
    theirs = partial(
        keras.optimizers.schedules.PolynomialDecay, init_value, decay_steps, end_value, power, cycle
    )
    ours = jaxdecay.polynomial(init_value, end_value, power, decay_steps, cycle=cycle)
    if not cycle:
        theirs = held_from(decay_steps, end_value, theirs)
    return ours, theirs, steps_to(4 * decay_steps)


def keras_cosine(chance: Chance) -> Case:
    init_value, decay_steps = rate(chance), length(chance)
    alpha = chance.choice([0, number(chance.uniform(0.2, 1))]).item()
    theirs = partial(keras.optimizers.schedules.CosineDecay, init_value, decay_steps, alpha)
    ours = jaxdecay.cosine(init_value, decay_steps, alpha * init_value)
    steps = steps_to(decay_steps, LAST_STEP)
    if alpha == 0:
        # Keras takes the cosine in float32 whatever its floatx is: it has no digits near zero.
        near_zero = (steps > 2 * decay_steps / 3) & (steps < decay_steps)
        steps = np.where(near_zero, 0, steps)
    return ours, theirs, steps


def keras_warmup_cosine(chance: Chance) -> Case:
    init_value, peak_value = rate(chance, or_zero=True), rate(chance)
    warmup_steps, decay_steps, alpha = length(chance), length(chance), number(0.25)

    def theirs() -> Peer:
        schedule = keras.optimizers.schedules.CosineDecay(
            init_value, decay_steps, alpha, warmup_target=peak_value, warmup_steps=warmup_steps
        )
        return jax.vmap(schedule)  # with a warm-up it takes one step at a time

    decay = jaxdecay.cosine(peak_value, decay_steps, alpha * peak_value)
    ours = jaxdecay.warmup(decay, warmup_steps, init_value)
    return ours, theirs, steps_to(warmup_steps + decay_steps)


def keras_piecewise_constant(chance: Chance) -> Case:
    boundaries = np.sort(chance.choice(np.arange(1, 500), 4, replace=False)).tolist()
    values = [rate(chance) for _ in range(5)]
    theirs = partial(keras.optimizers.schedules.PiecewiseConstantDecay, boundaries, values)
    # Keras keeps the old value at a boundary.
    ours = jaxdecay.piecewise_constant(values, [boundary + 1 for boundary in boundaries])
    return ours, theirs, steps_to(500, LAST_STEP)


KERAS = {
    "ExponentialDecay": partial(keras_exponential, staircase=False),
    "ExponentialDecay staircase": partial(keras_exponential, staircase=True),
    "InverseTimeDecay": partial(keras_inverse_time, staircase=False),
    "InverseTimeDecay staircase": partial(keras_inverse_time, staircase=True),
    "PolynomialDecay": partial(keras_polynomial, cycle=False),
    "PolynomialDecay cycle": partial(keras_polynomial, cycle=True),
    "CosineDecay": keras_cosine,
    "CosineDecay warmup": keras_warmup_cosine,
    "PiecewiseConstantDecay": keras_piecewise_constant,
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", KERAS)
def test_equals_keras(name: str, seed: int, relaxed_promotion: None) -> None:
    ours, theirs, steps = KERAS[name](np.random.default_rng(seed))
    assert_equal(ours, steps, keras_in_float64(theirs, steps))


# PyTorch, recorded.

RECORD = json.loads((Path(__file__).parent / "recorded" / "torch.json").read_text())
CASES = RECORD["cases"]


def warmup_cosine(
    lr: float, start_factor: float, warmup: int, t_max: int, eta_min: float
) -> Schedule:
    return jaxdecay.warmup(jaxdecay.cosine(lr, t_max, eta_min), warmup, lr * start_factor)


TORCH: dict[str, Callable[..., Schedule]] = {
    "ConstantLR": lambda lr, factor, total_iters: jaxdecay.piecewise_constant(
        [lr * factor, lr], [total_iters]
    ),
    "ExponentialLR": lambda lr, gamma: jaxdecay.exponential(lr, gamma),
    "StepLR": lambda lr, step_size, gamma: jaxdecay.step_decay(lr, gamma, step_size),
    "MultiStepLR": lambda lr, milestones, gamma: jaxdecay.piecewise_constant(
        [lr * gamma**passed for passed in range(len(milestones) + 1)], milestones
    ),
    "PolynomialLR": lambda lr, total_iters, power: jaxdecay.polynomial(lr, 0.0, power, total_iters),
    "LinearLR": lambda lr, start_factor, end_factor, total_iters: jaxdecay.linear(
        lr * start_factor, lr * end_factor, total_iters
    ),
    "CosineAnnealingLR": lambda lr, t_max, eta_min: jaxdecay.cosine(lr, t_max, eta_min),
    "SequentialLR": warmup_cosine,
    "LambdaLR 1/(1+kt)": lambda lr, k: jaxdecay.inverse_time(lr, k),
    "LambdaLR k/sqrt(epoch)": lambda lr, k: jaxdecay.inverse_sqrt(lr, k),
    "LambdaLR exp(-kt)": lambda lr, k: jaxdecay.natural_exponential(lr, k),
}


def torch_id(case: dict[str, Any]) -> str:
    return f"{case['scheduler']} {case['steps_per_epoch']} steps an epoch"


def recorded(case: dict[str, Any]) -> tuple[Schedule, int, np.ndarray]:
    """Our schedule of epochs, the last epoch for which PyTorch's is right, and all its rates."""
    arguments = {name.lower(): value for name, value in case["arguments"].items()}
    schedule = TORCH[case["scheduler"]](case["lr"], **arguments)
    rates = np.array(case["rates"])
    epochs = len(rates) // case["steps_per_epoch"]
    last = epochs - 1
    if "t_max" in arguments:  # after which PyTorch's cosine rises again
        last = min(last, arguments["t_max"] + arguments.get("warmup", 0))
    return schedule, last, rates


def test_every_recorded_scheduler_is_compared() -> None:
    assert {case["scheduler"] for case in CASES} == set(TORCH)


@pytest.mark.parametrize("case", CASES, ids=torch_id)
def test_equals_torch(case: dict[str, Any]) -> None:
    schedule, last, rates = recorded(case)
    steps_per_epoch = case["steps_per_epoch"]
    if steps_per_epoch > 1:
        schedule = jaxdecay.per_epoch(schedule, steps_per_epoch)
    steps = np.arange((last + 1) * steps_per_epoch)
    assert_equal(schedule, steps, rates[: len(steps)])


STAIRS = [
    case
    for case in CASES
    if case["steps_per_epoch"] > 1 and case["scheduler"].startswith(("LambdaLR", "ExponentialLR"))
]


@pytest.mark.parametrize("case", STAIRS, ids=torch_id)
def test_stairs_of_one_epoch_equal_torch(case: dict[str, Any]) -> None:
    """Rates per epoch without `per_epoch`: stairs, with the steps of an epoch as their unit."""
    schedule, _, rates = recorded(case)
    schedule = schedule.replace(transition_steps=case["steps_per_epoch"], staircase=True)
    assert_equal(schedule, np.arange(len(rates)), rates)


# Where a peer is wrong. The hyperparameters and the program are those with which it was seen.


def test_jitted_optax_linear_misses_its_end(float32: None, relaxed_promotion: None) -> None:
    """Compiled, Optax's 1 − t/T is 1 − t·(1/T), which is not 0 at T, and even negative."""
    lengths = (*range(1, 20), 49, 1_000)
    theirs = [float(jax.jit(optax.linear_schedule(1.0, 0.0, end))(end)) for end in lengths]
    ours = [float(jax.jit(jaxdecay.linear(1.0, 0.0, end))(end)) for end in lengths]
    assert any(value != 0 for value in theirs)
    assert any(value < 0 for value in theirs)
    assert ours == [0.0] * len(lengths)


def test_jitted_optax_polynomial_ends_in_nan(float32: None, relaxed_promotion: None) -> None:
    theirs = jax.jit(optax.polynomial_schedule(0.1, 0.0, 0.9, 1_000))
    ours = jax.jit(jaxdecay.polynomial(0.1, 0.0, 0.9, 1_000))
    assert math.isnan(theirs(1_000))
    assert math.isnan(theirs(5_000))
    assert float(ours(1_000)) == float(ours(5_000)) == 0.0


TRACED: dict[str, tuple[Callable[..., Peer], Callable[..., Schedule], list[float], float]] = {
    # theirs, ours, values of the traced hyperparameter, our value at step 30 for the last of them
    "linear transition_steps": (
        lambda end: optax.linear_schedule(1.0, 0.0, end),
        lambda end: jaxdecay.linear(1.0, 0.0, end),
        [50, 40],
        1 / 4,
    ),
    "polynomial transition_steps": (
        lambda end: optax.polynomial_schedule(1.0, 0.0, 2.0, end),
        lambda end: jaxdecay.polynomial(1.0, 0.0, 2.0, end),
        [50, 40],
        1 / 16,
    ),
    "cosine transition_steps": (
        lambda end: optax.cosine_decay_schedule(1.0, end),
        lambda end: jaxdecay.cosine(1.0, end),
        [50, 60],
        1 / 2,
    ),
    "exponential transition_steps": (
        lambda unit: optax.exponential_decay(1.0, unit, 0.5),
        lambda unit: jaxdecay.exponential(1.0, 0.5, unit),
        [20, 10],
        1 / 8,
    ),
    "exponential decay_rate": (
        lambda decay_rate: optax.exponential_decay(1.0, 10, decay_rate),
        lambda decay_rate: jaxdecay.exponential(1.0, decay_rate, 10),
        [0.25, 0.5],
        1 / 8,
    ),
}


@pytest.mark.parametrize("name", TRACED)
def test_optax_cannot_be_traced(name: str, relaxed_promotion: None) -> None:
    theirs, ours, values, expected = TRACED[name]
    values = jnp.asarray(values)
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(lambda value: theirs(value)(30))(values[-1])
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.vmap(lambda value: theirs(value)(30))(values)
    compiled = jax.jit(lambda value: ours(value)(30))(values[-1])
    mapped = jax.vmap(lambda value: ours(value)(30))(values)
    np.testing.assert_allclose([compiled, mapped[-1]], expected, rtol=RTOL)


def test_cosine_keeps_its_digits_near_the_end(float32: None, relaxed_promotion: None) -> None:
    end = 10_000
    step = jnp.asarray(end - 1)
    exact = math.sin(math.pi / 2 / end) ** 2  # ½(1 + cos π(T − 1)/T)
    for theirs in (
        optax.cosine_decay_schedule(1.0, end),
        keras.optimizers.schedules.CosineDecay(1.0, end),
    ):
        assert abs(float(theirs(step)) / exact - 1) > 0.2
    schedule = jaxdecay.cosine(1.0, end)
    np.testing.assert_allclose([schedule(step), jax.jit(schedule)(step)], exact, rtol=RTOL)


@pytest.mark.parametrize("compiled", [False, True])
def test_stairs_fall_at_their_step(compiled: bool, float32: None, relaxed_promotion: None) -> None:
    """⌊t/T⌋ in floats is a step early from 10 773 999 on, for T = 1000."""
    steps = jnp.array([10_773_998, 10_773_999, 10_774_000])
    schedules = (
        optax.exponential_decay(1.0, 1_000, 0.999, staircase=True),
        keras.optimizers.schedules.ExponentialDecay(1.0, 1_000, 0.999, staircase=True),
        jaxdecay.exponential(1.0, 0.999, 1_000, staircase=True),
        jaxdecay.step_decay(1.0, 0.999, 1_000),
    )
    calls = [jax.jit(schedule) if compiled else schedule for schedule in schedules]
    falls = [np.flatnonzero(np.diff(np.asarray(call(steps)))).tolist() for call in calls]
    assert falls == [[0], [0], [1], [1]]


@pytest.mark.parametrize("unit", [41, 47, 55, 1_001])
def test_compiled_stairs_fall_at_their_step(
    unit: int, float32: None, relaxed_promotion: None
) -> None:
    """⌊t·(1/T)⌋, as a compiler writes ⌊t/T⌋, is a step late at T itself for one T in ten."""
    schedules = (
        optax.exponential_decay(1.0, unit, 0.5, staircase=True),
        keras.optimizers.schedules.ExponentialDecay(1.0, unit, 0.5, staircase=True),
        jaxdecay.exponential(1.0, 0.5, unit, staircase=True),
        jaxdecay.step_decay(1.0, 0.5, unit),
    )
    values = [float(jax.jit(schedule)(jnp.asarray(unit))) for schedule in schedules]
    late = unit in (41, 47, 55)
    assert values == [1.0 if late else 0.5] * 2 + [0.5, 0.5]


def test_optax_never_decays_in_no_steps(relaxed_promotion: None) -> None:
    for end in (0, -1):
        assert optax.linear_schedule(1.0, 0.25, end)(5) == 1.0
    for step in (0, 5):
        assert float(jaxdecay.linear(1.0, 0.25, 0)(step)) == 0.25
        assert float(jaxdecay.polynomial(1.0, 0.25, 2.0, 0)(step)) == 0.25
        assert float(jaxdecay.cosine(1.0, 0, 0.25)(step)) == 0.25


def test_keras_keeps_the_old_value_at_a_boundary(relaxed_promotion: None) -> None:
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
    optaxs = optax.piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.5})
    ours = jaxdecay.piecewise_constant([1.0, 0.5, 0.25], [10, 20])
    steps = (9, 10, 11, 19, 20, 21)
    new, old = [1.0, 0.5, 0.5, 0.5, 0.25, 0.25], [1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    assert [float(theirs(step)) for step in steps] == old
    assert [float(optaxs(step)) for step in steps] == new
    assert [float(ours(step)) for step in steps] == new


COSINES = [case for case in CASES if case["scheduler"] == "CosineAnnealingLR"]


@pytest.mark.parametrize("case", COSINES, ids=torch_id)
def test_torch_cosine_rises_after_its_end(case: dict[str, Any]) -> None:
    schedule, end, rates = recorded(case)
    floor = case["arguments"]["eta_min"]
    each_epoch = rates[:: case["steps_per_epoch"]]
    after = each_epoch[end + 1 : 2 * end]
    assert len(after) > 5
    assert np.all(np.diff(after) > 0)
    held = np.asarray(schedule(jnp.arange(end, len(each_epoch))), np.float64)
    np.testing.assert_allclose(held, floor, rtol=RTOL, atol=0)


def test_gradient_at_the_end_of_a_power_below_1(float32: None, relaxed_promotion: None) -> None:
    values = (1.0, 0.25, 0.5, 100.0)
    theirs = jax.grad(lambda end: optax.polynomial_schedule(*values[:3], end)(100))(100.0)
    assert math.isnan(theirs)
    for step in (100, 130):
        # From the end on the value is end_value, whatever the others are.
        ours = jax.grad(lambda each, step=step: jaxdecay.polynomial(*each)(step))(values)
        assert [float(each) for each in ours] == [0.0, 1.0, 0.0, 0.0]


def test_gradient_before_a_branch_of_join(float32: None, relaxed_promotion: None) -> None:
    """A branch α/√(t + 1) is no number at the negative steps that Optax shows it."""

    def theirs(alpha: Any) -> Any:
        branch = optax.join_schedules([lambda t: 0.5, lambda t: alpha / jnp.sqrt(t + 1.0)], [100])
        return branch(50)

    def ours(alpha: Any, step: int) -> Any:
        return jaxdecay.join([0.5, jaxdecay.inverse_sqrt(alpha)], [100, 100])(step)

    assert float(theirs(0.5)) == 0.5
    assert math.isnan(jax.grad(theirs)(0.5))
    assert float(jax.grad(ours)(0.5, 50)) == 0.0
    assert float(jax.grad(ours)(0.5, 103)) == 0.5  # 1/√4


# The founding number: ExponentialDecay(0.1, 1000, 0.96, staircase=True), from Keras, after 28
# transitions.


def founding() -> Schedule:
    return jaxdecay.exponential(0.1, 0.96, 1_000, staircase=True)


def test_founding_number_of_keras(float32: None, relaxed_promotion: None) -> None:
    theirs = keras.optimizers.schedules.ExponentialDecay(0.1, 1_000, 0.96, staircase=True)
    assert float(theirs(28_125)) == FOUNDING_NUMBER


FOUNDING: dict[str, Callable[[], Any]] = {
    "eager": lambda: founding()(28_125),
    "jitted with constants": lambda: jax.jit(lambda: founding()(28_125))(),
    "jitted step": lambda: jax.jit(founding())(28_125),
    "jitted schedule": lambda: jax.jit(lambda schedule: schedule(28_125))(founding()),
    "jitted hyperparameters": lambda: jax.jit(
        lambda *numbers: jaxdecay.exponential(*numbers, staircase=True)(28_125)
    )(0.1, 0.96, 1_000),
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
    others = [jaxdecay.exponential(0.3, 0.5, 10, staircase=True), jaxdecay.linear(1.0, 0.0, 10)]
    return jaxdecay.stack([*others, founding(), jaxdecay.constant(0.1)])


@pytest.mark.parametrize("way", FOUNDING)
def test_founding_number(way: str, float32: None) -> None:
    assert float(FOUNDING[way]()) == FOUNDING_NUMBER
