"""Compounds: what they refuse, and their parts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rows import called

import jaxdecay
from jaxdecay import Schedule


def test_compounds_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"one_cycle: warmup_fraction .* at most 0.5 .* got 0.6"):
        jaxdecay.one_cycle(0.1, transition_steps=100, warmup_fraction=0.6, three_phase=True)
    with pytest.raises(ValueError, match="warmup_stable_decay: end_value must be a number > 0 wi"):
        jaxdecay.warmup_stable_decay(
            0.1, warmup_steps=1, stable_steps=1, transition_steps=1, shape="exponential"
        )
    with pytest.raises(ValueError, match="infinite_schedule: cooldown_steps and stable_steps must"):
        jaxdecay.infinite_schedule(
            0.1,
            stable_value=0.05,
            end_value=0.01,
            warmup_steps=1,
            cooldown_steps=2**30,
            stable_steps=2**30,
            transition_steps=1,
        )
    tokens = jaxdecay.infinite_schedule(
        0.1,
        stable_value=0.05,
        end_value=0.01,
        warmup_steps=0,
        cooldown_steps=1e12,
        stable_steps=1e12,
        transition_steps=1e12,
    )  # floats may
    assert float(tokens(1.5e12)) == pytest.approx(0.05)


# Compounds, taken apart.


COMPOUNDS = [
    jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=100, power=2.0),
    jaxdecay.warmup_linear(0.1, warmup_steps=10, transition_steps=100, end_value=0.01),
    jaxdecay.warmup_stable_decay(0.1, warmup_steps=10, stable_steps=40, transition_steps=20),
    jaxdecay.warmup_stable_decay(
        0.1,
        warmup_steps=10,
        stable_steps=40,
        transition_steps=20,
        end_value=0.001,
        shape="exponential",
    ),
    jaxdecay.infinite_schedule(
        0.1,
        stable_value=0.05,
        end_value=0.01,
        warmup_steps=10,
        cooldown_steps=20,
        stable_steps=30,
        transition_steps=40,
    ),
    jaxdecay.one_cycle(0.1, transition_steps=100, warmup_fraction=0.3, three_phase=True),
    jaxdecay.slanted_triangular(0.1, transition_steps=100),
]


@pytest.mark.parametrize("schedule", COMPOUNDS, ids=lambda schedule: schedule.family)
def test_compounds_come_apart_into_what_prints_as_plain_numbers(schedule: Schedule) -> None:
    parts = schedule.parts()
    assert parts.family != schedule.family
    assert "Array" not in repr(parts)
    assert eval(repr(parts), dict(vars(jaxdecay))) == parts
    steps = np.arange(0, 130, 7)
    np.testing.assert_allclose(called(parts, steps), called(schedule, steps), rtol=1e-6)
    assert float(schedule(7)) == pytest.approx(float(called(schedule, steps)[1]), rel=1e-6)


def test_a_part_is_replaced() -> None:
    parts = jaxdecay.warmup_cosine(0.1, warmup_steps=10, transition_steps=100).parts()
    slower = parts.replace(schedule=parts.schedule.replace(end_value=0.05), shape="sqrt")
    assert float(slower(1_000)) == pytest.approx(0.05)
    assert float(slower(5)) == pytest.approx(0.1 * (1 - math.sqrt(0.5)), rel=1e-6)
