"""One bit of a checkpoint that was flipped is noticed, wherever it is."""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxdecay
from jaxdecay.training import checkpoint, chunks

pytestmark = [
    pytest.mark.usefixtures("relaxed_promotion"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MINE = np.ones((2, 2), bool)


def train(folder: Path, epochs: int) -> jaxdecay.SweepResult:
    return jaxdecay.sweep(
        jaxdecay.classifier(jaxdecay.digits()),
        jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3]),
        epochs=epochs,
        batch_size=140,
        seeds=2,
        block=2,
        checkpoints=jaxdecay.Checkpoints(folder),
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("flips") / "kept"
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        train(folder, 2)
    return folder


def flip(path: Path, place: int, bit: int) -> None:
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1 << bit
    path.write_bytes(contents)


def used(folder: Path) -> checkpoint.Snapshot:
    saved = jaxdecay.Checkpoints(folder).restore(MINE)
    assert saved is not None
    return saved


def silent_flips(kept: Path, tmp_path: Path, number: int) -> list[str]:
    """Flips, as file, byte and bit, after which something else is read without a word."""
    draw = random.Random(20)
    right = {epochs: used_alone(kept, tmp_path / f"right-{epochs}", epochs) for epochs in (1, 2)}
    about = (kept / "about.json").read_bytes()
    files = sorted(path for path in (kept / "2").rglob("*") if path.stat().st_size > 0)
    files = [path for path in files if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    silent = []
    for index in range(number):
        path = largest if index % 2 else draw.choice(files)
        place, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
        folder = shutil.copytree(kept, tmp_path / "flipped")
        flip(folder / path.relative_to(kept), place, bit)
        saved = used(folder)
        try:
            jax.tree.map(np.testing.assert_array_equal, saved, right[saved.epochs])
        except (AssertionError, ValueError):
            silent.append(f"{path.relative_to(kept)} {place} {bit}")
        assert (folder / "about.json").read_bytes() == about
        shutil.rmtree(folder)
    return silent


def used_alone(kept: Path, folder: Path, epochs: int) -> checkpoint.Snapshot:
    shutil.copytree(kept, folder)
    for other in {1, 2} - {epochs}:
        shutil.rmtree(folder / str(other))
    return used(folder)


@pytest.mark.parametrize("number", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_a_flipped_bit_of_a_checkpoint_is_noticed(kept, tmp_path, number):
    assert silent_flips(kept, tmp_path, number) == []


def test_without_digests_flipped_bits_are_not_noticed(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_check_digest", lambda *_: None)
    monkeypatch.setattr(chunks, "_check_digests", lambda *_: None)
    assert silent_flips(kept, tmp_path, 12)


def test_a_sweep_resumes_from_before_a_flipped_bit(kept, tmp_path, caplog):
    folder = shutil.copytree(kept, tmp_path / "resumed")
    largest = max((folder / "2").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    flip(largest, largest.stat().st_size // 2, 4)
    resumed, straight = train(folder, 3), train(tmp_path / "straight", 3)
    jax.tree.map(np.testing.assert_array_equal, resumed.history, straight.history)
    assert "the checkpoint of epoch 2: it cannot be read" in caplog.text
    assert (folder / "2.unread").is_dir()


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_flipped_bit_of_orbax_metadata_costs_that_checkpoint_only(kept, tmp_path, epochs):
    folder = shutil.copytree(kept, tmp_path / "metadata")
    path = folder / str(epochs) / "_CHECKPOINT_METADATA"
    flip(path, path.read_bytes().index(b"performance_metrics"), 0)
    assert used(folder).epochs == (1 if epochs == 2 else 2)
    resumed, straight = train(folder, 3), train(tmp_path / "straight", 3)
    jax.tree.map(np.testing.assert_array_equal, resumed.history, straight.history)


@pytest.mark.parametrize("flips", [15, pytest.param(300, marks=pytest.mark.slow)])
def test_a_flipped_bit_of_the_description_is_noticed(kept, tmp_path, flips):
    draw, original = random.Random(21), (kept / "about.json").read_bytes()
    for _ in range(flips):
        folder = tmp_path / "about"
        shutil.copytree(kept, folder)
        flip(folder / "about.json", draw.randrange(len(original)), draw.randrange(8))
        with pytest.raises((jaxdecay.CheckpointError, ValueError), match="about"):
            train(folder, 2)
        shutil.rmtree(folder)


def test_a_checkpoint_that_was_renamed_is_not_taken_for_another_epoch(kept, tmp_path):
    folder = shutil.copytree(kept, tmp_path / "renamed")
    (folder / "2").rename(folder / "4")
    assert used(folder).epochs == 1


def test_checkpoints_of_many_epochs_have_few_shapes():
    """Each new one would cost memory for ever."""
    histories = [np.ones((5, epochs, 2, 3), np.float32) for epochs in range(1, 1001)]
    padded = [chunks.padded(history) for history in histories]
    assert len({history.shape for history in padded}) == 11
    for epochs, history in enumerate(padded, 1):
        assert history.shape[1] < 2 * epochs
        np.testing.assert_array_equal(
            history.sum(axis=(0, 2, 3)), 30 * (np.arange(len(history[0])) < epochs)
        )


def test_writing_checkpoints_logs_no_warnings(tmp_path):
    seen = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = seen.append
    logging.getLogger("absl").addHandler(handler)
    try:
        train(tmp_path / "quiet", 1)
    finally:
        logging.getLogger("absl").removeHandler(handler)
    assert seen == []


def test_checkpoints_without_their_description_are_refused(kept, tmp_path):
    folder = shutil.copytree(kept, tmp_path / "alone")
    (folder / "about.json").unlink()
    with pytest.raises(jaxdecay.CheckpointError, match=r"about\.json is missing, so the check"):
        train(folder, 2)
    assert (folder / "2").is_dir()


@pytest.mark.parametrize("name", ["[a]", "a[", "a]", "a\\b", "[a]/below"])
def test_a_path_that_could_not_be_read_again_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"checkpoints cannot be read from .* it contains"):
        jaxdecay.Checkpoints(tmp_path / name)
