"""Every way to train × every family: built, trained, its rate logged, saved and restored."""

from __future__ import annotations

import functools
import multiprocessing
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import one_of_each_family
from matrix_rows import ROWS, Loop, Row

import jaxdecay

pytestmark = pytest.mark.usefixtures("compiled_once")

CASES = {case.schedule.family: case for case in one_of_each_family()}
PLAIN = {
    name: case.schedule
    for name, case in CASES.items()
    if not isinstance(case.schedule, jaxdecay.AdaptiveSchedule)
}
ADAPTIVE = {
    "reduce_on_plateau": jaxdecay.reduce_on_plateau(0.3, factor=0.5, patience=0),
    "greedy": jaxdecay.greedy(jaxdecay.linear(0.3, end_value=0.0, transition_steps=9), patience=0),
}
SCHEDULES = PLAIN | ADAPTIVE
METRICS = (2.0, 3.0, 1.0)
SAVED_AFTER = 2

NAMES = [*ROWS, "spawn"]
COLUMNS = (
    *("build", "train with every family", "train with every adaptive schedule"),
    *("log the rate", "save and restore"),
)


def test_every_family_takes_part() -> None:
    ours = {
        name for name, each in jaxdecay.families.items() if each.__module__.startswith("jaxdecay.")
    }
    assert set(SCHEDULES) == ours
    adaptive = {name for name in ours if jaxdecay.families[name].decay.feedback is not None}
    assert set(ADAPTIVE) == adaptive


@pytest.fixture(scope="module")
def compiled_once() -> Iterator[None]:
    """What one row compiles, no other does, in whatever process or with whatever settings."""
    option = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, option)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(option.upper(), "0")
        jax.config.update(option, 0)
        yield
        jax.config.update(option, before)


# The second metric is worse than the first: greedy divides by 0.95, then multiplies by it.
AFTER_METRICS = {
    "reduce_on_plateau": [0.3, 0.3, 0.3 * 0.5],
    "greedy": [0.3, 0.3 * 8 / 9 / 0.95, 0.3 * 7 / 9],
}


def by_formula(name: str) -> list[float]:
    """The rates in float64."""
    if name in ADAPTIVE:
        return AFTER_METRICS[name]
    return [float(CASES[name].reference(step)) for step in range(len(METRICS))]


class Trained(NamedTuple):
    """Rates by name, one for each update: logged, applied, and both after restoring."""

    logged: dict[str, list[Any]]
    applied: dict[str, list[Any]]
    logged_again: dict[str, list[Any]]
    applied_again: dict[str, list[Any]]


def update(row: Row, loops: Mapping[str, Loop], metric: float, step: Any = None) -> Any:
    """One update of each: their loops, rates and how far each parameter was moved."""
    after, rates, moves = {}, {}, {}
    for _ in range(row.steps_per_update):
        states = {name: loop.state for name, loop in loops.items()}
        if step is None:
            made = {name: loop.step(states[name], metric) for name, loop in loops.items()}
        else:
            made = step(states, metric)
        for name, (state, moved) in made.items():
            after[name] = loops[name]._replace(state=state)
            rates[name], moves[name] = np.asarray(row.rate(state)), np.asarray(moved)
        loops = after
    return dict(loops), rates, moves


def train(row: Row, schedules: Mapping[str, Any], folder: Path, jit: bool = False) -> Trained:
    """Trains with each, saves on the way, and goes on from there and from what was saved."""
    with row.settings():
        loops = {name: row.build(schedule) for name, schedule in schedules.items()}
        step = jitted(row, loops) if jit else None
        trained = Trained(*({name: [] for name in schedules} for _ in range(4)))
        for count, metric in enumerate(METRICS):
            if count == SAVED_AFTER:
                row.write({name: loop.state for name, loop in loops.items()}, folder)
            loops, rates, moves = update(row, loops, metric, step)
            add(trained.logged, rates)
            add(trained.applied, moves)
        loops = {name: row.build(schedule) for name, schedule in schedules.items()}
        states = row.read({name: loop.state for name, loop in loops.items()}, folder)
        loops = {name: loop._replace(state=states[name]) for name, loop in loops.items()}
        for metric in METRICS[SAVED_AFTER:]:
            loops, rates, moves = update(row, loops, metric, step)
            add(trained.logged_again, rates)
            add(trained.applied_again, moves)
    return trained


def jitted(row: Row, loops: Mapping[str, Loop]) -> Any:
    return row.jit(
        lambda states, metric: {
            name: loop.step(states[name], metric) for name, loop in loops.items()
        }
    )


def add(lists: dict[str, list[Any]], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        lists[name].append(value)


def some_of(name: str) -> dict[str, Any]:
    """Every fourth family, in turns, and all that are adaptive."""
    turn = slice(NAMES.index(name) % 4, None, 4)
    return {each: PLAIN[each] for each in list(PLAIN)[turn]} | ADAPTIVE


@functools.cache
def trained(name: str, everything: bool) -> Trained:
    schedules = SCHEDULES if everything else some_of(name)
    with tempfile.TemporaryDirectory() as folder:
        if name == "spawn":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.apply(train, (ROWS["inject_hyperparams"], schedules, Path(folder)))
        return train(ROWS[name], schedules, Path(folder), jit=ROWS[name].always_compiled)


@pytest.mark.quick_each(2)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    "everything", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_cell(name: str, column: str, everything: bool) -> None:
    schedules = SCHEDULES if everything else some_of(name)
    check(trained(name, everything), column, schedules, ROWS.get(name, Row()))


def check(found: Trained, column: str, schedules: Mapping[str, Any], row: Row) -> None:
    rounding = 2**-8 if row.dtype == jnp.bfloat16 else 1e-6
    for name, schedule in schedules.items():
        adaptive = isinstance(schedule, jaxdecay.AdaptiveSchedule)
        logged, applied = np.array(found.logged[name]), np.array(found.applied[name])
        if column == "build":
            assert len(logged) == len(METRICS)
        elif column == "log the rate":
            assert logged.dtype == applied.dtype
            np.testing.assert_array_equal(logged, -applied, err_msg=name)
        elif column == "save and restore":
            np.testing.assert_array_equal(found.logged_again[name], logged[SAVED_AFTER:])
            np.testing.assert_array_equal(found.applied_again[name], applied[SAVED_AFTER:])
        elif adaptive == ("adaptive" in column):
            exact = max(CASES[name].tolerance, rounding)
            np.testing.assert_allclose(
                -applied.astype(float), by_formula(name), rtol=exact, atol=1e-30, err_msg=name
            )


COMPILED = [name for name, row in ROWS.items() if not row.always_compiled and name != "disable_jit"]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name: str, tmp_path: Path) -> None:
    """Some families, in turns, and all that are adaptive."""
    turn = slice(COMPILED.index(name), None, len(COMPILED))
    chosen = {each: PLAIN[each] for each in list(PLAIN)[turn]} | ADAPTIVE
    found = train(ROWS[name], chosen, tmp_path, jit=True)
    for column in COLUMNS:
        check(found, column, chosen, ROWS[name])


def test_the_page_has_the_same_table() -> None:
    page = Path(__file__).parents[1] / ".github" / "docs" / "frameworks.md"
    lines = re.findall(r"^\| (.*) \|$", page.read_text(), re.MULTILINE)
    cells = [[cell.replace("`", "").strip() for cell in line.split(" | ")] for line in lines]
    start = next(index for index, row in enumerate(cells) if tuple(row[1:]) == COLUMNS)
    rows = cells[start + 2 : start + 2 + len(NAMES)]
    assert [row[0] for row in rows] == NAMES
    assert all(all(row) for row in rows)
