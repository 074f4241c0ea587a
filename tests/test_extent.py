"""Where a schedule ends, by the lengths that it is composed of, and `extend` without its end."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay.domain import LAST_STEP, Positive, Steps
from jaxdecay.extent import end_of

COSINE = jaxdecay.cosine(0.1, transition_steps=90)

ENDS: list[tuple[Any, int]] = [
    (COSINE, 90),
    (jaxdecay.polynomial(0.1, end_value=0.0, power=2, transition_steps=50), 50),
    (jaxdecay.warmup(COSINE, warmup_steps=10), 10 + 90),
    (jaxdecay.delay(jaxdecay.warmup(COSINE, warmup_steps=10), delay_steps=5), 5 + 10 + 90),
    (jaxdecay.cooldown(0.1, begin=40, transition_steps=7), 40 + 7),
    (jaxdecay.join([0.1, COSINE], lengths=[30]), 30 + 90),
    (jaxdecay.join([0.1, COSINE], lengths=[30, 20]), 30 + 20),
    (jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=90), 10 + 90),
    (jaxdecay.warmup_linear(0.1, warmup_steps=3, transition_steps=8), 3 + 8),
    (
        jaxdecay.warmup_stable_decay(0.1, warmup_steps=10, stable_steps=60, transition_steps=30),
        10 + 60 + 30,
    ),
    (
        jaxdecay.infinite_schedule(
            0.3,
            stable_value=0.1,
            end_value=0.01,
            warmup_steps=5,
            cooldown_steps=20,
            stable_steps=40,
            transition_steps=15,
        ),
        5 + 20 + 40 + 15,
    ),
    (jaxdecay.one_cycle(0.1, transition_steps=100), 100),
]


@pytest.mark.parametrize(("schedule", "end"), ENDS, ids=lambda each: getattr(each, "family", ""))
def test_the_end_is_the_sum_of_the_lengths(schedule: jaxdecay.Schedule, end: int) -> None:
    assert end_of(schedule) == end
    values = np.asarray(schedule(np.arange(3 * end)))
    assert (values[end:] == values[end]).all()
    assert values[end - 1] != values[end]


def test_extend_takes_the_sum_for_the_end() -> None:
    schedule = jaxdecay.warmup_linear(1.0, warmup_steps=20, transition_steps=80)
    extended = jaxdecay.extend(schedule, at=60, new_transition_steps=140)
    values = [float(extended(step)) for step in (10, 20, 60, 100, 140, 150)]
    assert values == pytest.approx([0.5, 1.0, 0.5, 0.25, 0.0, 0.0], rel=1e-6)


def test_a_compound_of_a_users_own_is_added_up_from_its_parts(monkeypatch: Any) -> None:
    monkeypatch.setattr("jaxdecay.registry.families", dict(jaxdecay.families))

    @jaxdecay.compound
    def up_and_down(peak_value: Positive, *, up_steps: Steps, down_steps: Steps) -> Any:
        down = jaxdecay.linear(peak_value, end_value=0.0, transition_steps=down_steps)
        return jaxdecay.warmup(down, warmup_steps=up_steps)

    assert end_of(up_and_down(0.1, up_steps=10, down_steps=15)) == 25


def test_traced_lengths_are_added_up_and_differentiated() -> None:
    def value(steps: Any) -> Any:
        planned = jaxdecay.warmup_linear(1.0, warmup_steps=steps, transition_steps=steps)
        return jaxdecay.extend(planned, at=15, new_transition_steps=45)(30)

    # At 15 of 20 the rate is 0.5; half of the way to the new end it is half of that.
    assert float(jax.jit(value)(10)) == pytest.approx(0.25, rel=1e-6)
    # With W = T = s: 1 − (15 + ½(2s − 15) − s)/s = 2 − 7.5/s − 1, of slope 7.5/s².
    assert float(jax.grad(value)(10.0)) == pytest.approx(0.075, rel=1e-5)


def test_a_sum_stays_within_the_largest_step() -> None:
    count = LAST_STEP - 5
    assert end_of(jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=count)) == LAST_STEP

    def end(count: Any) -> Any:
        return end_of(jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=count))

    assert int(jax.jit(end)(jnp.asarray(count))) == LAST_STEP
    tokens = jaxdecay.warmup_cosine(0.1, warmup_steps=1e10, transition_steps=1e12)
    assert end_of(tokens) == 1.01e12


def test_relative_lengths_are_added_up_once_they_are_resolved() -> None:
    planned = jaxdecay.warmup_cosine(
        0.1, warmup_steps=jaxdecay.percent(10), transition_steps=jaxdecay.percent(90)
    )
    extended = jaxdecay.extend(planned, at=50, new_transition_steps=200).resolve(steps=101)
    by_hand = jaxdecay.extend(
        jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=91),
        at=50,
        new_transition_steps=200,
        transition_steps=101,
    )
    steps = np.arange(0, 250, 3)
    np.testing.assert_array_equal(extended(steps), by_hand(steps))
