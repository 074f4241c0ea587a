"""Sweeps as processes in odd surroundings: limits, missing folders, closed streams, signals."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import error_of, finished, in_a_process, in_this_process, rows

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("relaxed_promotion")]

SCHEDULES = """
[[schedule]]
family = "inverse_time"
init_value = [0.1, 0.3]
decay_rate = 0.01

[[schedule]]
family = "constant"
value = 1e20
"""
"""The last diverges."""

SWEEP = ("sweep", "--schedules", "few.toml", "--epochs", "2", "--seeds", "2", "--batch-size", "359")


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> Path:
    """The folder of a sweep in usual surroundings."""
    cwd = tmp_path_factory.mktemp("usual")
    (cwd / "few.toml").write_text(SCHEDULES)
    done = in_a_process(*SWEEP, "--block", 2, "--out", "out", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "out"


def swept(before: str, cwd: Path, after: str = "") -> subprocess.CompletedProcess[str]:
    """A sweep in Bash, with something before and after its command."""
    (cwd / "few.toml").write_text(SCHEDULES)
    words = shlex.join([sys.executable, "-m", "jaxdecay", *SWEEP, "--block", "2", "--out", "out"])
    return finished(["bash", "-c", f"{before} {words} {after}"], cwd)


def assert_same(folder: Path, usual: Path) -> None:
    for name in ("members.csv", "history.csv"):
        assert (folder / name).read_bytes() == (usual / name).read_bytes()
    assert (folder / "report.html").stat().st_size > 100_000


SURROUNDINGS = {
    "no HOME": "env -u HOME -u XDG_CACHE_HOME -u JAX_COMPILATION_CACHE_DIR",
    "HOME that cannot be written": (
        "env -u XDG_CACHE_HOME -u JAX_COMPILATION_CACHE_DIR HOME=/proc/nowhere"
    ),
    "no cache folder": "env -u JAX_COMPILATION_CACHE_DIR XDG_CACHE_HOME=/dev/null/cache",
    "no folder for temporary files": "env TMPDIR=/nowhere MPLCONFIGDIR=/nowhere",
    "few open files": "ulimit -n 64;",
    "assertions off": "env PYTHONOPTIMIZE=1",
    "docstrings off": "env PYTHONOPTIMIZE=2",
    "the C locale": "env LC_ALL=C",
    "warnings are errors": "env PYTHONWARNINGS=error::UserWarning:jaxdecay",
    "ignored signals": "trap '' HUP PIPE;",
}


@pytest.mark.parametrize("before", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_a_sweep_gives_the_same_bytes(tmp_path, usual, before):
    done = swept(before, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "2 of them diverged" in done.stdout
    assert_same(tmp_path / "out", usual)


@pytest.mark.parametrize("before", ["taskset -c 0", "env JAX_NUM_CPU_DEVICES=7"])
def test_other_cores_and_devices_give_the_same_to_a_few_digits(tmp_path, usual, before):
    done = swept(before, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for row, expected in zip(
        rows(tmp_path / "out" / "members.csv"), rows(usual / "members.csv"), strict=True
    ):
        assert row["status"] == expected["status"]
        if row["status"] == "finished":
            assert float(row["test_loss"]) == pytest.approx(float(expected["test_loss"]), rel=1e-3)


STREAMS = {
    "no standard input": "<&-",
    "no standard output": ">&-",
    "no standard error": "2>&-",
    "no streams": "<&- >&- 2>&-",
    "an empty standard input": "</dev/null",
}


@pytest.mark.parametrize("after", STREAMS.values(), ids=STREAMS)
def test_a_stream_that_is_closed(tmp_path, usual, after):
    done = swept("", tmp_path, after)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert_same(tmp_path / "out", usual)


def test_numbers_of_64_bits(tmp_path, usual):
    """Other results, to the digits of a float32, and checkpoints that are told apart."""
    done = swept("env JAX_ENABLE_X64=1", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    resumed = in_a_process("sweep", "--resume", "out", "--epochs", 3, cwd=tmp_path)
    line = error_of(resumed, code=2)
    assert "jax[jax_enable_x64] was True and is now False; undo the change" in line


DEVICES = {
    "another platform": ({"JAX_PLATFORMS": "cuda"}, "JAX_PLATFORMS=cuda"),
    "an unknown platform": ({"JAX_PLATFORMS": "banana"}, "'banana' is not in the list"),
    "no devices": ({"JAX_NUM_CPU_DEVICES": "0"}, "JAX_NUM_CPU_DEVICES=0"),
    "without assertions": (
        {"JAX_PLATFORMS": "cuda", "PYTHONOPTIMIZE": "1"},
        "JAX_PLATFORMS=cuda",
    ),
}


@pytest.mark.parametrize(
    "command", [("show", "constant", "value=0.1"), SWEEP], ids=["show", "sweep"]
)
@pytest.mark.parametrize(("environment", "words"), DEVICES.values(), ids=DEVICES)
def test_devices_that_are_not_there(tmp_path, environment, words, command):
    (tmp_path / "few.toml").write_text(SCHEDULES)
    line = error_of(in_a_process(*command, cwd=tmp_path, **environment), code=1)
    assert line.startswith("error: JAX finds no devices with ")
    assert words in line
    assert line.endswith("correct or unset it")
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/*"))


OUT = {
    "spaces": "a b  c",
    "quotes": 'it\'s "mine"',
    "a newline": "a\nb",
    "long": "x" * 250,
    "longer than a name may be": "/".join(["y" * 150] * 2),
    "a formula": "=HYPERLINK(1)",
    "markup": "<script>alert(1)<",
    "right to left": "\u202eevil",
    "a variable": "$HOME ${x} `id` %PATH%",
    "an option": "./--resume",
}


@pytest.mark.parametrize("out", OUT.values(), ids=OUT)
def test_a_folder_of_any_name_is_swept_into_resumed_and_confirmed(tmp_path, usual, out):
    (tmp_path / "few.toml").write_text(SCHEDULES)
    done = in_this_process(*SWEEP, "--block", 2, "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / out, usual)
    (tmp_path / out / "sweep.json").unlink()
    (tmp_path / out / "report.html").unlink()
    for command in (("sweep", "--resume", out), ("report", out)):
        done = in_this_process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert_same(tmp_path / out, usual)
    more = in_this_process("sweep", "--resume", out, "--epochs", 3, "--quiet", cwd=tmp_path)
    assert more.returncode == 0, more.stderr


def test_a_link_to_a_folder(tmp_path, usual):
    (tmp_path / "few.toml").write_text(SCHEDULES)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there", target_is_directory=True)
    done = in_this_process(*SWEEP, "--block", 2, "--out", "link", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "there", usual)
    assert (tmp_path / "link").is_symlink()


def started(cwd: Path, *options: object) -> subprocess.Popen[str]:
    """A sweep that takes for ever, after its first epoch."""
    (cwd / "few.toml").write_text(SCHEDULES)
    words = [*SWEEP[:3], "--epochs", 1_000_000, "--seeds", 2, "--batch-size", 359, "--out", "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jaxdecay", *map(str, [*words, *options])],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 300
    while not (cwd / "out" / "checkpoints" / "2").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


@pytest.mark.usefixtures("hangup")
def test_a_closed_terminal_stops_after_the_epoch(tmp_path):
    process = started(tmp_path)
    process.send_signal(signal.SIGHUP)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGHUP
    assert "stopping after this epoch; interrupt again to stop at once" in errors
    assert "resume with: jaxdecay sweep --resume out" in output


@pytest.mark.parametrize("part", ["out", "out/checkpoints"])
def test_a_folder_that_is_removed_while_the_sweep_runs(tmp_path, part):
    process = started(tmp_path)
    shutil.rmtree(tmp_path / part, ignore_errors=True)
    if part != "out":  # such a sweep may go on: the folder is made again
        time.sleep(2)
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode in (1, 130)
    assert "Traceback" not in errors
    assert "error: " in errors or process.returncode == 130


CLOCK = """
import sys, time
import jaxdecay
from jaxdecay.__main__ import main

calls, real = [0], time.time

def set_back():
    calls[0] += 1
    return real() - (3_600 if calls[0] % 2_000 > 1_000 else 0) + {skew}

time.time = set_back
main()
"""


@pytest.mark.parametrize("skew", [0, 10**9, -1.5e9], ids=["set back", "in 2058", "in 1979"])
def test_a_clock_that_is_wrong(tmp_path, usual, skew):
    """As Python sees it: what is written in C++ reads the machine's."""
    (tmp_path / "few.toml").write_text(SCHEDULES)
    words = [sys.executable, "-c", CLOCK.format(skew=skew), *SWEEP, "--block", "2", "--out", "out"]
    done = finished(words, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert_same(tmp_path / "out", usual)
    assert os.listdir(tmp_path / "out" / "checkpoints")
