"""The first two laws: a schedule takes any step, and every way to call it agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from case import Case
from cases import beyond_the_first, kinds, one_of_each_family, one_of_each_kind, structures
from references import LAST_STEP
from rows import called, errors, leaf_names

import jaxdecay
from jaxdecay import Schedule, value_at
from jaxdecay.pairs import Pair

SHAPE = (8, 8)
"""Of arrays of steps, so that eager calls are compiled once for all laws."""

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


# Law 1: any step, one float of the same shape.

INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32)
FLOATS = (np.float16, np.float32, np.float64)
ALL_TYPES = (*INTEGERS, *FLOATS, jnp.int32, jnp.float32, jnp.uint8)


@pytest.mark.quick_each(3)
@every_family
@pytest.mark.parametrize(
    "types",
    [(np.uint32,), pytest.param(ALL_TYPES, marks=pytest.mark.slow)],
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


@pytest.mark.quick_each(3)
@every_kind
def test_takes_traced_steps_of_any_type(case: Case) -> None:
    for kind in (*INTEGERS, *FLOATS, jnp.bfloat16):
        value = jax.eval_shape(value_at, case.schedule, jnp.asarray(kind(7)))
        assert (value.shape, value.dtype) == ((), jnp.float32), kind
    assert jax.eval_shape(value_at, case.schedule, jnp.zeros((2, 3), int)).shape == (2, 3)


@pytest.mark.quick_each(2)
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
    last = np.uint32(2**32 - 1)
    assert float(schedule(last)) == float(jax.jit(schedule)(last)) == 0.25


def test_takes_no_steps_at_all() -> None:
    assert jaxdecay.linear(1.0, end_value=0.25, transition_steps=100)(
        np.zeros((0, 3), np.int32)
    ).shape == (0, 3)


@pytest.mark.quick_each(2)
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
        compiled = np.asarray(called(case.schedule, steps), np.float64)
        assert np.max(errors(compiled, eager)) <= case.tolerance, case.name


@pytest.mark.quick_each(2)
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
