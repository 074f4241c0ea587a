"""The seven laws that every schedule obeys, over every schedule of `cases.CASES`."""

from __future__ import annotations

import copy
import json
import pickle
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    CASES,
    LAST_STEP,
    Case,
    beyond_the_first,
    kinds,
    one_of_each_family,
    one_of_each_kind,
    structures,
)
from rows import errors, leaf_names, values_at

import jaxdecay
from jaxdecay import Population, Schedule, value_at
from jaxdecay.domain import Positive
from jaxdecay.pairs import Pair
from jaxdecay.schedules_file import read_schedules

FAMILIES = [case.schedule.family for case in one_of_each_family()]
SHAPE = (8, 8)
"""Of arrays of steps, so that eager calls are compiled once for all laws."""

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_family = pytest.mark.parametrize("case", one_of_each_family(), ids=lambda case: case.name)
every_kind = pytest.mark.parametrize("case", kinds())
every_structure = pytest.mark.parametrize("cases", structures())


def some_steps(case: Case, number: int) -> np.ndarray:
    """A fixed number of a case's steps, so that eager operations are compiled for one shape."""
    generator = np.random.default_rng(7)
    steps = [0, *case.boundaries()[:20], LAST_STEP]
    return np.array([*steps, *generator.choice(case.steps(), number - len(steps))], np.int32)


def values(schedule: Callable[[Any], Any], steps: Any) -> np.ndarray:
    return np.asarray(value_at(schedule, steps), np.float64)


def with_leaf(schedule: Schedule, index: int, leaf: Any) -> Schedule:
    leaves, structure = jax.tree.flatten(schedule)
    return structure.unflatten([*leaves[:index], leaf, *leaves[index + 1 :]])


def leaf_cases(cases: list[Case]) -> Iterator[Any]:
    for case in cases:
        for index, name in enumerate(leaf_names(case.schedule)):
            marks = beyond_the_first(case)
            yield pytest.param(case, index, id=f"{case.name} by {name}", marks=marks)


def test_every_family_has_a_case() -> None:
    ours = {
        name for name, each in jaxdecay.families.items() if each.__module__.startswith("jaxdecay.")
    }
    assert ours == {case.schedule.family for case in CASES}


def test_every_option_has_a_case() -> None:
    options = {
        (family, name, choice)
        for family, each in jaxdecay.families.items()
        if each.__module__.startswith("jaxdecay.")
        for name, parameter in each.decay.parameters.items()
        for choice in parameter.choices
    }
    covered = {
        (case.schedule.family, *item) for case in CASES for item in case.schedule.options.items()
    }
    assert options <= covered


# Law 1: any step, one float of the same shape.

INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32)
FLOATS = (np.float16, np.float32, np.float64)
ALL_TYPES = (*INTEGERS, *FLOATS, jnp.int32, jnp.float32, jnp.uint8)


@every_family
@pytest.mark.parametrize(
    "types",
    [(np.int8, np.uint32, np.float16), pytest.param(ALL_TYPES, marks=pytest.mark.slow)],
    ids=["some", "all"],
)
def test_takes_a_step_of_any_type(case: Case, types: tuple[Any, ...]) -> None:
    expected = values(case.schedule, 7)
    for step in [7, 7.0, *(kind(7) for kind in types)]:
        value = value_at(case.schedule, step)
        assert isinstance(value, jax.Array), repr(step)
        assert (value.shape, value.dtype) == ((), jnp.float32), repr(step)
        strong = hasattr(step, "dtype") and jnp.issubdtype(step.dtype, jnp.floating)
        assert value.weak_type != strong, repr(step)
        np.testing.assert_allclose(values(case.schedule, step), expected, rtol=1e-6)


@every_kind
def test_takes_traced_steps_of_any_type(case: Case) -> None:
    for kind in (*INTEGERS, *FLOATS, jnp.bfloat16):
        value = jax.eval_shape(value_at, case.schedule, jnp.asarray(kind(7)))
        assert (value.shape, value.dtype) == ((), jnp.float32), kind
    assert jax.eval_shape(value_at, case.schedule, jnp.zeros((2, 3), int)).shape == (2, 3)


@every_kind
def test_takes_arrays_of_steps(case: Case) -> None:
    one_by_one = [values(case.schedule, step) for step in range(6)]
    value = value_at(case.schedule, np.arange(64).reshape(SHAPE))
    assert (value.shape, value.dtype) == (SHAPE, jnp.float32)
    np.testing.assert_allclose(np.ravel(value)[:6], one_by_one, rtol=case.tolerance)


@every_kind
def test_counts_a_negative_step_as_0(case: Case) -> None:
    steps = np.resize(np.array([-1, -5, -(2**31), 0], np.int32), SHAPE)
    first = values(case.schedule, steps)
    assert np.all(first == first[0, 3])


@every_family
def test_counts_a_negative_step_of_any_type_as_0(case: Case) -> None:
    first = values(case.schedule, 0)
    assert values(case.schedule, np.int8(-1)) == first
    assert values(case.schedule, -0.5) == values(case.schedule, 0.0)


def test_takes_steps_beyond_int32_of_unsigned_type() -> None:
    schedule = jaxdecay.linear(1.0, end_value=0.25, transition_steps=100)
    assert float(schedule(np.uint32(2**32 - 1))) == 0.25


def test_takes_no_steps_at_all() -> None:
    assert jaxdecay.linear(1.0, end_value=0.25, transition_steps=100)(
        np.zeros((0, 3), np.int32)
    ).shape == (0, 3)


@every_structure
def test_is_double_where_x64_is_on(cases: list[Case]) -> None:
    with jax.enable_x64(True):
        for case in cases[:2]:
            steps = some_steps(case, 64)
            expected = np.array([case.reference(int(step)) for step in steps])
            value = value_at(_at_float32(case.schedule), steps)
            assert value.dtype == jnp.float64
            assert np.max(errors(np.asarray(value), expected)) < 1e-11, case.name


def _at_float32(schedule: Any) -> Any:
    """A schedule as float32 holds it, in double; integers, and pairs of floats, as they are."""

    def rounded(leaf: Any) -> Any:
        kept = isinstance(leaf, Pair) or np.issubdtype(np.asarray(leaf).dtype, np.integer)
        return leaf if kept else np.float32(leaf).astype(np.float64)

    return jax.tree.map(rounded, schedule, is_leaf=lambda each: isinstance(each, Pair))


# Law 2: eager, compiled, mapped and stacked agree.


@every_structure
def test_every_way_to_call_it_agrees(cases: list[Case]) -> None:
    case, schedule = cases[0], cases[0].schedule
    steps = some_steps(case, 64)
    population = jaxdecay.stack([schedule, schedule])

    @jax.jit
    def ways(population: Any, steps: Any) -> dict[str, Any]:
        return {
            "jit and vmap of vmap, of constants": jnp.ravel(
                jax.vmap(jax.vmap(lambda step: value_at(schedule, step)))(steps.reshape(SHAPE))
            ),
            "population": population(steps)[1],
        }

    eager = values(schedule, steps.reshape(SHAPE)).ravel()
    for way, value in ways(population, steps).items():
        assert np.max(errors(np.asarray(value, np.float64), eager)) <= case.tolerance, way
    for case in cases[1:]:  # other numbers, without another compilation of the eager operations
        steps = some_steps(case, 64)
        eager = values(case.schedule, steps.reshape(SHAPE)).ravel()
        compiled = values_at(case.schedule, steps)
        assert np.max(errors(compiled, eager)) <= case.tolerance, case.name


@pytest.mark.parametrize(("case", "index"), list(leaf_cases(one_of_each_kind())))
def test_each_hyperparameter_can_be_traced_alone(case: Case, index: int) -> None:
    leaf = np.asarray(jax.tree.leaves(case.schedule)[index])

    def value(leaf: Any) -> Any:
        return value_at(with_leaf(case.schedule, index, leaf), 7)

    if np.issubdtype(leaf.dtype, np.integer):
        assert jax.eval_shape(jax.vmap(value), np.stack([leaf, leaf])).shape == (2,)
        leaf = leaf.astype(np.float32)
    mapped = jax.vmap(jax.value_and_grad(value))
    values, slopes = jax.eval_shape(mapped, np.stack([leaf, leaf]))
    assert (values.shape, slopes.shape) == ((2,), (2, *leaf.shape))


# Law 3 is in test_ends.py.
# Law 4: values are those of the formula. Law 5, of gradients, is in test_gradients.py.


@pytest.mark.parametrize("family", FAMILIES)
def test_values_are_those_of_the_formula(family: str) -> None:
    worst = (0.0, "")
    for case in CASES:
        if case.schedule.family == family:
            steps = case.steps()
            expected = np.array([case.reference(step) for step in steps])
            got = values_at(case.schedule, steps)
            error = errors(got, expected)
            at = int(np.argmax(error))
            where = f"{case.name} at step {steps[at]}: {got[at]!r}, exactly {expected[at]!r}"
            assert error[at] <= case.tolerance, f"{error[at]:.1e}, {where}"
            worst = max(worst, (error[at], where))
    print(f"{family}: worst error {worst[0]:.1e} ({worst[1]})")


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("piecewise_constant", [0.5, 0.5, 0.25, 0.25, 0.125]),
        ("piecewise_linear", [0.5, 0.5, 0.5, 0.25, 0.25]),
    ],
)
def test_boundaries_that_are_unsorted(family: str, expected: list[float]) -> None:
    values, boundaries = [0.5, 0.25, 0.125], np.array([20, 10])
    if family == "piecewise_linear":
        values, boundaries = values[:2], boundaries
    decay = jaxdecay.family(family)
    with pytest.raises(ValueError, match=f"{family}: boundaries"):
        decay(values, boundaries=boundaries)
    steps = np.array([0, 9, 10, 20, 30])
    traced = jax.jit(lambda boundaries: decay(values, boundaries=boundaries)(steps))
    if family == "piecewise_constant":
        expected = [0.5, 0.5, 0.25, 0.125, 0.125]
    assert traced(boundaries).tolist() == expected


# Law 6: one trace for all the numbers.


class Counted:
    """A compiled call of a schedule or population that counts how often it is traced."""

    def __init__(self) -> None:
        self.traces = 0
        self.call = jax.jit(self._call)

    def _call(self, schedule: Any, step: Any) -> Any:
        self.traces += 1
        return schedule(step) if isinstance(schedule, Population) else value_at(schedule, step)


def other_numbers(schedule: Any, by: int) -> Any:
    """The same schedule with other numbers of the same types."""

    def change(leaf: Any) -> Any:
        other = np.minimum(leaf, LAST_STEP - by) + by if np.ndim(leaf) else min(leaf, 10**9) + by
        return other.astype(leaf.dtype) if np.ndim(leaf) else type(leaf)(other)

    return jax.tree.map(change, schedule)


@every_structure
def test_other_numbers_cost_no_trace(cases: list[Case]) -> None:
    counted = Counted()
    for by in range(3):
        counted.call.eval_shape(other_numbers(cases[0].schedule, by), by)
    assert counted.traces == 1


def test_the_count_of_traces_sees_them() -> None:
    counted = Counted()
    for schedule in (jaxdecay.constant(0.1), jaxdecay.warmup(0.1, warmup_steps=10)):
        counted.call.eval_shape(schedule, 3)
        counted.call(schedule, 3)
    assert counted.traces == 2


def test_integers_in_place_of_floats_cost_no_trace() -> None:
    counted = Counted()
    linear = jaxdecay.linear
    for init_value, end_value, steps in ((0.1, 0.0, 10), (1, 0, 10), (1, 0.5, 20)):
        counted.call(linear(init_value, end_value=end_value, transition_steps=steps), 3)
    for schedule in (
        jaxdecay.warmup(0.5, warmup_steps=10, init_value=0.1),
        jaxdecay.warmup(1, warmup_steps=10, init_value=0),
    ):
        counted.call(schedule, 3)
    assert counted.traces == 2


@every_family
def test_a_population_costs_one_trace(case: Case) -> None:
    counted = Counted()
    for by in range(3):
        members = [other_numbers(case.schedule, by + row) for row in range(50)]
        value = counted.call(jaxdecay.stack(members), by)
        assert value.shape == (50,)
    assert counted.traces == 1


def test_a_mixed_population_traces_each_family_once() -> None:
    traced = []

    @jaxdecay.decay
    def remembered(step: Any, init_value: Positive) -> Any:
        traced.append(step)
        return init_value / (1 + step.astype(float))

    try:
        rates = np.linspace(0.1, 1.0, 100)
        lines = jaxdecay.grid(jaxdecay.linear, init_value=rates, end_value=0.0, transition_steps=3)
        population = jaxdecay.concat(lines, jaxdecay.grid(remembered, init_value=rates))
        call = jax.jit(lambda population, step: population(step))
        for by in range(3):
            call(other_numbers(population, by), by)
        assert len(traced) == 1
    finally:
        del jaxdecay.families["remembered"]


# Law 7: it survives every journey.


def test_some_cases_are_nested_three_deep() -> None:
    def depth(schedule: Any) -> int:
        if isinstance(schedule, tuple):
            return max(map(depth, schedule))
        if not isinstance(schedule, Schedule):
            return 0
        return 1 + max(map(depth, schedule.hyperparameters.values()), default=0)

    assert sum(depth(case.schedule) > 3 for case in CASES) >= 5


@every_case
def test_survives_every_journey(case: Case) -> None:
    leaves, structure = jax.tree.flatten(case.schedule)
    names = leaf_names(case.schedule)
    assert len(leaves) == len(names) == len(set(names))
    text = json.dumps(case.schedule.to_dict(), allow_nan=False)
    for again in (
        structure.unflatten(leaves),
        jax.tree.map(lambda leaf: leaf, case.schedule),
        copy.copy(case.schedule),
        copy.deepcopy(case.schedule),
        *(pickle.loads(pickle.dumps(case.schedule, protocol)) for protocol in range(2, 6)),
        case.schedule.replace(),
        eval(repr(case.schedule), dict(vars(jaxdecay))),
        Schedule.from_dict(json.loads(text)),
        Schedule.from_dict(tomllib.loads(toml({"schedule": case.schedule.to_dict()}))["schedule"]),
    ):
        assert again == case.schedule
        assert repr(again) == repr(case.schedule)
        assert jax.tree.structure(again) == structure
    assert structure.unflatten([None] * len(leaves)) != case.schedule or not leaves


def test_survives_a_schedules_file(tmp_path: Path) -> None:
    path = tmp_path / "schedules.toml"
    tables = [toml(case.schedule.to_dict()) for case in CASES]
    path.write_text("".join(f"[[schedule]]\n{table}\n" for table in tables))
    assert list(read_schedules(path)) == [case.schedule for case in CASES]


def toml(table: Mapping[str, Any]) -> str:
    """A table in TOML, the tables in it inline."""
    return "".join(f"{name} = {_inline(value)}\n" for name, value in table.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_inline(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)
