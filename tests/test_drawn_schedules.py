"""Domains of hyperparameters, and properties of schedules that are drawn from them."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Sequence
from typing import Annotated, Any

import drawn
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from annotated_types import Ge, Interval, Le
from case import Case
from cases import one_of_each_kind
from hypothesis import strategies
from jax.typing import ArrayLike
from references import LAST_STEP
from rows import called

import jaxdecay
from jaxdecay import Schedule, value_at
from jaxdecay.definition import NamedDecay
from jaxdecay.domain import (
    Boundaries,
    Domain,
    Factor,
    Positive,
    Real,
    Search,
    Steps,
    Values,
)


def test_domains_are_read_from_annotations() -> None:
    assert Domain.of(Positive).limits() == "> 0"
    assert Domain.of(Steps).limits() == "≥ 0 and ≤ 2³¹−1"
    assert (Domain.of(Steps).count, Domain.of(Positive).count) == (True, False)
    assert (Domain.of(Values).rank, Domain.of(Factor).rank) == (1, 0)
    assert str(Domain.of(Boundaries)) == "numbers ≥ 0 and ≤ 2³¹−1"
    assert str(Domain.of(float)) == str(Domain.of(Real)) == "a number"
    percent = Annotated[ArrayLike, Ge(0), Le(100), Search(1, 100)]
    assert Domain.of(percent).limits() == "≥ 0 and ≤ 100"
    assert Domain.of(percent).search == Search(1, 100)


def test_faults_name_the_first_wrong_number() -> None:
    domain = Domain.of(Values)
    assert domain.fault([0.1, -2.0, -3.0]) == "must be numbers ≥ 0, got -2.0"
    assert domain.fault(np.array([0.1, np.nan])) == "must be numbers ≥ 0, got nan"
    assert domain.fault([0.0, 0.1]) is None
    assert Domain.of(Positive).fault(0) == "must be a number > 0, got 0"
    assert Domain.of(Steps).fault(LAST_STEP) is None
    assert Domain.of(Steps).fault(LAST_STEP + 1) is not None


@pytest.mark.parametrize(("low", "high"), [(1e-3, 1.0), (0.5, 0.5)])
def test_draws_are_in_range_on_their_scale(low: float, high: float) -> None:
    drawn = Domain.of(Positive).draw(jax.random.key(3), 2000, low, high)
    assert low <= drawn.min() <= drawn.max() <= high
    middle = math.sqrt(low * high)
    assert np.median(drawn) == pytest.approx(middle, rel=0.3)
    again = Domain.of(Positive).draw(jax.random.key(3), 2000, low, high)
    assert np.array_equal(drawn, again)


def test_draws_of_counts_are_integers() -> None:
    drawn = Domain.of(Steps).draw(jax.random.key(3), 500, 10, 13)
    assert drawn.dtype == np.int64
    assert set(drawn.tolist()) == {10, 11, 12, 13}
    uniform = Domain.of(Real).draw(jax.random.key(3), 2000, -1.0, 1.0)
    assert np.mean(uniform) == pytest.approx(0, abs=0.05)


# Properties: hyperparameters drawn from the declared domains.


drawn_cases = strategies.sampled_from(one_of_each_kind()).flatmap(
    lambda template: drawn.cases(template.reference, wide=True)
)


STEPS = np.array([0, 1, 2, 3, 10, 99, 100, 101, 10**4, 10**6, 10**8, LAST_STEP], np.int32)


@hypothesis.given(drawn_cases)
def test_drawn_schedules_are_finite_and_not_negative(example: Case) -> None:
    exact = np.array([example.reference(int(step)) for step in STEPS])
    fits = exact < 1e38  # a rate above 1 grows past what a float holds
    eager = np.asarray(value_at(example.schedule, STEPS))
    for got in (np.asarray(called(example.schedule, STEPS)), eager):
        assert not np.any(np.isnan(got))
        assert np.all(got >= 0)
        assert np.all(np.isfinite(got[fits]))


@hypothesis.given(drawn_cases)
def test_drawn_schedules_agree_eager_and_compiled(example: Case) -> None:
    eager, compiled = value_at(example.schedule, STEPS), called(example.schedule, STEPS)
    # Powers and exponentials: each unit in the last place of an exponent of up to 88 counts.
    np.testing.assert_allclose(eager, compiled, rtol=2e-5, atol=1e-30)


@hypothesis.given(drawn_cases)
def test_drawn_schedules_survive_every_journey(example: Case) -> None:
    schedule = example.schedule
    assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule
    assert eval(repr(schedule), dict(vars(jaxdecay))) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert copy.deepcopy(schedule) == schedule
    leaves, structure = jax.tree.flatten(schedule)
    assert structure.unflatten(leaves) == schedule


@pytest.mark.parametrize(
    "step", [2**31 + 5, np.int64(2**32 + 3), np.uint64(2**63), np.uint32(2**32 - 1)]
)
def test_steps_past_the_largest_count_as_the_largest(step: Any) -> None:
    schedule = jaxdecay.inverse_time(1.0, decay_rate=1.0)
    np.testing.assert_allclose(schedule(step), 2.0**-31, rtol=1e-6)


def test_a_list_for_a_number_is_refused_with_the_way_to_a_grid() -> None:
    with pytest.raises(ValueError, match=r"linear: init_value must be .*jaxdecay\.grid makes"):
        jaxdecay.linear([0.1, 0.2], end_value=0.0, transition_steps=10)


def test_a_decay_without_hyperparameters_cannot_be_stacked() -> None:
    harmonic = NamedDecay(lambda step: 1.0 / (1 + step))
    with pytest.raises(ValueError, match="no hyperparameters to stack"):
        jaxdecay.stack([harmonic()])


def test_a_sampled_count_stays_within_its_range() -> None:
    key = jax.random.key(0)
    drawn = jaxdecay.sample(jaxdecay.cosine, 50, key, init_value=0.1, transition_steps=(1.2, 3.9))
    assert {schedule.transition_steps for schedule in drawn} == {2, 3}
    with pytest.raises(ValueError, match=r"empty range, \(1.2, 1.4\)"):
        jaxdecay.sample(jaxdecay.cosine, 5, key, init_value=0.1, transition_steps=(1.2, 1.4))


@pytest.mark.parametrize("step", [np.inf, 1e30, np.float32(3e38)])
def test_endless_steps_are_finite(step: Any) -> None:
    schedules = (
        jaxdecay.exponential(0.1, decay_rate=0.5, staircase=True),
        jaxdecay.discrete_staircase(0.1, decrement=0.01),
        jaxdecay.inverse_time(0.1, decay_rate=0.0),
        jaxdecay.natural_exponential(0.1, decay_rate=0.0),
    )
    assert [float(schedule(step)) for schedule in schedules] == [
        0,
        0,
        np.float32(0.1),
        np.float32(0.1),
    ]


def test_a_step_that_is_not_a_number_gives_none() -> None:
    assert np.isnan(jaxdecay.linear(1.0, end_value=0.0, transition_steps=10)(np.nan))


@pytest.mark.parametrize("value", [1e39, np.float64(1e300)])
def test_numbers_past_float32_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="constant: value must be a number ≥ 0"):
        jaxdecay.constant(value)
    with pytest.raises(ValueError, match="inverse_time: init_value must be a number > 0"):
        jaxdecay.inverse_time(1e-50, decay_rate=0.1)  # 0 in float32


def test_a_negative_number_for_a_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"schedule must be a jaxdecay schedule or a number ≥ 0"):
        jaxdecay.warmup(-0.1, warmup_steps=5)
    with pytest.raises(ValueError, match=r"schedules\[1\] must be"):
        jaxdecay.join([0.1, -0.1], lengths=[5, 5])
    with pytest.raises(ValueError, match="must be a jaxdecay schedule"):
        jaxdecay.warmup([0.1, 0.2], warmup_steps=5)


def test_scalars_of_numpy_and_jax_are_kept_as_numbers() -> None:
    schedule = jaxdecay.inverse_time(
        jnp.float32(0.1), decay_rate=np.float16(0.5), transition_steps=np.int64(3)
    )
    assert jax.tree.leaves(schedule) == [float(np.float32(0.1)), 0.5, 3, 1.0]
    assert eval(repr(schedule), {"inverse_time": jaxdecay.inverse_time}) == schedule
    assert Schedule.from_dict(schedule.to_dict()) == schedule


@pytest.mark.parametrize(
    ("values", "boundaries"),
    [([0.1, 0.2], 3), ([[0.1], [0.2]], [3]), ([[1], [2, 3]], [3]), (0.1, [])],
)
def test_vectors_are_vectors(values: Any, boundaries: Any) -> None:
    with pytest.raises(
        ValueError, match=r"piecewise_constant: (values|boundaries) must be numbers ≥ 0"
    ):
        jaxdecay.piecewise_constant(values, boundaries=boundaries)


def test_functions_that_are_no_decays_are_refused() -> None:
    def named(step: Any, family: float) -> Any:
        return family

    def without_step(*, value: float) -> Any:
        return value

    def without_names(step: Any, *values: float) -> Any:
        return values[0]

    def by_position(step: Any, value: float, /) -> Any:
        return value

    def of_numbers(step: Any, values: Sequence[float]) -> Any:
        return values[0]

    for function, message in [
        (named, "cannot be named 'family'"),
        (without_step, "the first parameter of a decay must be its step"),
        (without_names, "each parameter needs a name"),
        (by_position, "must be accepted by name"),
        (of_numbers, "must be annotated with a domain"),
    ]:
        with pytest.raises(TypeError, match=message):
            jaxdecay.decay(function)


def test_marks_in_groups_are_read() -> None:
    domain = Domain.of(Annotated[float, Interval(gt=0, le=1)])
    assert domain.limits() == "> 0 and ≤ 1"
    assert domain.fault(1.5) == "must be a number > 0 and ≤ 1, got 1.5"


def test_a_schedule_cannot_be_emptied() -> None:
    schedule = jaxdecay.constant(0.1)
    with pytest.raises(AttributeError, match="cannot be changed"):
        del schedule.decay
    assert repr(schedule) == "constant(value=0.1)"


def test_numbers_of_numpy_scale_schedules() -> None:
    schedule = jaxdecay.constant(0.1)
    assert np.float64(0.5) * schedule == schedule * 0.5
    assert isinstance(np.array([0.5, 0.6]) * schedule, Schedule)


def test_equal_numbers_make_equal_schedules_whatever_holds_them() -> None:
    for schedule in (
        jaxdecay.interpolate(jnp.array([0.1, 0.2])),
        jaxdecay.multi_step(0.1, decay_rate=0.5, boundaries=np.array([1, 2], np.int8)),
        jax.tree.map(jnp.asarray, jaxdecay.cosine(0.1, transition_steps=100)),
    ):
        again = Schedule.from_dict(json.loads(json.dumps(schedule.to_dict())))
        assert again == schedule
        assert hash(again) == hash(schedule)
    assert jaxdecay.cosine(0.1, transition_steps=100) != jaxdecay.cosine(
        0.1, transition_steps=100.0
    )  # not compiled alike


def test_a_range_is_a_vector() -> None:
    schedule = jaxdecay.piecewise_constant([0.2, 0.1], boundaries=range(10, 11))
    assert Schedule.from_dict(schedule.to_dict()) == schedule
    assert float(schedule(10)) == np.float32(0.1)


def test_a_truth_value_is_no_number_of_a_vector() -> None:
    with pytest.raises(ValueError, match=r"values must be numbers ≥ 0, got \[True, 0.1\]"):
        jaxdecay.piecewise_constant([True, 0.1], boundaries=[10])


@pytest.mark.parametrize("step", [np.array([5 + 3j]), None, "3", {}])
def test_a_step_that_is_no_real_number_is_refused(step: Any) -> None:
    with pytest.raises(TypeError, match="step must be a real number"):
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=10)(step)


def test_too_deep_a_nest_is_refused() -> None:
    data: dict[str, Any] = {"family": "constant", "value": 0.1}
    for _ in range(3_000):
        data = {"family": "hold", "schedule": data, "begin": 1}
    with pytest.raises(ValueError, match="nested too deeply"):
        Schedule.from_dict(data)


@pytest.mark.parametrize("data", ["cosine", None, [1], {}])
def test_what_is_no_dictionary_with_a_family_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="must be a dictionary with the key 'family'"):
        Schedule.from_dict(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: jaxdecay.exponential(0.1, decay_rate=0.9, end_value=0.5),
            "end_value must be at most",
        ),
        (
            lambda: jaxdecay.exponential(0.5, decay_rate=1.1, end_value=0.1),
            "end_value must be at least",
        ),
        (
            lambda: jaxdecay.discrete_staircase(0.1, decrement=0.01, end_value=0.5),
            "must be at most",
        ),
        (
            lambda: jaxdecay.power_law(0.1, power=1.0, transition_steps=10, end_value=0.5),
            "end_value must be at most",
        ),
        (
            lambda: jaxdecay.tanh_decay(
                1.0, end_value=0.0, transition_steps=9, lower=3.0, upper=-6.0
            ),
            "lower must be at most upper",
        ),
        (lambda: jaxdecay.cosine(0.1, transition_steps=2**40), "so large a count as a float"),
    ],
)
def test_numbers_that_do_not_fit_each_other(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("end_value", [0.05, 0.1, 0.2])
def test_a_rate_of_1_has_no_wrong_side(end_value: float) -> None:
    schedule = jaxdecay.exponential(0.1, decay_rate=1.0, end_value=end_value)
    assert float(schedule(3)) == np.float32(0.1)


def test_an_end_on_the_wrong_side_is_not_judged_when_traced() -> None:
    by_end = jax.jit(lambda end: jaxdecay.exponential(0.1, decay_rate=0.9, end_value=end)(3))
    assert float(by_end(0.5)) == 0.5  # the floor
    by_rate = jax.jit(lambda rate: jaxdecay.exponential(0.1, decay_rate=rate, end_value=0.5)(3))
    assert float(by_rate(0.9)) == 0.5
