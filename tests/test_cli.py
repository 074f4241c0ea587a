"""The command line: the folders it writes, and what it refuses."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from commands import TWO, error_of, finished, in_this_process, rows

import jaxdecay

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def test_overwrite(tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("members.csv", "sweep.json"):
        (tmp_path / "out" / name).write_text("old")
    (tmp_path / "two.toml").write_text(TWO)
    run = in_this_process(
        *("sweep", "--schedules", "two.toml", "--epochs", 1, "--seeds", 1, "--out", "out"),
        "--overwrite",
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert len(rows(tmp_path / "out" / "members.csv")) == 3
    names = {path.name for path in (tmp_path / "out").iterdir()} - {".lock"}
    assert names == {
        *("report.html", "members.csv", "history.csv", "sweep.json"),
        *("run.json", "checkpoints"),
    }


def test_checkpoints_of_others_are_not_touched(tmp_path):
    (tmp_path / "checkpoints" / "100").mkdir(parents=True)
    (tmp_path / "checkpoints" / "100" / "weights").write_text("mine")
    run = in_this_process("sweep", "--out", ".", "--overwrite", cwd=tmp_path)
    assert (
        "checkpoints has no about.json, so the files in it may not be those of a sweep"
        in error_of(run, code=2)
    )
    assert (tmp_path / "checkpoints" / "100" / "weights").read_text() == "mine"


def test_a_sweep_of_which_all_diverge_is_a_failure_and_is_kept(tmp_path):
    (tmp_path / "high.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = 1e20\n')
    run = in_this_process(
        *("sweep", "--schedules", "high.toml", "--epochs", 1, "--seeds", 1, "--out", "out"),
        cwd=tmp_path,
    )
    assert "every member diverged; try smaller learning rates" in error_of(run, code=1)
    (row,) = rows(tmp_path / "out" / "members.csv")
    assert row["status"].startswith("diverged at step ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", "0"), "--epochs"),
        (("--seeds", "0"), "--seeds"),
        (("--batch-size", "2000"), "batch size must be from 1 to 1437"),
        (("--optimizer", "rprop"), "unknown optimizer 'rprop'"),
        (("--seed", "99999999999999999999"), "--seed"),
        (("--optimizer", "sdg"), "unknown optimizer 'sdg' (did you mean 'sgd'?)"),
        (("--schedules", "none.toml"), "schedules file none.toml does not exist"),
        (("--data", "mnist", "--data-dir", "nowhere"), "train-images-idx3-ubyte.gz is missing"),
        (("--data-dir", "nowhere"), "--data-dir is for --data mnist"),
        (("--data", "cifar"), "unknown data 'cifar'; use digits, mnist, or the name of a .npz"),
        (("--data", "minst"), "unknown data 'minst' (did you mean 'mnist'?)"),
        (("--data", "none.npz"), "data file none.npz does not exist"),
        (("--epoch", "3"), "--epoch"),
        (("--target", "97"), "test accuracy must be at most 1, as it is a share of the test examp"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_of_sweep(tmp_path, arguments, message):
    assert message in error_of(in_this_process("sweep", *arguments, cwd=tmp_path), code=2)
    assert not (tmp_path / "runs").exists()


def test_an_unwritable_folder_is_a_failure_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    run = in_this_process("sweep", "--out", "file/out", cwd=tmp_path)
    assert "file/out" in error_of(run, code=1)
    assert "steps/s" not in run.stdout
    run = in_this_process("sweep", "--out", "file", cwd=tmp_path)
    assert "'file' is a file" in error_of(run, code=1)


def test_without_out_each_sweep_has_a_folder_of_its_own(tmp_path):
    (tmp_path / "two.toml").write_text(TWO)
    (tmp_path / "runs" / "digits-1").mkdir(parents=True)
    run = in_this_process(
        "sweep", "--schedules", "two.toml", "--epochs", 1, "--seeds", 1, cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    assert len(rows(tmp_path / "runs" / "digits-2" / "members.csv")) == 3


def test_own_data_are_swept_and_gone_on_with_from_elsewhere(tmp_path):
    digits = jaxdecay.digits()
    parts = ("train_inputs", "train_labels", "test_inputs", "test_labels")
    np.savez(tmp_path / "mine.npz", scale=16.0, **{name: getattr(digits, name) for name in parts})
    (tmp_path / "one.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = 0.1\n')
    common = ("--schedules", "one.toml", "--seeds", 1, "--epochs", 2)
    for data in ("mine.npz", "digits"):
        done = in_this_process("sweep", "--data", data, *common, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    mine, same = (tmp_path / "runs" / name for name in ("mine-1", "digits-1"))
    assert (mine / "history.csv").read_bytes() == (same / "history.csv").read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    more = in_this_process("sweep", "--resume", mine, "--epochs", 3, cwd=elsewhere)
    assert more.returncode == 0, more.stderr
    assert len(rows(mine / "history.csv")) == 3


def test_damaged_data_is_a_failure(tmp_path):
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (tmp_path / name).write_bytes(b"short")
    run = in_this_process("sweep", "--data", "mnist", "--data-dir", ".", cwd=tmp_path)
    assert "is 5 bytes long, expected 9912422" in error_of(run, code=1)


@pytest.mark.parametrize("command", ["sweep", "list", "show"])
def test_help_has_an_example(tmp_path, command):
    run = in_this_process(command, "--help", cwd=tmp_path)
    assert run.returncode == 0
    assert f"jaxdecay {command}" in run.stdout.split("Options:")[0].replace("Usage: jaxdecay", "")


def test_schedules_are_listed_without_what_training_needs(tmp_path):
    program = (
        "import sys; from jaxdecay.cli.commands import app; "
        "app(sys.argv[1:], standalone_mode=False); "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = finished([sys.executable, "-c", program, "list", "cosine"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "jaxdecay" in loaded
    assert not loaded & {"flax", "optax", "orbax", "matplotlib", "sklearn"}
