"""The core: what schedules refuse, and what they can do besides giving a value."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from case import Case
from cases import one_of_each_kind
from jax.typing import ArrayLike
from references import LAST_STEP

import jaxdecay
from jaxdecay import Schedule, ScheduleLike
from jaxdecay.domain import (
    Positive,
    PositiveSteps,
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
    message = "constant takes one positional argument, value, got 2; leave out the others"
    with pytest.raises(TypeError, match=message):
        jaxdecay.constant(0.1, 0.2)


@pytest.mark.parametrize("case", one_of_each_kind(), ids=lambda case: case.name)
def test_one_argument_has_a_position_and_all_others_a_name(case: Case) -> None:
    schedule = case.schedule
    values = {**schedule.hyperparameters, **schedule.options}
    first, *others = values
    family = jaxdecay.family(schedule.family)
    assert family(values[first], **{name: values[name] for name in others}) == schedule
    named = f"pass by name: {', '.join(others)}" if others else "leave out the others"
    for surplus in range(1, max(2, len(values))):
        given = [*values.values(), 0.1][: 1 + surplus]
        rest = {name: values[name] for name in others[surplus:]}
        with pytest.raises(TypeError) as caught:
            family(*given, **rest)
        assert str(caught.value) == (
            f"{schedule.family} takes one positional argument, {first}, got {1 + surplus}; {named}"
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
    with pytest.raises(TypeError, match=r"stars: each parameter needs a name, got \*rates"):
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
