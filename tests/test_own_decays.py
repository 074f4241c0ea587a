"""Decays of a file of the user's, edited between two commands on one sweep."""

from __future__ import annotations

import json

import pytest
from commands import error_of, in_this_process

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


def test_a_sweep_with_an_edited_decay_is_neither_resumed_nor_confirmed(tmp_path):
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
    resume = ("sweep", "--resume", "out", "--epochs", 2, "--quiet")
    confirm = ("confirm", "out", "--best", 2, "--seeds", 2, "--quiet")
    own.write_text(OWN.replace("(half_life + step)", "(half_life + step / 2)"))
    for command in (resume, confirm):
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
    gone = error_of(in_this_process("report", "out", cwd=tmp_path), code=2)
    assert "falls.py' does not exist" in gone
    found = in_this_process("report", "out", "--decays", "moved/falls.py", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
