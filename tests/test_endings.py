"""The end of a sweep, with a fault at everything that is done after training."""

from __future__ import annotations

import errno
import importlib.metadata
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from commands import TWO, error_of, finished, in_this_process

import jaxdecay
from jaxdecay.cli import finishing
from jaxdecay.results import files
from jaxdecay.results.provenance import versions
from jaxdecay.training.sweep import sweep

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

SWEEP = ("sweep", "--schedules", "two.toml", "--epochs", 1, "--seeds", 2, "--batch-size", 359)
WRITTEN = [".writable", "history.csv", "members.csv", "sweep.json", "report.html"]
"""What is written after training, in this order."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of a sweep at whose end nothing failed."""
    cwd = tmp_path_factory.mktemp("whole")
    (cwd / "two.toml").write_text(TWO)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        done = in_this_process(*SWEEP, "--out", "out", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "out"


@pytest.fixture
def trained(monkeypatch) -> Iterator[list[bool]]:
    """Holds True as soon as training is over."""
    found = []

    def sweep_and_say(*arguments, **options):
        result = sweep(*arguments, **options)
        found.append(True)
        return result

    monkeypatch.setattr(jaxdecay, "sweep", sweep_and_say, raising=False)
    yield found
    assert found


def swept(cwd: Path, *options: object) -> subprocess.CompletedProcess[str]:
    (cwd / "two.toml").write_text(TWO)
    return in_this_process(*SWEEP, "--out", "out", *options, cwd=cwd)


def completed(cwd: Path, whole: Path, *command: object) -> None:
    """The folder is as if nothing had failed after this command."""
    done = in_this_process(*command, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert (cwd / "out" / "report.html").exists()
    for name in ("members.csv", "history.csv"):
        assert (cwd / "out" / name).read_bytes() == (whole / name).read_bytes()
    assert not list((cwd / "out").glob(files.PART.format("*")))


def remedy_of(line: str) -> list[str]:
    """The command at the end of an error."""
    return line.partition("run: jaxdecay ")[2].split()


@pytest.mark.quick_each(2)
@pytest.mark.parametrize(
    "fault", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("open", "write")), "rename"]
)
@pytest.mark.parametrize("place", range(len(WRITTEN)), ids=WRITTEN)
def test_a_file_that_cannot_be_written(tmp_path, monkeypatch, trained, whole, place, fault):
    seen = []

    def fails(path: Path) -> None:
        if trained:
            seen.append(path)
            if len(seen) == place + 1:
                raise OSError(errno.ENOSPC, "No space left on device")

    opened, replaced = Path.open, files.os.replace

    class FullDisk:
        def __init__(self, file):
            self._file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

        def write(self, contents: bytes) -> None:
            self._file.write(contents[: len(contents) // 2])
            fails(Path(self._file.name))
            self._file.write(contents[len(contents) // 2 :])

    def open_file(path, mode="r", *arguments, **options):
        if mode == "xb" and fault == "open":
            fails(path)
        file = opened(path, mode, *arguments, **options)
        return FullDisk(file) if mode == "xb" and fault == "write" else file

    def replace(beside, path):
        if fault == "rename":
            fails(path)
        replaced(beside, path)

    monkeypatch.setattr(Path, "open", open_file)
    monkeypatch.setattr(files.os, "replace", replace)
    done = swept(tmp_path)
    monkeypatch.undo()
    assert len(seen) >= place + 1
    line = error_of(done, code=1)
    name = WRITTEN[place]
    assert f"No space left on device (out/{name})" in line
    assert "best: inverse_time(" in done.stdout  # the leaderboard is there in any case
    is_stored = name == "report.html"
    assert ("Written to" in done.stdout, files.are_complete(tmp_path / "out")) == (False, is_stored)
    command = remedy_of(line)
    assert command == (["report", "out"] if is_stored else ["sweep", "--resume", "out"])
    completed(tmp_path, whole, *command)


def test_every_file_is_written_in_this_order(tmp_path, monkeypatch, trained):
    names, replaced = [], files.os.replace

    def replace(beside, path):
        if trained:
            names.append(path.name)
        replaced(beside, path)

    monkeypatch.setattr(files.os, "replace", replace)
    assert swept(tmp_path).returncode == 0
    assert names == WRITTEN


FAULTS = {
    "a module that is missing": ModuleNotFoundError("No module named 'fonts'", name="fonts"),
    "a module that does not load": ImportError("libfreetype.so.6: cannot open"),
    "a font": RuntimeError("Failed to find font DejaVu Sans\nat all"),
    "an encoding": UnicodeEncodeError("ascii", "≈", 0, 1, "ordinal not in range(128)"),
    "a mistake": KeyError("platform"),
    "memory": MemoryError(),
}
PLACES = {
    "the leaderboard": "jaxdecay.cli.display.print_result",
    "the report": "jaxdecay.report.files.page",
}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=name, marks=[] if name == "a font" else pytest.mark.slow)
        for name, fault in FAULTS.items()
    ],
)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_any_fault_leaves_the_results_and_one_line(tmp_path, monkeypatch, whole, place, fault):
    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(place, fail)
    done = swept(tmp_path)
    monkeypatch.undo()
    line = error_of(done, code=1)
    assert type(fault).__name__ in line
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "out" / "report.html").exists() == (place == PLACES["the leaderboard"])
    assert ("best: inverse_time(" in done.stdout) == (place == PLACES["the report"])
    assert remedy_of(line) == ["report", "out"]
    completed(tmp_path, whole, "report", "out")


BREAKS = """
import sys
import jaxdecay
from jaxdecay.__main__ import main

removed = sys.argv.pop(1)

class Removed:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == removed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def sweep(*arguments, **options):
    result = trained(*arguments, **options)
    sys.meta_path.insert(0, Removed())
    return result

trained, jaxdecay.sweep = jaxdecay.sweep, sweep
main()
"""


@pytest.mark.parametrize(
    ("package", "part"),
    [
        pytest.param("rich", "the results cannot be shown", marks=pytest.mark.slow),
        ("tomli_w", "report.html cannot be written"),
    ],
)
def test_what_is_imported_after_training_may_be_gone(tmp_path, whole, package, part):
    """As where packages are removed or updated while the sweep runs."""
    (tmp_path / "two.toml").write_text(TWO)
    words = [sys.executable, "-c", BREAKS, package, *map(str, SWEEP), "--out", "out"]
    line = error_of(finished(words, tmp_path), code=1)
    assert line.startswith(f"error: {part}: ModuleNotFoundError: No module named '{package}")
    completed(tmp_path, whole, *remedy_of(line))


def test_packages_without_metadata_are_no_reason_to_lose_a_sweep(monkeypatch):
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setitem(sys.modules, "flax", None)
    found = versions()
    assert found["jaxdecay"] == jaxdecay.__version__
    assert found["jax"] == jax.__version__
    assert found["flax"] == "unknown"


def test_a_signal_while_the_report_is_written_does_not_lose_it(tmp_path, monkeypatch, whole):
    write_report = finishing.write_report

    def write(*arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        write_report(*arguments, **options)

    monkeypatch.setattr(finishing, "write_report", write)
    done = swept(tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    (line,) = done.stderr.splitlines()
    assert line == (
        "all epochs are trained; the results are being written; interrupt again to stop at once"
    )
    assert (tmp_path / "out" / "report.html").exists()


def test_a_second_signal_says_what_is_missing(tmp_path, capsys, whole):
    run = finishing.Run.read(whole)
    finishing._show_stopped(run, whole)
    finishing._show_stopped(run, tmp_path)
    report, resume = capsys.readouterr().err.splitlines()
    assert report.endswith(f"run: jaxdecay report {whole}")
    assert resume.endswith(f"run: jaxdecay sweep --resume {tmp_path}")


@pytest.mark.parametrize(
    ("shell", "reason"),
    [
        pytest.param("| head -1", "Broken pipe", id="a closed pipe"),
        pytest.param(
            "> /dev/full", "No space left on device", id="a full disk", marks=pytest.mark.slow
        ),
    ],
)
def test_output_that_nobody_can_read(tmp_path, whole, shell, reason):
    (tmp_path / "two.toml").write_text(TWO)
    words = " ".join(map(str, (sys.executable, "-m", "jaxdecay", *SWEEP, "--out", "out")))
    done = finished(["bash", "-c", f"set -o pipefail; {words} {shell}"], tmp_path)
    line = error_of(done, code=1)
    assert f"the results cannot be shown: {reason}; they are in 'out'" in line
    completed(tmp_path, whole, *remedy_of(line))


def test_a_disk_that_is_full_while_training_is_told_with_the_way_to_resume(
    tmp_path, monkeypatch, whole
):
    replaced = files.os.replace

    def replace(beside, path):
        if path.name == "history.csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        replaced(beside, path)

    monkeypatch.setattr(files.os, "replace", replace)
    done = swept(tmp_path)
    monkeypatch.undo()
    assert error_of(done, code=1).endswith("No space left on device: 'out/history.csv'")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("note: to resume")]
    completed(tmp_path, whole, *remedy_of(line))


@pytest.mark.parametrize(
    "when",
    [
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("wait_until_finished", "save")),
        "close",
    ],
)
def test_a_last_checkpoint_that_cannot_be_written_loses_no_results(
    tmp_path, monkeypatch, whole, when
):
    def fails(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"orbax.checkpoint.CheckpointManager.{when}", fails)
    done = swept(tmp_path)
    monkeypatch.undo()
    assert error_of(done, code=1) == (
        "error: the checkpoint in out/checkpoints cannot be written: No space left on device; "
        "all epochs are trained, and the results need no checkpoint"
    )
    assert "best: inverse_time(" in done.stdout
    assert files.are_complete(tmp_path / "out")
    completed(tmp_path, whole, "report", "out")


def test_a_checkpoint_that_cannot_be_written_before_the_end_stops_the_sweep(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orbax.checkpoint.CheckpointManager.save", fails)
    task = jaxdecay.classifier(jaxdecay.digits())
    rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
    options = {"batch_size": 359, "checkpoints": jaxdecay.Checkpoints(tmp_path, every=2)}
    for epochs, trained in ((3, None), (2, 2)):
        with pytest.raises(jaxdecay.CheckpointError, match="No space left on device") as failed:
            jaxdecay.sweep(task, rates, epochs=epochs, **options)
        result = failed.value.result
        assert (result and result.epochs) == trained


def test_a_disk_without_room_for_the_report_is_refused_before_training(tmp_path, monkeypatch):
    def disk(free: int):
        usage = shutil._ntuple_diskusage(1, 1, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    disk(2**20)  # enough for the checkpoints
    line = error_of(swept(tmp_path), code=2)
    assert "of disk space in out/checkpoints, but 1.0 MiB are free" in line
    assert not (tmp_path / "out" / "run.json").exists()
    disk(2**22)
    assert swept(tmp_path).returncode == 0
