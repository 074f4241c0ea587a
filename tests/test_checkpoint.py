"""Checkpoints: a sweep that was stopped finds what it would have found, or says why it cannot."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
import time
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay.training import checkpoint, limits
from jaxdecay.training.about import write_about
from jaxdecay.training.block import Blocks
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.devices import member_mesh

pytestmark = pytest.mark.usefixtures("relaxed_promotion")
damage = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Where it cannot read, Orbax leaves tasks behind."""

SETTINGS = {"batch_size": 140, "seeds": 2, "block": 3}
CODE = {"loss": "x", "decay mine": "y"}


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    return jaxdecay.classifier(jaxdecay.digits())


@pytest.fixture(scope="module")
def population() -> jaxdecay.Population:
    """Four schedules, which blocks of three do not divide; one has state, one diverges."""
    return jaxdecay.stack(
        [
            jaxdecay.cosine(0.03, transition_steps=60),
            jaxdecay.reduce_on_plateau(0.02, factor=0.5, patience=0, threshold=0.3),
            jaxdecay.constant(1e20),
            jaxdecay.inverse_time(0.01, decay_rate=0.1),
        ]
    )


@pytest.fixture(scope="module")
def whole(task, population) -> jaxdecay.SweepResult:
    """The same sweep without a break."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return jaxdecay.sweep(task, population, optimizer=optax.adam, epochs=6, **SETTINGS)


@pytest.fixture(scope="module")
def kept(task, population, tmp_path_factory) -> Path:
    """Checkpoints of the first four epochs."""
    folder = tmp_path_factory.mktemp("kept")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        go_on(task, population, folder, epochs=4)
    return folder


@pytest.fixture
def copy(kept, tmp_path) -> Path:
    """Those checkpoints, to be damaged."""
    return shutil.copytree(kept, tmp_path / "copy")


def go_on(task, population, folder, epochs=6, **changes):
    settings = {"optimizer": optax.adam, **SETTINGS, **changes}
    return jaxdecay.sweep(
        task, population, epochs=epochs, checkpoints=jaxdecay.Checkpoints(folder), **settings
    )


def assert_same(result, expected):
    assert list(result.history) == list(expected.history)
    for name, values in expected.history.items():
        np.testing.assert_array_equal(result.history[name], values, err_msg=name)
    np.testing.assert_array_equal(result.diverged_at, expected.diverged_at)
    np.testing.assert_array_equal(result.final_learning_rate, expected.final_learning_rate)


def test_a_sweep_that_goes_on_finds_the_same_to_the_last_bit(task, population, copy, whole):
    seen, progress = [], []
    result = go_on(
        task,
        population,
        copy,
        callback=lambda epoch, each: seen.append(each["test_loss"]),
        progress=lambda *counts: progress.append(counts),
    )
    assert_same(result, whole)
    assert (progress[0], progress[-1]) == ((4 * 8, 6 * 8), (6 * 8, 6 * 8))
    np.testing.assert_array_equal(seen, whole.history["test_loss"])
    assert result.run_seconds > 0
    assert sorted(path.name for path in copy.iterdir()) == ["4", "5", "6", "about.json"]


def test_a_finished_sweep_is_not_trained_again(task, population, copy, whole):
    result = go_on(task, population, copy, epochs=4, progress=lambda *_: pytest.fail("trained"))
    np.testing.assert_array_equal(result.history["train_loss"], whole.history["train_loss"][:4])
    np.testing.assert_array_equal(result.diverged_at, whole.diverged_at)
    assert (result.diverged_at[2] >= 0).all()
    with pytest.raises(ValueError, match="already contain 4 epochs, got epochs=3"):
        go_on(task, population, copy, epochs=3)


def test_another_block_changes_rounding_only(task, population, copy, whole):
    result = go_on(task, population, copy, block=2)
    assert result.settings["block"] == 2
    for name, values in whole.history.items():
        np.testing.assert_allclose(result.history[name], values, rtol=2e-4, err_msg=name)


def test_checkpoints_at_some_epochs_and_at_the_last(task, population, tmp_path):
    checkpoints = jaxdecay.Checkpoints(tmp_path, every=2, keep=2)
    jaxdecay.sweep(task, population, epochs=5, checkpoints=checkpoints, **SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4", "5", "about.json"]
    with pytest.raises(ValueError, match="every must be at least 1 epoch, got 0"):
        jaxdecay.Checkpoints(tmp_path, every=0)
    with pytest.raises(ValueError, match="keep must be at least 2"):
        jaxdecay.Checkpoints(tmp_path, keep=1)


def test_a_sweep_stops_where_it_is_told_to(task, population, tmp_path, whole):
    result = go_on(task, population, tmp_path, should_stop=iter([False, True]).__next__)
    np.testing.assert_array_equal(result.history["train_loss"], whole.history["train_loss"][:2])
    assert result.steps == whole.steps // 3
    assert_same(go_on(task, population, tmp_path), whole)


def test_a_callback_that_raises_loses_no_epoch(task, population, tmp_path, whole):
    def fail_at_two(epoch, history):
        if epoch == 2:
            raise RuntimeError("the disk of the callback is full")

    with pytest.raises(RuntimeError, match="disk of the callback"):
        go_on(task, population, tmp_path, callback=fail_at_two)
    assert (tmp_path / "3").is_dir()
    assert_same(go_on(task, population, tmp_path), whole)


def test_a_clock_that_jumps_changes_nothing(task, population, copy, whole, monkeypatch):
    real, jumps = time.time, iter(range(0, 10**9, 7_000))
    monkeypatch.setattr(time, "time", lambda: real() - next(jumps))
    result = go_on(task, population, copy)
    assert_same(result, whole)
    assert result.run_seconds > 0


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@damage
@pytest.mark.parametrize(
    "share", [0.5, *(pytest.param(each, marks=pytest.mark.slow) for each in (0.0, 0.99))]
)
def test_a_damaged_checkpoint_is_not_used(task, population, kept, tmp_path, whole, share, caplog):
    """Each file of the newest checkpoint is cut short in turn."""
    mine = np.ones((4, 2), bool)
    for index, path in enumerate(files_of(kept / "4")):
        folder = shutil.copytree(kept, tmp_path / str(index))
        damaged = folder / path.relative_to(kept)
        contents = damaged.read_bytes()
        damaged.write_bytes(contents[: int(share * len(contents))])
        saved = jaxdecay.Checkpoints(folder).restore(mine)
        assert saved.epochs in (3, 4)
        expected = whole.history["train_loss"][: saved.epochs]
        np.testing.assert_array_equal(saved.history["train_loss"], expected)
        if saved.epochs == 4:  # the file is not needed: all the rest must be there and right
            undamaged = jaxdecay.Checkpoints(kept).restore(mine)
            jax.tree.map(np.testing.assert_array_equal, saved, undamaged)
        else:
            assert "the checkpoint of epoch 4: it cannot be read" in caplog.text
            caplog.clear()


@damage
def test_a_sweep_goes_on_from_the_checkpoint_before_a_damaged_one(task, population, copy, whole):
    for path in files_of(copy / "4"):
        path.write_bytes(path.read_bytes()[:10])
    assert_same(go_on(task, population, copy), whole)
    assert jaxdecay.Checkpoints(copy).restore(np.ones((4, 2), bool)).epochs == 6


@damage
def test_a_checkpoint_that_cannot_be_read_this_time_is_kept(
    task, population, copy, whole, monkeypatch
):
    """As when a network drive fails for a moment: what was there is there, under another name."""
    read = checkpoint._read

    def fail_at_four(manager, epochs, mine):
        if epochs == 4:
            raise OSError("the drive does not answer")
        return read(manager, epochs, mine)

    monkeypatch.setattr(checkpoint, "_read", fail_at_four)
    assert_same(go_on(task, population, copy), whole)
    monkeypatch.undo()
    assert sorted(path.name for path in copy.iterdir())[:2] == ["4", "4.unread"]
    for epochs in ("4", "5", "6"):
        shutil.rmtree(copy / epochs)
    (copy / "4.unread").rename(copy / "4")
    assert jaxdecay.Checkpoints(copy).restore(np.ones((4, 2), bool)).epochs == 4
    assert_same(go_on(task, population, copy), whole)


@pytest.mark.slow
def test_an_optimizer_that_draws_random_numbers_goes_on(task, tmp_path):
    """Its state has a key of JAX, which no file format knows."""
    rates = jaxdecay.grid(jaxdecay.constant, value=[0.01, 0.1])
    noisy = functools.partial(optax.noisy_sgd, key=0)
    straight = jaxdecay.sweep(task, rates, optimizer=noisy, epochs=2)
    kept = jaxdecay.Checkpoints(tmp_path)
    for epochs in (1, 2):
        result = jaxdecay.sweep(task, rates, optimizer=noisy, epochs=epochs, checkpoints=kept)
    assert_same(result, straight)


@damage
def test_starting_from_scratch_removes_checkpoints_of_any_kind_and_nothing_else(tmp_path):
    for name in ("3", "12.unread", "4.orbax-checkpoint-tmp-7", "best", "3x"):
        (tmp_path / name / "sweep").mkdir(parents=True)
    for name in ("about.json", "notes.txt"):
        (tmp_path / name).touch()
    checkpoint.remove(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3x", "best", "notes.txt"]
    checkpoint.remove(tmp_path / "none")


def test_no_checkpoint_that_can_be_read_is_an_error(task, population, copy):
    for epoch in ("2", "3", "4"):
        for path in files_of(copy / epoch):
            path.write_bytes(b"")
    with pytest.raises(jaxdecay.CheckpointError, match=r"no checkpoint in .* can be read") as told:
        go_on(task, population, copy)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"block": 3}', '{"block": [], "about": {}}', "[" * 100_000),
        *('{"block": 1e400, "about": {}}', '{"block": 3, "about": {}, "digest": "0"}'),
    ],
)
def test_a_damaged_description_is_an_error(task, population, copy, text):
    (copy / "about.json").write_text(text)
    with pytest.raises(jaxdecay.CheckpointError, match=r"about\.json is damaged or from another"):
        go_on(task, population, copy)


def test_checkpoints_of_another_sweep_are_refused(task, population, copy):
    other = jaxdecay.stack([*list(population)[:3], jaxdecay.inverse_time(0.01, decay_rate=0.2)])
    with pytest.raises(
        ValueError, match=r"schedules\[3\] was inverse_time.*0\.1\) and is now.*0\.2"
    ):
        go_on(task, other, copy)
    with pytest.raises(ValueError, match="the number of schedules was 4 and is now 2"):
        go_on(task, population[:2], copy)
    with pytest.raises(ValueError, match="batch_size was 140 and is now 32"):
        go_on(task, population, copy, batch_size=32)
    with pytest.raises(ValueError, match="optimizer was adam and is now sgd"):
        go_on(task, population, copy, optimizer=optax.sgd)
    with pytest.raises(ValueError, match=r"member\["):
        go_on(task, population, copy, optimizer=named_adam)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"member": {"a": 1}, "code": CODE}, r"member\[b\] was 2 and is now None"),
        ({"member": {"a": 1, "b": 2, "c": 3}, "code": CODE}, r"member\[c\] was None and is now 3"),
        ({"member": {"a": 1, "b": 2}, "code": {"loss": "x"}}, "another sweep: decay mine changed"),
        (
            {"member": {"a": 1, "b": 2}, "code": {"loss": "z", "decay mine": "y", "init": "i"}},
            "another sweep: loss and init changed",
        ),
    ],
)
def test_what_was_added_or_left_out_is_named(tmp_path, now, words):
    stored = {"member": {"a": 1, "b": 2}, "code": CODE}
    write_about(tmp_path / "about.json", stored, 4)
    checkpoints = jaxdecay.Checkpoints(tmp_path)
    assert checkpoints.block(stored) == 4
    with pytest.raises(ValueError, match=words):
        checkpoints.block(now)


def named_adam(rate):
    """Another optimizer of the same name."""
    return optax.chain(optax.trace(0.9), optax.adam(rate))


named_adam.__name__ = "adam"


def test_checkpoints_of_other_data_are_refused(task, population, copy):
    labels = np.array(task.data.train_labels)
    labels[0] ^= 1
    changed = dataclasses.replace(task, data=dataclasses.replace(task.data, train_labels=labels))
    with pytest.raises(ValueError, match="the data changed since it was started"):
        go_on(changed, population, copy)
    scaled = dataclasses.replace(task.data, scale=8.0)
    turned = dataclasses.replace(task.data, train_inputs=task.data.train_inputs.swapaxes(1, 2))
    data = (task.data, changed.data, scaled, turned, jax.tree.map(np.asfortranarray, turned))
    digests = [checkpoint.digest(each) for each in data]
    assert len(set(digests)) == 4
    assert digests[3] == digests[4]  # how an array is laid out changes no number


def test_checkpoints_of_another_version_are_refused(task, population, copy):
    stored = json.loads((copy / "about.json").read_text())
    write_about(copy / "about.json", stored["about"] | {"format": 0}, stored["block"])
    with pytest.raises(ValueError, match="format was 0 and is now 6"):
        go_on(task, population, copy)


def test_a_folder_that_cannot_be_written_is_one_line(task, population, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(jaxdecay.CheckpointError, match="cannot be read: Not a directory"):
        go_on(task, population, tmp_path / "file" / "checkpoints")


def test_more_members_than_memory_or_disk_hold_are_refused(task, population, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_free_memory", lambda program: 2**20)
    with pytest.raises(ValueError, match=r"8 members would need .* MiB of memory, but 1\.0 MiB"):
        jaxdecay.sweep(task, population, seeds=2)
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 100_000))
    with pytest.raises(ValueError, match=r"disk .* but 97\.7 KiB are free: at most 0 members"):
        go_on(task, population, tmp_path)


def test_disk_that_the_own_checkpoints_hold_counts_as_free(task, population, copy, monkeypatch):
    """They are removed one by one as new ones are written."""
    there = sum(path.stat().st_size for path in files_of(copy) if path.parent != copy)
    needed = (3 + 1) * 8 * limits.bytes_of(limits.member_of(blocks_of(task)))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, needed - there)
    )
    go_on(task, population, copy)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, needed - 2 * there)
    )
    with pytest.raises(ValueError, match="disk space"):
        go_on(task, population, copy, epochs=7)


def blocks_of(task):
    return Blocks(task, SweepConfig(optimizer=optax.adam, batch_size=140), member_mesh())


def test_the_members_that_fit_do_fit(task, population, monkeypatch):
    """The largest number in the message is accepted, one more is not."""
    seeds, there = 50, 40 * 2**20
    monkeypatch.setattr(limits, "_free_memory", lambda program: there)
    with pytest.raises(ValueError, match="at most") as told:
        jaxdecay.sweep(task, population[:1], optimizer=optax.adam, seeds=10_000, block=1)
    most = int(str(told.value).split("at most ")[1].split()[0].replace(",", ""))
    monkeypatch.setattr(
        "jaxdecay.training.program.Program.compile", lambda self: pytest.fail("accepted")
    )
    assert most > seeds
    with pytest.raises(pytest.fail.Exception, match="accepted"):
        jaxdecay.sweep(task, population[:1], optimizer=optax.adam, seeds=most, block=1)
    with pytest.raises(ValueError, match="at most"):
        jaxdecay.sweep(task, population[:1], optimizer=optax.adam, seeds=most + 1, block=1)
