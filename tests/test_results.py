"""What a result says of itself, from numbers that are written here: nothing is trained."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

import jaxdecay
from jaxdecay.cli.ending import print_result
from jaxdecay.cli.leaderboard import leaderboard
from jaxdecay.cli.run import Run
from jaxdecay.report.page import content
from jaxdecay.results import files
from jaxdecay.results.hyperparameters import at_an_edge, flattened
from jaxdecay.results.metric import ACCURACY, Metric
from jaxdecay.results.verdict import needs_confirming, seeds_that_settle, trained, verdict
from jaxdecay.results.wording import number, short, spread

ACCURACIES = np.array([[0.90, 0.91, 0.92], [0.50, 0.52, 0.51], [0.91, 0.90, 0.91], [0.9, 0.9, 0.9]])


def found(accuracies: np.ndarray = ACCURACIES, member_steps: int | None = None):
    """Two epochs of 50 steps, the last with these accuracies; of schedule 3 a member diverged."""
    schedules, seeds = accuracies.shape
    values = np.stack([accuracies / 2, accuracies]).astype(np.float32)
    history = {"learning_rate": np.full_like(values, 0.1), "train_loss": 1 - values}
    history |= {"test_loss": 2 - values, "test_accuracy": values}
    diverged_at = np.full((schedules, seeds), -1, np.int32)
    if schedules > 3:
        diverged_at[3, 1] = 77
        for name in ("train_loss", "test_loss", "test_accuracy"):
            history[name][1, 3, 1] = np.nan
    return jaxdecay.SweepResult(
        population=jaxdecay.stack([jaxdecay.constant(0.1 * (1 + s)) for s in range(schedules)]),
        seeds=tuple(range(5, 5 + seeds)),
        history=history,
        diverged_at=diverged_at,
        final_learning_rate=np.full((schedules, seeds), 0.1, np.float32),
        settings={"data": "digits", "test_examples": 360, "optimizer": "sgd", "batch_size": 32},
        steps=100,
        member_steps=schedules * seeds * 100 if member_steps is None else member_steps,
        compile_seconds=24.71,
        run_seconds=11.68,
        machine={"platform": "Linux x86_64", "cores": 2},
        versions={"jax": "0.10.0"},
        measures=(ACCURACY,),
        ranks_by="accuracy",
    )


def test_rows_are_the_ranking_with_what_the_seeds_say():
    result = found()
    rows, comparison = result.rows(), result.compare()
    assert [row.index for row in rows] == result.ranking().tolist() == [0, 2, 1, 3]
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    assert [row.is_best for row in rows] == [True, False, False, False]
    assert [row.like_best for row in rows] == comparison.like_best[[0, 2, 1, 3]].tolist()
    assert [row.diverged for row in rows] == [0, 0, 0, 1]
    assert rows[0].cells("test_accuracy") == ["1.0900 ± 0.0100", "0.9100 ± 0.0100  "]
    assert rows[1].cells("test_accuracy")[1] == "0.9067 ± 0.0058 ≈"
    assert rows[2].cells("test_accuracy")[1] == "0.5100 ± 0.0100  "
    assert rows[3].cells("test_accuracy") == ["1 of 3 diverged", ""]
    assert np.isnan(rows[3].mean("test_accuracy"))
    assert (rows[0].more_seeds, rows[2].more_seeds) == (0, 0)
    assert rows[1].more_seeds != 0
    assert rows[0].steps_to is None
    assert [row.steps_to for row in result.rows(target=0.505)] == [100, 100, np.inf, np.inf]


def test_the_title_of_a_leaderboard_says_what_it_leaves_out():
    titles = [leaderboard(found(), most).title for most in (3, 4)]
    seeds = "4 schedules, mean ± standard deviation over 3 seeds"
    assert titles == [f"The best 3 of {seeds}", seeds]


def test_an_error_is_compared_as_the_accuracy_is_whatever_its_name():
    counts = np.array([[324, 325, 331], [318, 319, 325], [300, 302, 309]])  # each 6, 24 to 22 less
    result, error = found(counts / 360), Metric("error", larger_is_better=False)
    history = {**result.history, "test_error": 1 - result.history["test_accuracy"]}
    result = dataclasses.replace(result, history=history, measures=(ACCURACY, error))
    by_accuracy, by_error = result.compare(), result.compare("test_error")
    assert by_accuracy.p_value[1] == pytest.approx(3 * 2 * t.sf(6 * np.sqrt(6 * 3), 2), rel=1e-3)
    np.testing.assert_allclose(by_error.p_value, by_accuracy.p_value, rtol=1e-3)
    assert by_error.best == by_accuracy.best == 0


def test_sound_and_diverged():
    result = found()
    assert result.sound.tolist() == [True, True, True, False]
    assert np.argwhere(result.diverged).tolist() == [[3, 1]]
    assert result.diverged_members() == [{"schedule": 3, "seed": 6, "step": 77, "epoch": 1}]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((5, 23, 27), "5 seeds cannot separate 23 of the 27 other schedules from the best"),
        ((3, 59, 59), "with 3 seeds none of the other 59 is significantly worse than the best"),
        ((3, 0, 59), "with 3 seeds all of the other 59 are significantly worse than the best"),
        ((3, 1, 1), "with 3 seeds the other schedule is not significantly worse than the best"),
        ((3, 0, 1), "with 3 seeds the other schedule is significantly worse than the best"),
        ((1, 9, 9), "one seed per schedule cannot tell differences between schedules from chance"),
        (
            (2, 1_500, 2_000),
            "2 seeds cannot separate 1,500 of the 2,000 other schedules from the best",
        ),
    ],
)
def test_the_verdict_names_what_the_seeds_leave_open(counts, words):
    assert verdict(*counts) == words


def test_few_seeds_that_leave_the_best_open_are_to_be_confirmed():
    comparison = found().compare()
    assert comparison.like_best.sum() == 2
    assert [needs_confirming(comparison, seeds) for seeds in (1, 9, 10, 11)] == [
        *(True, True, False, False)
    ]
    alone = dataclasses.replace(comparison, like_best=np.array([True, False, False, False]))
    assert not needs_confirming(alone, 3)


def settings_that_confirm(folder: str | None) -> Run:
    return Run("digits", None, "", None, {}, [], folder, 1, jaxdecay.SweepConfig())


def test_with_a_target_the_steps_to_it_are_compared(capsys):
    result = found()
    result.history["test_accuracy"][0, 2] = 0.95  # schedule 2 reaches the target an epoch earlier
    run = settings_that_confirm(None)
    printed = {}
    for target in (None, 0.89):
        print_result(result, run, Path("out"), target)
        printed[target] = capsys.readouterr().out
    words = "3 seeds cannot separate 1 of the 2 other schedules from the best"
    assert words in printed[None]
    assert f"best: {result.population[0]!r}" in printed[None]
    assert "≈ not significantly worse than the best test accuracy (" in printed[None]
    assert words in printed[0.89]
    assert f"best: {result.population[2]!r}" in printed[0.89]
    assert "≈ not significantly worse than the fewest steps to test accuracy 0.89" in printed[0.89]
    marked = [line for line in printed[0.89].splitlines() if "100 ≈" in line]
    assert [line.split()[0] for line in marked] == ["2"]
    assert printed[0.89].count("≈") == 2  # there, and where it is explained
    # One epoch of 50 steps in each seed, and each is rounded up to an epoch.
    p_value = 2 * t.sf(50 / (50 * np.sqrt(2 / 12) / np.sqrt(3)), 2)
    assert result.compare(target=0.89).p_value[0] == pytest.approx(p_value)
    assert result.compare(target=0.89).difference[0] == 50
    assert p_value > 0.05
    assert content(result, 0.89, 0.95)["schedules"][0]["texts"]["steps_to"] == "100 ≈"


def test_a_target_in_percent_is_refused_where_the_metric_is_a_share():
    message = "the target for test accuracy must be at most 1, .*, got 97; write 0.97 for 97 %"
    for use in (found().steps_to, lambda target: found().ranking(target=target)):
        with pytest.raises(ValueError, match=message):
            use(97.0)
    assert found().steps_to(97.0, "test_loss").shape == ACCURACIES.shape


def test_a_target_that_no_schedule_reaches_is_noted_and_separates_nothing(capsys):
    print_result(found(), settings_that_confirm(None), Path("out"), 0.99)
    printed = capsys.readouterr().out
    note = (
        "no schedule reached test accuracy 0.99 with all seeds, so they are ranked by their last "
        "test accuracy; choose an easier target, or train for more epochs"
    )
    assert f"note: {note}" in printed.splitlines()
    assert "≈" not in printed
    verdict = content(found(), 0.99, 0.95)["verdict"]
    best = "Best: constant(value=0.1), test accuracy 0.9100"
    assert verdict == f"{best}. {note[0].upper()}{note[1:]}."


def test_schedules_with_the_same_rates_are_named_as_such(capsys):
    run = settings_that_confirm(None)
    for accuracies, twins, others in (
        (ACCURACIES[[0, 0, 0]], "2 other schedules have", None),
        (ACCURACIES[[0, 0], :1], "1 other schedule has", None),
        (ACCURACIES[[0, 0, 2]], "1 other schedule has", "none of the other 2 is significantly"),
        (ACCURACIES[[0, 1, 2]], None, "cannot separate 1 of the 2"),
    ):
        result = found(accuracies)
        print_result(result, run, Path("out"), None)
        texts = (capsys.readouterr().out, content(result, None, 0.95)["verdict"])
        for text in texts:
            assert ("no number of seeds can separate them" in text) == (twins is not None)
            assert twins is None or f"{twins} the same learning rates as the best" in text
            assert ("jaxdecay confirm" in text) == (others is not None)
            assert others is None or others in text
            assert "inputs are scaled" not in text


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0, 1, 2], "the best schedule was also the best in before"),
        ([2, 0, 1], "the best in before, {0}, is now number 2"),
        ([1, 0, 2], "the best in before, {0}, is now number 3, significantly worse than the best"),
    ],
)
def test_what_became_of_the_best_is_printed(capsys, order, words):
    result = found(ACCURACIES[order])
    run = settings_that_confirm("before")
    print_result(result, run, Path("out"), None)
    line = f"note: {words.format(repr(result.population[0]))}"
    assert line in capsys.readouterr().out.splitlines()


def test_more_seeds_are_advised_for_the_first_that_they_would_settle():
    comparison = found().compare()
    more = dataclasses.replace(comparison, more_seeds=np.array([0, 70, 55, -1]))
    assert seeds_that_settle(more).startswith("about 55 more seeds would separate the first of")
    unknown = dataclasses.replace(comparison, more_seeds=np.array([0, -1, -1, -1]))
    assert seeds_that_settle(unknown).startswith("more than 1,000 more seeds may be needed")


@pytest.mark.parametrize(
    ("member_steps", "speed", "saved"),
    [
        (1_200, 103, None),
        (
            480,
            41,
            "60 % of the steps were not trained: other schedules had the same rates.",
        ),
        (
            1_199,
            103,
            "Less than 1 % of the steps were not trained: other schedules had the same rates.",
        ),
    ],
)
def test_the_speed_counts_shared_steps_once_and_says_how_many_were_saved(
    member_steps, speed, saved
):
    words = f"Trained 12 networks in 11.7 s ({speed} member-steps/s), plus 24.7 s of compilation."
    assert trained(found(member_steps=member_steps)) == (f"{words} {saved}" if saved else words)


def test_numbers_are_written_in_one_way():
    values = (0.97412, 1e-4 / 3, 12_345.678, float("nan"), None, 0.0)
    assert [number(value) for value in values] == [
        "0.9741",
        "3.333e-05",
        "1.235e+04",
        "–",
        "–",
        "0",
    ]
    assert spread(np.array([np.nan, 1.0])) == "–"
    assert short(1 / 3) == "0.3333"


def test_inner_hyperparameters_have_dotted_names():
    inner = jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=90), warmup_steps=10)
    names = dict(flattened(inner.to_dict()))
    assert names["warmup_steps"] == 10
    assert names["schedule.transition_steps"] == 90
    assert names["schedule.family"] == "cosine"


def test_sweep_json_is_the_last_file_and_absent_while_others_change(tmp_path, monkeypatch):
    result, written = found(), []
    result.save(tmp_path)
    write = files.write

    def recorded(path, contents):
        written.append((path.name, (tmp_path / files.SWEEP).exists()))
        write(path, contents)

    monkeypatch.setattr(files, "write", recorded)
    result.save(tmp_path, overwrite=True)
    names = [name for name, _ in written if name in files.NAMES]
    assert names == ["history.csv", "members.csv", "sweep.json"]
    assert not any(there for name, there in written if name in files.NAMES)


def test_a_file_is_written_completely_or_not_at_all(tmp_path, monkeypatch):
    files.write(tmp_path / "file", b"before")

    def refuse(beside, path):
        assert (beside.read_bytes(), path.read_bytes()) == (b"after", b"before")
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"refused: '.*/file'"):  # not the name beside it
        files.write(tmp_path / "file", b"after")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"before"}


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path, monkeypatch):
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    precious.write_bytes(b"mine")
    folder.mkdir()
    (folder / "file").symlink_to(precious)
    files.write(folder / "file", b"after")
    assert (folder / "file").read_bytes() == b"after"
    assert not (folder / "file").is_symlink()
    beside = files.PART.format("guessed")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "guessed")
    (folder / beside).symlink_to(precious)
    with pytest.raises(FileExistsError):
        files.write(folder / "file", b"again")
    assert precious.read_bytes() == b"mine"


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in (files.PART.format("0f"), "film.part"):
        (tmp_path / name).touch()
    files.remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["film.part"]


@pytest.mark.parametrize("name", [*files.NAMES, files.RUN])
def test_a_folder_with_any_file_of_a_sweep_is_not_taken_for_another(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(FileExistsError, match=rf"holds another sweep \({name}\)") as refused:
        files.prepare(tmp_path, overwrite=False)
    assert ("resume it with --resume" in str(refused.value)) == (name == files.RUN)
    assert files.prepare(tmp_path, overwrite=True) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_was_saved_is_loaded(tmp_path):
    result = found()
    result.save(tmp_path, target=0.9)
    again = jaxdecay.SweepResult.load(tmp_path)
    stored = json.loads((tmp_path / "sweep.json").read_text())
    assert again.summary(0.9) == result.summary(0.9)
    assert list(stored) == ["sha256", *result.summary(0.9), "digests"]
    assert result.summary(0.9).items() <= stored.items()
    np.testing.assert_array_equal(again.history["test_accuracy"], result.history["test_accuracy"])
    assert files.read_target(tmp_path) == 0.9
    with pytest.raises(
        FileExistsError, match=r"holds another sweep \(members.csv, .*overwrite=True"
    ):
        result.save(tmp_path)


def test_a_folder_without_a_sweep_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"folder '.*nope' does not exist"):
        jaxdecay.SweepResult.load(tmp_path / "nope")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"folder '.*file' is a file, not the folder of a sweep"):
        jaxdecay.SweepResult.load(tmp_path / "file")
    with pytest.raises(ValueError, match=r"holds no finished sweep: sweep.json is missing$"):
        jaxdecay.SweepResult.load(tmp_path)


def test_a_notebook_shows_the_rows_and_escapes_names():
    data = {"data": "<script>", "test_examples": 360}
    html = dataclasses.replace(found(), settings=data)._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<td>1</td><td>constant(value=0.1)</td><td>1.0900 ± 0.0100</td>" in html
    assert html.count("<tr>") == 5


def test_a_best_rate_at_the_edge_of_what_was_tried_is_told():
    rates = jaxdecay.grid(jaxdecay.cosine, init_value=[0.1, 0.3, 1.0], transition_steps=[9, 99])
    inside = jaxdecay.warmup(jaxdecay.constant(0.1), warmup_steps=5)
    population = jaxdecay.concat(rates, jaxdecay.stack([inside]))
    edges = [at_an_edge(population, index) for index in range(7)]
    advice = "the best schedule has the {} init_value tried ({}); try {} ones"
    smallest = advice.format("smallest", 0.1, "smaller")
    largest = advice.format("largest", 1, "larger")
    assert edges == [smallest, smallest, None, None, largest, largest, None]
