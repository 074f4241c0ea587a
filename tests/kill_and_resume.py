"""Kills a sweep at random moments and goes on each time: its files must not differ by a bit.

    python tests/kill_and_resume.py --kills 20

The slow tests do the same with three kills.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jaxdecay.results.files import read_history

SCHEDULES = """
[[schedule]]
family = "inverse_time"
init_value = 0.05
decay_rate = 0.01

[[schedule]]
family = "constant"
value = 0.2

[[schedule]]
family = "multi_step"
init_value = 0.2
decay_rate = 0.5
boundaries = [900]

[[schedule]]
family = "reduce_on_plateau"
schedule = 0.2
factor = 0.5
patience = 0
threshold = 0.1

[[schedule]]
family = "constant"
value = 1e20
"""
"""Five; three share a trunk, from which one parts at step 900, one when its metric says so."""

SWEEP = ("--schedules", "schedules.toml", "--seeds", "2", "--block", "3", "--batch-size", "16")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "jaxdecay", "sweep", *map(str, arguments)]


def kill_and_resume(folder: Path, kills: int, epochs: int, seed: int) -> list[str]:
    """The names of the files that differ from those of a sweep without a break; none should.

    Every third kill comes while the process starts, the others after new epochs that are spread
    over the training, wherever in an epoch or in a checkpoint that may be.
    """
    (folder / "schedules.toml").write_text(SCHEDULES)
    starting, training = _timed(folder, epochs)
    chance = random.Random(seed)
    for kill in range(kills):
        before = epochs_of(folder / "broken")
        process = _start(folder, epochs)
        if kill % 3 == 2:
            _wait(folder, process, before + 1, chance.uniform(0.3, 0.7) * starting)
        else:
            target = before + chance.randint(1, (epochs - before) // (kills - kill + 1))
            _wait(folder, process, target, math.inf)
            _wait(folder, process, target + 1, chance.uniform(0, 1) * training / epochs)
        assert process.poll() is None, "it ended before it was killed: give it more epochs"
        process.kill()
        process.wait()
        kept = sorted(
            int(path.name) for path in folder.glob("broken/checkpoints/*") if path.name.isdigit()
        )
        print(f"kill {kill + 1} after epoch {epochs_of(folder / 'broken')}, checkpoints {kept}")
        _check_history(folder / "broken", epochs)
    assert _start(folder, epochs).wait() == 0
    return [
        name
        for name in ("members.csv", "history.csv")
        if (folder / "whole" / name).read_bytes() != (folder / "broken" / name).read_bytes()
    ]


def epochs_of(folder: Path) -> int:
    """How many complete epochs the history of ten members has."""
    path = folder / "history.csv"
    with contextlib.suppress(FileNotFoundError):
        return (path.read_text().count("\n") - 1) // 10
    return 0


def _start(folder: Path, epochs: int) -> subprocess.Popen[bytes]:
    resumable = (folder / "broken" / "run.json").exists()
    arguments = ("--resume", "broken") if resumable else (*SWEEP, "--epochs", epochs)
    words = command(*arguments, *(() if resumable else ("--out", "broken")))
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)


def _wait(folder: Path, process: subprocess.Popen[bytes], epochs: int, seconds: float) -> None:
    """Until so many epochs are done, or so much time has passed, or the process has ended."""
    end = time.monotonic() + seconds
    broken = folder / "broken"
    while epochs_of(broken) < epochs and time.monotonic() < end and process.poll() is None:
        time.sleep(0.02)


def _timed(folder: Path, epochs: int) -> tuple[float, float]:
    """Seconds that the sweep without a break takes to start, and to train."""
    words = command(*SWEEP, "--epochs", epochs, "--out", "whole")
    began = time.monotonic()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    while not (folder / "whole" / "history.csv").exists() and process.poll() is None:
        time.sleep(0.02)
    trained = time.monotonic()
    assert process.wait() == 0
    return trained - began, time.monotonic() - trained


def _check_history(folder: Path, epochs: int) -> None:
    """The history has complete epochs of all ten members, and perhaps a part of one more."""
    path = folder / "history.csv"
    if path.exists():
        history = read_history(folder, 5, 2, grows=True)
        assert {len(values) for values in history.values()} == {epochs_of(folder)}
    assert not (folder / "members.csv").exists() or (
        len((folder / "history.csv").read_text().splitlines()) == 1 + 10 * epochs
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        differ = kill_and_resume(Path(folder), options.kills, options.epochs, options.seed)
    print("the files differ: " + ", ".join(differ) if differ else "the files are the same")
    sys.exit(bool(differ))


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "100")
    main()
