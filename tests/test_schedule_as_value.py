"""A schedule as a value: compared, printed, pickled, replaced."""

from __future__ import annotations

import json
import math
import operator
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay import Schedule

INVERSE = jaxdecay.inverse_time(0.1, decay_rate=0.5)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"use replace\(init_value=\.\.\.\)"):
        INVERSE.init_value = 1.0
    with pytest.raises(TypeError):
        INVERSE.hyperparameters["init_value"] = 1.0
    with pytest.raises(TypeError):
        INVERSE.options["staircase"] = True
    with pytest.raises(AttributeError):
        INVERSE.decay = None


def test_hyperparameters_and_options_are_attributes() -> None:
    schedule = jaxdecay.exponential(0.1, decay_rate=0.5, transition_steps=10, staircase=True)
    assert (schedule.init_value, schedule.transition_steps) == (0.1, 10)
    assert schedule.end_value is None
    assert schedule.staircase is True
    assert schedule.family == "exponential"
    assert jaxdecay.warmup(schedule, warmup_steps=5).schedule is schedule


def test_replace_checks_and_leaves_the_old_one() -> None:
    changed = INVERSE.replace(decay_rate=0.25, staircase=True)
    assert (changed.decay_rate, changed.staircase) == (0.25, True)
    assert (INVERSE.decay_rate, INVERSE.staircase) == (0.5, False)
    with pytest.raises(ValueError, match="inverse_time: decay_rate must be a number ≥ 0, got -1"):
        INVERSE.replace(decay_rate=-1)


def test_equal_schedules_are_equal_keys() -> None:
    same = jaxdecay.inverse_time(0.1, decay_rate=0.5)
    others = [
        INVERSE.replace(decay_rate=0.25),
        INVERSE.replace(staircase=True),
        jaxdecay.natural_exponential(0.1, decay_rate=0.5),
        jaxdecay.warmup(INVERSE, warmup_steps=1),
    ]
    assert same == INVERSE
    assert hash(same) == hash(INVERSE)
    assert len({INVERSE, same, *others}) == 5
    assert INVERSE not in others
    assert INVERSE != "inverse_time"


def test_repr_shows_what_was_chosen() -> None:
    assert repr(INVERSE) == "inverse_time(init_value=0.1, decay_rate=0.5)"
    nested = jaxdecay.warmup(
        jaxdecay.join([INVERSE, 0.5], lengths=[3, 4]), warmup_steps=5, first_step="one_over_w"
    )
    assert repr(nested) == (
        "warmup(schedule=join(schedules=[inverse_time(init_value=0.1, decay_rate=0.5), 0.5], "
        "lengths=[3, 4]), warmup_steps=5, first_step='one_over_w')"
    )


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, jnp.float32, np.array])
def test_numbers_of_any_type_are_hyperparameters(kind: Any) -> None:
    schedule = jaxdecay.linear(kind(0.5), end_value=kind(0.25), transition_steps=kind(4.0))
    assert float(schedule(2)) == 0.375
    again = Schedule.from_dict(json.loads(json.dumps(schedule.to_dict())))
    assert float(again(2)) == 0.375
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_key_paths_are_names() -> None:
    schedule = jaxdecay.warmup(jaxdecay.join([INVERSE], lengths=[3]), warmup_steps=5)
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(schedule)]
    assert [jax.tree_util.keystr(path) for path in paths] == [
        ".schedule.schedules[0].init_value",
        ".schedule.schedules[0].decay_rate",
        ".schedule.schedules[0].transition_steps",
        ".schedule.schedules[0].power",
        ".schedule.lengths",
        ".warmup_steps",
        ".init_value",
    ]


def test_unflattening_never_checks() -> None:
    assert jax.tree.map(lambda leaf: -1.0, INVERSE).init_value == -1.0
    assert jax.tree.map(lambda leaf: None, INVERSE).init_value is None


def test_traced_values_are_not_checked() -> None:
    got = jax.jit(lambda rate: jaxdecay.linear(rate, end_value=0.0, transition_steps=10)(0))(-0.5)
    assert float(got) == -0.5


def test_arithmetic() -> None:
    line = jaxdecay.linear(1.0, end_value=0.0, transition_steps=10)
    numbers = (2, 2.0, np.float32(2), np.float64(2), np.array(2.0), jnp.array(2.0))
    for two in numbers:
        assert float((line * two)(5)) == float((two * line)(5)) == 1.0, repr(two)
        assert float((line + two)(5)) == float((two + line)(5)) == 2.5, repr(two)
        assert isinstance(two * line, Schedule)
    assert float((line * line)(5)) == 0.25
    assert float((line + line * line)(5)) == 0.75
    assert float(jaxdecay.add(1.0, second=2.0)(5)) == 3.0
    assert float(jaxdecay.multiply(4.0, second=line)(5)) == 2.0


@pytest.mark.parametrize("combine", [operator.add, operator.mul])
@pytest.mark.parametrize("other", ["2", None, math.nan, len])
def test_arithmetic_with_what_is_no_number(combine: Any, other: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        combine(INVERSE, other)


def test_a_traced_factor() -> None:
    assert float(jax.jit(lambda factor: (INVERSE * factor)(0))(2.0)) == pytest.approx(0.2)
    assert float(jax.grad(lambda factor: (factor * INVERSE)(0))(2.0)) == pytest.approx(0.1)
