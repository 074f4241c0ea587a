"""One bit of any file in a sweep's folder is flipped: resuming it never differs in silence."""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import edit, error_of, in_this_process

import jaxdecay
from jaxdecay.training.program import Program
from jaxdecay.training.sweep import sweep

pytestmark = [
    pytest.mark.usefixtures("relaxed_promotion"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EPOCHS, STOPPED = 3, 2
RESULTS = ("members.csv", "history.csv")
TIMES = {"compile_seconds", "run_seconds", "wall_seconds", "member_steps_per_second"}
NOT_READ = {".lock", "report.html"}
"""A lock has no contents; the report is drawn from the tables and read by no command."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Iterator[Path]:
    """A folder with a sweep that was stopped, one that finished, and their data.

    Later sweeps use the programs that the first one compiled.
    """
    cwd = tmp_path_factory.mktemp("kept")
    draw = np.random.default_rng(0)
    arrays = {
        f"{part}_{name}": values
        for part in ("train", "test")
        for name, values in (("inputs", draw.random((16, 4))), ("labels", draw.integers(0, 2, 16)))
    }
    np.savez(cwd / "small.npz", **arrays)
    (cwd / "two.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = [0.1, 0.3]')
    start = ("sweep", "--data", "small.npz", "--schedules", "two.toml", "--epochs", EPOCHS)
    start = (*start, "--seeds", 2, "--batch-size", 8, "--block", 2, "--quiet", "--out")
    with (
        pytest.MonkeyPatch.context() as patch,
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        for name in ("_traced_init", "_traced_epoch", "_init", "_run_epoch"):
            patch.setattr(Program, name, compiled_once(Program, name))
        assert in_this_process(*start, "finished", cwd=cwd).returncode == 0
        with pytest.MonkeyPatch.context() as stopping:
            stopping.setattr(jaxdecay, "sweep", stopped, raising=False)
            assert "stopped after epoch 2" in in_this_process(*start, "stopped", cwd=cwd).stdout
        yield cwd


def compiled_once(cls: type, name: str) -> functools.cached_property:
    original, found = vars(cls)[name], []

    def value(self):
        if not found:
            found.append(original.func(self))
        return found[0]

    shared = functools.cached_property(value)
    shared.__set_name__(cls, name)
    return shared


def stopped(task, population, **options):
    seen = iter(range(1, EPOCHS))
    return sweep(task, population, **options | {"should_stop": lambda: next(seen) == STOPPED})


def flip(path: Path, place: int, bit: int) -> None:
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1 << bit
    path.write_bytes(contents)


def resumed(folder: Path) -> subprocess.CompletedProcess[str]:
    return in_this_process("sweep", "--resume", folder, "--quiet", cwd=folder.parent)


def facts(folder: Path) -> dict:
    """What `sweep.json` says, but how long it took."""
    stored = json.loads((folder / "sweep.json").read_text())
    return {name: value for name, value in stored.items() if name not in TIMES | {"sha256"}}


def fault_of(folder: Path, whole: Path, path: Path) -> str:
    """What is wrong with how a folder was resumed after a bit of a file in it was flipped."""
    done = resumed(folder)
    if done.returncode == 0:
        same = all((folder / name).read_bytes() == (whole / name).read_bytes() for name in RESULTS)
        return "" if same and facts(folder) == facts(whole) else "other results"
    line = error_of(done, code=1)
    return "" if path.name in line else f"it is not named: {line}"


def faults(kept: Path, tmp_path: Path, number: int, seed: int) -> list[str]:
    draw, found = random.Random(seed), []
    for index in range(number):
        which = ("stopped", "finished")[index % 2]
        folder = shutil.copytree(kept / which, tmp_path / which)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        path = draw.choice([path for path in files if path.name not in NOT_READ])
        if path.stat().st_size:
            place, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
            flip(path, place, bit)
            if fault := fault_of(folder, kept / "finished", path):
                found.append(f"{path.relative_to(tmp_path)}, byte {place}, bit {bit}: {fault}")
        shutil.rmtree(folder)
    return found


@pytest.mark.parametrize("number", [6, pytest.param(500, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_harmless_or_named(kept, tmp_path, number):
    assert faults(kept, tmp_path, number, seed=number) == []


@pytest.fixture
def folder(kept, tmp_path) -> Path:
    return shutil.copytree(kept / "stopped", tmp_path / "folder")


def one_more_epoch(folder: Path) -> Path:
    """Flips the bit that turns three epochs into two, and returns the file."""
    path = folder / "run.json"
    (digit,) = re.finditer(rb'(?<="epochs": )3', path.read_bytes())
    flip(path, digit.start(), 0)
    return path


def test_a_flipped_digit_of_the_epochs_is_named(kept, folder, monkeypatch):
    path = one_more_epoch(folder)
    line = error_of(resumed(folder), code=1)
    assert f"{path} differs from what was written; undo the change, or, if you made it" in line
    monkeypatch.setattr("jaxdecay.cli.run.read_sealed", lambda path: json.loads(path.read_text()))
    assert fault_of(folder, kept / "finished", path) == "other results"


def test_settings_that_a_person_edits_are_read_once_the_seal_is_removed(folder):
    stored = json.loads((folder / "run.json").read_text())
    edit(folder / "run.json", config={**stored["config"], "epochs": 5})
    done = resumed(folder)
    assert done.returncode == 0, done.stderr
    assert jaxdecay.SweepResult.load(folder).epochs == 5
    assert next(iter(json.loads((folder / "run.json").read_text()))) == "sha256"


@pytest.mark.parametrize("key", ["sha256", "block", "about"])
def test_a_flipped_bit_in_a_key_of_the_description_is_named(folder, key):
    path = folder / "checkpoints" / "about.json"
    flip(path, path.read_bytes().index(key.encode()), 0)
    assert f"{path} is damaged or from another version" in error_of(resumed(folder), code=1)


@pytest.mark.parametrize("name", ["run.json", "checkpoints/about.json"])
@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, '{"a": ' * 100_000, '{"block": 1e400, "epochs": 1e400}', "\xff"],
    ids=["nothing", "cut", "a list", "deep", "deep objects", "infinity", "no text"],
)
def test_files_that_are_no_settings_are_one_line(folder, name, text):
    (folder / name).write_bytes(text.encode("latin-1"))
    assert f"{folder / name} is damaged" in error_of(resumed(folder), code=1)


def test_infinite_settings_are_one_line(folder):
    stored = json.loads((folder / "run.json").read_text())
    edit(folder / "run.json", config={**stored["config"], "epochs": float("inf")})
    assert "run.json is damaged: epochs" in error_of(resumed(folder), code=1)


def edited(folder: Path, name: str) -> None:
    """Changes a number that `load` reads: of the first epoch, or the last in another file."""
    path = folder / name
    first = r"(.*?)" if name == "history.csv" else r"(.*)"
    before, after = re.fullmatch(first + r"\d\.\d+(.*)", path.read_text(), re.DOTALL).groups()
    path.write_text(f"{before}7.5{after}")


@pytest.mark.parametrize("change", ["edited", "cut", "removed"])
def test_a_history_that_was_changed_before_resuming_is_written_again(kept, folder, change):
    path = folder / "history.csv"
    lines = path.read_text().splitlines(keepends=True)
    if change == "edited":
        edited(folder, "history.csv")
    elif change == "cut":
        path.write_text("".join(lines[:-1]) + lines[-1][:9])
    else:
        path.unlink()
    assert fault_of(folder, kept / "finished", path) == ""


@pytest.mark.parametrize("name", ["history.csv", "members.csv", "sweep.json"])
def test_changed_results_are_named_and_written_again(kept, tmp_path, name):
    folder = shutil.copytree(kept / "finished", tmp_path / "finished")
    edited(folder, name)
    line = error_of(in_this_process("report", folder, cwd=tmp_path), code=1)
    assert f"{folder / name} differs from what was written; undo the change" in line
    done = resumed(folder)
    assert f"note: {folder / name} differs from what was written; all results are" in done.stderr
    assert fault_of(folder, kept / "finished", folder / name) == ""
    assert resumed(folder).stderr == ""


def test_changed_results_without_checkpoints_are_named_and_kept(kept, tmp_path):
    folder = shutil.copytree(kept / "finished", tmp_path / "finished")
    shutil.rmtree(folder / "checkpoints")
    assert resumed(folder).returncode == 0
    edited(folder, "members.csv")
    before = (folder / "members.csv").read_bytes()
    line = error_of(resumed(folder), code=1)
    assert "members.csv differs from what was written, and no checkpoint holds the results" in line
    assert (folder / "members.csv").read_bytes() == before


def test_results_that_a_person_edits_are_read_once_the_seal_is_removed(kept, tmp_path):
    folder = shutil.copytree(kept / "finished", tmp_path / "finished")
    rates = jaxdecay.SweepResult.load(folder).final_learning_rate
    edit(folder / "sweep.json")
    text = (folder / "members.csv").read_text()
    (folder / "members.csv").write_text(text.replace("0.10000000149011612", "0.25"))
    assert "0.25" in (folder / "members.csv").read_text()
    found = jaxdecay.SweepResult.load(folder).final_learning_rate
    np.testing.assert_array_equal(found, np.where(rates < 0.2, np.float32(0.25), rates))
