"""The fifth law: gradients are finite and right, by every float hyperparameter of every family.

Counts of steps are floats here, which have gradients too. Each structure is compiled once; its
cases are compared with the formulas, and so are cases whose numbers are drawn from the domains
that the families declare: few and always the same, or 200 with JAXDECAY_HYPOTHESIS=long.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import drawn
import hypothesis
import jax
import numpy as np
import pytest
from case import Case
from cases import CASES, kinds, one_of_each_kind, representable, structures
from hypothesis import strategies
from rows import (
    TOO_LARGE,
    check_slopes,
    errors,
    leaf_names,
    number_of,
    values_and_slopes,
    with_float_counts,
)

import jaxdecay
from jaxdecay import Schedule, value_at

LONG = os.environ.get("JAXDECAY_HYPOTHESIS") == "long"


@pytest.mark.quick_each(2)
@pytest.mark.parametrize("case", kinds())
def test_gradients_are_finite(case: Case) -> None:
    steps = case.steps(around=20)
    _, slopes = values_and_slopes(case.schedule, steps)
    _are_finite(case, steps, slopes)


def _are_finite(case: Case, steps: list[int], slopes: Mapping[str, np.ndarray]) -> None:
    for name, slope in slopes.items():
        wrong = ~np.isfinite(slope)
        assert not wrong.any(), (case.name, name, np.array(steps)[wrong])


@pytest.mark.parametrize("shape", ["cosine", "polynomial"])
def test_a_root_of_a_fall_that_is_over_has_a_finite_gradient(shape: Any) -> None:
    def value(k: jax.Array) -> jax.Array:
        return jaxdecay.k_decay(
            1.0, end_value=0.1, transition_steps=10, k=k, power=0.5, shape=shape
        )(5)

    assert np.isfinite(jax.grad(value)(0.0))


@pytest.mark.quick_each(2)
@pytest.mark.parametrize("cases", structures(integers=False))
def test_gradients_are_those_of_the_formula(cases: list[Case]) -> None:
    compared: set[str] = set()
    for case in cases:
        # Where counts are floats so is the step, which float32 does not always hold.
        steps = [step for step in case.steps(around=3) if representable(step)]
        _, slopes = values_and_slopes(with_float_counts(case.schedule), steps)
        _are_finite(case, steps, slopes)
        chosen = np.sort(np.random.default_rng(5).permutation(len(steps))[:60])
        some = {name: slope[chosen] for name, slope in slopes.items()}
        compared |= check_slopes(case, [steps[index] for index in chosen], some)
    assert compared == set(slopes), "every step is a corner"
    _compare_drawn(cases[0], eager=LONG or cases[0] in one_of_each_kind())


def _compare_drawn(template: Case, eager: bool) -> None:
    """Other numbers in the same structure, so without another compilation."""
    examples = 200 if LONG else 3
    eager_examples = iter(range(examples if LONG else int(eager)))

    @hypothesis.settings(max_examples=examples)
    @hypothesis.given(strategies.tuples(drawn.cases(template.reference), strategies.randoms()))
    def compare(drawn_case: Any) -> None:
        case, random = drawn_case
        steps, schedule = _some_steps(case, random), with_float_counts(case.schedule)
        values, slopes = values_and_slopes(schedule, steps)
        exact = case.reference.with_float_counts()
        expected = np.array([exact(step) for step in steps])
        # Outside of these, float32 has lost digits of the value or of its gradient.
        usual = [i for i, each in enumerate(np.abs(expected)) if 1e-20 < each < TOO_LARGE]
        assert np.all(errors(values[usual], expected[usual]) <= 3e-5), case.schedule
        if usual:
            some = {name: slope[usual] for name, slope in slopes.items()}
            check_slopes(case, [steps[i] for i in usual], some, tolerance=1e-3)
        if abs(expected[0]) < TOO_LARGE and next(eager_examples, None) is not None:
            _compare_eager(schedule, steps, values, slopes)

    compare()


def _some_steps(case: Case, random: Any) -> list[int]:
    """Steps that float32 holds, most of them where something happens."""
    last = max(100, min(2 * sum(case.reference.counts()), 10**7))
    steps = {int(np.float32(random.randrange(most))) for most in (5, 50, 50, last, last, last)}
    return sorted(steps)


def _compare_eager(
    schedule: Schedule, steps: list[int], values: np.ndarray, slopes: Mapping[str, np.ndarray]
) -> None:
    eager = np.array([value_at(schedule, steps[0])], np.float64)
    assert errors(eager, values[:1])[0] <= 3e-5, schedule
    slope_by_leaf = jax.tree.leaves(
        jax.grad(lambda schedule: value_at(schedule, steps[0]))(schedule)
    )
    for leaf, slope in zip(leaf_names(schedule), slope_by_leaf, strict=True):
        name = number_of(leaf)
        if name is None:
            assert not np.any(slope), leaf
            continue
        names = [key for key in slopes if key == name or key.startswith(f"{name}.")]
        compiled = [slopes[key][0] for key in names]
        unit = abs(values[0]) * 1e-6
        np.testing.assert_allclose(np.ravel(slope), compiled, rtol=1e-3, atol=unit, err_msg=name)


def test_every_hyperparameter_is_differentiated() -> None:
    pairs = {
        (name, parameter.name)
        for name, family in jaxdecay.families.items()
        if family.__module__.startswith("jaxdecay.")
        for parameter in family.decay.parameters.values()
        if parameter.kind == "number"
    }
    covered = {
        (case.schedule.family, name)
        for case in CASES
        for name, value in case.schedule.hyperparameters.items()
        if value is not None
    }
    print(f"{len(covered & pairs)} of {len(pairs)} (family, hyperparameter) pairs")
    assert pairs <= covered
