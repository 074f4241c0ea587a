"""`jaxdecay sweep` and `confirm`: what they print and write of a sweep."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import TWO, error_of, in_a_process, in_this_process, rows

import jaxdecay
from jaxdecay.cli.folders import Output
from jaxdecay.cli.run import Run
from jaxdecay.results.verdict import verdict

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[Path, str]:
    """A folder with a sweep of three schedules and one that diverges, and what was printed."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "few.toml").write_text(TWO + '[[schedule]]\nfamily = "constant"\nvalue = 1e20\n')
    run = in_a_process(
        *("sweep", "--schedules", "few.toml", "--epochs", 2, "--seeds", 2, "--seed", 7),
        *("--batch-size", 64, "--out", "out"),
        cwd=folder,
    )
    assert run.returncode == 0, run.stderr
    return folder / "out", run.stdout


def test_members_are_written(swept):
    folder, _ = swept
    members = rows(folder / "members.csv")
    assert list(members[0]) == [
        *("member", "schedule", "family", "hyperparameters", "seed", "status"),
        *("test_accuracy", "test_loss", "train_loss", "final_learning_rate"),
    ]
    assert [int(row["member"]) for row in members] == list(range(8))
    assert [int(row["schedule"]) for row in members] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [int(row["seed"]) for row in members] == [7, 8] * 4
    assert json.loads(members[2]["hyperparameters"])["init_value"] == 0.1
    assert [row["status"][:8] for row in members] == ["finished"] * 6 + ["diverged"] * 2
    steps = 2 * (1437 // 64)
    expected = 0.3 / (1 + 0.01 * steps)
    assert float(members[4]["final_learning_rate"]) == pytest.approx(expected, rel=1e-6)


def test_history_agrees_with_members(swept):
    folder, _ = swept
    members, history = rows(folder / "members.csv"), rows(folder / "history.csv")
    assert len(history) == 8 * 2
    for row in history:
        if row["epoch"] == "1":
            member = members[int(row["member"])]
            for name in ("test_accuracy", "test_loss", "train_loss"):
                assert row[name] == member[name]
    assert [(row["epoch"], row["member"]) for row in history[7:9]] == [("0", "7"), ("1", "0")]
    assert float(history[2]["learning_rate"]) == pytest.approx(0.1)


def test_settings_are_written_and_schedules_can_be_made_again(swept):
    folder, _ = swept
    summary = json.loads((folder / "sweep.json").read_text())
    expected = {"data": "digits", "optimizer": "sgd", "epochs": 2, "batch_size": 64}
    cores = len(os.sched_getaffinity(0))
    expected |= {
        "test_examples": 360,
        "seeds": 2,
        "seed": 7,
        "devices": cores,
        "precision": "default",
        "monitor": "test_loss",
        "stop_diverged": False,
    }
    assert 1 <= summary["settings"].pop("block") <= math.ceil(8 / cores)
    assert summary["settings"] == expected
    assert summary["member_steps_per_second"] > 0
    assert summary["wall_seconds"] > 0
    assert summary["diverged_members"] == 2
    assert {"jax", "optax", "flax", "jaxdecay", "python"} <= set(summary["versions"])
    schedules = [jaxdecay.Schedule.from_dict(each) for each in summary["schedules"]]
    assert schedules[2] == jaxdecay.inverse_time(0.3, decay_rate=0.01)


def test_the_leaderboard_is_printed(swept):
    folder, output = swept
    members = rows(folder / "members.csv")
    accuracy = [float(row["test_accuracy"]) for row in members if row["schedule"] == "2"]
    spread = f"{np.mean(accuracy):.4f} ± {np.std(accuracy, ddof=1):.4f}"
    assert spread in output
    assert output.index("inverse_time") < output.index("2 of 2 diverged")
    comparison = json.loads((folder / "sweep.json").read_text())["comparison"]
    alike = sum(comparison["like_best"]) - 1
    assert output.count("≈") == alike + 1  # once more to say what it means
    assert f"note: {verdict(2, alike, 2)}. Next: `jaxdecay confirm out`" in output
    assert "(best 3, 20 new seeds).\n" in output
    assert "≈ not significantly worse than the best test accuracy" in output
    assert (comparison["best"], comparison["mean"][3]) == (2, None)
    assert re.search(
        r"Trained 8 networks in [\d.]+ s \([\d,]+ member-steps/s\), plus [\d.]+ s of comp", output
    )
    assert "out: report.html, members.csv, history.csv, sweep.json" in output
    assert "2 of them diverged: see the column status in members.csv" in output
    assert "best: inverse_time(init_value=0.3, decay_rate=0.01)" in output


def test_what_is_piped_has_a_line_for_each_epoch_and_no_control_characters(swept):
    _, output = swept
    for epoch in (1, 2):
        state = rf"epoch {epoch}/2, best accuracy 0\.\d{{4}}, 2 diverged"
        assert re.search(rf"^{state}, [\d,]+ steps/s, .* left$", output, re.MULTILINE)
    assert all(character.isprintable() or character == "\n" for character in output)


def test_json_is_all_that_is_printed(tmp_path):
    (tmp_path / "two.toml").write_text(TWO)
    arguments = ("sweep", "--schedules", "two.toml", "--epochs", 2, "--seeds", 1, "--out", "out")
    run = in_this_process(*arguments, "--json", cwd=tmp_path)
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert [event["event"] for event in events] == ["epoch", "epoch", "finished"]
    assert [event.get("epoch") for event in events] == [1, 2, None]
    assert all(event["member_steps_per_second"] > 0 for event in events)
    best = max(float(row["test_accuracy"]) for row in rows(tmp_path / "out" / "members.csv"))
    assert 0 < events[1]["best_test_accuracy"] <= best
    assert events[2]["folder"] == "out"
    written = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert events[2] | {name: written[name] for name in ("sha256", "digests")} == {
        "event": "finished",
        "folder": "out",
        **written,
    }
    again = in_this_process("sweep", "--resume", "out", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == events[2]


def test_quiet_prints_the_result_only(tmp_path):
    (tmp_path / "two.toml").write_text(TWO)
    arguments = ("sweep", "--schedules", "two.toml", "--epochs", 1, "--seeds", 1, "--out", "out")
    run = in_this_process(*arguments, "--quiet", cwd=tmp_path)
    assert run.stdout.split("\n")[0].strip() == "3 schedules"
    assert "epoch" not in run.stdout
    assert "best: " in run.stdout
    both = in_this_process(*arguments, "--quiet", "--json", cwd=tmp_path)
    assert "--quiet and --json exclude each other" in error_of(both, code=2)


@pytest.mark.slow
def test_in_a_terminal_one_line_changes_in_its_place(tmp_path):
    (tmp_path / "two.toml").write_text(TWO)
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "jaxdecay", "sweep", "--schedules", "two.toml", "--epochs", "3"]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        words, cwd=tmp_path, stdout=theirs, stderr=theirs, stdin=theirs, env=environment
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # as Linux says that the other end is closed
        while part := os.read(ours, 4096):
            output += part
    os.close(ours)
    assert process.wait(300) == 0
    text = output.decode()
    assert "compiling" in text
    assert "epoch 3/3, best accuracy 0." in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back
    above, below = text.split("\x1b[?25h")
    assert above.count("\n") == 2  # the title, and the line
    assert "best: " in below


def test_the_best_are_trained_again_with_seeds_that_were_not_seen(swept, tmp_path):
    folder, _ = swept
    done = in_this_process(
        *("confirm", folder, "--best", 2, "--seeds", 3, "--out", "again", "--quiet"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "2 schedules, mean ± standard deviation over 3 seeds" in done.stdout
    before = json.loads((folder / "sweep.json").read_text())
    after = json.loads((tmp_path / "again" / "sweep.json").read_text())
    assert after["schedules"] == [before["schedules"][index] for index in before["ranking"][:2]]
    assert after["seeds"] == [9, 10, 11]
    winner = jaxdecay.schedule.Schedule.from_dict(before["schedules"][before["ranking"][0]])
    place = after["ranking"].index(0) + 1
    held = f"the best schedule was also the best in {folder}"
    lost = f"the best in {folder}, {winner!r}, is now number {place}"
    assert f"note: {held if place == 1 else lost}" in done.stdout
    assert " tried (" not in done.stdout  # more was tried than is here
    same = ("data", "optimizer", "epochs", "batch_size", "precision")
    assert [after["settings"][name] for name in same] == [before["settings"][name] for name in same]


def test_no_more_than_did_not_diverge_are_trained_again(swept, tmp_path):
    shutil.copytree(swept[0], tmp_path / "out")
    words = ("confirm", "out", "--seeds", 2, "--target", 0.5, "--json")
    finished = json.loads(in_this_process(*words, cwd=tmp_path).stdout.splitlines()[-1])
    assert (finished["folder"], finished["members"]) == ("out-confirmed", 6)
    # What it was ranked by holds for those that confirm it.
    words = ("confirm", "out-confirmed", "--seeds", 2, "--json")
    again = json.loads(in_this_process(*words, cwd=tmp_path).stdout.splitlines()[-1])
    assert (again["target"], again["seeds"]) == (0.5, [11, 12])


def test_of_one_schedule_there_is_nothing_to_confirm(tmp_path):
    (tmp_path / "one.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = 0.1\n')
    words = ("sweep", "--schedules", "one.toml", "--epochs", 1, "--seeds", 1, "--out", "out")
    assert in_this_process(*words, cwd=tmp_path).returncode == 0
    line = error_of(in_this_process("confirm", "out", cwd=tmp_path), code=2)
    assert line == (
        "error: 1 of the schedules did not diverge; confirm needs at least two, "
        "so sweep more schedules, or smaller learning rates"
    )
    nowhere = error_of(in_this_process("confirm", "nowhere", cwd=tmp_path), code=2)
    assert nowhere == "error: folder 'nowhere' does not exist"


def test_a_sweep_is_not_replaced_by_what_confirms_it(swept):
    words = ("confirm", "out", "--out", "out/../out", "--overwrite")
    line = error_of(in_this_process(*words, cwd=swept[0].parent), code=2)
    assert line == "error: --out out/../out holds the sweep to confirm; choose another folder"


def test_data_that_changed_are_neither_gone_on_with_nor_confirmed(tmp_path):
    def save(seed: int) -> None:
        inputs = np.random.default_rng(seed).normal(size=(60, 4))
        parts = {"train_inputs": inputs[:40], "test_inputs": inputs[40:]}
        labels = {"train_labels": np.arange(40) % 2, "test_labels": np.arange(20) % 2}
        np.savez(tmp_path / "mine.npz", **parts, **labels)

    save(0)
    (tmp_path / "two.toml").write_text(TWO)
    words = ("sweep", "--data", "mine.npz", "--schedules", "two.toml", "--out", "out")
    first = in_this_process(*words, "--epochs", 1, "--batch-size", 10, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    save(1)
    for words in (("sweep", "--resume", "out", "--epochs", 2), ("confirm", "out")):
        line = error_of(in_this_process(*words, cwd=tmp_path), code=2)
        assert "mine.npz) have changed since the sweep was started; restore them" in line


@pytest.mark.parametrize("target", ["nan", "inf", "-1", "0"])
def test_a_target_is_a_number_above_0(swept, tmp_path, target):
    line = error_of(in_this_process("report", swept[0], "--target", target, cwd=tmp_path), code=2)
    assert "is not a number above 0" in line


def test_another_sweep_is_not_written_over(swept, tmp_path):
    folder, _ = swept
    before = (folder / "members.csv").read_bytes()
    error = error_of(in_this_process("sweep", "--out", folder, cwd=tmp_path), code=2)
    assert "holds another sweep" in error
    assert "--overwrite" in error
    assert (folder / "members.csv").read_bytes() == before


CANNOT_BEGIN = [
    ("--optimizer", "sdg"),
    ("--monitor", "test_accuracy"),
    ("--seeds", str(10**9)),  # more than memory holds, even a list of them
]


@pytest.mark.parametrize("wrong", CANNOT_BEGIN, ids=lambda words: words[0])
def test_a_sweep_that_cannot_begin_overwrites_nothing(swept, tmp_path, wrong):
    folder = shutil.copytree(swept[0], tmp_path / "out")
    (tmp_path / "plateau.toml").write_text(
        '[[schedule]]\nfamily = "reduce_on_plateau"\nschedule = 0.1'
    )
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = in_this_process(
        *("sweep", "--schedules", "plateau.toml", "--overwrite", "--out", "out", *wrong),
        cwd=tmp_path,
    )
    error_of(run, code=2)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("letter", ["[", "]", "\\"])
def test_a_folder_whose_checkpoints_could_not_be_read_is_refused_before_it_is_made(
    swept, tmp_path, letter
):
    for words in (("sweep",), ("confirm", swept[0])):
        run = in_this_process(*words, "--out", f"a{letter}b/out", cwd=tmp_path)
        assert f"it contains {letter}; choose a folder" in error_of(run, code=2)
    assert list(tmp_path.iterdir()) == []


def test_data_of_such_a_name_are_swept_into_a_folder_of_another(tmp_path):
    data = jaxdecay.digits()
    arrays = ("train_inputs", "train_labels", "test_inputs", "test_labels")
    name = "mine[1].npz"
    np.savez(tmp_path / name, **{each: getattr(data, each)[:40] for each in arrays})
    (tmp_path / "two.toml").write_text(TWO)
    words = ("sweep", "--data", name, "--schedules", "two.toml", "--epochs", 1, "--seeds", 2)
    assert in_this_process(*words, cwd=tmp_path).returncode == 0
    run = in_this_process("sweep", "--resume", "runs/mine-1--1", "--epochs", 2, cwd=tmp_path)
    assert run.returncode == 0, run.stderr


OWN = """
import jaxdecay
from jaxdecay.domain import Positive

@jaxdecay.decay
def halving(step, init_value: Positive, *, half_life: Positive):
    \"\"\"Half after its half-life.

    Formula: I·h/(h + t).
    \"\"\"
    return init_value * half_life / (half_life + step)
"""


def test_own_decays_are_known_to_every_command(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    own = ("--decays", "mine.py")
    listed = in_this_process("list", *own, cwd=tmp_path).stdout
    assert "\nhalving  Half after its half-life." in listed.partition("\nYour own")[2]
    shown = in_this_process(
        *("show", "halving", "init_value=0.5", "half_life=9", *own), cwd=tmp_path
    )
    assert "halving(init_value=0.5, half_life=9.0)" in shown.stdout
    (tmp_path / "mine.toml").write_text(
        '[[schedule]]\nfamily = "halving"\ninit_value = [0.1, 0.2]\nhalf_life = 9'
    )
    swept = in_this_process(
        *("sweep", "--schedules", "mine.toml", "--epochs", 1, "--seeds", 1, "--out", "o", *own),
        cwd=tmp_path,
    )
    assert "best: halving(init_value=" in swept.stdout, swept.stderr


def test_nothing_of_an_earlier_sweep_is_there_while_another_is_trained(swept, tmp_path):
    folder = shutil.copytree(swept[0], tmp_path / "out")
    (folder / "notes.txt").touch()
    shutil.rmtree(folder / "checkpoints")
    Output(Run.read(folder), folder).begin()
    assert {path.name for path in folder.iterdir()} - {".lock"} == {"run.json", "notes.txt"}
    assert (folder / "run.json").read_bytes() == (swept[0] / "run.json").read_bytes()
