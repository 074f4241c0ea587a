"""Plans: nothing is trained twice, and the results are those of separate training, bit by bit."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest

import jaxdecay
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.plan import Plan, full_plan
from jaxdecay.training.program import rates_of
from jaxdecay.training.state import (
    SweepState,
    compact,
    rate_rows,
    rates_of_epoch,
    restore,
    run_epoch,
    snapshot,
    start,
    untrained,
)
from jaxdecay.training.sweep import prepared
from jaxdecay.training.train import steps_per_epoch

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    return jaxdecay.classifier(jaxdecay.digits())


def table(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


# The plan.


def test_schedules_share_a_trunk_until_their_rates_differ():
    plan = full_plan(schedules=4, seeds=2, block=2)
    first = plan.part(table([1, 1], [1, 1], [2, 1], [1, 1]))
    assert first.trunk.tolist() == [0, 0, 2, 0]
    assert first.stands_for.tolist() == [[3, 3], [0, 0], [1, 1], [0, 0]]
    later = first.part(table([1, 0], [1, 1], [1, 1], [1, 1]))
    # The third has the same rates now, but had others before.
    assert later.trunk.tolist() == [0, 1, 2, 1]
    assert later.part(table([0, 0], [0, 0], [0, 0], [0, 0])) is later


def test_rates_of_one_seed_part_schedules():
    plan = full_plan(schedules=2, seeds=2, block=4)
    same, other = table([1, 1], [1, 1]), table([1, 1], [1, 2])
    assert plan.part(np.stack([same, same])).trunk.tolist() == [0, 0]
    assert plan.part(np.stack([same, other])).trunk.tolist() == [0, 1]


def test_what_is_dropped_leaves_the_plan_and_a_trunk_stays_for_its_branches():
    plan = full_plan(schedules=3, seeds=2, block=2).part(table([1], [1], [2]))
    kept = plan.keep(np.array([[False, False], [True, False], [False, True]]))
    assert kept.stands_for.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert kept.shape == plan.shape
    assert {each.real.shape for each in kept.rounds} == {(1, *plan.shape)}
    assert sum(each.real.sum() for each in kept.rounds) == 2
    assert plan.keep(np.zeros((3, 2), bool)).rounds == ()
    # What was dropped does not come back.
    assert kept.keep(np.ones((3, 2), bool)).stands_for.tolist() == kept.stands_for.tolist()


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_member_belongs_to_one_process(processes):
    plans = [
        full_plan(
            schedules=7, seeds=3, block=4, devices=2 * processes, own=[2 * each, 2 * each + 1]
        )
        for each in range(processes)
    ]
    assert (sum(plan.mine.astype(int) for plan in plans) == 1).all()


# Training with it.


def trunk_and_branches() -> jaxdecay.Population:
    """Constant, then a cooldown to zero that begins at one of several horizons; one twice."""
    schedules = [
        jaxdecay.cooldown(0.2, begin=begin, transition_steps=20, shape=shape)
        for begin in (50, 100)
        for shape in ("linear", "cosine")
    ]
    return jaxdecay.stack([jaxdecay.cosine(0.1, transition_steps=90), *schedules, schedules[0]])


def same_bits(one: jaxdecay.SweepResult, other: jaxdecay.SweepResult) -> None:
    assert list(one.history) == list(other.history)
    for name, values in one.history.items():
        np.testing.assert_array_equal(values, other.history[name], err_msg=name)
    np.testing.assert_array_equal(one.diverged_at, other.diverged_at)
    np.testing.assert_array_equal(one.final_learning_rate, other.final_learning_rate)


@pytest.fixture
def separately(monkeypatch) -> Callable[..., jaxdecay.SweepResult]:
    """A sweep in which every schedule is trained by itself, as if all parted at once."""

    def part(plan: Plan, rates: np.ndarray) -> Plan:
        return plan_part(plan, np.arange(len(plan.trunk), dtype=np.float32)[:, None])

    plan_part = Plan.part

    def run(*arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(Plan, "part", part)
            return jaxdecay.sweep(*arguments, **options)

    return run


def test_a_shared_trunk_gives_the_bits_of_separate_training(task, separately):
    population = trunk_and_branches()
    options = {"epochs": 4, "seeds": 2, "block": 3}  # 44 steps an epoch
    shared, apart = (
        jaxdecay.sweep(task, population, **options),
        separately(task, population, **options),
    )
    same_bits(shared, apart)
    assert apart.member_steps == 6 * 2 * 4 * 44
    # Cosine and trunk; the first horizon parts in epoch 1, the second in epoch 2.
    assert shared.member_steps == 2 * 44 * (2 + 4 + 5 + 5)


def test_equal_schedules_are_trained_once(task):
    population = jaxdecay.stack([jaxdecay.constant(0.1)] * 3)
    seen = []
    result = jaxdecay.sweep(
        task, population, epochs=2, seeds=2, progress=lambda *counts: seen.append(counts)
    )
    assert result.member_steps == 2 * 2 * 44
    assert seen[0] == (0, 2 * 3 * 2)
    assert seen[-1] == (2 * 3 * 2, 2 * 3 * 2)  # each member counts, trained or not
    np.testing.assert_array_equal(
        result.history["test_loss"][..., :1, :].repeat(3, 1), result.history["test_loss"]
    )


def test_adaptive_schedules_part_when_their_metrics_make_them(task, separately):
    plateau = functools.partial(jaxdecay.reduce_on_plateau, 0.3, factor=0.5, threshold=0.5)
    population = jaxdecay.stack([plateau(patience=0), plateau(patience=1), jaxdecay.constant(0.3)])
    options = {"epochs": 4, "seeds": 2, "block": 3}
    shared = jaxdecay.sweep(task, population, **options)
    same_bits(shared, separately(task, population, **options))
    assert 2 * 44 * 4 < shared.member_steps < 3 * 2 * 44 * 4


@pytest.mark.parametrize(
    "stopped_after", [2, *(pytest.param(each, marks=pytest.mark.slow) for each in (1, 3))]
)
def test_a_sweep_resumes_in_trunk_and_in_branches(task, tmp_path, stopped_after):
    population, options = trunk_and_branches(), {"epochs": 4, "seeds": 2, "block": 3}
    whole = jaxdecay.sweep(task, population, **options)
    checkpoints = jaxdecay.Checkpoints(tmp_path)
    left = iter([*[False] * (stopped_after - 1), True])
    stopped = jaxdecay.sweep(
        task, population, **options, checkpoints=checkpoints, should_stop=lambda: next(left)
    )
    assert len(stopped.history["test_loss"]) == stopped_after
    resumed = jaxdecay.sweep(task, population, **options, checkpoints=checkpoints)
    same_bits(resumed, whole)
    assert resumed.member_steps == whole.member_steps


@pytest.mark.slow
def test_a_trunk_with_twenty_horizons_and_six_shapes_costs_a_quarter(task, separately):
    """120 members on 20 epochs of 11 steps: cooldowns of two epochs, from epoch 12 on."""
    steps, shapes = 11, ("linear", "cosine", "sqrt", "power", "inverse", "exponential")
    population = jaxdecay.stack(
        jaxdecay.cooldown(0.2, begin=begin, transition_steps=2 * steps, end_value=1e-3, shape=shape)
        for begin in np.linspace(12 * steps, 18 * steps, 20).round().astype(int).tolist()
        for shape in shapes
    )
    assert len(population) == 120
    options = {"epochs": 20, "batch_size": 128, "block": 20}
    shared, apart = (
        jaxdecay.sweep(task, population, **options),
        separately(task, population, **options),
    )
    same_bits(shared, apart)
    assert apart.member_steps == 120 * 20 * steps
    assert shared.member_steps <= 0.3 * apart.member_steps


# The functions that a sweep consists of.


def epochs_of(program, plan: Plan, state: SweepState, epochs: int) -> tuple[Plan, SweepState]:
    for _ in range(epochs):
        rates = rates_of_epoch(program, state)
        parted = plan.part(rates)
        if not state.epochs:
            plan, state = parted, start(program, parted, state, rates)
        plan, state = compact(program, plan, state, parted)
        state = run_epoch(program, plan, state, rates)
    return plan, state


def test_members_can_be_dropped_and_the_compiled_program_stays(task, caplog):
    population = trunk_and_branches()
    config = SweepConfig(epochs=4, seeds=2, block=3)
    steps = steps_per_epoch(task.data, 4, config.batch_size)
    program, plan, _ = prepared(task, population, config, steps)
    whole = jaxdecay.sweep(task, population, epochs=4, seeds=2, block=3)
    program.compile()
    plan, state = epochs_of(program, plan, untrained(program), 2)
    keep = np.zeros((6, 2), bool)
    keep[[0, 1, 4], [0, 1, 0]] = True
    diverged_at = state.diverged_at.copy()
    diverged_at[5, 1] = 7  # of a member that is dropped
    before, state = state.member_steps, state._replace(diverged_at=diverged_at)
    with jax.log_compiles():
        caplog.clear()
        plan, state = compact(program, plan, state, plan.keep(keep))
        plan, state = epochs_of(program, plan, state, 2)
    assert not [each for each in caplog.messages if "run_epoch" in each]
    assert state.member_steps - before == 3 * 2 * 44
    np.testing.assert_array_equal(state.diverged_at, diverged_at)
    for epoch in (2, 3):
        for name, values in state.epoch(epoch).items():
            np.testing.assert_array_equal(values[keep], whole.history[name][epoch][keep], name)
            assert np.isnan(values[~keep]).all()


def test_a_snapshot_comes_back_in_a_plan_of_another_shape(task):
    population = trunk_and_branches()
    config = SweepConfig(epochs=4, seeds=2, block=3)
    program, plan, _ = prepared(task, population, config, 44)
    plan, state = epochs_of(program, plan, untrained(program), 2)
    saved = snapshot(program, plan, state, 1.0)
    assert saved.members.places.shape[:2] == (1, np.count_nonzero(plan.stands_for)) == (1, 2 * 4)
    other = SweepConfig(epochs=4, seeds=2, block=8)
    program, plan, _ = prepared(task, population, other, 44)
    plan, state = restore(program, plan, saved)
    again = snapshot(program, plan, state, 1.0)
    jax.tree.map(np.testing.assert_array_equal, saved.members, again.members)


def test_a_process_computes_the_rates_of_its_own_schedules(task):
    """With the same bits; two trunks, of which one belongs to another process."""
    population = trunk_and_branches()
    config = SweepConfig(epochs=4, seeds=2, block=3)
    program, plan, _ = prepared(task, population, config, 44)
    table = rates_of_epoch(program, untrained(program))
    plan = plan.part(table)
    for own in ([0], [0, 2, 3], [1, 2, 4, 5], [3, 4, 5]):
        share = dataclasses.replace(program, own=np.array(own))
        rates = rates_of_epoch(share, untrained(share))
        assert rates.shape[-2] == len(own)
        np.testing.assert_array_equal(rates, table[..., own, :])
        mine = np.isin(np.arange(6), own)[:, None] & np.ones((6, 2), bool)
        for round_ in plan.keep(mine).rounds:
            expected = rates_of(round_, table, np.arange(6))
            row = rate_rows(share, plan)
            np.testing.assert_array_equal(rates_of(round_, rates, row), expected)
