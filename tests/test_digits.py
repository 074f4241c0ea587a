"""Numbers that steps repeat: bases next to 1, decimal lengths, scales multiplied many times."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay import Schedule

GAMMA = 0.99999979673105275
"""A base of PyTorch's CyclicLR in mode exp_range, as published, for runs of 10 million steps."""

LENGTHS = ("0.6", "1.1", "1.2", "2.4", "4.8", "4.9", "24.1", "390.6")
MANY = 2048
"""Steps at a time, so that one compilation is for all."""

called = jax.jit(lambda schedule, steps: schedule(steps))


def error(got: Any, expected: Any) -> float:
    return float(np.max(np.abs(np.asarray(got, np.float64) / expected - 1)))


def ways(schedule: Schedule, steps: np.ndarray) -> dict[str, Any]:
    """The values, however the schedule gets to where they are computed."""
    population = jaxdecay.stack([jaxdecay.constant(1.0), schedule, schedule])
    floats, rebuild = schedule.partition()
    return {
        "eager": schedule(steps),
        "argument": called(schedule, steps),
        "constant": jax.jit(lambda steps: schedule(steps))(steps),
        "population": called(population, steps)[1],
        "row": called(population[2], steps),
        "rows": called(population[1:], steps)[0],
        "rebuilt": called(rebuild(floats), steps),
        "partition of a population": called(_rebuilt(population), steps)[1],
        "arrays": called(jax.tree.map(jnp.asarray, schedule), steps),
        "mapped": called(jax.tree.map(lambda leaf: leaf, schedule), steps),
        "pickled": called(pickle.loads(pickle.dumps(schedule)), steps),
        "file": called(Schedule.from_dict(schedule.to_dict()), steps),
        "inside": called(jaxdecay.scale(schedule, factor=1.0), steps),
        "copied": called(copy.deepcopy(schedule), steps),
    }


def _rebuilt(tree: Any) -> Any:
    floats, rebuild = tree.partition()
    return rebuild(floats)


@pytest.mark.parametrize("base", [0.97, 0.99999, GAMMA, 1.0000003])
def test_bases_over_ten_million_steps(base: float) -> None:
    last = min(10**7, int(60 / abs(math.log(base))))
    steps = np.resize(np.unique(np.geomspace(1, last, 2000).astype(np.int32)), MANY)
    expected = 0.1 * np.array([float(Decimal(base) ** int(step)) for step in steps])
    for way, values in ways(jaxdecay.exponential(0.1, decay_rate=base), steps).items():
        assert error(values, expected) <= 4e-7, way
    drops = jaxdecay.step_decay(0.1, decay_rate=base, transition_steps=1)
    assert error(drops(steps), expected) <= 4e-7
    with jax.enable_x64(True):
        values = jaxdecay.exponential(0.1, decay_rate=base)(steps)
        assert error(values, expected) <= 1e-12


def test_exp_range_of_torch_at_ten_million() -> None:
    schedule = jaxdecay.cyclic(
        0.001, peak_value=0.006, up_steps=2000, decay_rate=GAMMA, decay_every="step"
    )
    step = 10**7 + 1000  # half way up
    assert float(schedule(step)) == pytest.approx(0.001 + 0.0025 * GAMMA**step, rel=1e-6)


@pytest.mark.parametrize("length", LENGTHS)
def test_stairs_of_decimal_lengths_come_in_time(length: str) -> None:
    exact, number = Fraction(length), float(length)
    stairs = np.arange(300)
    firsts = np.array([math.ceil(stair * exact) for stair in stairs])
    steps = np.unique(np.concatenate([firsts - 1, firsts, firsts + 1, np.arange(1000)]).clip(0))
    steps = np.resize(steps, MANY)
    passed = np.array([int(step / exact) for step in map(Fraction, steps.tolist())])
    expected = 0.97**passed
    makes: list[Callable[[], Schedule]] = [
        lambda: jaxdecay.step_decay(1.0, decay_rate=0.97, transition_steps=number),
        lambda: jaxdecay.exponential(1.0, decay_rate=0.97, transition_steps=number, staircase=True),
        lambda: jaxdecay.natural_exponential(
            1.0, decay_rate=-math.log(0.97), transition_steps=number, staircase=True
        ),
        lambda: jaxdecay.per_epoch(
            jaxdecay.exponential(1.0, decay_rate=0.97), steps_per_epoch=number
        ),
        lambda: jaxdecay.cosine_restarts(1.0, end_value=0.0, period=number, peak_multiplier=0.97),
    ]
    shown = steps[passed * exact == steps]  # where a wave begins
    for make in makes[:-1]:
        for way, values in ways(make(), steps.astype(np.int32)).items():
            assert error(values, np.where(expected > 0, expected, 1)) <= 1e-6, way
    starts = np.isin(steps, shown)
    assert starts.sum() > 10
    values = called(makes[-1](), steps.astype(np.int32))
    assert error(values[starts], expected[starts]) <= 1e-6
    with jax.enable_x64(True):
        assert error(makes[0]()(steps), expected) <= 1e-11


@pytest.mark.parametrize("length", LENGTHS)
def test_repeats_of_decimal_lengths_begin_at_their_step(length: str) -> None:
    exact = Fraction(length)
    schedule = jaxdecay.repeat(
        jaxdecay.linear(1.0, end_value=2.0, transition_steps=1000), period=float(length)
    )
    steps = np.arange(20_000, dtype=np.int32)
    expected = [1 + float(Fraction(int(step)) % exact) / 1000 for step in steps]
    assert error(called(schedule, steps), expected) <= 1e-6
    # A period begins with no step done, though the float next to its length may be too short.
    begins = exact.numerator * np.arange(1, 1000)
    steep = jaxdecay.cooldown(1.0, begin=0, transition_steps=1000, power=0.1, shape="power")
    with jax.enable_x64(True):
        assert (jaxdecay.repeat(steep, period=float(length))(begins) == 1).all()


def test_a_base_is_one_hyperparameter() -> None:
    schedule = jaxdecay.exponential(0.1, decay_rate=0.97)
    leaves, structure = jax.tree.flatten(schedule)
    assert leaves == [0.1, float(np.float32(0.97)), 0.97 - float(np.float32(0.97)), 1]
    assert structure.unflatten(leaves).decay_rate == schedule.decay_rate == 0.97
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(schedule)]
    assert paths == [".init_value", ".decay_rate.high", ".decay_rate.low", ".transition_steps"]
    assert schedule.partition()[0] == {"init_value": 0.1, "decay_rate": 0.97}
    assert repr(schedule) == "exponential(init_value=0.1, decay_rate=0.97)"
    assert schedule != schedule.replace(decay_rate=float(np.float32(0.97)))
    population = jaxdecay.grid(jaxdecay.exponential, init_value=0.1, decay_rate=[0.97, GAMMA])
    assert population.partition()[0]["groups.0.decay_rate"].tolist() == [0.97, GAMMA]
    assert [each.decay_rate for each in population] == [0.97, GAMMA]


def test_gradients_by_a_base_are_not_doubled() -> None:
    schedule = jaxdecay.exponential(0.1, decay_rate=0.97, transition_steps=2.0)
    slope = 0.1 * 50 * 0.97**49
    by_schedule = jax.grad(lambda schedule: schedule(100))(schedule)
    assert float(by_schedule.decay_rate) == pytest.approx(slope, rel=1e-5)
    floats, rebuild = schedule.partition()
    by_name = jax.grad(lambda floats: rebuild(floats)(100))(floats)
    assert float(by_name["decay_rate"]) == pytest.approx(slope, rel=1e-5)
    assert float(by_name["transition_steps"]) == pytest.approx(
        0.1 * 0.97**50 * math.log(0.97) * -25, rel=1e-5
    )
    curved = jax.hessian(lambda floats: rebuild(floats)(100))(floats)
    assert float(curved["decay_rate"]["decay_rate"]) == pytest.approx(
        0.1 * 50 * 49 * 0.97**48, rel=1e-5
    )


def test_a_traced_base_has_one_structure_with_a_concrete_one() -> None:
    schedule = jaxdecay.exponential(0.1, decay_rate=0.5, transition_steps=1.5)

    def slower(schedule: Schedule, _: Any) -> tuple[Schedule, Any]:
        return schedule.replace(decay_rate=schedule.decay_rate * 0.5), schedule(3)

    last, values = jax.lax.scan(slower, schedule, length=3)
    np.testing.assert_allclose(values, [0.1 * rate**2 for rate in (0.5, 0.25, 0.125)], rtol=1e-6)
    assert jax.tree.structure(last) == jax.tree.structure(schedule)


@pytest.mark.parametrize("factor", [0.97, 0.9, 0.5])
@pytest.mark.parametrize("family", ["reduce_on_plateau", "greedy"])
def test_scales_do_not_drift(family: str, factor: float) -> None:
    named = {"min_scale": 0.0} if family == "greedy" else {}
    schedule = jaxdecay.family(family)(1.0, factor=factor, patience=0, threshold=0.0, **named)
    update, state = jax.jit(schedule.update), schedule.init()
    if family == "reduce_on_plateau":
        state = update(state, value=1.0)
    state = update(state, value=jnp.nan)  # never better
    for reductions in range(1, 101):
        assert error(state.feedback.scale, factor**reductions) <= 1e-7
        assert float(schedule(state)) == float(state.feedback.scale)
        state = update(state, value=jnp.nan)


def test_increases_do_not_drift() -> None:
    schedule = jaxdecay.greedy(1.0, factor=0.97, patience=0, max_scale=100.0)
    update, state = jax.jit(schedule.update), schedule.init()
    for increases in range(1, 101):
        state = update(state, value=-float(increases))
        assert error(state.feedback.scale, 0.97**-increases) <= 1e-7


def power_0() -> dict[str, Callable[[Any], Schedule]]:
    both = {"end_value": 0.01, "transition_steps": 10}
    return {
        "polynomial": lambda power: jaxdecay.polynomial(0.1, power=power, **both),
        "cosine": lambda power: jaxdecay.cosine(0.1, power=power, **both),
        "k_decay": lambda power: jaxdecay.k_decay(0.1, k=2.0, power=power, **both),
        "warmup_cosine": lambda power: jaxdecay.warmup_cosine(
            0.1, warmup_steps=0, power=power, **both
        ),
        "power_law": lambda power: jaxdecay.power_law(0.1, power=power),
        "inverse_time": lambda power: jaxdecay.inverse_time(0.1, decay_rate=0.5, power=power),
    }


@pytest.mark.parametrize("make", power_0().values(), ids=power_0())
def test_a_power_of_0_stays_at_the_first_value(make: Callable[[Any], Schedule]) -> None:
    steps = np.array([0, 1, 5, 9, 10, 11, 10**6])
    assert np.all(make(0.0)(steps) == np.float32(0.1))
    assert np.all(jax.jit(lambda power: make(power)(steps))(0.0) == np.float32(0.1))
    slopes = jax.jacrev(lambda power: make(power)(steps))(0.0)
    assert np.all(np.isfinite(slopes))


def test_powers_of_0_that_are_over_at_once() -> None:
    steps = np.array([0, 10, 11, 15, 100])
    cooled = jaxdecay.cooldown(
        0.1, begin=10, transition_steps=10, end_value=0.01, power=0.0, shape="power"
    )
    np.testing.assert_allclose(cooled(steps), [0.1, 0.01, 0.01, 0.01, 0.01], rtol=1e-6)
    bent = jaxdecay.k_decay(0.1, end_value=0.01, transition_steps=10, k=0.0)
    np.testing.assert_allclose(bent(steps), [0.01] * 5, rtol=1e-6)
