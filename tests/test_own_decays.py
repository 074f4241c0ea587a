"""Decays of a file of the user's, edited between two commands on one sweep."""

from __future__ import annotations

import json
import shutil
import sys

import jax
import pytest
from commands import edit, error_of, in_this_process

from jaxdecay.registry import families

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

OWN = """
import jaxdecay

def decayed(step, half_life):
    return half_life / (half_life + step)

@jaxdecay.decay
def falling(step, init_value, *, half_life):
    return init_value * decayed(step, half_life)
"""
SCHEDULES = '[[schedule]]\nfamily = "falling"\ninit_value = [0.1, 0.2]\nhalf_life = 9'

SHOWN = (("report", "out"), ("export", "out", "--tensorboard", "board"))


def test_a_sweep_with_an_edited_decay_is_neither_resumed_nor_confirmed_nor_shown(tmp_path):
    own = tmp_path / "falls.py"
    own.write_text(OWN)
    (tmp_path / "mine.toml").write_text(SCHEDULES)
    done = in_this_process(
        *("sweep", "--schedules", "mine.toml", "--decays", "falls.py", "--out", "out"),
        *("--epochs", 1, "--seeds", 2, "--batch-size", 359, "--quiet"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert list(json.loads((tmp_path / "out" / "run.json").read_text())["own_decays"]) == [
        "falling"
    ]
    resume = ("sweep", "--resume", "out", "--epochs", 2, "--quiet", "--decays", "falls.py")
    confirm = ("confirm", "out", "--best", 2, "--seeds", 2, "--quiet", "--decays", "falls.py")
    own.write_text(OWN.replace("(half_life + step)", "(half_life + step / 2)"))
    shown = [(*words, "--decays", "falls.py") for words in SHOWN]
    for command in (resume, confirm, *shown):
        refused = error_of(in_this_process(*command, cwd=tmp_path), code=2)
        assert "the decay falling of" in refused
        assert "has changed since the sweep was started" in refused
    assert not (tmp_path / "out-confirmed" / "run.json").exists()
    own.write_text("# Half after its half-life.\n" + OWN)
    for command in (resume, confirm):
        done = in_this_process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    (tmp_path / "moved").mkdir()
    own.rename(tmp_path / "moved" / "falls.py")
    gone = error_of(in_this_process("report", "out", "--decays", "falls.py", cwd=tmp_path), code=2)
    assert "falls.py' does not exist" in gone
    found = in_this_process("report", "out", "--decays", "moved/falls.py", cwd=tmp_path)
    assert found.returncode == 0, found.stderr


@pytest.fixture(scope="module")
def received(tmp_path_factory):
    """A folder with two finished sweeps, and a file that leaves a trace when it is run."""
    cwd = tmp_path_factory.mktemp("received")
    (cwd / "falls.py").write_text(OWN)
    (cwd / "mine.toml").write_text(SCHEDULES)
    (cwd / "theirs.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = [0.1, 0.3]')
    for name, own in (("mine", ("--decays", "falls.py")), ("theirs", ())):
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            done = in_this_process(
                *("sweep", "--schedules", f"{name}.toml", "--out", name, "--epochs", 1),
                *("--seeds", 2, "--batch-size", 359, "--quiet", *own),
                cwd=cwd,
            )
        assert done.returncode == 0, done.stderr
    (cwd / "falls.py").write_text(f"open({str(cwd / 'was_run')!r}, 'w').close()\n" + OWN)
    return cwd


COMMANDS = {
    "report": ("report",),
    "plot": ("plot", "--dots", 20),
    "watch": ("watch", "--json"),
    "export": ("export", "--tensorboard", "board"),
    "confirm": ("confirm", "--best", 2, "--seeds", 2, "--quiet"),
    "resume": ("sweep", "--epochs", 2, "--quiet", "--resume"),
}


def _copied(received, tmp_path, name):
    folder = shutil.copytree(received / name, tmp_path / name)
    edit(folder / "run.json", decays=str(received / "falls.py"))
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_a_folder_names_is_not_run(received, tmp_path, monkeypatch, command):
    monkeypatch.delitem(families, "falling", raising=False)
    words = [*COMMANDS[command], _copied(received, tmp_path, "mine")]
    refused = error_of(in_this_process(*words, cwd=tmp_path), code=2)
    assert f"use the decay 'falling' from the Python file '{received / 'falls.py'}'" in refused
    assert refused.endswith("if you trust the file, add --decays and its path")
    assert not (received / "was_run").exists()
    allowed = in_this_process(*words, "--decays", received / "falls.py", cwd=tmp_path)
    assert allowed.returncode == 0, allowed.stderr
    (received / "was_run").unlink()


@pytest.mark.parametrize("command", COMMANDS)
def test_schedules_of_the_library_need_no_file(received, tmp_path, command):
    words = [*COMMANDS[command], _copied(received, tmp_path, "theirs")]
    done = in_this_process(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (received / "was_run").exists()


@pytest.mark.parametrize("name", ["numpy", "typing", "jaxdecay", "sys", "optax"])
def test_a_file_with_the_name_of_a_module_is_refused(tmp_path, name):
    (tmp_path / f"{name}.py").write_text(OWN)
    before = sys.modules.get(name)
    line = error_of(in_this_process("list", "--decays", f"{name}.py", cwd=tmp_path), code=2)
    assert f"'{name}.py' has the name of the module '{name}'" in line
    assert line.endswith("rename the file")
    assert sys.modules.get(name) is before


def test_a_file_beside_which_python_was_started_is_not_another_module(tmp_path, monkeypatch):
    (tmp_path / "falls.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    done = in_this_process("list", "--decays", "falls.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("class Odd(BaseException): pass\nraise Odd('so')", "Odd: so"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_ends_the_process_is_an_error(tmp_path, text, reason):
    (tmp_path / "ends_early.py").write_text(text)
    line = error_of(in_this_process("list", "--decays", "ends_early.py", cwd=tmp_path), code=2)
    assert line == f"error: --decays ends_early.py: {reason}"
