"""The seven laws that every schedule obeys, over every schedule of `cases.CASES`."""

from __future__ import annotations

import copy
import functools
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES, LAST_STEP, Case, one_of_each_family, representable

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.decays import cosine, linear, polynomial
from jaxdecay.domain import Positive

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
TINY = 1e-30
"""Below this, float32 has too few digits left for relative errors."""


def some_steps(case: Case, number: int) -> np.ndarray:
    """A fixed number of a case's steps, so that eager operations are compiled for one shape."""
    generator = np.random.default_rng(7)
    steps = [0, *case.also_at, *case.boundaries()[:10], LAST_STEP]
    return np.array([*steps, *generator.choice(case.steps(), number - len(steps))], np.int32)


def values(schedule: Callable[[Any], Any], steps: Any) -> np.ndarray:
    return np.asarray(schedule(steps), np.float64)


def errors(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Relative errors; where the expected value has no digits in float32, only its size counts."""
    small = np.abs(expected) <= TINY
    relative = np.abs(got - expected) / np.where(small, 1, np.abs(expected))
    return np.where(small, np.where(np.abs(got) <= 2 * TINY, 0, np.inf), relative)


def with_float_counts(schedule: Schedule) -> Schedule:
    """The same schedule with its integer counts as floats, so that they can be differentiated."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), schedule)


def leaf_names(schedule: Schedule) -> list[str]:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(schedule)]
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path in paths]


def with_leaf(schedule: Schedule, index: int, leaf: Any) -> Schedule:
    leaves, structure = jax.tree.flatten(schedule)
    return structure.unflatten([*leaves[:index], leaf, *leaves[index + 1 :]])


def leaf_cases(cases: list[Case]) -> Iterator[Any]:
    for case in cases:
        for index, name in enumerate(leaf_names(case.schedule)):
            yield pytest.param(case, index, id=f"{case.name} by {name}")


def one_of_each_structure() -> list[Case]:
    """Cases whose schedules are traced differently: family, options, nesting, None."""
    first: dict[Any, Case] = {}
    for case in CASES:
        first.setdefault(jax.tree.structure(case.schedule), case)
    return list(first.values())


def one_of_each_kind() -> list[Case]:
    """Cases of another family, other options or another choice of hyperparameters that are None."""
    first: dict[Any, Case] = {}
    for case in CASES:
        nothing = [value is None for value in case.schedule.hyperparameters.values()]
        key = (case.schedule.family, *case.schedule.options.items(), *nothing)
        first.setdefault(key, case)
    return list(first.values())


def test_every_family_has_a_case() -> None:
    ours = {
        name for name, each in jaxdecay.families.items() if each.__module__.startswith("jaxdecay.")
    }
    assert ours <= {case.schedule.family for case in CASES}


def test_every_option_has_a_case() -> None:
    options = {
        (family, name, choice)
        for family, each in jaxdecay.families.items()
        if each.__module__.startswith("jaxdecay.")
        for name, parameter in each.parameters.items()
        for choice in parameter.choices
    }
    covered = {
        (case.schedule.family, *item) for case in CASES for item in case.schedule.options.items()
    }
    assert options <= covered


# Law 1: any step, one float of the same shape.

INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32)
FLOATS = (np.float16, np.float32, np.float64)


@every_case
def test_takes_a_step_of_any_type(case: Case) -> None:
    expected = values(case.schedule, 7)
    steps = [7, 7.0, *(kind(7) for kind in (*INTEGERS, *FLOATS, jnp.int32, jnp.float32, jnp.uint8))]
    for step in steps:
        value = case.schedule(step)
        assert isinstance(value, jax.Array), repr(step)
        assert (value.shape, value.dtype) == ((), jnp.float32), repr(step)
        assert not value.weak_type, repr(step)
        np.testing.assert_allclose(values(case.schedule, step), expected, rtol=1e-6)


@every_case
def test_takes_arrays_of_steps(case: Case) -> None:
    one_by_one = [values(case.schedule, step) for step in range(6)]
    for shape in ((6,), (2, 3), (6, 1)):
        value = case.schedule(np.arange(6).reshape(shape))
        assert (value.shape, value.dtype) == (shape, jnp.float32)
        np.testing.assert_allclose(np.ravel(value), one_by_one, rtol=case.tolerance)


@every_case
def test_counts_a_negative_step_as_0(case: Case) -> None:
    before = np.array([-1, -5, -(2**31)], np.int32)
    assert np.all(values(case.schedule, before) == values(case.schedule, 0))
    assert values(case.schedule, np.int8(-1)) == values(case.schedule, 0)
    assert values(case.schedule, -0.5) == values(case.schedule, 0.0)


@pytest.mark.parametrize("case", one_of_each_family(), ids=lambda case: case.name)
@pytest.mark.parametrize("kind", [*INTEGERS, *FLOATS, jnp.bfloat16])
def test_takes_a_traced_step_of_any_type(case: Case, kind: Any) -> None:
    step = jnp.asarray(np.asarray(7, kind))
    value = jax.eval_shape(case.schedule, step)
    assert (value.shape, value.dtype) == ((), jnp.float32)
    np.testing.assert_allclose(
        values(jax.vmap(case.schedule), step[None])[0], values(case.schedule, 7), rtol=1e-6
    )


def test_takes_steps_beyond_int32_of_unsigned_type() -> None:
    schedule = linear(1.0, 0.25, 100)
    assert float(schedule(np.uint32(2**32 - 1))) == 0.25


def test_takes_no_steps_at_all() -> None:
    assert linear(1.0, 0.25, 100)(np.zeros((0, 3), np.int32)).shape == (0, 3)


@every_case
def test_is_double_where_x64_is_on(case: Case) -> None:
    steps = some_steps(case, 64)
    expected = [case.reference(int(step)) for step in steps]
    with jax.enable_x64(True):
        schedule = jax.tree.map(_at_float32, case.schedule)
        value = schedule(steps)
        assert value.dtype == jnp.float64
        assert np.max(errors(np.asarray(value), np.array(expected))) < 1e-12


def _at_float32(leaf: Any) -> Any:
    """A leaf as float32 holds it, in double; integers stay as they are."""
    kept = np.issubdtype(np.asarray(leaf).dtype, np.integer)
    return leaf if kept else np.float32(leaf).astype(np.float64)


# Law 2: eager, compiled, mapped and stacked agree.


@every_case
def test_every_way_to_call_it_agrees(case: Case) -> None:
    steps, schedule = some_steps(case, 64), case.schedule
    population = jaxdecay.stack([schedule, schedule])
    ways = {
        "eager, one by one": [values(schedule, int(step)) for step in steps[:4]],
        "jit": jax.jit(schedule)(steps),
        "jit of the schedule": called(schedule, steps),
        "vmap": jax.vmap(schedule)(steps),
        "vmap of vmap": jnp.ravel(jax.vmap(jax.vmap(schedule))(steps.reshape(8, 8))),
        "population": population(steps)[1],
        "jit of the population": called(population, steps)[1],
    }
    eager = values(schedule, steps)
    for way, value in ways.items():
        got = np.asarray(value, np.float64)
        assert np.max(errors(got, eager[: len(got)])) <= case.tolerance, way


@jax.jit
def called(schedule: Any, steps: Any) -> Any:
    return schedule(steps)


@pytest.mark.parametrize(("case", "index"), list(leaf_cases(CASES)))
def test_each_hyperparameter_can_be_traced(case: Case, index: int) -> None:
    leaf = np.asarray(jax.tree.leaves(case.schedule)[index])

    def value(leaf: Any) -> Any:
        return with_leaf(case.schedule, index, leaf)(7)

    assert jax.eval_shape(value, leaf).shape == ()
    assert jax.eval_shape(jax.vmap(value), np.stack([leaf, leaf])).shape == (2,)
    slope = jax.eval_shape(jax.grad(value), leaf.astype(np.float32))
    assert slope.shape == leaf.shape


@pytest.mark.parametrize(("case", "index"), list(leaf_cases(one_of_each_kind())))
def test_each_hyperparameter_gives_the_same_when_traced_alone(case: Case, index: int) -> None:
    steps = np.array([3, 1000], np.int32)
    leaf = np.asarray(jax.tree.leaves(case.schedule)[index])

    def by_leaf(leaf: Any) -> Any:
        return with_leaf(case.schedule, index, leaf)(steps)

    slope = jax.grad(lambda leaf: jnp.sum(by_leaf(leaf)))
    ways = jax.jit(lambda a, b: (by_leaf(a), jax.vmap(by_leaf)(a[None])[0], slope(b)))
    number = leaf.astype(np.float32)
    compiled, mapped, compiled_slope = ways(leaf, number)
    expected, eager_slope = values(case.schedule, steps), np.asarray(slope(number))
    assert np.max(errors(np.asarray(compiled), expected)) <= case.tolerance
    assert np.max(errors(np.asarray(mapped), expected)) <= case.tolerance
    assert np.all(np.isfinite(eager_slope))
    unit = np.max(np.abs(eager_slope), initial=0) + np.max(expected) / max(np.max(leaf), 1)
    np.testing.assert_allclose(compiled_slope, eager_slope, rtol=1e-4, atol=1e-6 * unit)


# Law 3: ends are exact, for every length.

LENGTHS = np.arange(1, 2001)
KINDS: dict[str, Callable[[Any], Schedule]] = {
    "linear to zero": lambda steps: linear(0.1, 0.0, steps),
    "linear falling": lambda steps: linear(0.1, 0.03, steps),
    "linear rising": lambda steps: linear(0.03, 0.1, steps),
    "root to zero": lambda steps: polynomial(0.1, 0.0, 0.5, steps),
    "power .9 to zero": lambda steps: polynomial(0.1, 0.0, 0.9, steps),
    "power .9 falling": lambda steps: polynomial(0.1, 0.03, 0.9, steps),
    "square to zero": lambda steps: polynomial(0.1, 0.0, 2.0, steps),
    "square rising": lambda steps: polynomial(0.0, 0.1, 2.0, steps),
    "cosine to zero": lambda steps: cosine(0.1, steps),
    "cosine falling": lambda steps: cosine(0.1, steps, 0.03),
    "cosine rising": lambda steps: cosine(0.03, steps, 0.1),
    "warm-up": lambda steps: jaxdecay.warmup(0.1, steps),
    "warm-up to a falling line": lambda steps: jaxdecay.warmup(linear(0.1, 0.0, steps), 0, 0.2),
}
FROM_THE_END = np.array([-3, -2, -1, 0, 1, 1000])
every_kind = pytest.mark.parametrize("kind", KINDS)


def end_faults(kind: str, lengths: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Which values at FROM_THE_END (rows: lengths) are not those of a schedule with exact ends."""
    one = KINDS[kind](10)
    start, end = (np.float32(one(step)) for step in (0, 10))
    low, high = min(start, end), max(start, end)
    wrong = ~((got >= low) & (got <= high))  # past an end, or NaN
    wrong |= (FROM_THE_END >= 0) & (got != end)
    first = lengths[:, None] + FROM_THE_END <= 0
    return wrong | (first & (got != start))


def unrolled(make: Callable[[Any], Any], lengths: np.ndarray) -> np.ndarray:
    """Values at FROM_THE_END, with lengths as constants that the compiler sees.

    The step is an argument, so that the values themselves cannot be computed by the compiler.
    """
    schedules = [(make(int(length)), int(length)) for length in lengths]

    @jax.jit
    def compiled(offset: Any) -> Any:
        return jnp.stack([schedule(length + offset) for schedule, length in schedules])

    return np.stack([compiled(offset) for offset in FROM_THE_END], axis=1)


def mapped(make: Callable[[Any], Any], lengths: Any) -> Callable[[Any], Any]:
    """A function of lengths that gives values at FROM_THE_END."""

    def by_length(length: Any, offset: Any) -> Any:
        return make(length)(length + offset)

    over_offsets = jax.vmap(by_length, in_axes=(None, 0))
    return lambda offsets: jax.vmap(over_offsets, in_axes=(0, None))(lengths, offsets)


@every_kind
def test_ends_are_exact_compiled_with_constant_lengths(kind: str) -> None:
    got = np.asarray(jax.jit(mapped(KINDS[kind], LENGTHS))(FROM_THE_END))
    faults = end_faults(kind, LENGTHS, got)
    assert not faults.any(), LENGTHS[faults.any(axis=1)]


@every_kind
def test_ends_are_exact_with_traced_lengths(kind: str) -> None:
    traced = jax.jit(lambda lengths, offsets: mapped(KINDS[kind], lengths)(offsets))
    for got in (mapped(KINDS[kind], LENGTHS)(FROM_THE_END), traced(LENGTHS, FROM_THE_END)):
        faults = end_faults(kind, LENGTHS, np.asarray(got))
        assert not faults.any(), LENGTHS[faults.any(axis=1)]


@pytest.mark.parametrize(
    ("kind", "first"),
    [("linear to zero", 1), ("linear to zero", 101), ("power .9 to zero", 201)],
)
def test_ends_are_exact_unrolled(kind: str, first: int) -> None:
    lengths = np.arange(first, first + 100)
    faults = end_faults(kind, lengths, unrolled(KINDS[kind], lengths))
    assert not faults.any(), lengths[faults.any(axis=1)]


@every_kind
def test_ends_are_exact_unrolled_for_some_lengths(kind: str) -> None:
    lengths = np.random.default_rng(3).choice(LENGTHS, 10, replace=False)
    faults = end_faults(kind, lengths, unrolled(KINDS[kind], lengths))
    assert not faults.any(), lengths[faults.any(axis=1)]


@every_kind
def test_ends_are_exact_eagerly(kind: str) -> None:
    lengths = np.append(LENGTHS[:10], np.random.default_rng(4).choice(LENGTHS, 30))
    got = np.stack([KINDS[kind](int(length))(length + FROM_THE_END) for length in lengths])
    faults = end_faults(kind, lengths, got)
    assert not faults.any(), lengths[faults.any(axis=1)]


def test_the_test_of_ends_finds_what_compilers_do() -> None:
    def careless(length: Any) -> Callable[[Any], Any]:
        def line(step: Any) -> Any:
            done = jnp.clip(step, 0, length)
            return jnp.float32(0.1) * (1 - jnp.asarray(done, float) / jnp.asarray(length, float))

        return line

    lengths = LENGTHS[:100]
    for got in (unrolled(careless, lengths), jax.jit(mapped(careless, lengths))(FROM_THE_END)):
        assert end_faults("linear to zero", lengths, np.asarray(got)).any()


@every_kind
def test_ends_are_held_for_ever(kind: str) -> None:
    steps = np.array([1000, 1001, 10**6, 2**24 + 1, 10**9, LAST_STEP - 1, LAST_STEP])
    end = np.float32(KINDS[kind](10)(10))
    schedule = KINDS[kind](1000)
    for call in (schedule, jax.jit(schedule)):
        assert np.all(np.asarray(call(steps)) == end)
        assert np.float32(call(3e9)) == end


@every_kind
def test_a_length_of_0_is_already_over(kind: str) -> None:
    schedule, end = KINDS[kind](0), np.float32(KINDS[kind](10)(10))
    steps = np.array([0, 1, LAST_STEP])
    traced = jax.jit(lambda length: KINDS[kind](length)(steps))
    for got in (schedule(steps), jax.jit(schedule)(steps), traced(0), traced(0.0)):
        assert np.all(np.asarray(got) == end)


@every_kind
@pytest.mark.parametrize("length", [10**6, 2**24 + 1, LAST_STEP])
def test_long_schedules_stay_between_their_ends(kind: str, length: int) -> None:
    schedule = KINDS[kind](length)
    one = KINDS[kind](10)
    start, end = (np.float32(one(step)) for step in (0, 10))
    steps = length - np.unique(2 ** np.arange(31)).clip(0, length)
    for call in (schedule, jax.jit(schedule)):
        got = np.asarray(call(steps))
        assert np.all((got >= min(start, end)) & (got <= max(start, end)))
        assert np.float32(call(0)) == start
        assert np.float32(call(length)) == end


# Law 4: values are those of the formula.


@every_case
def test_values_are_those_of_the_formula(case: Case) -> None:
    steps = case.steps()
    expected = np.array([case.reference(step) for step in steps])
    got = _values_at(case.schedule, steps)
    error = errors(got, expected)
    worst = int(np.argmax(error))
    line = f"{case.name}: {error[worst]:.1e} at step {steps[worst]}"
    print(f"{line}: {got[worst]!r}, exactly {expected[worst]!r}")
    assert error[worst] <= case.tolerance, line


def _values_at(schedule: Schedule, steps: list[int]) -> np.ndarray:
    """Values at any number of steps, in calls of one shape."""
    many = np.resize(np.array(steps, np.int32), 768)
    assert len(steps) <= many.size
    return np.asarray(called(schedule, many), np.float64)[: len(steps)]


# Law 5: gradients are finite and right.


@functools.partial(jax.jit, static_argnums=0)
def slopes_at(structure: Any, floats: Any, others: Any, steps: Any) -> Any:
    """The gradient with respect to `floats` at each step; leaves that are None are in `others`."""

    def value(floats: Any, step: Any) -> Any:
        leaves = [b if a is None else a for a, b in zip(floats, others, strict=True)]
        return structure.unflatten(leaves)(step)

    return jax.vmap(jax.grad(value), in_axes=(None, 0))(floats, steps)


def slopes(schedule: Schedule, steps: list[int]) -> dict[str, np.ndarray]:
    """By name of the leaf, the gradient at each step, for every leaf that is a float."""
    leaves, structure = jax.tree.flatten(schedule)
    leaves = [np.asarray(leaf) for leaf in leaves]
    is_float = [np.issubdtype(leaf.dtype, np.floating) for leaf in leaves]
    floats = [leaf if yes else None for leaf, yes in zip(leaves, is_float, strict=True)]
    others = [None if yes else leaf for leaf, yes in zip(leaves, is_float, strict=True)]
    many = np.resize(np.array(steps, np.int32), 768)
    found = slopes_at(structure, floats, others, many)
    names = leaf_names(schedule)
    return {
        name: np.asarray(each, np.float64)[: len(steps)]
        for name, each in zip(names, found, strict=True)
        if each is not None
    }


@every_case
def test_gradients_are_finite(case: Case) -> None:
    steps = case.steps()
    for schedule in (case.schedule, with_float_counts(case.schedule)):
        for name, slope in slopes(schedule, steps).items():
            wrong = ~np.isfinite(slope.reshape(len(steps), -1)).all(axis=1)
            assert not wrong.any(), (name, np.array(steps)[wrong])


@every_case
def test_gradients_are_those_of_the_formula(case: Case) -> None:
    # Where counts are floats so is the step, which float32 does not always hold.
    steps = [step for step in case.steps() if representable(step)]
    steps = sorted(np.random.default_rng(5).permutation(steps)[:80].tolist())
    largest = max(abs(case.reference(step)) for step in steps)
    schedule = with_float_counts(case.schedule)
    sizes = dict(zip(leaf_names(schedule), map(np.abs, jax.tree.leaves(schedule)), strict=True))
    for name, slope in slopes(schedule, steps).items():
        unit = largest / np.clip(sizes[name], 1e-6, None).max(initial=1e-6)
        for path, column in _columns(name, slope):
            _check_slopes(case, path, steps, column, unit)


def _check_slopes(case: Case, path: str, steps: list[int], column: np.ndarray, unit: float) -> None:
    left, right = np.transpose([case.reference.slopes(path, step) for step in steps])
    smooth = np.abs(left - right) <= 1e-9 * (np.abs(left) + np.abs(right))
    if (case.name, path) == ("exponential: level", "decay_rate"):
        assert not smooth.any()  # the limit changes sides at rate 1
        return
    assert smooth.any(), (path, "every step is a corner")
    right, column, steps = right[smooth], column[smooth], np.array(steps)[smooth]
    error = np.abs(column - right)
    allowed = 1e-4 * np.abs(right) + 2e-6 * np.max(np.abs(right)) + 1e-6 * unit
    worst = int(np.argmax(error - allowed))
    assert error[worst] <= allowed[worst], (path, steps[worst], column[worst], right[worst])


def _columns(name: str, slope: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The numbers of a leaf: itself, or the elements of a vector."""
    if slope.ndim == 1:
        yield name, slope
    else:
        yield from ((f"{name}.{i}", slope[:, i]) for i in range(slope.shape[1]))


# Law 6: one trace for all the numbers.


class Counted:
    """A compiled call of a schedule or population that counts how often it is traced."""

    def __init__(self) -> None:
        self.traces = 0
        self.call = jax.jit(self._call)

    def _call(self, schedule: Any, step: Any) -> Any:
        self.traces += 1
        return schedule(step)


def other_numbers(schedule: Any, by: int) -> Any:
    """The same schedule with other numbers of the same types."""

    def change(leaf: Any) -> Any:
        other = np.minimum(leaf, LAST_STEP - by) + by if np.ndim(leaf) else min(leaf, 10**9) + by
        return other.astype(leaf.dtype) if np.ndim(leaf) else type(leaf)(other)

    return jax.tree.map(change, schedule)


@pytest.mark.parametrize("case", one_of_each_structure(), ids=lambda case: case.name)
def test_other_numbers_cost_no_trace(case: Case) -> None:
    counted = Counted()
    for by in range(3):
        counted.call(other_numbers(case.schedule, by), by)
    assert counted.traces == 1


def test_integers_in_place_of_floats_cost_no_trace() -> None:
    counted = Counted()
    for schedule in (linear(0.1, 0.0, 10), linear(1, 0, 10), linear(1, 0.5, 20)):
        counted.call(schedule, 3)
    for schedule in (jaxdecay.warmup(0.5, 10, 0.1), jaxdecay.warmup(1, 10, 0)):
        counted.call(schedule, 3)
    assert counted.traces == 2


@pytest.mark.parametrize("case", one_of_each_family(), ids=lambda case: case.name)
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
        lines = jaxdecay.grid(linear, init_value=rates, end_value=0.0, transition_steps=3)
        population = jaxdecay.concat(lines, jaxdecay.grid(remembered, init_value=rates))
        call = jax.jit(lambda population, step: population(step))
        for by in range(3):
            call(other_numbers(population, by), by)
        assert len(traced) == 1
    finally:
        del jaxdecay.families["remembered"]


# Law 7: it survives every journey.


@every_case
def test_survives_flattening(case: Case) -> None:
    leaves, structure = jax.tree.flatten(case.schedule)
    assert len(leaves) == len(leaf_names(case.schedule)) == len(set(leaf_names(case.schedule)))
    again = structure.unflatten(leaves)
    assert again == case.schedule
    assert jax.tree.map(lambda leaf: leaf, case.schedule) == case.schedule
    assert structure.unflatten([None] * len(leaves)) != case.schedule or not leaves


@every_case
def test_survives_copying(case: Case) -> None:
    for again in (
        copy.copy(case.schedule),
        copy.deepcopy(case.schedule),
        *(pickle.loads(pickle.dumps(case.schedule, protocol)) for protocol in range(2, 6)),
        case.schedule.replace(),
    ):
        assert again == case.schedule
        assert repr(again) == repr(case.schedule)
        assert jax.tree.structure(again) == jax.tree.structure(case.schedule)


@every_case
def test_survives_printing(case: Case) -> None:
    again = eval(repr(case.schedule), dict(vars(jaxdecay)))
    assert again == case.schedule
    assert jax.tree.structure(again) == jax.tree.structure(case.schedule)


@every_case
def test_survives_a_file(case: Case) -> None:
    text = json.dumps(case.schedule.to_dict(), allow_nan=False)
    again = Schedule.from_dict(json.loads(text))
    assert again == case.schedule
    assert jax.tree.structure(again) == jax.tree.structure(case.schedule)
