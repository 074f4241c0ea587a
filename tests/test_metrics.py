"""Metrics of a task: declared directions, values of the complete test set, and clear refusals."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import f1_score, r2_score

import jaxdecay
from jaxdecay.cli.display import Display, SweepSize
from jaxdecay.cli.leaderboard import leaderboard
from jaxdecay.data import Data
from jaxdecay.report.page import content
from jaxdecay.training.train import evaluate

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def started(larger: bool) -> Display:
    """Counts a sweep that ranks by the score."""
    display = Display()
    display.running(SweepSize(3, 3, 3, 4, 16, "line", "test_score", larger))
    return display


def line(test_examples: int = 30, **changes) -> jaxdecay.Task:
    """A straight line through the origin with noise; the slope is the only parameter."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64 + test_examples, 1)).astype(np.float32)
    labels = (3 * inputs[:, 0] + rng.normal(size=len(inputs))).astype(np.float32)
    # Errors of batches that differ, as in data that are sorted.
    labels[64:] *= np.linspace(0.1, 9.0, test_examples, dtype=np.float32)
    parts = {
        "init": lambda key: {"slope": jnp.zeros(())},
        "loss": lambda parameters, batch: jnp.mean(errors(parameters, batch) ** 2),
        "metrics": lambda parameters, batch: {},
        "data": Data(inputs[:64], labels[:64], inputs[64:], labels[64:], name="line"),
        **changes,
    }
    return jaxdecay.Task(**parts)


def errors(parameters, batch):
    return batch.inputs[:, 0] * parameters["slope"] - batch.labels


RATES = jaxdecay.grid(jaxdecay.constant, value=[1e-4, 0.01, 0.1])


def swept(task, **settings):
    return jaxdecay.sweep(task, RATES, **{"epochs": 3, "batch_size": 16, "seeds": 3, **settings})


# Directions.


def scored(larger: bool, ranks_by: str = "score") -> jaxdecay.Task:
    """What is called `score` is the larger the better, or the smaller, as is declared."""

    def metrics(parameters, batch):
        distance = jnp.abs(errors(parameters, batch))
        return {"score": jnp.exp(-distance) if larger else distance}

    declared = [jaxdecay.Metric("score", larger_is_better=larger)]
    return line(metrics=metrics, measures=declared, ranks_by=ranks_by)


@pytest.mark.parametrize("larger", [True, False])
def test_the_declared_direction_is_used_everywhere(larger, tmp_path):
    result = swept(scored(larger))
    scores = result.metrics["test_score"].mean(axis=1)
    best_first = np.argsort(-scores if larger else scores)
    assert result.main_metric == "test_score"
    assert result.ranking().tolist() == best_first.tolist()
    found = result.compare()
    assert (found.metric, found.best) == ("test_score", best_first[0])
    assert (found.difference[best_first[1:]] > 0).all()
    middle = float(np.median(result.history["test_score"]))
    steps = result.steps_to(middle)
    for schedule, seed in np.ndindex(steps.shape):
        values = result.history["test_score"][:, schedule, seed]
        reached = np.flatnonzero(values >= middle if larger else values <= middle)
        assert steps[schedule, seed] == (4 * (reached[0] + 1) if len(reached) else np.inf)
    shown = content(result, None, 0.95)
    assert shown["larger_is_better"] == larger
    columns = {column["name"]: column["descending"] for column in shown["columns"]}
    assert (columns["test_score"], columns["test_loss"]) == (larger, False)
    assert shown["best"] == best_first[0]
    assert "test_score" in [metric["name"] for metric in shown["metrics"]]
    result.save(tmp_path)
    again = jaxdecay.SweepResult.load(tmp_path)
    assert again.ranking().tolist() == best_first.tolist()
    assert again.compare("test_score").best == best_first[0]
    display = started(larger)
    display.add_epoch(2, {name: each[2] for name, each in result.history.items()})
    assert display.best == pytest.approx(scores[best_first[0]])


def test_what_ranks_is_declared():
    by_loss = swept(scored(larger=True, ranks_by="loss"))
    assert by_loss.main_metric == "test_loss"
    assert by_loss.ranking()[0] == by_loss.metrics["test_loss"].mean(axis=1).argmin()
    task = jaxdecay.classifier(jaxdecay.digits())
    assert task.ranks_by == "accuracy"
    undeclared = dataclasses.replace(task, ranks_by="loss")
    assert jaxdecay.sweep(undeclared, RATES, batch_size=479).main_metric == "test_loss"


@pytest.mark.parametrize(("larger", "wrong"), [(True, "min"), (False, "max")])
def test_a_plateau_follows_the_declared_direction(larger, wrong):
    task = scored(larger)
    right = "max" if larger else "min"
    plateau = jaxdecay.stack([jaxdecay.reduce_on_plateau(0.1, mode=wrong)])
    with pytest.raises(ValueError, match=f'mode must be "{right}" with monitor="test_score"'):
        jaxdecay.sweep(task, plateau, batch_size=16, monitor="test_score")
    with pytest.raises(ValueError, match=f'mode must be "{right}" with monitor="test_score"'):
        jaxdecay.train(
            jaxdecay.reduce_on_plateau(0.1, mode=wrong),
            jax.random.key(0),
            task.data,
            task=task,
            batch_size=16,
            monitor="test_score",
        )
    plateau = jaxdecay.stack([jaxdecay.reduce_on_plateau(0.1, mode=right)])
    jaxdecay.sweep(task, plateau, batch_size=16, monitor="test_score")


def test_a_learning_rate_has_no_direction():
    result = swept(line())
    with pytest.raises(ValueError, match="metric must be one of train_loss, test_loss; got 'lear"):
        result.compare("learning_rate")
    with pytest.raises(ValueError, match="metric must be one of train_loss, test_loss; got 'lear"):
        result.steps_to(0.1, "learning_rate")


# Values of the complete test set.

N = 2_500


def measured(task: jaxdecay.Task, slope: float) -> dict[str, float]:
    found = jax.jit(functools.partial(evaluate, task))({"slope": jnp.asarray(slope)}, task.data)
    return {name: float(value) for name, value in found.items()}


def test_the_root_of_a_mean_is_that_of_all_examples():
    rmse = jaxdecay.Metric("rmse", larger_is_better=False, finish=jnp.sqrt)
    squares = {"metrics": lambda p, batch: {"rmse": errors(p, batch) ** 2}, "measures": [rmse]}
    for examples in (3, 999, 1_000, 1_001, N):
        task = line(examples, **squares)
        data = task.data
        right = np.sqrt(np.mean((2.0 * data.test_inputs[:, 0] - data.test_labels) ** 2.0))
        assert measured(task, 2.0)["rmse"] == pytest.approx(right, rel=1e-5)
    trained = jaxdecay.train(
        lambda step: 0.0, jax.random.key(0), task.data, task=task, batch_size=16
    )
    right = np.sqrt(np.mean(np.square(task.data.test_labels, dtype=float)))
    assert float(trained.history["test_rmse"][0]) == pytest.approx(right, rel=1e-5)


def test_r2_and_f1_are_those_of_scikit_learn():
    task = line(N)
    targets = task.data.test_labels
    variance = float(np.var(targets))

    def metrics(parameters, batch):
        guess, right = batch.inputs[:, 0] * parameters["slope"] > 1, batch.labels > 1
        hits, misses, false = guess & right, ~guess & right, guess & ~right
        return {"r2": errors(parameters, batch) ** 2, "f1": (hits, misses, false)}

    def f1(means):
        hits, misses, false = means
        return 2 * hits / (2 * hits + misses + false)

    declared = [
        jaxdecay.Metric("r2", larger_is_better=True, finish=lambda error: 1 - error / variance),
        jaxdecay.Metric("f1", larger_is_better=True, finish=f1),
    ]
    task = dataclasses.replace(task, metrics=metrics, measures=declared, ranks_by="r2")
    found, guess = measured(task, 2.5), 2.5 * task.data.test_inputs[:, 0]
    assert found["r2"] == pytest.approx(r2_score(targets, guess), rel=1e-4)
    assert found["f1"] == pytest.approx(f1_score(targets > 1, guess > 1), rel=1e-5)


def test_a_number_of_a_complete_test_set_is_taken_as_it_is():
    rmse = jaxdecay.Metric("rmse", larger_is_better=False)
    by_hand = {
        "metrics": lambda p, batch: {"rmse": jnp.sqrt(jnp.mean(errors(p, batch) ** 2))},
        "measures": [rmse],
    }
    task = line(1_000, **by_hand)
    right = np.sqrt(np.mean(np.square(task.data.test_labels, dtype=float)))
    assert measured(task, 0.0)["rmse"] == pytest.approx(right, rel=1e-5)
    message = r"shape \(1000,\), not one number: the 1,001 test examples.*finish of its jaxdecay\.M"
    with pytest.raises(ValueError, match=message):
        swept(line(1_001, **by_hand))


# Clear refusals.

SCORE = jaxdecay.Metric("score", larger_is_better=True)


def values_of(value):
    return lambda parameters, batch: value(batch) if callable(value) else value


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"loss": 1.0}, "metrics of a task return 'loss', which is measured anyway; leave it"),
        ({"f1": 1.0}, r"return 'f1', which it does not declare; add jaxdecay\.Metric\('f1', lar"),
        ({}, "declares the metric 'score', which its metrics do not return; return it, or remov"),
        ({"score": None}, r"'score' must be one value for each.*shape \(30,\); got None"),
        ({"score": [1.0, 2.0]}, r"'score' must be one value for each example.*; got a list"),
        ({"score": "high"}, r"'score' must be one value for each example.*; got a str"),
        ({"score": np.zeros(4)}, r"an array of shape \(30,\), got shape \(4,\)"),
        (lambda batch: {"score": batch.inputs}, r"of shape \(30,\), got shape \(30, 1\)"),
        (None, r"must return \{name: values\}, or \{\} if it has none, got None"),
        ([1.0], r"must return \{name: values\}, or \{\} if it has none, got a list"),
    ],
)
def test_what_metrics_cannot_return_is_one_line(found, message):
    task = line(metrics=values_of(found), measures=[SCORE])
    for run in (swept, train):
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            run(task)
        assert "\n" not in str(caught.value)


def train(task):
    return jaxdecay.train(lambda step: 0.1, jax.random.key(0), task.data, task=task, batch_size=16)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda p, batch: (jnp.mean(errors(p, batch) ** 2), {}), "one float.*got a tuple; return"),
        (lambda p, batch: None, "must be one float, the mean over the batch; got a NoneType"),
        (lambda p, batch: errors(p, batch), r"got an array of shape \(16,\) and type float32"),
    ],
)
def test_what_a_loss_cannot_return_is_one_line(loss, message):
    for run in (swept, train):
        with pytest.raises(ValueError, match=message) as caught:
            run(line(loss=loss))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, r"must return its parameters, a tree of float arrays; got \{\}, which contains"),
        (None, "a tree of float arrays; got None, which contains no array"),
        ({"slope": 0}, r"must return float arrays.*got int32 at \['slope'\]; convert it with"),
        ({"slope": jnp.zeros((), bool)}, r"got bool at \['slope'\]"),
    ],
)
def test_what_init_cannot_return_is_one_line(parameters, message):
    for run in (swept, train):
        with pytest.raises(ValueError, match=message) as caught:
            run(line(init=lambda key: parameters))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zero", [0.0, np.zeros(()), np.float32(0)])
def test_numbers_of_python_and_numpy_are_parameters(zero):
    expected = swept(line())
    found = swept(line(init=lambda key: {"slope": zero}))
    np.testing.assert_array_equal(found.history["test_loss"], expected.history["test_loss"])
    np.testing.assert_allclose(
        train(line(init=lambda key: {"slope": zero})).parameters["slope"],
        train(line()).parameters["slope"],
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measures": {"score": True}}, "measures of a Task must be a list of its metrics"),
        ({"measures": [SCORE, SCORE]}, "list 'score' twice"),
        (
            {"measures": [SCORE], "ranks_by": "scor"},
            r"one of loss, score; got 'scor' \(did you mean",
        ),
        ({"ranks_by": "accuracy"}, "ranks_by of a Task must be one of loss; got 'accuracy'"),
    ],
)
def test_what_a_task_cannot_declare_is_one_line(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        line(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "loss", "larger_is_better": False}, "other than '' and 'loss', got 'loss'; the"),
        (
            {"name": "", "larger_is_better": False},
            "a metric needs a name other than '' and 'loss', got ''",
        ),
        ({"name": "f1", "larger_is_better": "yes"}, "must be True or False, got 'yes'"),
        ({"name": "f1", "larger_is_better": True, "finish": 2}, "must be a function of the mean"),
    ],
)
def test_what_a_metric_cannot_be_is_one_line(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        jaxdecay.Metric(**arguments)
    with pytest.raises(TypeError, match="larger_is_better"):
        jaxdecay.Metric("f1")


# Numbers that are not finite.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("larger", [True, False])
def test_a_metric_that_is_not_finite_is_not_divergence(bad, larger):
    """It ranks its schedule behind all others, and every report says the same of it."""

    def metrics(parameters, batch):
        # The schedule that hardly moves has no score.
        moved = jnp.abs(parameters["slope"]) > 0.1
        return {"score": jnp.where(moved, jnp.abs(errors(parameters, batch)), bad)}

    declared = [jaxdecay.Metric("score", larger_is_better=larger)]
    result = swept(line(metrics=metrics, measures=declared, ranks_by="score"))
    assert (result.diverged_at == -1).all()
    assert {result.status(s, k) for s in range(3) for k in range(3)} == {"finished"}
    assert (result.sound_epochs == 3).all()
    np.testing.assert_array_equal(result.metrics["test_score"][0], np.full(3, bad, np.float32))
    assert result.ranking()[-1] == 0
    assert result.best() != result.population[0]
    found = result.compare()
    assert np.isnan(found.mean[0])
    assert found.best == result.ranking()[0]
    assert str(found).splitlines()[-1] == "schedule 0  not finite"
    assert result.summary()["diverged_members"] == 0
    assert content(result, None, 0.95)["diverged_note"] == "No member diverged."
    assert leaderboard(result).row_count == 3
    display = started(larger)
    display.add_epoch(2, {name: each[2] for name, each in result.history.items()})
    assert display.diverged == 0
    assert np.isfinite(display.best)


def test_a_test_example_without_a_number_is_not_divergence():
    task = line()
    inputs = np.array(task.data.test_inputs)
    inputs[7] = np.nan
    broken = dataclasses.replace(task, data=dataclasses.replace(task.data, test_inputs=inputs))
    result, expected = swept(broken, epochs=2), swept(task, epochs=2)
    assert (result.diverged_at == -1).all()
    assert result.status(0, 0) == "finished"
    np.testing.assert_array_equal(result.history["train_loss"], expected.history["train_loss"])
    assert np.isnan(result.history["test_loss"]).all()
    assert int(train(broken).diverged_at) == -1


def test_a_member_that_diverges_has_no_metric_from_that_epoch_on():
    population = jaxdecay.stack(
        [jaxdecay.piecewise_constant([0.1, 1e30], boundaries=[5]), jaxdecay.constant(0.1)]
    )
    result = jaxdecay.sweep(line(), population, epochs=3, batch_size=16)
    assert result.diverged_at[:, 0].tolist() == [6, -1]
    assert result.status(0, 0) == "diverged at step 6, in epoch 1"
    for name in ("train_loss", "test_loss"):
        assert np.isfinite(result.history[name][0]).all()
        assert np.isnan(result.history[name][1:, 0]).all()
        assert np.isfinite(result.history[name][:, 1]).all()


@pytest.mark.parametrize("rate", [1e30, 3e38])
def test_an_update_after_the_last_loss_can_diverge(rate):
    """Four steps; the last one makes a parameter, or the loss of it, no number."""
    schedule = jaxdecay.piecewise_constant([0.01, rate], boundaries=[3])
    result = jaxdecay.sweep(line(), jaxdecay.stack([schedule]), batch_size=16)
    assert result.diverged_at.tolist() == [[4]]
    assert result.status(0, 0) == "diverged at step 4, in epoch 0"
