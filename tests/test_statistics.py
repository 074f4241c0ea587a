"""Statistics over seeds: SciPy's numbers, and what the words promise, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jaxdecay.results.statistics import compare, resolution_of

TRIALS = 2_000


def drawn(generator, means, seeds, deviations=0.01, shared=0.02):
    """Values [S, K]: what a seed does to all schedules alike, and what it does to each."""
    own = generator.normal(size=(len(means), seeds)) * np.reshape(deviations, (-1, 1))
    return np.reshape(means, (-1, 1)) + shared * generator.normal(size=seeds) + own


def test_numbers_are_those_of_scipy():
    values = drawn(np.random.default_rng(0), [0.95, 0.97, 0.98, 0.90], seeds=6)
    found = compare(values, "test_accuracy", larger_is_better=True)
    assert found.best == 2
    pairs = 6
    for schedule, mine in enumerate(values):
        interval = stats.ttest_1samp(mine, 0).confidence_interval(0.95)
        np.testing.assert_allclose((found.low[schedule], found.high[schedule]), interval)
        if schedule != found.best:
            test = stats.ttest_rel(values[found.best], mine)
            assert found.p_value[schedule] == pytest.approx(min(1, pairs * test.pvalue))
            interval = test.confidence_interval(1 - 0.05 / pairs)
            got = found.difference_low[schedule], found.difference_high[schedule]
            np.testing.assert_allclose(got, interval)
    assert found.p_value[found.best] == 1
    assert found.difference[found.best] == 0


def test_intervals_end_at_the_limits_of_a_metric():
    values = np.array([[0.7, 0.99, 0.95], [0.02, 0.3, 0.1]])
    free = compare(values, "", larger_is_better=True)
    held = compare(values, "", larger_is_better=True, limits=(0.0, 1.0))
    assert free.high[0] > 1
    assert free.low[1] < 0
    assert (held.low[0], held.high[0]) == (free.low[0], 1.0)
    assert (held.low[1], held.high[1]) == (0.0, free.high[1])
    np.testing.assert_array_equal(held.p_value, free.p_value)


def test_of_losses_less_is_better():
    values = np.array([[0.3, 0.31, 0.33], [0.1, 0.12, 0.11]])
    found = compare(values, "test_loss", larger_is_better=False)
    assert found.best == 1
    assert found.difference[0] == pytest.approx(np.mean(values[0] - values[1]))


def test_intervals_hold_the_mean_as_often_as_they_say():
    generator, held = np.random.default_rng(1), np.zeros(2)
    means = np.array([0.9, 0.95])
    for _ in range(TRIALS):
        found = compare(drawn(generator, means, seeds=4), "", larger_is_better=True)
        held += (found.low <= means) & (means <= found.high)
    assert held / TRIALS == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / TRIALS))


@pytest.mark.parametrize(("schedules", "seeds"), [(2, 3), (8, 5), (30, 4)])
@pytest.mark.parametrize("spread", [1, 10], ids=["alike", "of unlike spread"])
def test_of_equal_schedules_none_is_told_from_the_best(schedules, seeds, spread):
    """But for the share of cases that the confidence allows."""
    generator = np.random.default_rng(2)
    deviations = np.geomspace(0.01, 0.01 * spread, schedules)
    wrong = 0
    for _ in range(TRIALS):
        values = drawn(generator, np.full(schedules, 0.9), seeds, deviations)
        found = compare(values, "", larger_is_better=True)
        wrong += not found.like_best.all()
    assert wrong / TRIALS < 0.05 + 4 * np.sqrt(0.05 * 0.95 / TRIALS)
    if schedules == 2:  # one pair: nothing is corrected, and the share is the promised one
        assert wrong / TRIALS > 0.05 - 4 * np.sqrt(0.05 * 0.95 / TRIALS)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_accuracies_that_happen_to_differ_equally_are_not_taken_for_certain(seeds):
    """Of equal schedules on few test images, differences are often the same for all seeds."""
    generator, wrong = np.random.default_rng(6), 0
    for _ in range(TRIALS):
        values = drawn(generator, np.full(6, 0.9), seeds, 0.004)
        values = np.round(values * 360) / 360
        found = compare(values, "", larger_is_better=True, resolution=1 / 360)
        wrong += not found.like_best.all()
    assert wrong / TRIALS < 0.05 + 4 * np.sqrt(0.05 * 0.95 / TRIALS)


@pytest.mark.slow
@pytest.mark.parametrize("shown_as", ["share", "percent", "root"])
@pytest.mark.parametrize(
    ("schedules", "seeds", "examples"), [(10, 2, 50), (10, 2, 360), (10, 3, 50), (2, 2, 50)]
)
def test_of_equal_schedules_none_is_told_from_the_best_by_an_error(
    schedules, seeds, examples, shown_as
):
    """An error on few examples takes few values, whether or not the task declares it a share."""
    show = {"share": np.positive, "percent": lambda each: np.float32(100) * each, "root": np.sqrt}
    generator, wrong = np.random.default_rng(7), 0
    for _ in range(TRIALS):
        chance = 0.03 * np.exp(0.3 * generator.normal(size=seeds))  # a seed shifts all alike
        errors = generator.binomial(examples, chance, size=(schedules, seeds)) / examples
        values = show[shown_as](errors.astype(np.float32))
        resolution = resolution_of(values, examples)
        found = compare(values, "", larger_is_better=False, resolution=resolution)
        wrong += not found.like_best.all()
    assert wrong / TRIALS < 0.05 + 4 * np.sqrt(0.05 * 0.95 / TRIALS)


@pytest.mark.parametrize(
    ("values", "examples", "step"),
    [
        ([[0.10, 0.12], [0.10, 0.16]], 50, 0.02),
        ([[10.0, 12.0], [10.0, 16.0]], 50, 2.0),  # in percent, of which an example is 2
        ([[0.0, 1.0], [1.0, 1.0]], 1, 1.0),
        ([[0.1, np.nan], [0.3, np.inf]], 10, 0.2),
        ([[0.316228, 0.346410], [0.400000, 0.316228]], 50, 0.346410 - 0.316228),  # roots
        ([[0.5, 0.5], [0.5, 0.5]], 50, 0.0),
        ([[0.512, 0.634], [0.512, 0.634]], 50, 0.0),  # the same schedule twice
        ([[0.5123, 0.6341], [0.5577, 0.6612]], 50, 0.0),  # a loss
        ([[3e30, 4e30], [1e30, 2e30]], 50, 0.0),  # whole numbers, as all that large are
        ([[np.nan, np.nan]], 50, 0.0),
    ],
)
def test_the_values_show_the_smallest_step_of_a_metric(values, examples, step):
    found = resolution_of(np.array(values, np.float32), examples)
    assert found == pytest.approx(step, rel=1e-5)


def test_equal_differences_are_as_uncertain_as_the_rounding_of_both():
    values, resolution = np.array([[0.9, 0.91, 0.92], [0.88, 0.89, 0.90]]), 0.01
    found = compare(values, "", larger_is_better=True, resolution=resolution)
    # A rounded value is off by up to half a step, evenly: a variance of 1/12 each.
    error = resolution * np.sqrt(2 / 12) / np.sqrt(3)
    assert found.p_value[1] == pytest.approx(2 * stats.t.sf(0.02 / error, 2), rel=1e-6)


def test_intervals_of_differences_hold_them_all_at_once():
    generator, means = np.random.default_rng(3), np.array([0.90, 0.93, 0.95])
    held = 0
    for _ in range(TRIALS):
        found = compare(drawn(generator, means, seeds=5), "", larger_is_better=True)
        truth = means[found.best] - means
        held += np.all((found.difference_low <= truth) & (truth <= found.difference_high))
    assert held / TRIALS > 0.95 - 4 * np.sqrt(0.95 * 0.05 / TRIALS)


def test_an_interval_that_holds_0_and_a_schedule_like_the_best_are_the_same():
    generator = np.random.default_rng(4)
    for _ in range(50):
        means = generator.uniform(0.9, 0.95, size=6)
        found = compare(drawn(generator, means, seeds=5), "", larger_is_better=True)
        np.testing.assert_array_equal(found.like_best, found.difference_low <= 0)


def test_so_many_more_seeds_tell_four_times_out_of_five():
    generator, trials, differences = np.random.default_rng(5), 400, np.array([0.0, 0.006])
    # Values whose difference has exactly this mean and this deviation.
    noise = np.array([0.01, -0.01, 0.01, -0.01])
    exact = np.stack([np.full(4, 0.9), 0.9 - differences[1] - noise])
    found = compare(exact, "", larger_is_better=True)
    assert found.like_best.all()
    seeds = 4 + int(found.more_seeds[1])
    assert 20 < seeds < 60
    deviation = noise.std(ddof=1)
    told = 0
    for _ in range(trials):
        values = np.zeros((2, seeds))
        values[1] = generator.normal(-differences[1], deviation, size=seeds)
        told += not compare(values, "", larger_is_better=True).like_best.all()
    assert told / trials == pytest.approx(0.8, abs=0.07)


def test_what_two_seeds_do_not_tell_takes_at_least_one_more():
    # Just not significant at 90 %, for which the approximation finds two seeds enough.
    values = np.array([[0.9, 0.9], [0.9 - 0.0837, 0.9 - 0.1163]])
    found = compare(values, "", larger_is_better=True, confidence=0.9)
    assert found.like_best.tolist() == [True, True]
    assert found.more_seeds[1] == 1


def test_diverged_schedules_are_not_compared():
    values = np.array([[0.9, 0.91, 0.92], [0.95, np.nan, 0.99], [0.5, 0.5, 0.51]])
    found = compare(values, "", larger_is_better=True)
    assert found.best == 0
    assert np.isnan(found.mean[1])
    assert np.isnan(found.p_value[1])
    assert found.like_best.tolist() == [True, False, False]
    without = compare(values[[0, 2]], "", larger_is_better=True)  # one pair, not three
    np.testing.assert_array_equal(found.p_value[[0, 2]], without.p_value)
    lost = compare(np.full((2, 3), np.nan), "", larger_is_better=True)
    assert lost.best == -1
    assert not lost.like_best.any()


def test_one_seed_tells_nothing():
    found = compare(np.array([[0.9], [0.1]]), "", larger_is_better=True)
    assert found.best == 0
    assert found.like_best.all()
    assert np.isnan(found.low).all()
    assert found.more_seeds.tolist() == [-1, -1]


def test_the_same_schedule_twice_is_as_good():
    values = np.tile([0.9, 0.92, 0.91], (2, 1))
    found = compare(values, "", larger_is_better=True)
    assert found.p_value.tolist() == [1, 1]
    assert found.like_best.all()


def test_a_comparison_prints_a_line_for_each_schedule_best_first():
    values = np.array([[0.5, 0.5, 0.51], [0.8, 0.81, 0.8], [np.nan, 0.7, 0.7], [0.8, 0.8, 0.8]])
    head, *lines = str(compare(values, "test_accuracy", larger_is_better=True)).splitlines()
    assert head == "test_accuracy (95%)"
    assert [line[:10] for line in lines] == [f"schedule {index}" for index in (1, 3, 0, 2)]
    assert lines[0].startswith("schedule 1  0.8033 (0.7890 … 0.8177)  the best")
    assert lines[1].endswith("0.0033 behind, p = 1 ≈")
    assert "0.3 behind" in lines[2]
    assert not lines[2].endswith("≈")
    assert lines[3] == "schedule 2  not finite"


def test_of_one_seed_the_intervals_are_left_out():
    lines = str(compare(np.array([[2e-5], [1e-5]]), "test_loss", larger_is_better=False))
    assert lines.splitlines()[1:] == [
        "schedule 1  1.000e-05  the best",
        "schedule 0  2.000e-05  1e-05 behind ≈",
    ]
