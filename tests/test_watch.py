"""`jaxdecay watch`: a sweep that another process trains."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import types

import pytest
from commands import error_of, in_this_process

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.mark.slow
def test_watching_a_sweep_that_runs(tmp_path):
    slow = '[[schedule]]\nfamily = "constant"\nvalue = [0.01, 0.02, 0.03]\n'
    (tmp_path / "slow.toml").write_text(slow)
    arguments = ("--schedules", "slow.toml", "--epochs", "400", "--out", "out", "--quiet")
    sweep = subprocess.Popen(
        [sys.executable, "-m", "jaxdecay", "sweep", *arguments],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 300
        while not (tmp_path / "out" / "history.csv").exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        watching = subprocess.Popen(
            [sys.executable, "-m", "jaxdecay", "watch", "out", "--json"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        with watching:
            lines = [json.loads(line) for line in watching.stdout]  # until both have ended
        sweep.wait(300)
    finally:
        sweep.kill()
        sweep.wait()
    epochs = [line["epoch"] for line in lines[:-1]]
    assert epochs == list(range(epochs[0], 401))
    assert {line["event"] for line in lines[:-1]} == {"epoch"}
    assert lines[-1]["event"] == "finished"
    assert lines[-1]["settings"]["epochs"] == 400


def test_watching_ends_with_ctrl_c_and_says_what_there_is_not(tmp_path, monkeypatch):
    missing = error_of(in_this_process("watch", "nowhere", cwd=tmp_path), code=2)
    assert missing == "error: folder 'nowhere' does not exist"
    run = {"data": "digits", "data_dir": None, "decays": None, "schedules": [], "steps": 1}
    run |= {"data_sha256": "", "confirms": None, "own_decays": {}, "config": {"optimizer": "sgd"}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    looks = iter(range(4))

    def sleep(seconds: float) -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("jaxdecay.cli.watch.time", types.SimpleNamespace(sleep=sleep))
    ended = in_this_process("watch", ".", cwd=tmp_path)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    said = "is writing into .; 0 of 1 epochs are done. If it was stopped, resume it"
    assert ended.stderr.count(said) == 1
