"""Numbers at the edge: what is measured, concluded and drawn where there is little or nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay.cli.ending import print_result
from jaxdecay.cli.run import Run
from jaxdecay.data import Data
from jaxdecay.report.page import content
from jaxdecay.report.pictures import draw_curves, draw_hyperparameters, draw_seeds
from jaxdecay.results.metric import ACCURACY

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def line(**parts) -> jaxdecay.Task:
    """A straight line through the origin; the slope is the only parameter."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 1)).astype(np.float32)
    labels = (3 * inputs[:, 0] + rng.normal(size=40)).astype(np.float32)
    data = Data(inputs[:32], labels[:32], inputs[32:], labels[32:], name="line")
    return jaxdecay.Task(
        init=jax.random.normal,
        loss=lambda slope, batch: jnp.mean((batch.inputs[:, 0] * slope - batch.labels) ** 2),
        metrics=lambda slope, batch: {
            "accuracy": jnp.abs(batch.inputs[:, 0] * slope - batch.labels) < 1
        },
        data=dataclasses.replace(data, **parts),
        measures=[ACCURACY],
        ranks_by="accuracy",
    )


def shown(result: jaxdecay.SweepResult, capsys) -> tuple[str, dict]:
    """What the terminal and the report show."""
    run = Run("line", None, "", None, {}, [], None, 1, jaxdecay.SweepConfig())
    capsys.readouterr()
    print_result(result, run, Path("out"), None)
    return capsys.readouterr().out, content(result, None, 0.95)


def swept(task: jaxdecay.Task, rates: list[float], **settings) -> jaxdecay.SweepResult:
    return jaxdecay.sweep(
        task, jaxdecay.grid(jaxdecay.constant, value=rates), **{"batch_size": 8, **settings}
    )


@pytest.mark.parametrize("name", ["train_inputs", "train_labels"])
def test_data_that_are_not_finite_are_named_and_not_the_learning_rates(name, caplog):
    damaged = np.full_like(getattr(line().data, name), np.nan)
    result = swept(line(**{name: damaged}), [1e-3, 0.1])
    assert f"numbers in {name} are NaN or infinite; if the loss uses them" in caplog.text
    assert (result.diverged_at == 0).all()
    with pytest.raises(ValueError, match=r"^every schedule diverged; the loss was NaN .* before"):
        result.best()


def test_rates_that_are_too_large_are_named_where_the_first_loss_is_finite(caplog):
    result = swept(line(), [1e30, 1e35])
    with pytest.raises(ValueError, match="every schedule diverged; try smaller learning rates"):
        result.best()
    assert not caplog.text


def test_one_schedule_with_one_seed_is_compared_with_nothing(capsys):
    result = swept(line(), [0.1], seeds=1)
    printed, report = shown(result, capsys)
    accuracy = float(result.metrics["test_accuracy"][0, 0])
    assert report["verdict"] == f"Best: constant(value=0.1), test accuracy {accuracy:.4f}."
    assert repr(result).startswith("<SweepResult: 1 schedule × 1 seed on line, 4 steps, 0 members")
    assert "Trained 1 network in" in printed
    for text in (printed, report["legend"]):
        assert not any(word in text for word in ("≈", "interval", "significant", "confirm"))
    draw_curves(result), draw_seeds(result)
    assert draw_hyperparameters(result) == {}


def test_a_test_set_of_one_example_separates_nothing_and_is_named(capsys):
    data = line().data
    one = {"test_inputs": data.test_inputs[:1], "test_labels": data.test_labels[:1]}
    result = swept(line(**one), [1e-5, 0.1, 0.3], seeds=5, epochs=3)
    assert set(np.unique(result.metrics["test_accuracy"])) <= {0.0, 1.0}
    found = result.compare()
    assert found.like_best.all()
    assert found.low.min() >= 0
    assert found.high.max() <= 1
    printed, report = shown(result, capsys)
    note = "he test set has only 1 example, so the best schedule may be best by chance"
    assert f"note: t{note}" in printed
    assert f"T{note}" in report["verdict"]


@pytest.mark.parametrize("rates", [[1e30, 1e20], [0.0, 0.1, 1e30]])
def test_what_diverged_has_no_place_and_is_not_drawn(rates, capsys):
    result = swept(line(), rates, seeds=2)
    sound = int(result.sound.sum())
    assert sound == sum(rate < 1 for rate in rates)
    printed, report = shown(result, capsys)
    places = [*map(str, range(1, sound + 1)), *"–" * (len(rates) - sound)]
    assert [row.place for row in result.rows()] == places
    by_rank = sorted(report["schedules"], key=lambda each: each["rank"])
    assert [each["place"] for each in by_rank] == places
    for axis in draw_curves(result).axes:
        assert len(axis.lines) == sound
        assert [text.get_text()[:15] for text in axis.texts] == ["nothing to draw"] * (not sound)
    names = [text.get_text() for each in draw_curves(result).legends for text in each.texts]
    assert not any("1e+30" in name for name in names)
    for figure in (draw_seeds(result), *draw_hyperparameters(result).values()):
        assert len(figure.axes[0].texts) == (not sound)
    assert "members diverged" in draw_hyperparameters(result)["constant"].get_suptitle()
    assert ("best: " in printed) == (sound > 0)
    assert report["curves_note"].startswith("Curves are means" if sound else "Every schedule has")


def test_all_that_diverge_at_the_first_step_are_not_told_to_lower_their_rates(capsys):
    labels = np.full_like(line().data.train_labels, np.inf)
    result = swept(line(train_labels=labels), [0.0, 0.1], seeds=2)
    _, report = shown(result, capsys)
    assert report["best"] is None
    assert "smaller learning rates" not in report["verdict"]
    assert report["verdict"].startswith("Every schedule has a diverged member; the loss was NaN")
    assert [row["status"] for row in result.member_rows()] == ["diverged at step 0, in epoch 0"] * 4


def test_a_logarithmic_axis_shows_all_curves():
    result = swept(line(), [1e-4, 1e-2, 0.3], epochs=2)
    axis = draw_curves(result).axes[0]
    assert axis.get_yscale() == "log"
    low, high = axis.get_ylim()
    assert 1e-5 < low < 1e-4
    assert 0.3 < high < 3


@pytest.mark.slow
def test_thousands_of_schedules_with_one_seed(capsys, tmp_path):
    result = swept(line(), np.geomspace(1e-4, 0.5, 5_000).tolist(), seeds=1)
    printed, report = shown(result, capsys)
    assert "The best 20 of 5,000 schedules" in printed
    assert printed.count("constant value=") == 20
    for text in (printed, report["verdict"]):
        assert "ne seed per schedule cannot tell differences" in text
        assert "≈" not in text
        assert "significant" not in text
    assert report["title"] == "5,000 schedules × 1 seed on line"
    result.save(tmp_path)
    assert len((tmp_path / "members.csv").read_text().splitlines()) == 5_001
    assert jaxdecay.SweepResult.load(tmp_path).ranking().tolist() == result.ranking().tolist()


@pytest.mark.slow
def test_one_schedule_with_thousands_of_seeds(capsys):
    result = swept(line(), [0.1], seeds=2_000)
    printed, report = shown(result, capsys)
    values = result.metrics["test_accuracy"][0].astype(float)
    mean, error = values.mean(), 1.96 * values.std(ddof=1) / np.sqrt(2_000)
    ends = f"{mean - error:.4f} … {mean + error:.4f}"
    found = result.compare()
    np.testing.assert_allclose([found.low[0], found.high[0]], [mean - error, mean + error], 1e-3)
    assert f"test accuracy {mean:.4f} (95 % interval {ends[:5]}" in report["verdict"]
    assert report["title"] == "1 schedule × 2,000 seeds on line"
    for text in (printed, report["verdict"], report["legend"]):
        assert not any(word in text for word in ("≈", "optimistic", "significant", "confirm"))
