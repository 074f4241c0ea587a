"""The seven laws that every schedule obeys, over every schedule of `cases.CASES`."""

from __future__ import annotations

import copy
import json
import pickle
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from case import Case
from cases import CASES, one_of_each_family, structures
from references import LAST_STEP
from rows import errors, leaf_names, values_at

import jaxdecay
from jaxdecay import Population, Schedule, value_at
from jaxdecay.domain import Positive
from jaxdecay.schedules_file import read_schedules

FAMILIES = [case.schedule.family for case in one_of_each_family()]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_family = pytest.mark.parametrize("case", one_of_each_family(), ids=lambda case: case.name)
every_structure = pytest.mark.parametrize("cases", structures())


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


# Laws 1 and 2 are in test_calls.py, law 3 is in test_ends.py.
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
