"""Surroundings that are not as usual: JAX's settings, file systems, names of folders, signals."""

from __future__ import annotations

import csv
import dataclasses
import errno
import fcntl
import gzip
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import TWO, error_of, in_this_process, rows
from test_results import found

import jaxdecay
from jaxdecay.cli import exits
from jaxdecay.cli.display import Lines, SweepSize
from jaxdecay.cli.folders import alone, confirmed_folder
from jaxdecay.cli.interrupts import Interrupts
from jaxdecay.training.about import read_about, write_about

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

SHOW = ("show", "constant", "value=0.1")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AssertionError(), ""),  # JAX_PLATFORMS=cuda
        (AttributeError("'NoneType' object has no attribute 'devices'"), ""),  # with python -O
        (RuntimeError("Unable to initialize\nat all"), ": Unable to initialize"),
    ],
)
def test_devices_that_are_not_there_are_one_line(tmp_path, monkeypatch, error, reason):
    def fail(*_, **__):
        raise error

    jax.devices()
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr("jaxdecay.cli.schedules.value_at", fail)
    monkeypatch.setattr("commands.jax", type("Other", (), {"devices": staticmethod(list)}))
    monkeypatch.setattr(jax, "devices", fail)
    line = error_of(in_this_process(*SHOW, cwd=tmp_path), code=1)
    assert line == (
        f"error: JAX finds no devices with JAX_PLATFORMS=cuda{reason}; correct or unset it"
    )


def test_a_mistake_is_not_taken_for_missing_devices(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a mistake")

    monkeypatch.setattr("jaxdecay.cli.schedules.value_at", fail)
    with pytest.raises(AssertionError, match="a mistake"), exits.one_line_errors():
        fail()


@pytest.mark.parametrize("name", ["jax_debug_nans", "jax_debug_infs", "jax_disable_jit"])
def test_settings_of_jax_with_which_no_sweep_trains_are_refused(tmp_path, name):
    (tmp_path / "two.toml").write_text(TWO)
    jax.config.update(name, True)
    try:
        done = in_this_process("sweep", "--schedules", "two.toml", "--out", "out", cwd=tmp_path)
    finally:
        jax.config.update(name, False)
    line = error_of(done, code=2)
    assert line.startswith(f"error: {name.upper()} is set, but a sweep ")
    assert line.endswith(f"; unset it, or in Python jax.config.update('{name}', False)")


def test_other_types_and_lengths_are_named(tmp_path):
    before = {"member": {".count": "int32[]"}, "epochs": 3}
    write_about(tmp_path / "about.json", before, block=2)
    assert read_about(tmp_path / "about.json", before) == 2
    with pytest.raises(ValueError, match=r"was int32\[\] and is now int64\[\]; undo"):
        read_about(tmp_path / "about.json", {"member": {".count": "int64[]"}, "epochs": 3})
    with pytest.raises(ValueError, match=r"epochs was 3 and is now 4; undo"):
        read_about(tmp_path / "about.json", before | {"epochs": 4})


def test_ctrl_c_that_a_callback_would_swallow_is_sent_again():
    """As JAX's callback of the garbage collector does."""

    class Callback:
        def __del__(self):
            raise KeyboardInterrupt

    before, sys.unraisablehook = sys.unraisablehook, exits._handle_unraisable
    callback = Callback()
    try:
        del callback
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
    finally:
        sys.unraisablehook = before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / "two.toml").write_text(TWO)
    done = in_this_process("sweep", "--schedules", "two.toml", "--out", "out", cwd=tmp_path)
    line = error_of(done, code=1)
    assert f"'out/.lock' cannot be locked: {os.strerror(number)}; choose a folder on a" in line


def test_a_system_without_locks_needs_no_warning(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):  # the lock is left behind neither by the warning nor by the refusal
        refused = pytest.raises(ValueError, match="another sweep is writing")
        with alone(tmp_path), refused, alone(tmp_path):
            pass


def test_no_line_of_matplotlib_about_the_home_folder(capfd):
    exits.log_in_lines()
    logging.getLogger("matplotlib").warning("mkdir -p failed for path /proc/nowhere")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("runs/a", "runs/a-confirmed"),
        ("runs/a/", "runs/a-confirmed"),
        ("a.b", "a.b-confirmed"),
        (".", "{here}-confirmed"),
        ("..", "{above}-confirmed"),
        ("inner/..", "{here}-confirmed"),
    ],
)
def test_a_sweep_is_confirmed_beside_its_folder(tmp_path, monkeypatch, folder, expected):
    (tmp_path / "work" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    path = expected.format(here=tmp_path / "work", above=tmp_path)
    assert confirmed_folder(Path(folder)) == Path(path)


@pytest.mark.usefixtures("hangup")
def test_a_closed_terminal_asks_to_stop_once():
    asked = []
    with Interrupts(lambda: asked.append(True), lambda: None) as interrupts:
        signal.raise_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while not asked:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert interrupts.number == signal.SIGHUP


def test_a_signal_that_is_ignored_stays_ignored():
    """As `nohup` does it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(pytest.fail, pytest.fail) as interrupts:
            signal.raise_signal(signal.SIGHUP)
            time.sleep(0.05)
        assert interrupts.number is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    line = error_of(in_this_process("sweep", "--out", "x" * 300, cwd=tmp_path), code=1)
    assert "File name too long" in line


def test_a_gzip_bomb_is_refused_by_its_size(tmp_path, monkeypatch):
    bomb = gzip.compress(bytes(50_000_000))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    monkeypatch.setattr(gzip, "decompress", lambda _: pytest.fail("unpacked"))
    words = ("sweep", "--data", "mnist", "--data-dir", ".", "--quiet")
    line = error_of(in_this_process(*words, cwd=tmp_path), code=1)
    assert f"is {len(bomb)} bytes long, expected 9912422" in line


# Tables.


@pytest.mark.parametrize("name", ["=HYPERLINK(0)", "+1", "-1", "@SUM(1)", "\t=1", "<b>", ""])
def test_a_family_is_no_formula_and_no_markup(name):
    def decayed(step, value):
        return value / (1 + step)

    decayed.__name__ = name
    with pytest.raises(ValueError, match="a decay must have a Python name, got"):
        jaxdecay.decay(decayed)
    assert name not in jaxdecay.families


def test_no_cell_of_text_is_a_formula(tmp_path):
    """As spreadsheets decide it, which read these tables with whatever is in them."""
    result = found()
    hostile = dataclasses.replace(result, settings={**result.settings, "data": "=HYPERLINK(0)"})
    hostile.save(tmp_path)
    for name in ("members.csv", "history.csv"):
        for row in rows(tmp_path / name):
            for cell in (*row, *row.values()):
                assert re.fullmatch(r"-?[\d.]+(e[+-]\d+)?|nan", cell) or cell[0] not in "=+-@\t\r"


def test_a_cell_is_as_long_as_windows_allows(monkeypatch, tmp_path):
    """A C long has 32 bits there, and a larger limit is an OverflowError."""
    limits = []
    monkeypatch.setattr(csv, "field_size_limit", limits.append)
    found().save(tmp_path)
    jaxdecay.SweepResult.load(tmp_path)
    assert limits == [2**31 - 1]


@pytest.mark.parametrize(
    ("name", "before", "after", "words"),
    [
        ("members.csv", ",0.25\n", "\n", "final_learning_rate None, which must be numbers"),
        ("members.csv", "\n0,", "\nnone,", "with member 'none' and final_learning_rate"),
        ("history.csv", "\n0,0,", "\n0,zero,", "history.csv: could not convert string 'zero'"),
    ],
)
def test_a_damaged_cell_is_named(tmp_path, name, before, after, words):
    result = found()
    rates = np.full_like(result.final_learning_rate, 0.25)
    dataclasses.replace(result, final_learning_rate=rates).save(tmp_path)
    text = (tmp_path / name).read_text()
    assert before in text
    (tmp_path / name).write_text(text.replace(before, after, 1))
    line = error_of(in_this_process("report", ".", cwd=tmp_path), code=1)
    assert words in line


# Counts.


def test_one_is_not_many(capsys):
    display = Lines()
    display.size = SweepSize(1, 1, 1, 9, 32, "digits", "test_accuracy", True)
    display.show_size()
    assert capsys.readouterr().out == (
        "1 schedule × 1 seed = 1 member, 1 epoch of digits, batch size 32\n"
    )
    population = jaxdecay.stack([jaxdecay.constant(0.1)])
    assert repr(population).startswith("Population of 1 schedule\n")
    result = found()
    assert " schedules × " in repr(result)
    one = dataclasses.replace(
        result,
        population=population,
        seeds=result.seeds[:1],
        history={name: values[:, :1, :1] for name, values in result.history.items()},
        diverged_at=result.diverged_at[:1, :1],
        final_learning_rate=result.final_learning_rate[:1, :1],
        steps=1,
    )
    assert "1 schedule × 1 seed on" in repr(one)
    assert "1 step, " in repr(one)
