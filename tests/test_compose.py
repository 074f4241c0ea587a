"""Compositions: what they refuse, and what happens at their limits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rows import called

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.domain import LAST_STEP

WAVE = jaxdecay.cosine(0.1, transition_steps=100)


def as_floats(schedule: Schedule) -> Schedule:
    """The same schedule with every count as a float, which can be differentiated."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), schedule)


# Errors.


@pytest.mark.parametrize(
    ("family", "arguments", "message"),
    [
        ("cooldown", {"begin": -1}, "cooldown: begin must be a number ≥ 0"),
        ("cooldown", {"shape": "exponential"}, "which never reaches 0, got 0.0; shape='linear', "),
        ("cooldown", {"shape": "inverse", "end_value": 0}, "end_value must be a number > 0 with"),
        ("cooldown", {"shape": "cosine", "power": 2}, "leave it out or use shape='power'"),
        ("repeat", {"period": 0}, "repeat: period must be a number > 0"),
        (
            "count_units",
            {"units_per_step": 2**31},
            "units_per_step must be a number > 0 and ≤ 2³¹−1",
        ),
        ("clip", {"lower": 0.2, "upper": 0.1}, "clip: lower must be at most upper, got 0.2 and 0."),
        ("warmup", {"warmup_steps": 5, "shape": "exponential"}, "'linear' or 'cosine' or 'sqrt'"),
    ],
)
def test_what_does_not_fit(family: str, arguments: dict[str, Any], message: str) -> None:
    usual = {"begin": 10, "transition_steps": 10} if family == "cooldown" else {}
    with pytest.raises(ValueError, match="^" + family) as caught:
        jaxdecay.family(family)(WAVE, **{**usual, **arguments})
    assert message in str(caught.value)


NESTED = {
    "warmup": {"warmup_steps": 3},
    "cooldown": {"begin": 50, "transition_steps": 10},
    "hold": {"begin": 90},
    "delay": {"delay_steps": 3},
    "advance": {"advance_steps": 3},
    "repeat": {"period": 90},
    "count_units": {"units_per_step": 2},
    "per_epoch": {"steps_per_epoch": 2},
    "clip": {"lower": 0.01, "upper": 0.05},
    "scale": {"factor": 0.5},
    "add": {"second": 0.1},
    "multiply": {"second": 0.1},
    "join": {"lengths": [50]},
}
"""A composition by its family, and what it takes beside the schedule in it."""


@pytest.mark.parametrize("family", NESTED)
def test_nested_compositions_grow_by_the_same_with_each_level(family: str) -> None:
    def nested(schedule: Any) -> Schedule:
        inner = [schedule, 0.1] if family == "join" else schedule
        return jaxdecay.family(family)(inner, **NESTED[family])

    sizes, schedule = [], WAVE
    for depth in range(9):
        if depth % 4 == 0:
            traced = jax.make_jaxpr(lambda schedule, step: schedule(step))(schedule, 7)
            sizes.append(len(str(traced).splitlines()))
        schedule = nested(schedule)
    assert sizes[2] - sizes[1] <= 1.3 * (sizes[1] - sizes[0])


def test_extensions_in_one_another_are_limited() -> None:
    schedule = WAVE
    for nested in range(4):
        longer = {"at": 50, "new_transition_steps": 120 + nested, "transition_steps": 110}
        schedule = jaxdecay.extend(jaxdecay.warmup(schedule, warmup_steps=2), **longer)
    with pytest.raises(ValueError, match="contains 4 extensions in one another, expected at most"):
        jaxdecay.extend(jaxdecay.join([0.1, schedule], lengths=[9]), **longer)


@pytest.mark.parametrize(
    "without_an_end_of_its_own",
    [
        0.1,
        WAVE * 2.0,
        jaxdecay.warmup(0.1, warmup_steps=5),
        jaxdecay.exponential(0.1, decay_rate=0.5, transition_steps=10),
        jaxdecay.join([WAVE, 0.1], lengths=[10]),
        jaxdecay.polynomial(0.1, end_value=0.01, power=2, transition_steps=9, cycle=True),
    ],
    ids=repr,
)
def test_extend_does_not_guess_an_end(without_an_end_of_its_own: Any) -> None:
    with pytest.raises(
        ValueError, match=r"extend: transition_steps is missing, .*does not declare"
    ):
        jaxdecay.extend(without_an_end_of_its_own, at=5, new_transition_steps=200)
    jaxdecay.extend(without_an_end_of_its_own, at=5, new_transition_steps=200, transition_steps=110)


# Phases of no length, and values of no size.


def vanishing() -> list[Schedule]:
    line = jaxdecay.linear(0.1, end_value=0.0, transition_steps=10)
    shapes = ("linear", "cosine", "sqrt", "power", "inverse", "exponential")
    return [
        *(jaxdecay.warmup(line, warmup_steps=0, shape=shape) for shape in ("cosine", "sqrt")),
        *(
            jaxdecay.cooldown(line, begin=begin, transition_steps=steps, end_value=0.1, shape=shape)
            for shape in shapes
            for begin, steps in ((10, 0), (0, 5), (10, 5))
        ),
        *(without_end(shape) for shape in shapes[4:]),
        *(
            jaxdecay.extend(line, at=at, new_transition_steps=new_end, transition_steps=end)
            for at, new_end, end in ((0, 0, 10), (10, 20, 10), (5, 20, 5))
        ),
        *(
            jaxdecay.one_cycle(0.1, transition_steps=steps, warmup_fraction=share)
            for steps in (0, 10)
            for share in (0, 0.5, 1)
        ),
        *(
            jaxdecay.one_cycle(0.1, transition_steps=10, warmup_fraction=share, three_phase=True)
            for share in (0, 0.5)
        ),
        jaxdecay.infinite_schedule(
            0.1,
            stable_value=0.05,
            end_value=0.01,
            warmup_steps=0,
            cooldown_steps=0,
            stable_steps=0,
            transition_steps=0,
        ),
    ]


def without_end(shape: Any) -> Schedule:
    """A cooldown to 0 that could not be made of a concrete 0."""
    schedule = jaxdecay.cooldown(0.1, begin=5, transition_steps=10, end_value=0.1, shape=shape)
    leaves, structure = jax.tree.flatten(schedule)
    return structure.unflatten(
        [0.0 if leaf == 0.1 and i else leaf for i, leaf in enumerate(leaves)]
    )


@jax.jit
def with_gradients(schedule: Schedule, steps: Any) -> Any:
    return jax.vmap(lambda step: jax.value_and_grad(lambda each: each(step))(schedule))(steps)


def test_phases_of_no_length_are_finite_in_value_and_gradient() -> None:
    steps = np.array([0, 1, 4, 5, 9, 10, 11, 10**6, LAST_STEP], np.int32)
    for schedule in vanishing():
        values, gradients = with_gradients(as_floats(schedule), steps)
        for leaf in jax.tree.leaves([values, gradients]):
            assert np.all(np.isfinite(leaf)), schedule
        assert np.all(np.asarray(values) >= 0), schedule


def test_a_cooldown_of_no_length_ends_where_it_begins() -> None:
    schedule = jaxdecay.cooldown(0.1, begin=10, transition_steps=0, end_value=0.01, shape="sqrt")
    values = called(schedule, np.array([0, 9, 10, 11]))
    np.testing.assert_allclose(values, [0.1, 0.1, 0.01, 0.01], rtol=1e-7)


def test_what_a_traced_end_of_zero_means() -> None:
    for shape in ("inverse", "exponential"):
        values = called(without_end(shape), np.array([0, 5, 6, 14, 15, 100]))
        assert values.tolist() == [*[pytest.approx(0.1)] * 2, 0, 0, 0, 0]


# Units.


def test_units_go_on_past_the_largest_integer() -> None:
    rate = jaxdecay.inverse_time(1.0, decay_rate=1.0)
    steps = np.array([0, 1, 32_767, 32_768, 10**6, LAST_STEP])
    for factor in (2**16, 2.0**16):
        values = called(jaxdecay.count_units(rate, units_per_step=factor), steps)
        np.testing.assert_allclose(values, 1 / (1 + steps * 2.0**16), rtol=1e-6)
    tokens = jaxdecay.count_units(
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=2e12), units_per_step=4_000_000
    )
    values = called(tokens, np.array([0, 250_000, 500_000, 10**6]))
    np.testing.assert_allclose(values, [1.0, 0.5, 0.0, 0.0], rtol=1e-6)


def test_units_that_are_integers_are_exact() -> None:
    boundary = 2**24 + 1  # a float would be a step early
    stairs = jaxdecay.count_units(
        jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=3 * boundary), units_per_step=3
    )
    values = called(stairs, np.array([boundary - 1, boundary]))
    assert values.tolist() == [1.0, 0.5]
    last = LAST_STEP // 3  # as a float, its units would be past the boundary
    stair = jaxdecay.multi_step(1.0, decay_rate=0.5, boundaries=[LAST_STEP])
    values = called(jaxdecay.count_units(stair, units_per_step=3), np.array([last, last + 1]))
    assert values.tolist() == [1.0, 0.5]


# Extension.


def slowed(step: int, at: int, new_end: int, end: int) -> Fraction:
    if step <= at or new_end <= at:
        return Fraction(step if step <= at else max(end, at))
    share = Fraction(max(end - at, 0), new_end - at)
    return at + min(step - at, new_end - at) * share


def cosine64(step: Fraction, end: int) -> float:
    return 0.1 * math.sin(math.pi / 2 * float(1 - min(step / end, Fraction(1)))) ** 2


@pytest.mark.parametrize(
    ("at", "new_end", "end"),
    [
        (300, 1_000, 777),
        (300, 600, 777),
        (500, 400, 777),
        (0, 1_000, 999),
        (50, 300, 20),
        (10**6, 3 * 10**6, 2 * 10**6),
        (10**6, 10**7, 10**7),
    ],
)
def test_extend_slows_down_to_the_last_digit(at: int, new_end: int, end: int) -> None:
    period = end // 7
    stair = at + (6 * period - at) * (new_end - at) // (end - at)  # where a drop is slowed to
    near = {max(0, edge + offset) for edge in (0, at, stair, new_end) for offset in range(-3, 5)}
    steps = np.array(sorted([*near, (at + new_end) // 2, (at + 9 * new_end) // 10, LAST_STEP]))
    slow = [slowed(int(step), at, new_end, end) for step in steps]
    wave = called(
        jaxdecay.extend(
            jaxdecay.cosine(0.1, transition_steps=end), at=at, new_transition_steps=new_end
        ),
        steps,
    )
    np.testing.assert_allclose(wave, [cosine64(step, end) for step in slow], rtol=1e-6)
    stairs = called(
        jaxdecay.extend(
            jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=period),
            at=at,
            new_transition_steps=new_end,
            transition_steps=end,
        ),
        steps,
    )
    drops = np.array([step // period for step in slow], float)
    np.testing.assert_allclose(stairs, 0.5**drops, rtol=1e-6)


def test_extend_is_continuous_and_never_below_zero() -> None:
    for at, new_end, end in ((50, 150, 100), (10**9, LAST_STEP, 2 * 10**9)):
        schedule = jaxdecay.extend(
            jaxdecay.linear(0.1, end_value=0.0, transition_steps=end),
            at=at,
            new_transition_steps=new_end,
        )
        around = called(schedule, np.array([at - 1, at, at + 1]))
        assert np.max(np.abs(np.diff(around))) <= 0.1 / end * (1 + 1e-4) + 1e-8
        last = np.asarray(called(schedule, new_end - np.arange(200)))
        assert last[0] == 0
        assert np.all(np.diff(last) >= 0)
    late, before = 10**7, np.arange(1, 200)
    for schedule, exact in (
        (
            jaxdecay.cosine(0.1, transition_steps=late),
            lambda left: 0.1 * math.sin(math.pi / 2 * left / late) ** 2,
        ),
        (
            jaxdecay.cooldown(0.1, begin=late - 10, transition_steps=10, shape="cosine"),
            lambda left: 0.1 * math.sin(math.pi / 2 * min(left / 10, 1)) ** 2,
        ),
    ):
        extended = jaxdecay.extend(
            schedule, at=0, new_transition_steps=3 * late, transition_steps=late
        )
        expected = [exact(left / 3) for left in before]
        np.testing.assert_allclose(
            called(extended, 3 * late - before), expected, rtol=1e-2, atol=2e-5
        )
    at_once = jaxdecay.extend(
        jaxdecay.linear(0.1, end_value=0.1, transition_steps=0), at=0, new_transition_steps=2
    )  # all of it stays at step 0
    np.testing.assert_allclose(called(at_once, np.arange(4)), 0.1)
    extended = jaxdecay.extend(WAVE, at=50, new_transition_steps=150)
    assert float(extended(50)) == float(WAVE(50))
    assert np.isnan(extended(np.nan))


def test_extend_is_differentiable_in_float_counts() -> None:
    def value(new_end: Any) -> Any:
        return jaxdecay.extend(WAVE, at=50.0, new_transition_steps=new_end, transition_steps=100.0)(
            120
        )

    def value64(new_end: float) -> float:
        return 0.05 * (1 + math.cos(math.pi * (50 + 70 * 50 / (new_end - 50)) / 100))

    slope = (value64(150 + 1e-4) - value64(150 - 1e-4)) / 2e-4
    assert float(jax.jit(jax.grad(value))(150.0)) == pytest.approx(slope, rel=1e-5)


def test_a_last_schedule_without_a_length_goes_on() -> None:
    line = jaxdecay.linear(0.5, end_value=0.0, transition_steps=100)
    endless, cut = (
        jaxdecay.join([0.7, line], lengths=[10]),
        jaxdecay.join([0.7, line], lengths=[10, 20]),
    )
    assert called(endless, np.array([9, 10, 60, 110])).tolist() == pytest.approx(
        [0.7, 0.5, 0.25, 0]
    )
    assert called(cut, np.array([10, 30, 1000])).tolist() == pytest.approx([0.5, 0.4, 0.4])
    assert float(jaxdecay.join([line], lengths=[])(50)) == 0.25
    assert jaxdecay.Schedule.from_dict(endless.to_dict()) == endless


def test_lengths_that_are_floats_may_be_long() -> None:
    tokens = jaxdecay.join(
        [0.5, jaxdecay.linear(0.5, end_value=0.0, transition_steps=1e12)], lengths=[1e12, 1e12]
    )
    values = called(tokens, np.array([1e11, 1.5e12, 3e12], np.float32))
    np.testing.assert_allclose(values, [0.5, 0.25, 0.0], rtol=1e-6)
