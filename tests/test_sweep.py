"""Sweeps: members equal `train`, populations mix, divergence stays with its member."""

from __future__ import annotations

import dataclasses
import functools

import jax
import numpy as np
import optax
import pytest

import jaxdecay

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    return jaxdecay.classifier(jaxdecay.digits())


@pytest.fixture(scope="module")
def mixed() -> jaxdecay.Population:
    return jaxdecay.concat(
        jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.1, 0.3], decay_rate=0.01),
        jaxdecay.grid(
            jaxdecay.warmup, schedule=jaxdecay.cosine(0.3, transition_steps=60), warmup_steps=20
        ),
        jaxdecay.grid(jaxdecay.inverse_time, init_value=0.2, decay_rate=0.1),
        jaxdecay.grid(jaxdecay.piecewise_constant, values=[0.3, 0.1], boundaries=[50]),
    )


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(optax.sgd, id="sgd", marks=pytest.mark.slow),
        pytest.param(optax.adam, id="adam", marks=pytest.mark.slow),
    ],
)
def test_a_member_of_a_mixed_population_equals_the_schedule_trained_alone(task, mixed, optimizer):
    population = mixed if optimizer is optax.sgd else jaxdecay.stack([s * 0.03 for s in mixed])
    result = jaxdecay.sweep(task, population, optimizer=optimizer, epochs=2, seeds=2, seed=5)
    assert result.seeds == (5, 6)
    run = jax.jit(functools.partial(jaxdecay.train, task=task, epochs=2, optimizer=optimizer))
    for index, schedule in enumerate(population):
        for k, seed in enumerate(result.seeds):
            alone = run(schedule, jax.random.key(seed), task.data)
            for name, values in alone.history.items():
                member = result.history[name][:, index, k]
                np.testing.assert_allclose(member, values, rtol=2e-4, err_msg=name)


def plateau_scales(schedule, metrics):
    """PyTorch's rule for one member, in float64: the scale in each epoch, and after the last."""
    sign = 1.0 if schedule.mode == "min" else -1.0
    scale, best, bad, scales = 1.0, np.inf, 0, [1.0]
    for metric in sign * np.asarray(metrics, np.float64):
        share = schedule.threshold * abs(best) if np.isfinite(best) else 0.0
        better = metric < best - share
        best, bad = (metric, 0) if better else (best, bad + 1)
        if bad > schedule.patience:
            scale, bad = scale * schedule.factor, 0
        scales.append(scale)
    return np.array(scales)


def watching(threshold, mode):
    schedule = jaxdecay.linear(0.2, end_value=0.1, transition_steps=70)
    plateaus = jaxdecay.grid(
        jaxdecay.reduce_on_plateau,
        schedule=schedule,
        factor=0.5,
        patience=[0, 1],
        threshold=threshold,
        mode=mode,
    )
    return jaxdecay.stack([plateaus[0], jaxdecay.cosine(0.3, transition_steps=60), plateaus[1]])


def assert_members_follow(result, monitor):
    """Each member's rates are those of its schedule, scaled as its own metrics command."""
    rates = np.concatenate([result.history["learning_rate"], result.final_learning_rate[None]])
    steps = np.arange(len(rates)) * result.steps // (len(rates) - 1)
    for index, schedule in enumerate(result.population):
        for k in range(len(result.seeds)):
            expected = np.asarray(jaxdecay.value_at(schedule, steps))
            if schedule.family == "reduce_on_plateau":
                metrics = result.history[monitor][:, index, k]
                expected = expected * plateau_scales(schedule, metrics)
            np.testing.assert_allclose(rates[:, index, k], expected, rtol=1e-6)
    assert (rates[:, :, 0] != rates[:, :, 1]).any()
    assert (rates[:, 0] != rates[:, 2]).any()
    assert result.settings["monitor"] == monitor


def test_each_member_follows_its_own_loss_as_if_trained_alone(task):
    settings = {"epochs": 6, "batch_size": 140}
    result = jaxdecay.sweep(task, watching(0.3, "min"), seeds=2, **settings)
    assert_members_follow(result, "test_loss")
    run = jax.jit(functools.partial(jaxdecay.train, task=task, **settings))
    for index, k in ((0, 0), (2, 0), (2, 1)):
        alone = run(result.population[index], jax.random.key(k), task.data)
        for name, values in alone.history.items():
            member = result.history[name][:, index, k]
            np.testing.assert_allclose(member, values, rtol=2e-4, err_msg=name)


def test_each_member_follows_its_own_accuracy(task):
    result = jaxdecay.sweep(
        task, watching(0.05, "max"), epochs=6, batch_size=140, seeds=2, monitor="test_accuracy"
    )
    assert_members_follow(result, "test_accuracy")


def test_all_schedules_of_a_seed_see_the_same_batches(task):
    rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
    result = jaxdecay.sweep(task, rates, epochs=2, seeds=2, batch_size=1_000)
    first, second = result.history["train_loss"]  # an epoch is one step: its loss before it
    np.testing.assert_array_equal(first[0], first[1])
    assert first[0, 0] != first[0, 1]
    assert (second[0] != second[1]).all()


def test_shapes_and_learning_rates(task, mixed):
    result = jaxdecay.sweep(task, mixed, epochs=2, seeds=3, batch_size=100)
    steps = 1437 // 100
    assert result.steps == 2 * steps
    assert set(result.history) == {"learning_rate", "train_loss", "test_loss", "test_accuracy"}
    assert all(values.shape == (2, 5, 3) for values in result.history.values())
    for epoch in range(2):
        expected = np.array([float(schedule(epoch * steps)) for schedule in mixed])
        rates = result.history["learning_rate"][epoch]
        np.testing.assert_allclose(rates, np.repeat(expected[:, None], 3, 1), rtol=1e-6)
    final = [float(schedule(2 * steps)) for schedule in mixed]
    np.testing.assert_allclose(
        result.final_learning_rate, np.repeat(np.array(final)[:, None], 3, 1), rtol=1e-6
    )
    assert result.member_steps_per_second > 0


def test_a_diverged_member_touches_no_other(task):
    healthy = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2, 0.3])
    sick = jaxdecay.grid(jaxdecay.constant, value=[0.1, 1e20, 0.3])
    first, second = (jaxdecay.sweep(task, each, epochs=2, seeds=2) for each in (healthy, sick))
    for name, values in first.history.items():
        np.testing.assert_array_equal(values[:, [0, 2]], second.history[name][:, [0, 2]])
    assert (second.diverged_at[[0, 2]] == -1).all()
    assert (second.diverged_at[1] >= 1).all()
    step = second.diverged_at[1, 0]
    assert second.status(1, 0) == f"diverged at step {step}, in epoch 0"
    assert second.status(0, 0) == "finished"
    assert second.ranking()[-1] == 1
    assert np.isnan(second.metrics["test_accuracy"][1]).all()
    assert repr(second).endswith("3 schedules × 2 seeds on digits, 88 steps, 2 members diverged>")
    lost = jaxdecay.sweep(task, sick[1:2])
    with pytest.raises(ValueError, match="every schedule diverged; try smaller"):
        lost.best()


def test_a_diverged_member_keeps_its_last_finite_metrics(task):
    falling_apart = jaxdecay.piecewise_constant([0.1, 1e20], boundaries=[100])  # in the third epoch
    population = jaxdecay.stack([falling_apart, jaxdecay.constant(0.1)])
    result = jaxdecay.sweep(task, population, epochs=4, seeds=2)
    assert ((result.diverged_at[0] >= 100) & (result.diverged_at[0] < 110)).all()
    assert result.status(0, 1).endswith(", in epoch 2")
    for name, values in result.metrics.items():
        np.testing.assert_array_equal(values[0], result.history[name][1, 0])
        np.testing.assert_array_equal(values[1], result.history[name][3, 1])
    assert np.isnan(result.history["test_loss"][2:, 0]).all()
    assert list(result.ranking()) == [1, 0]


@pytest.mark.parametrize(
    ("members", "block"), [(60, 8), pytest.param(1_000, 64, marks=pytest.mark.slow)]
)
def test_seven_of_ten_members_do_not_feel_that_three_diverge(task, members, block):
    """Replaced by healthy ones in the same places, nothing else changes by a bit."""
    rates = np.geomspace(0.01, 0.3, members)
    sick = np.random.default_rng(0).permutation(members)[: 3 * members // 10]
    explosive = rates.copy()
    explosive[sick] = 1e20
    results = [
        jaxdecay.sweep(
            task,
            jaxdecay.grid(jaxdecay.constant, value=each.tolist()),
            epochs=2,
            batch_size=200,
            block=block,
        )
        for each in (rates, explosive)
    ]
    kept = np.setdiff1d(np.arange(members), sick)
    for name, values in results[0].history.items():
        np.testing.assert_array_equal(values[:, kept], results[1].history[name][:, kept])
    assert (results[1].diverged_at[sick] >= 0).all()
    assert (results[1].diverged_at[kept] == -1).all()
    assert set(results[1].ranking()[-len(sick) :]) == set(sick)


def test_rates_that_are_no_rates_diverge_alone(task):
    def broken(rate):
        schedule = jaxdecay.from_function(lambda step: jax.numpy.where(step < 50, 0.1, rate))
        return schedule * 1.0

    rates = (np.nan, np.inf, -np.inf, 3e38, -1e20)
    population = jaxdecay.stack([*map(broken, rates), jaxdecay.constant(0.1)])
    result = jaxdecay.sweep(task, population, epochs=2, block=6)
    healthy = jaxdecay.stack([jaxdecay.constant(0.1)] * 6)
    alone = jaxdecay.sweep(task, healthy, epochs=2, block=6)
    for index in range(5):
        assert 50 <= result.diverged_at[index, 0] <= 60, rates[index]
        assert result.status(index, 0).endswith("in epoch 1")
    np.testing.assert_array_equal(
        result.history["train_loss"][:, 5], alone.history["train_loss"][:, 5]
    )


def test_a_negative_rate_is_trained_with(task):
    """It climbs; that is what it was asked for."""
    climbing = jaxdecay.from_function(lambda step: -0.001 * jax.numpy.ones_like(step, float))
    result = jaxdecay.sweep(task, jaxdecay.stack([climbing * 1.0]), epochs=2)
    first, last = result.history["train_loss"][:, 0, 0]
    assert last > first


def test_parameters_that_the_loss_does_not_show_count_too(task):
    """A number that is no longer finite though no loss says so."""

    def init(key):
        return {"network": task.init(key), "unused": jax.numpy.ones(3)}

    def loss(parameters, batch):
        return task.loss(parameters["network"], batch)

    def explode(rate):
        return optax.chain(
            optax.sgd(rate),
            optax.stateless(
                lambda updates, _: {**updates, "unused": updates["unused"] + np.float32(3e38)}
            ),
        )

    own = jaxdecay.Task(init, loss, lambda parameters, batch: {}, task.data)
    result = jaxdecay.sweep(
        own, jaxdecay.grid(jaxdecay.constant, value=[0.1]), optimizer=explode, epochs=2
    )
    assert result.diverged_at[0, 0] == 44  # seen at the end of the first epoch
    assert np.isnan(result.history["train_loss"]).all()


def test_sweeps_can_stop_when_all_have_diverged(task):
    high = jaxdecay.grid(jaxdecay.constant, value=[1e20, 1e21])
    assert len(jaxdecay.sweep(task, high, epochs=3).history["test_loss"]) == 3
    result = jaxdecay.sweep(task, high, epochs=3, stop_diverged=True)
    assert len(result.history["test_loss"]) == 1
    assert result.steps == 44
    one_left = jaxdecay.grid(jaxdecay.constant, value=[1e20, 0.1])
    result = jaxdecay.sweep(task, one_left, epochs=3, stop_diverged=True)
    assert len(result.history["test_loss"]) == 3


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            lambda parameters, batch: batch.inputs.mean(axis=(1, 2)),
            r"shape \(32,\) and type float32",
        ),
        (lambda parameters, batch: batch.labels.sum(), r"shape \(\) and type uint32"),
        (lambda parameters, batch: 3, r"shape \(\) and type int32"),
    ],
)
def test_a_loss_that_is_not_one_float_is_refused(task, mixed, loss, message):
    own = jaxdecay.Task(task.init, loss, task.metrics, task.data)
    with pytest.raises(ValueError, match=f"must be one float.*{message}") as told:
        jaxdecay.sweep(own, mixed)
    assert "\n" not in str(told.value)


def test_a_loss_that_raises_raises_before_training(task, mixed):
    def loss(parameters, batch):
        raise ZeroDivisionError("of the loss")

    own = jaxdecay.Task(task.init, loss, task.metrics, task.data)
    with pytest.raises(ZeroDivisionError, match="of the loss"):
        jaxdecay.sweep(own, mixed, callback=lambda *_: pytest.fail("trained"))


def test_ranking_is_by_accuracy_then_loss(task):
    result = jaxdecay.sweep(
        task, jaxdecay.grid(jaxdecay.constant, value=[1e-5, 0.3, 1e20, 0.01]), epochs=3
    )
    assert list(result.ranking()) == [1, 3, 0, 2]
    assert result.best() == jaxdecay.constant(0.3)


def test_equal_counts_of_right_answers_are_equal_in_the_ranking(task):
    """Also where rounding made one of the shares another float32: then the loss decides."""
    population = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
    result = jaxdecay.sweep(task, population, epochs=1, seeds=3)
    shares = np.array([[351, 351, 350], [349, 351, 352]], np.float32) / np.float32(360)
    shares[0] = np.nextafter(shares[0], np.float32(1))
    history = {
        **result.history,
        "test_accuracy": shares[None],
        "test_loss": np.array([[0.3, 0.3, 0.3], [0.2, 0.2, 0.2]], np.float32)[None],
    }
    tied = dataclasses.replace(result, history=history)
    means = tied.metrics["test_accuracy"].mean(axis=1, dtype=float)
    assert means[0] > means[1]
    assert list(tied.ranking()) == [1, 0]
    assert tied.compare().best == 1


def test_schedules_are_compared_over_seeds(task):
    population = jaxdecay.grid(jaxdecay.constant, value=[1e-5, 0.3, 1e20, 0.3])
    result = jaxdecay.sweep(task, population, epochs=3, seeds=3)
    found = result.compare()
    assert found.metric == "test_accuracy"
    np.testing.assert_allclose(found.mean[:2], result.metrics["test_accuracy"].mean(axis=1)[:2])
    assert found.like_best.tolist() == [False, True, False, True]
    losses = result.compare("test_loss", confidence=0.5)
    assert losses.difference[0] == pytest.approx(np.ptp(losses.mean[:2]))
    with pytest.raises(ValueError, match=r"one of.*'loss' \(did you mean 'test_loss'"):
        result.compare("loss")
    with pytest.raises(ValueError, match=r"confidence must be between 0 and 1, got 95"):
        result.compare(confidence=95)


def test_the_callback_sees_each_epoch(task):
    seen = []
    result = jaxdecay.sweep(
        task,
        jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2]),
        epochs=3,
        callback=lambda epoch, history: seen.append((epoch, history["test_accuracy"])),
    )
    assert [epoch for epoch, _ in seen] == [0, 1, 2]
    np.testing.assert_array_equal([each for _, each in seen], result.history["test_accuracy"])


def test_wrong_settings_are_refused(task, mixed):
    with pytest.raises(TypeError, match=r"takes a jaxdecay\.Population.*got list"):
        jaxdecay.sweep(task, [jaxdecay.constant(0.1)])
    with pytest.raises(TypeError, match=r"takes a jaxdecay\.Task.*got Data"):
        jaxdecay.sweep(task.data, mixed)
    with pytest.raises(TypeError, match=r"such as optax\.sgd or lambda"):
        jaxdecay.sweep(task, mixed, optimizer=optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"within 0 … 2³²−1, got 2 seeds that start at 4294967295"):
        jaxdecay.sweep(task, mixed, seeds=2, seed=2**32 - 1)
    with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
        jaxdecay.sweep(task, mixed, seeds=0)
    with pytest.raises(ValueError, match=r"train_loss; got 'loss' \(did you mean 'test_loss'\?\)"):
        jaxdecay.sweep(task, mixed, monitor="loss")
    with pytest.raises(ValueError, match="batch size must be from 1 to 1437"):
        jaxdecay.sweep(task, mixed, batch_size=1_438)


@pytest.mark.parametrize(("monitor", "mode"), [("test_accuracy", "min"), ("test_loss", "max")])
def test_a_mode_that_does_not_fit_its_monitor_is_refused(task, monitor, mode):
    population = jaxdecay.stack([jaxdecay.reduce_on_plateau(0.1, mode=mode)])
    with pytest.raises(ValueError, match=f'mode must be .* with monitor="{monitor}"'):
        jaxdecay.sweep(task, population, monitor=monitor)


def test_a_monitor_that_is_not_measured_is_refused_whatever_the_mode(task):
    population = jaxdecay.stack([jaxdecay.reduce_on_plateau(0.1, mode="max")])
    with pytest.raises(ValueError, match="monitor must be a name of the history"):
        jaxdecay.sweep(task, population, monitor="accuracy")


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seeds", "seed", "block"])
def test_numbers_that_count_are_integers(task, name):
    with pytest.raises(TypeError, match=rf"{name} must be an integer, got 2\.0"):
        jaxdecay.sweep(task, jaxdecay.grid(jaxdecay.constant, value=[0.1]), **{name: 2.0})
