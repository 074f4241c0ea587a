"""The core: what schedules refuse, and what they can do besides giving a value."""

from __future__ import annotations

import copy
import json
import math
import operator
import pickle
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import drawn
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from annotated_types import Ge, Interval, Le
from cases import Case, one_of_each_kind
from hypothesis import strategies
from jax.typing import ArrayLike
from references import LAST_STEP
from rows import called

import jaxdecay
from jaxdecay import Schedule, ScheduleLike, value_at
from jaxdecay.definition import NamedDecay
from jaxdecay.domain import (
    Boundaries,
    Domain,
    Factor,
    Positive,
    PositiveSteps,
    Real,
    Search,
    Steps,
    Values,
)

INVERSE = jaxdecay.inverse_time(0.1, decay_rate=0.5)


@pytest.fixture
def hyperbola() -> Iterator[Any]:
    @jaxdecay.decay
    def hyperbola(
        step: ArrayLike,
        init_value: Positive,
        *,
        half_life: PositiveSteps = 100,
        shape: Literal["plain", "squared"] = "plain",
    ) -> Any:
        value = init_value * half_life / (half_life + step)
        return value**2 if shape == "squared" else value

    yield hyperbola
    del jaxdecay.families["hyperbola"]


# Errors.


@pytest.mark.parametrize(
    ("family", "hyperparameters", "words"),
    [
        ("inverse_time", {"init_value": -0.1, "decay_rate": 0.5}, ["init_value", "-0.1", "> 0"]),
        ("inverse_time", {"init_value": 0.1, "decay_rate": -1}, ["decay_rate", "-1", "≥ 0"]),
        (
            "linear",
            {"init_value": 0.1, "end_value": 0.0, "transition_steps": 2**31},
            ["transition_steps", "2147483648", "≥ 0 and ≤ 2³¹−1"],
        ),
        (
            "piecewise_constant",
            {"values": [0.1, -0.2], "boundaries": [1]},
            ["values", "-0.2", "numbers ≥ 0"],
        ),
        ("exponential", {"init_value": 0.1, "decay_rate": 0.0}, ["decay_rate", "0.0", "> 0"]),
        ("step_decay", {"init_value": 1.0, "decay_rate": 0.5, "transition_steps": 0}, ["> 0"]),
        ("warmup", {"schedule": 0.1, "warmup_steps": -1}, ["warmup_steps", "-1", "≥ 0"]),
        ("scale", {"schedule": 0.1, "factor": -2.0}, ["factor", "-2.0", "≥ 0"]),
    ],
)
def test_a_value_outside_its_range(
    family: str, hyperparameters: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError, match=f"^{family}: ") as caught:
        jaxdecay.family(family)(**hyperparameters)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, "0.1", None, True, 1j, {}])
def test_what_is_not_a_finite_number(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"inverse_time: init_value must be a number > 0, got"):
        jaxdecay.inverse_time(bad, decay_rate=0.5)


@pytest.mark.parametrize("bad", [np.bool_(True), np.nan, np.float32(np.inf), jnp.array(jnp.nan)])
def test_what_is_not_a_finite_number_in_an_array(bad: Any) -> None:
    with pytest.raises(ValueError, match="constant: value must be"):
        jaxdecay.constant(bad)


@pytest.mark.parametrize("bad", [math.nan, "fast", None, True, abs, object()])
def test_what_is_not_a_schedule(bad: Any) -> None:
    with pytest.raises(ValueError, match="warmup: schedule must be a jaxdecay schedule or a numb"):
        jaxdecay.warmup(bad, warmup_steps=10)
    with pytest.raises(ValueError, match=r"join: schedules\[1\] must be a jaxdecay schedule"):
        jaxdecay.join([0.1, bad], lengths=[1, 2])


@pytest.mark.parametrize("option", ["yes", 1, None, "on", [True], np.array([True])])
def test_what_is_not_an_option(option: Any) -> None:
    with pytest.raises(ValueError, match="staircase must be False or True, got"):
        jaxdecay.exponential(0.1, decay_rate=0.5, transition_steps=10, staircase=option)


def test_an_unknown_option_names_the_known() -> None:
    with pytest.raises(ValueError, match="warmup: first_step must be 'init' or 'one_over_w', got"):
        jaxdecay.warmup(0.1, warmup_steps=10, first_step="zero")


def test_numpy_bools_are_options() -> None:
    schedule = jaxdecay.exponential(
        0.1, decay_rate=0.5, transition_steps=10, staircase=np.bool_(True)
    )
    assert schedule.staircase is True


def test_unknown_hyperparameters_name_the_nearest() -> None:
    for make in (
        lambda: jaxdecay.linear(0.1, end_value=0.0, transition_step=10),
        lambda: jaxdecay.linear(0.1, end_value=0.0, transition_steps=10).replace(transition_step=5),
    ):
        with pytest.raises(TypeError, match="linear has no hyperparameter 'transition_step'") as e:
            make()
        assert "did you mean 'transition_steps'?" in str(e.value)
        assert "it takes init_value, end_value, transition_steps" in str(e.value)
    with pytest.raises(AttributeError, match="did you mean 'decay_rate'"):
        _ = INVERSE.decay_rat


def test_missing_and_surplus_hyperparameters() -> None:
    with pytest.raises(TypeError, match="linear: missing a required argument: 'transition_steps'"):
        jaxdecay.linear(0.1, end_value=0.0)
    message = "constant takes one positional argument, value, but 2 were given; and no other"
    with pytest.raises(TypeError, match=message):
        jaxdecay.constant(0.1, 0.2)


@pytest.mark.parametrize("case", one_of_each_kind(), ids=lambda case: case.name)
def test_one_argument_has_a_position_and_all_others_a_name(case: Case) -> None:
    schedule = case.schedule
    values = {**schedule.hyperparameters, **schedule.options}
    first, *others = values
    family = jaxdecay.family(schedule.family)
    assert family(values[first], **{name: values[name] for name in others}) == schedule
    named = f"give the others by name: {', '.join(others)}" if others else "and no other"
    for surplus in range(1, max(2, len(values))):
        given = [*values.values(), 0.1][: 1 + surplus]
        rest = {name: values[name] for name in others[surplus:]}
        with pytest.raises(TypeError) as caught:
            family(*given, **rest)
        assert str(caught.value) == (
            f"{schedule.family} takes one positional argument, {first}, but {1 + surplus} were "
            f"given; {named}"
        )


A_WAVE = jaxdecay.cosine(0.1, transition_steps=100)

OF_OTHERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "optax.constant_schedule and a step": (jaxdecay.constant, (0.1, 0)),
    "optax.linear_schedule": (jaxdecay.linear, (0.1, 0.0, 1000)),
    "optax.polynomial_schedule": (jaxdecay.polynomial, (0.1, 0.0, 2.0, 1000)),
    "optax.exponential_decay": (jaxdecay.exponential, (0.1, 1000, 0.96)),
    "optax.cosine_decay_schedule": (jaxdecay.cosine, (0.1, 1000, 0.1)),
    "optax.warmup_cosine_decay_schedule": (jaxdecay.warmup_cosine, (1e-6, 0.1, 100, 1000)),
    "optax.warmup_constant_schedule": (jaxdecay.warmup, (0.0, 0.1, 100)),
    "optax.cosine_onecycle_schedule": (jaxdecay.one_cycle, (1000, 0.1)),
    "optax.piecewise_constant_schedule": (jaxdecay.piecewise_constant, (0.1, {100: 0.5})),
    "optax.join_schedules": (jaxdecay.join, ([0.1, A_WAVE, 0.01], [100, 200])),
    "keras ExponentialDecay": (jaxdecay.exponential, (0.1, 1000, 0.96, True)),
    "keras PolynomialDecay": (jaxdecay.polynomial, (0.1, 1000, 0.001, 2.0)),
    "keras InverseTimeDecay": (jaxdecay.inverse_time, (0.1, 1000, 0.5)),
    "keras PiecewiseConstantDecay": (jaxdecay.piecewise_constant, ([100, 200], [1.0, 0.5, 0.1])),
    "keras CosineDecay": (jaxdecay.cosine, (0.1, 1000, 0.0)),
    "keras CosineDecayRestarts": (jaxdecay.cosine_restarts, (0.1, 100, 2.0, 0.9)),
    "torch StepLR": (jaxdecay.step_decay, (0.1, 30, 0.1)),
    "torch MultiStepLR": (jaxdecay.multi_step, (0.1, [30, 80], 0.1)),
    "torch ExponentialLR": (jaxdecay.exponential, (0.1, 0.9)),
    "torch LinearLR": (jaxdecay.linear, (0.1, 1.0, 0.1, 5)),
    "torch PolynomialLR": (jaxdecay.polynomial, (0.1, 5, 1.0)),
    "torch CosineAnnealingLR": (jaxdecay.cosine, (0.1, 50, 0.0)),
    "torch CosineAnnealingWarmRestarts": (jaxdecay.cosine_restarts, (0.1, 10, 2)),
    "torch CyclicLR": (jaxdecay.cyclic, (0.001, 0.1, 2000)),
    "torch OneCycleLR": (jaxdecay.one_cycle, (0.1, 1000)),
    "torch ReduceLROnPlateau": (jaxdecay.reduce_on_plateau, (0.1, "min", 0.1, 10)),
}
"""Calls in the positional order of other libraries, which mean something else to them."""


@pytest.mark.parametrize("theirs", OF_OTHERS)
def test_the_positional_order_of_other_libraries_is_refused(theirs: str) -> None:
    family, arguments = OF_OTHERS[theirs]
    with pytest.raises(TypeError, match="takes one positional argument") as caught:
        family(*arguments)
    for name in family.decay.parameters:
        assert name in str(caught.value)


def test_unknown_families_name_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown family 'cosin' .did you mean 'cosine'"):
        jaxdecay.family("cosin")
    with pytest.raises(ValueError, match="unknown family 'cosin'"):
        Schedule.from_dict({"family": "cosin"})


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"init_value": 0.1},
        {"family": None},
        {"family": ["linear"]},
        {"family": "linear"},
        {"family": "constant", "value": 0.1, "valu": 0.2},
        {"family": "constant", "value": "0.1"},
        {"family": "constant", "value": None},
        {"family": "warmup", "schedule": {"family": "nothing"}, "warmup_steps": 1},
        {"family": "exponential", "init_value": 0.1, "decay_rate": 0.5, "staircase": 1},
    ],
)
def test_files_that_are_wrong(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"family|constant|linear|exponential"):
        Schedule.from_dict(data)


def test_vectors_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="got 2 values and 2 boundaries"):
        jaxdecay.piecewise_constant([0.1, 0.2], boundaries=[1, 2])
    with pytest.raises(ValueError, match="got 1 schedules and lengths of shape"):
        jaxdecay.join([0.1], lengths=[1, 2])
    with pytest.raises(ValueError, match="at least one schedule, got none"):
        jaxdecay.join([], lengths=[])
    with pytest.raises(ValueError, match="sum to at most 2147483647"):
        jaxdecay.join([0.1, 0.2], lengths=[LAST_STEP, 1])
    with pytest.raises(ValueError, match="schedules must be a sequence of schedules"):
        jaxdecay.join(INVERSE, lengths=[1])


@pytest.mark.parametrize(
    "stacked",
    [
        jaxdecay.linear(np.array([0.1, 0.2]), end_value=0.0, transition_steps=10),
        jaxdecay.warmup(jaxdecay.constant(np.array([0.1, 0.2])), warmup_steps=10),
        jaxdecay.warmup(np.array([0.1, 0.2]), warmup_steps=10),
        jaxdecay.piecewise_constant(np.ones((3, 2)), boundaries=np.ones((3, 1))),
        jaxdecay.join([0.1, 0.2], lengths=np.ones((2, 2))),
    ],
    ids=lambda schedule: schedule.family,
)
def test_a_stacked_schedule_is_not_called_by_accident(stacked: Schedule) -> None:
    for call in (stacked, jax.jit(stacked), lambda step: jax.vmap(stacked)(jnp.arange(2))):
        with pytest.raises(ValueError, match=r"jax\.vmap\(lambda schedule: schedule\(step\)\)"):
            call(3)


def test_a_stacked_schedule_is_mapped() -> None:
    stacked = jaxdecay.linear(
        np.array([0.5, 0.25]), end_value=np.zeros(2), transition_steps=np.array([10, 10])
    )
    got = jax.vmap(lambda schedule: schedule(5))(stacked)
    assert got.tolist() == [0.25, 0.125]


def test_a_decay_gives_one_value() -> None:
    @jaxdecay.decay
    def pair(step: ArrayLike, init_value: Positive) -> Any:
        return jnp.stack([init_value, init_value])

    try:
        with pytest.raises(ValueError, match=r"pair: one step must give one value.*shape \(2,\)"):
            pair(0.1)(0)
    finally:
        del jaxdecay.families["pair"]


# As a value.


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


# Decays that users make.


@pytest.mark.usefixtures("relaxed_promotion")  # a user's own code, which mixes types
def test_a_decay_of_a_user_is_like_ours(hyperbola: Any) -> None:
    schedule = hyperbola(0.5, half_life=100)
    assert float(schedule(100)) == float(jax.jit(schedule)(100)) == 0.25
    assert repr(schedule) == "hyperbola(init_value=0.5)"
    assert jaxdecay.family("hyperbola") is hyperbola
    assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule
    assert copy.deepcopy(schedule) == schedule
    population = jaxdecay.grid(hyperbola, init_value=[0.5, 1.0], shape=["plain", "squared"])
    assert population(100).tolist() == [0.25, 0.0625, 0.5, 0.25]
    assert jax.grad(lambda rate: hyperbola(rate)(100))(0.5) == 0.5
    with pytest.raises(ValueError, match="hyperbola: shape must be 'plain' or 'squared', got 1"):
        hyperbola(0.5, shape=1)
    assert float(jaxdecay.warmup(schedule, warmup_steps=10)(110)) == 0.25


def test_a_decay_without_hyperparameters() -> None:
    @jaxdecay.decay
    def harmonic(step: ArrayLike) -> Any:
        return 1 / (1 + jnp.asarray(step, float))

    try:
        assert harmonic()([0, 1, 3]).tolist() == [1.0, 0.5, 0.25]
        assert jax.jit(harmonic())(1) == 0.5
    finally:
        del jaxdecay.families["harmonic"]


def test_two_modules_cannot_share_a_family(hyperbola: Any) -> None:
    def linear(step: ArrayLike) -> Any:
        return step

    with pytest.raises(ValueError, match=r"'linear' exists already, in jaxdecay\.decays"):
        jaxdecay.decay(linear)
    assert jaxdecay.family("linear") is jaxdecay.linear
    again = jaxdecay.decay(hyperbola.decay.function)  # a cell that is run again
    assert jaxdecay.family("hyperbola") is again


def test_parameters_are_read_from_annotations() -> None:
    parameters = jaxdecay.warmup.decay.parameters
    assert [parameters[name].kind for name in parameters] == [
        *("schedule", "number", "number", "option", "option")
    ]
    assert jaxdecay.join.decay.parameters["schedules"].kind == "schedules"
    assert parameters["first_step"].choices == ("init", "one_over_w")
    assert jaxdecay.exponential.decay.parameters["end_value"].domain.limits() == "≥ 0"
    assert not parameters["init_value"].required
    assert parameters["warmup_steps"].required


@pytest.mark.parametrize("star", ["*rates", "**rates"])
def test_a_decay_names_its_parameters(star: str) -> None:
    made: dict[str, Any] = {}
    exec(f"def stars(step, {star}): return step", made)
    with pytest.raises(TypeError, match=r"stars: a decay names its parameters, \*rates"):
        jaxdecay.decay(made["stars"])


def test_a_schedule_in_an_annotation() -> None:
    @jaxdecay.decay
    def half(step: ArrayLike, schedule: ScheduleLike, *, other: Schedule | None = None) -> Any:
        return schedule(step) / 2

    try:
        assert float(half(jaxdecay.constant(0.5))(0)) == 0.25
        assert half.decay.parameters["schedule"].kind == "schedule"
    finally:
        del jaxdecay.families["half"]


# Domains.


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
        (without_step, "the first parameter of a decay is its step"),
        (without_names, "a decay names its parameters"),
        (by_position, "must be allowed by name"),
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
    with pytest.raises(TypeError, match="a step is a real number"):
        jaxdecay.linear(1.0, end_value=0.0, transition_steps=10)(step)


def test_too_deep_a_nest_is_refused() -> None:
    data: dict[str, Any] = {"family": "constant", "value": 0.1}
    for _ in range(3_000):
        data = {"family": "hold", "schedule": data, "begin": 1}
    with pytest.raises(ValueError, match="nested too deeply"):
        Schedule.from_dict(data)


@pytest.mark.parametrize("data", ["cosine", None, [1], {}])
def test_what_is_no_dictionary_with_a_family_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="needs a dictionary with a family"):
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
        (lambda: jaxdecay.cosine(0.1, transition_steps=2**40), "so large a count must be a float"),
    ],
)
def test_numbers_that_do_not_fit_each_other(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_an_end_on_the_wrong_side_is_not_judged_when_traced() -> None:
    by_end = jax.jit(lambda end: jaxdecay.exponential(0.1, decay_rate=0.9, end_value=end)(3))
    assert float(by_end(0.5)) == 0.5  # the floor
    by_rate = jax.jit(lambda rate: jaxdecay.exponential(0.1, decay_rate=rate, end_value=0.5)(3))
    assert float(by_rate(0.9)) == 0.5
