"""Sweeps of the command line, stopped, killed, starved and shared out: real processes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from commands import edit, error_of, finished, in_a_process, in_this_process
from kill_and_resume import SCHEDULES, SWEEP, epochs_of, kill_and_resume
from started import first, start, start_two, until, wait_for

from jaxdecay.training.about import write_about

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

MANY = 1_000_000

NO_LARGE_FILES = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))"
)


def run(*arguments: object, cwd: Path, devices: int = 1) -> subprocess.CompletedProcess[str]:
    """Runs `jaxdecay sweep` to its end."""
    return in_a_process("sweep", *arguments, cwd=cwd, JAX_NUM_CPU_DEVICES=str(devices))


def here(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, on its one device."""
    return in_this_process("sweep", *arguments, cwd=cwd)


def refused(*arguments: object, cwd: Path) -> str:
    """What `jaxdecay sweep` says to wrong use."""
    return error_of(here(*arguments, cwd=cwd), code=2)


def damaged(*arguments: object, cwd: Path) -> str:
    """What it says to damaged files."""
    return error_of(here(*arguments, cwd=cwd), code=1)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "schedules.toml").write_text(SCHEDULES)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with a sweep of four epochs, `out`."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "schedules.toml").write_text(SCHEDULES)
    done = run(*SWEEP, "--epochs", 4, "--out", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def assert_same_files(folder: Path, expected: Path) -> None:
    for name in ("members.csv", "history.csv"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


def assert_goes_on(folder: Path, whole: Path) -> None:
    """That a sweep that was to have very many epochs finds in its first four what `whole` did."""
    path = folder / "out" / "run.json"
    started = json.loads(path.read_text())
    edit(path, config={**started["config"], "epochs": 4})
    if epochs_of(folder / "out") <= 4:
        done = here("--resume", "out", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert_same_files(folder / "out", whole)
    else:
        expected = (whole / "history.csv").read_text().splitlines()
        assert (folder / "out" / "history.csv").read_text().splitlines()[:41] == expected


def test_killed_after_an_epoch(folder, whole):
    process = start(*SWEEP, "--epochs", MANY, "--out", "out", cwd=folder)
    wait_for(lambda: epochs_of(folder / "out") >= 1, process)
    process.kill()
    process.communicate()
    assert_goes_on(folder, whole)


@pytest.mark.slow
def test_killed_at_random_moments(folder):
    assert kill_and_resume(folder, kills=3, epochs=40, seed=0) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_the_first_interrupt_finishes_the_epoch_and_says_how_to_go_on(folder, number, whole):
    process = start(*SWEEP, "--epochs", MANY, "--out", "out", cwd=folder)
    wait_for(lambda: epochs_of(folder / "out") >= 2, process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + number
    assert "stopping after this epoch; interrupt again to stop at once" in errors
    assert "Traceback" not in errors
    stopped = re.search(r"stopped after epoch (\d+) of 1000000", output)
    assert stopped, output
    assert "jaxdecay sweep --resume out" in output
    done = int(stopped[1])
    assert epochs_of(folder / "out") == done
    assert (folder / "out" / "checkpoints" / str(done)).is_dir()
    assert not (folder / "out" / "members.csv").exists()
    first = (whole / "history.csv").read_text().splitlines()[:21]
    assert (folder / "out" / "history.csv").read_text().splitlines()[:21] == first


@pytest.mark.slow
def test_the_second_interrupt_stops_at_once(folder):
    (folder / "slow.toml").write_text(SCHEDULES)
    arguments = ("--schedules", "slow.toml", "--seeds", 300, "--batch-size", 1, "--epochs", 9)
    process = start(*arguments, "--block", 8, "--out", "out", cwd=folder)
    wait_for(lambda: (folder / "out" / "checkpoints" / "about.json").exists(), process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = until(process.stderr, "interrupt again to stop at once")
    assert process.poll() is None  # an epoch of 1,500 members takes minutes
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert (
        "stopped; to resume from the last checkpoint, run: jaxdecay sweep --resume "
        in said + errors
    )
    assert epochs_of(folder / "out") == 0


def test_a_finished_sweep_is_left_as_it_is(folder, whole):
    out = shutil.copytree(whole, folder / "out")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}
    for words in ((), ("--epochs", 4)):
        done = here("--resume", "out", *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "The sweep in out is finished (4 epochs)" in done.stdout
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}
    assert after == before


@pytest.mark.slow
def test_more_epochs(folder, whole):
    out = shutil.copytree(whole, folder / "out")
    less = refused("--resume", "out", "--epochs", 3, cwd=folder)
    assert "got --epochs 3; a resumed sweep can only have more" in less
    assert_same_files(out, whole)
    done = here("--resume", "out", "--epochs", 6, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (out / "history.csv").read_text().splitlines()
    assert lines[:41] == (whole / "history.csv").read_text().splitlines()
    assert len(lines) == 61
    assert json.loads((out / "sweep.json").read_text())["settings"]["epochs"] == 6
    straight = here(*SWEEP, "--epochs", 6, "--out", "straight", cwd=folder)
    assert straight.returncode == 0, straight.stderr
    assert_same_files(out, folder / "straight")


def test_wrong_use_of_resume(folder, whole):
    assert refused("--resume", "nowhere", cwd=folder) == "error: folder 'nowhere' does not exist"
    (folder / "empty").mkdir()
    assert "needs a folder written by `jaxdecay sweep` (run.json is missing)" in refused(
        "--resume", "empty", cwd=folder
    )
    more = refused("--resume", whole, "--seeds", 2, "--batch-size", 3, cwd=folder)
    assert "--batch-size, --seeds cannot be given with --resume" in more
    out = shutil.copytree(whole, folder / "out")
    edit(out / "run.json", colour="blue")
    assert "damaged or from another version" in damaged("--resume", "out", cwd=folder)
    (out / "run.json").write_text('{"data": "digits"}')
    assert "damaged or from another version" in damaged("--resume", "out", cwd=folder)
    for text in ("{", "[]", "[" * 100_000, '{"a":' * 100_000, "\0"):
        (out / "run.json").write_text(text)
        assert "out/run.json is damaged: " in damaged("--resume", "out", cwd=folder)
    there = refused(*SWEEP, "--out", "out", cwd=folder)
    assert "resume it with --resume out" in there


@pytest.mark.slow
def test_eight_devices_go_on_as_one_two_and_four(folder, whole):
    arguments = (*SWEEP, "--epochs", 2, "--out", "eight")
    assert run(*arguments, cwd=folder, devices=8).returncode == 0
    for devices in (1, 2, 4):
        out = shutil.copytree(folder / "eight", folder / f"on_{devices}")
        done = run("--resume", out, "--epochs", 4, cwd=folder, devices=devices)
        assert done.returncode == 0, done.stderr
        assert json.loads((out / "sweep.json").read_text())["settings"]["devices"] == devices
        assert_same_files(out, whole)


def test_two_sweeps_do_not_share_a_folder(folder):
    process = start(*SWEEP, "--epochs", MANY, "--out", "out", cwd=folder)
    try:
        wait_for(lambda: epochs_of(folder / "out") >= 1, process)
        for arguments in (("--resume", "out"), (*SWEEP, "--overwrite", "--out", "out")):
            assert "another sweep is writing into 'out'" in refused(*arguments, cwd=folder)
        before = epochs_of(folder / "out")
        wait_for(lambda: epochs_of(folder / "out") > before, process)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_sweep_goes_on_when_there_is_room(folder, whole):
    words = first(NO_LARGE_FILES, *SWEEP, "--epochs", 4, "--out", "out")
    full = finished(words, folder, JAX_NUM_CPU_DEVICES="1")
    assert "out/checkpoints cannot be written" in error_of(full, code=1)
    done = here("--resume", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert_same_files(folder / "out", whole)


@pytest.mark.slow
def test_a_folder_that_vanishes_is_one_line(folder):
    process = start(*SWEEP, "--epochs", MANY, "--out", "out", cwd=folder)
    wait_for(lambda: epochs_of(folder / "out") >= 1, process)
    (folder / "out").rename(folder / "elsewhere")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Traceback" not in errors
    (line,) = [line for line in errors.splitlines() if line.startswith("error:")]
    assert "out" in line
    assert epochs_of(folder / "elsewhere") >= 1


def test_data_that_changed_are_refused(folder, whole):
    out = shutil.copytree(whole, folder / "out")
    path = out / "checkpoints" / "about.json"
    stored = json.loads(path.read_text())
    write_about(path, {**stored["about"], "data": "0" * 64}, stored["block"])
    line = refused("--resume", "out", "--epochs", 5, cwd=folder)
    assert "the data changed since it was started" in line
    assert_same_files(out, whole)


def test_two_processes_find_what_one_does(folder, whole):
    both = start_two(*SWEEP, "--epochs", 4, "--out", "out", cwd=folder)
    first, second = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [0, 0], first[1] + second[1]
    assert "best: " in first[0]
    assert not [line for line in second[0].splitlines() if not line.startswith("[Gloo]")]
    assert_same_files(folder / "out", whole)
    assert json.loads((folder / "out" / "sweep.json").read_text())["settings"]["devices"] == 2


@pytest.mark.slow
def test_a_process_without_members_of_its_own_takes_part(folder):
    (folder / "one.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = 0.1\n')
    one = ("--schedules", "one.toml", "--seeds", 1)
    alone = run(*one, "--epochs", 3, "--out", "alone", cwd=folder)
    assert alone.returncode == 0, alone.stderr
    for arguments in ((*one, "--epochs", 2, "--out", "both"), ("--resume", "both", "--epochs", 3)):
        both = start_two(*arguments, cwd=folder)
        told = [process.communicate(timeout=300)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], told
    assert_same_files(folder / "both", folder / "alone")


@pytest.mark.slow
@pytest.mark.parametrize("dies", [0, 1], ids=["first", "second"])
def test_a_process_that_dies_ends_the_sweep_and_one_goes_on(folder, whole, dies):
    both = start_two(*SWEEP, "--epochs", MANY, "--out", "out", cwd=folder)
    wait_for(lambda: epochs_of(folder / "out") >= 2, both[0])
    both[dies].kill()
    _, errors = both[1 - dies].communicate(timeout=300)
    both[dies].communicate()
    assert both[1 - dies].returncode != 0
    assert "Traceback" not in errors
    assert "another process of this sweep has ended" in errors or "another task died" in errors
    assert_goes_on(folder, whole)


def test_distributed_needs_to_know_who_it_is(folder):
    lost = error_of(run("--distributed", "--out", "out", cwd=folder), code=2)
    assert "give --coordinator HOST:PORT, --process and --processes" in lost
    assert "need --distributed" in refused("--process", 1, cwd=folder)


@pytest.mark.slow
def test_a_sweep_of_which_all_diverge_can_stop_there(folder):
    (folder / "high.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = 1e20\n')
    arguments = ("--schedules", "high.toml", "--epochs", MANY, "--stop-diverged", "--out", "out")
    assert "every member diverged" in error_of(here(*arguments, cwd=folder), code=1)
    assert len((folder / "out" / "history.csv").read_text().splitlines()) == 4
