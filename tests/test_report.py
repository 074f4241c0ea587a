"""The report: what is in it, from the files of a sweep; how it looks is in test_browser."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import json
import re
import shutil

import jax
import numpy as np
import pandas
import PIL.Image
import polars
import pytest
from commands import error_of, in_this_process
from rich.console import Console

import jaxdecay
from jaxdecay.cli.leaderboard import leaderboard
from jaxdecay.report.axes import drawn_range, is_logarithmic
from jaxdecay.report.page import page
from jaxdecay.results.statistics import MOST_SEEDS

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def result() -> jaxdecay.SweepResult:
    """Eight schedules of three families, two of them a grid, one that diverges."""
    population = jaxdecay.concat(
        jaxdecay.grid(jaxdecay.inverse_time, init_value=[0.03, 0.3], decay_rate=[0.001, 0.01]),
        jaxdecay.grid(jaxdecay.cosine, init_value=[0.03, 0.1, 0.3], transition_steps=60),
        jaxdecay.stack([jaxdecay.constant(1e20)]),
    )
    task = jaxdecay.classifier(jaxdecay.digits())
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return jaxdecay.sweep(task, population, epochs=6, seeds=3, batch_size=140)


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    result.save(folder)
    jaxdecay.write_report(result, folder)
    return folder


def content_of(html: str) -> dict:
    return json.loads(unpacked(html, "content"))


def unpacked(html: str, name: str) -> bytes:
    """What the report holds compressed under a name."""
    (text,) = re.findall(rf'<script type="application/gzip" id="{name}">(.*?)</script>', html)
    return gzip.decompress(base64.b64decode(text))


def floats(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def test_a_sweep_is_read_back_to_the_last_bit(result, saved):
    again = jaxdecay.SweepResult.load(saved)
    assert list(again.population) == list(result.population)
    assert list(again.history) == list(result.history)
    for name, values in result.history.items():
        np.testing.assert_array_equal(again.history[name], values)
    np.testing.assert_array_equal(again.diverged_at, result.diverged_at)
    np.testing.assert_array_equal(again.final_learning_rate, result.final_learning_rate)
    assert (again.seeds, again.steps) == (result.seeds, result.steps)
    assert again.summary() == result.summary()


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("sweep.json", None, "holds no finished sweep: sweep.json is missing"),
        ("history.csv", None, "holds no finished sweep: history.csv is missing"),
        ("sweep.json", "{}", "damaged: 'schedules' is missing"),
        ("sweep.json", '{"schedules', "damaged: "),
        ("history.csv", "member,epoch,test_loss\n0,0,0.5\n", "damaged: "),
        ("members.csv", "member\n0\n", "damaged: 'final_learning_rate' is missing"),
    ],
)
def test_files_that_are_no_sweep_are_refused(saved, tmp_path, name, contents, message):
    folder = shutil.copytree(saved, tmp_path / "copy")
    (folder / name).unlink()
    if contents is not None:
        (folder / name).write_text(contents)
    for command in ("report", "plot"):
        code = 1 if contents else 2
        assert message in error_of(in_this_process(command, "copy", cwd=tmp_path), code)


def test_steps_to_a_target(result):
    accuracy = result.history["test_accuracy"]
    target = float(np.nanmedian(accuracy[2]))
    steps = result.steps_to(target)
    for schedule, seed in np.ndindex(steps.shape):
        reached = [e for e, each in enumerate(accuracy[:, schedule, seed]) if each >= target]
        expected = (reached[0] + 1) * result.steps // 6 if reached else np.inf
        assert steps[schedule, seed] == expected
    assert np.isinf(result.steps_to(1.0)).all()
    assert (result.steps_to(100.0, "test_loss")[:-1] == result.steps // 6).all()
    assert np.isinf(result.steps_to(100.0, "test_loss")[-1]).all()  # it diverged
    with pytest.raises(ValueError, match=r"metric must be one of .*; got 'test_los'"):
        result.steps_to(0.5, "test_los")


def test_a_target_ranks_by_the_steps_to_it(result):
    target = 0.5
    means = result.steps_to(target).mean(axis=1)[result.ranking(target=target)]
    assert (np.diff(means[np.isfinite(means)]) >= 0).all()
    assert list(np.isfinite(means)) == sorted(np.isfinite(means), reverse=True)
    assert result.summary(target)["steps_to_target"][7] is None


def test_what_a_report_holds(result):
    found = content_of(page(result, target=0.5))
    means = result.metrics["test_accuracy"].mean(axis=1)
    assert [each["rank"] for each in found["schedules"]][7] == 8
    for index, each in enumerate(found["schedules"][:7]):
        assert each["test_accuracy"] == pytest.approx(float(means[index]))
        low, high = each["interval"]
        assert low < each["test_accuracy"] < high
        assert each["steps_to"] is None or each["steps_to"] >= result.steps // 6
    curves = floats(found["curves"], 4, 8, 6)
    for place, name in enumerate(metric["name"] for metric in found["metrics"]):
        np.testing.assert_array_equal(curves[place], result.history[name].mean(axis=2).T)
    np.testing.assert_array_equal(floats(found["finals"], 8, 3), result.metrics["test_accuracy"])
    assert found["bands"] == []
    assert [panel["family"] for panel in found["panels"]] == ["inverse_time", "cosine"]
    assert [panel["is_grid"] for panel in found["panels"]] == [True, False]
    assert found["panels"][0]["names"] == ["init_value", "decay_rate"]
    assert found["diverged_note"].startswith("3 of 24 members diverged. A member")
    assert {each["schedule"] for each in found["diverged"]} == {7}
    best = found["schedules"][found["best"]]
    assert best["name"] in found["verdict"]


def test_the_winner_can_be_copied(result, tmp_path):
    found = content_of(page(result))
    best = found["schedules"][found["best"]]
    names: dict = {}
    exec(best["python"], names)
    assert names["schedule"] == result.best()
    (tmp_path / "best.toml").write_text(best["toml"])
    assert list(jaxdecay.read_schedules(tmp_path / "best.toml")) == [result.best()]


def test_a_schedule_inside_another_can_be_copied_too(result):
    warm = jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=90), warmup_steps=10)
    one = dataclasses.replace(result, population=jaxdecay.stack([*[warm] * 7, warm * 0.5]))
    names: dict = {}
    exec(content_of(page(one))["schedules"][7]["python"], names)
    assert names["schedule"] == warm * 0.5


def test_a_report_needs_nothing_from_elsewhere(result):
    html = page(result)
    assert not re.findall(r'(?:src|href)="|url\(|@import|https?:', html)
    assert b"plotly.js (basic" in unpacked(html, "plotly")[:100]


def test_a_report_of_sixty_schedules_is_below_a_megabyte(result):
    many = dataclasses.replace(
        result,
        population=jaxdecay.stack([*result.population] * 8),
        history={name: np.tile(each, (10, 8, 1)) for name, each in result.history.items()},
        diverged_at=np.tile(result.diverged_at, (8, 1)),
        final_learning_rate=np.tile(result.final_learning_rate, (8, 1)),
    )
    assert len(page(many)) < 1e6


def test_no_name_ends_the_script(result):
    settings = {**result.settings, "data": "</script><script>alert(1)</script>"}
    html = page(dataclasses.replace(result, settings=settings))
    assert "alert(1)</script>" not in html
    assert "<script>alert" in content_of(html)["title"]


def test_of_one_seed_nothing_is_told(result):
    one = dataclasses.replace(
        result,
        seeds=(0,),
        history={name: each[..., :1] for name, each in result.history.items()},
        diverged_at=result.diverged_at[:, :1],
        final_learning_rate=result.final_learning_rate[:, :1],
    )
    found = content_of(page(one))
    assert (
        "One seed per schedule cannot tell differences between schedules from chance. Next: "
        in found["verdict"]
    )
    assert found["schedules"][0]["interval"] is None


def test_a_task_without_accuracy_is_reported_by_its_loss(result):
    history = {name: each * 1e-4 for name, each in result.history.items() if "loss" in name}
    history |= {"learning_rate": result.history["learning_rate"]}
    history |= {"test_f1": result.history["test_accuracy"]}
    f1 = jaxdecay.Metric("f1", larger_is_better=True)
    one = dataclasses.replace(result, history=history, measures=(f1,), ranks_by="loss")
    found = content_of(page(one))
    assert found["main"] == "test_loss"
    best = found["schedules"][found["best"]]
    losses = one.metrics["test_loss"].mean(axis=1)
    assert found["best"] == np.nanargmin(losses)
    assert f"test loss {best['test_loss']:.4g} (95 % interval" in found["verdict"]
    text = io.StringIO()
    Console(file=text, width=120).print(leaderboard(one))
    lines = text.getvalue().splitlines()
    assert any(re.search(rf"  1 .* {best['test_loss']:.4g} ± \S+  ", line) for line in lines)
    marked = [line for line in lines if "≈" in line]
    assert re.search(r"  2 .* \S+ ± \S+ ≈", marked[0])
    assert "than the best test loss" in marked[-1]


def test_of_one_epoch_and_of_many_schedules(result):
    one = dataclasses.replace(result, history={n: each[:1] for n, each in result.history.items()})
    assert floats(content_of(page(one))["curves"], 4, 8, 1).shape == (4, 8, 1)
    many = dataclasses.replace(
        result,
        population=jaxdecay.stack([*result.population] * 10),
        history={name: np.tile(each, (1, 10, 1)) for name, each in result.history.items()},
        diverged_at=np.tile(result.diverged_at, (10, 1)),
        final_learning_rate=np.tile(result.final_learning_rate, (10, 1)),
    )
    many.history["train_loss"][3, 1] = np.inf  # a sum may overflow where each loss is finite
    found = content_of(page(many))
    assert [band["family"] for band in found["bands"]] == ["inverse_time", "cosine"]
    low, _ = np.array(found["bands"][1]["values"][0])
    np.testing.assert_allclose(low, result.history["learning_rate"][:, 4:7, 0].min(axis=1), 1e-4)
    assert len(found["shown"]) == 10
    # Each schedule is there ten times: the best cannot be separated from its copies.
    assert "with 3 seeds none of the other 69 is significantly worse" in found["verdict"].lower()
    best = found["schedules"][found["best"]]["name"]
    copies = [each for each in found["schedules"] if each["name"] == best]
    # No number of seeds separates them: sorted by it, they come after all others.
    assert sorted(each["more_seeds"] for each in copies) == [0, *[MOST_SEEDS + 1] * 9]
    assert sorted(each["texts"]["more_seeds"] for each in copies) == ["", *["∞"] * 9]


@pytest.mark.parametrize(("numbers", "epochs"), [(1, [0, 5]), (4 * 8 * 3, [0, 2, 5])])
def test_of_more_numbers_than_a_page_should_hold_some_epochs_are_shown(
    result, monkeypatch, numbers, epochs
):
    monkeypatch.setattr("jaxdecay.report.page.MOST_NUMBERS", numbers)
    found = content_of(page(result))
    assert found["epochs"] == epochs
    curves = floats(found["curves"], 4, 8, len(epochs))
    for place, name in enumerate(metric["name"] for metric in found["metrics"]):
        expected = result.history[name][epochs].mean(axis=2).T
        np.testing.assert_array_equal(curves[place], expected, err_msg=name)


def test_the_axis_of_a_metric_reaches_below_0_only_where_schedules_end_there(result):
    values = np.array([[-7.0, 0.1, 0.1], [0.2, 0.4, 0.9], [0.05, 0.5, 0.8]])
    assert drawn_range(result, "test_accuracy", values) == pytest.approx((0.04, 0.91))
    values[-1, 0] = -0.5
    assert drawn_range(result, "test_accuracy", values) == pytest.approx((-0.4, 0.91))
    values[-1, 1] = np.nan  # a schedule that diverged
    assert drawn_range(result, "test_accuracy", values) == pytest.approx((-0.47, 0.91))
    assert drawn_range(result, "test_loss", values) is None


def test_a_rate_of_0_does_not_make_an_axis_logarithmic(result):
    assert not is_logarithmic(result, "learning_rate", np.array([0.1, 0.005, 0.0]))
    assert is_logarithmic(result, "learning_rate", np.array([0.1, 0.0049, 0.0]))
    assert not is_logarithmic(result, "learning_rate", np.zeros(3))
    assert not is_logarithmic(result, "test_accuracy", np.array([0.9, 0.01]))


def test_where_it_ran_is_read_back_not_seen_anew(result):
    other = dataclasses.replace(result, machine={**result.machine, "cores": 96})
    about = dict(content_of(page(other))["about"])
    assert about["machine"].endswith("96 cores")


def test_the_command_writes_it_again(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "copy")
    done = in_this_process("report", "copy", "--target", 0.5, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Written to copy/report.html\n"
    for place, expected in ((folder, ["steps to 0.5"]), (saved, [])):
        columns = content_of((place / "report.html").read_text())["columns"]
        assert [each["title"] for each in columns if each["name"] == "steps_to"] == expected


def test_pictures_and_reports_never_follow_a_link(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "copy")
    (tmp_path / "precious").write_text("mine")
    for name in ("curves.png", ".report.html.part", ".curves.png.part"):
        (folder / name).symlink_to(tmp_path / "precious")
    for command in (("plot", "copy", "--dots", 20), ("report", "copy")):
        done = in_this_process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("dark", [False, True])
def test_pictures(saved, tmp_path, dark):
    options = ["--dark"] if dark else []
    done = in_this_process("plot", saved, "--out", "pictures", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pictures = {path.name: path for path in (tmp_path / "pictures").iterdir()}
    assert set(pictures) == {
        *("curves.png", "seeds.png"),
        *("hyperparameters_inverse_time.png", "hyperparameters_cosine.png"),
    }
    for path in pictures.values():
        picture = np.asarray(PIL.Image.open(path).convert("L"))
        assert (picture[0, 0] < 50) == dark  # the ground
        assert picture.std() > 10  # something is on it


# In a notebook.


def test_what_a_notebook_shows(result):
    assert "inverse_time" in result._repr_html_()
    assert result._repr_html_().startswith("SweepResult: 8 schedules × 3 seeds on digits")
    assert result._repr_html_().count("<tr>") == 1 + 8
    shown = result.population._repr_html_()
    assert shown.startswith("Population of 8 schedules<table>")
    assert "<td>4</td><td>inverse_time</td>" in shown
    shown = jaxdecay.inverse_time(0.1, decay_rate=0.5)._repr_html_()
    assert shown.startswith("<code>inverse_time(init_value=0.1, decay_rate=0.5)</code>")
    assert "<td>decay_rate</td><td>0.5</td><td>a number ≥ 0</td>" in shown
    for figure in (
        jaxdecay.plot(result),
        jaxdecay.plot(result.population, steps=60),
        jaxdecay.plot(jaxdecay.cosine(0.1, transition_steps=9), steps=9),
    ):
        assert figure.axes[0].lines


def test_plot_says_what_it_needs(result):
    cosine = jaxdecay.cosine(0.1, transition_steps=9)
    with pytest.raises(TypeError, match="give it as steps=…"):
        jaxdecay.plot(cosine)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        jaxdecay.plot(cosine, steps=0)
    with pytest.raises(TypeError, match="got list; for a list of schedules use"):
        jaxdecay.plot([cosine], steps=9)
    with pytest.raises(TypeError, match="got steps=9; leave it out"):
        jaxdecay.plot(result, steps=9)


def test_a_plot_shows_the_values_of_its_schedules():
    rates = jaxdecay.grid(
        jaxdecay.linear, init_value=[1.0, 0.5], end_value=0.0, transition_steps=jaxdecay.percent(50)
    )
    lines = jaxdecay.plot(rates, steps=10).axes[0].lines
    for line, start in zip(lines, (1.0, 0.5), strict=True):
        expected = [start * max(0.0, 1 - step / 5) for step in range(11)]
        np.testing.assert_array_equal(line.get_xdata(), range(11))
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)


def test_tables_for_pandas_and_polars(result, saved):
    members, history = result.to_pandas(), result.to_pandas(history=True)
    assert len(members) == 24
    assert len(history) == 24 * 6
    pandas.testing.assert_frame_equal(pandas.read_csv(saved / "members.csv"), members)
    read = pandas.read_csv(saved / "history.csv")
    pandas.testing.assert_frame_equal(read, history)
    assert polars.read_csv(saved / "members.csv").shape == members.shape


def test_results_may_lie_beside_checkpoints_of_others(result, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "weights").write_text("mine")
    result.save(tmp_path)
    assert jaxdecay.SweepResult.load(tmp_path).best() == result.best()
