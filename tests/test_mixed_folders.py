"""A folder with files of two sweeps is refused by every command that reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import edit, error_of, in_this_process

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("relaxed_promotion")]

COMMANDS = (
    ("report", "out"),
    ("plot", "out"),
    ("watch", "out"),
    ("export", "out", "--tensorboard", "board"),
    ("confirm", "out"),
)
REFUSED = "error: the files in 'out' are not of one sweep: "


def swept(folder: Path, name: str, values: str, *options: object) -> None:
    (folder / f"{name}.toml").write_text(f'[[schedule]]\nfamily = "constant"\nvalue = {values}')
    done = in_this_process(
        *("sweep", "--schedules", f"{name}.toml", "--out", name, "--quiet", "--block", 2),
        *("--epochs", 1, "--seeds", 2, "--batch-size", 359, *options),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory) -> Path:
    """Two sweeps: other rates; and, of the same rates, other seeds."""
    folder = tmp_path_factory.mktemp("sweeps")
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        swept(folder, "first", "[0.1, 0.3]")
        swept(folder, "rates", "[0.2, 0.4]")
        swept(folder, "seeds", "[0.1, 0.3]", "--seed", 7)
    return folder


@pytest.mark.parametrize("other", ["rates", "seeds"])
@pytest.mark.parametrize("name", ["members.csv", "history.csv", "sweep.json", "run.json"])
def test_a_file_of_another_sweep_is_noticed(sweeps, tmp_path, name, other):
    shutil.copytree(sweeps / "first", tmp_path / "out")
    shutil.copy(sweeps / other / name, tmp_path / "out" / name)
    for command in COMMANDS:
        line = error_of(in_this_process(*command, cwd=tmp_path), code=2)
        assert line.startswith(REFUSED)
        assert name in line
    assert not (tmp_path / "out-confirmed").exists()
    if name == "run.json":  # as checkpoints, which are still there, show
        done = in_this_process("sweep", "--resume", "out", "--epochs", 2, cwd=tmp_path)
        assert "contains the checkpoints of another sweep: " in error_of(done, code=2)


def test_files_of_one_sweep_are_read(sweeps, tmp_path):
    shutil.copytree(sweeps / "first", tmp_path / "out")
    for command in COMMANDS[:-1]:
        assert in_this_process(*command, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("batch_size", 32, "run.json differs from the others in batch_size"),
        ("optimizer", "adam", "run.json differs from the others in optimizer"),
        ("data_sha256", "0" * 64, "run.json differs from the others in the contents of the data"),
        ("data", "mnist", "run.json differs from the others in data"),
    ],
)
def test_settings_of_another_sweep_are_noticed(sweeps, tmp_path, name, value, words):
    shutil.copytree(sweeps / "first", tmp_path / "out")
    path = tmp_path / "out" / "run.json"
    run = json.loads(path.read_text())
    part = "config" if name in run["config"] else name
    edit(path, **{part: {**run["config"], name: value} if part == "config" else value})
    line = error_of(in_this_process("report", "out", cwd=tmp_path), code=2)
    assert line == f"{REFUSED}{words}; copy all files of one sweep there"


def test_lost_identities_of_checkpoints_are_not_guessed(sweeps, tmp_path):
    shutil.copytree(sweeps / "first", tmp_path / "first")
    (tmp_path / "first" / "checkpoints" / "about.json").unlink()
    done = in_this_process("sweep", "--resume", "first", "--epochs", 2, cwd=tmp_path)
    assert "about.json is missing, so the checkpoints beside it (1, …)" in error_of(done, code=1)
    done = in_this_process("sweep", "--out", "first", "--overwrite", cwd=tmp_path)
    assert "has no about.json, so the files in it may not be" in error_of(done, code=2)
    assert (tmp_path / "first" / "checkpoints" / "1").exists()


def test_data_with_boolean_labels_are_the_same_when_resumed(tmp_path):
    inputs = np.linspace(-1, 1, 48, dtype=np.float32).reshape(24, 2)
    labels = inputs[:, 0] > 0
    arrays = {"train_inputs": inputs, "train_labels": labels}
    np.savez(tmp_path / "mine.npz", **arrays, test_inputs=inputs, test_labels=labels)
    swept(tmp_path, "mine", "[0.1, 0.3]", "--data", "mine.npz", "--batch-size", 8)
    for command in (("sweep", "--resume", "mine", "--epochs", 2), ("report", "mine")):
        done = in_this_process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
