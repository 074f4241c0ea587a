"""Processes of one sweep that were given different things, and what ends them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from commands import error_of, in_this_process
from started import INTERRUPTIBLE, free_port, start, start_each, start_two, until, wait_for

from jaxdecay.training import checkpoint, differences, processes
from jaxdecay.training.differences import check_same
from jaxdecay.training.processes import ProcessError, together

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

ONE_OF = """
[[schedule]]
family = "constant"
value = [{0}, 0.3]
"""
SAME = ("--schedules", "first.toml", "--epochs", 2, "--seeds", 2, "--batch-size", 140)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "first.toml").write_text(ONE_OF.format(0.1))
    (tmp_path / "second.toml").write_text(ONE_OF.format(0.2))
    drawn = np.random.default_rng(0)
    for name in ("first", "second"):
        labels = {"train_labels": drawn.integers(0, 3, 150), "test_labels": np.arange(20) % 3}
        inputs = {"train_inputs": np.ones((150, 5)), "test_inputs": np.ones((20, 5))}
        np.savez(tmp_path / f"{name}.npz", **inputs, **labels)
    return tmp_path


class Threads:
    """Threads that take each other for processes."""

    def __init__(self, number: int) -> None:
        self._number, self._own = number, threading.local()
        self._met, self._texts = threading.Barrier(number, timeout=60), [""] * number

    def texts_of_all(self, text: str) -> list[str]:
        self._texts[self._own.index] = text
        self._met.wait()
        texts = [*self._texts]
        self._met.wait()
        return texts

    def results(self, work: Callable[[int], Any]) -> list[Any]:
        """What `work` returns or raises in each thread."""
        found: list[Any] = [None] * self._number

        def run(index: int) -> None:
            self._own.index = index
            try:
                found[index] = work(index)
            except Exception as error:
                found[index] = error

        threads = [threading.Thread(target=run, args=(each,)) for each in range(self._number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        return found


@pytest.fixture
def three(monkeypatch) -> Threads:
    threads = Threads(3)
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    for module in (differences, processes):
        monkeypatch.setattr(module, "texts_of_all", threads.texts_of_all)
    return threads


PARTS = {
    "epochs": 2,
    "folder": "/runs/out",
    "schedules": ["constant(value=0.1)", "constant(value=0.3)"],
    "data": "1f" * 32,
    "code": {"loss": "aa", "init": "bb"},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 3}, "epochs is 3 and not 2"),
        ({"folder": "/elsewhere"}, "folder is /elsewhere and not /runs/out"),
        (
            {"schedules": ["constant(value=0.1)", "constant(value=0.2)"]},
            "schedules[1] is constant(value=0.2) and not constant(value=0.3)",
        ),
        ({"schedules": ["constant(value=0.1)"]}, "the number of schedules is 1 and not 2"),
        ({"data": "00" * 32}, "it has other data"),
        ({"code": {"loss": "cc", "init": "bb"}}, "its loss differs"),
        ({"more": 1}, "more is 1 and not None"),
    ],
)
@pytest.mark.parametrize("process", [1, 2])
def test_the_first_part_that_differs_is_named_on_all(three, change, words, process):
    ended = three.results(lambda index: check_same(PARTS | (change if index == process else {})))
    (line,) = {str(error) for error in ended}
    assert all(type(error) is ValueError for error in ended)
    assert line.startswith(f"process {process} of this sweep differs from process 0: {words}")
    assert line.endswith("; start all processes with the same arguments, data and code")


def test_equal_parts_and_one_process_pass(three):
    assert three.results(lambda index: check_same(PARTS)) == [None] * 3


def test_the_failure_of_one_is_the_failure_of_all(three):
    def work(index: int) -> None:
        with together():
            if index == 1:
                raise MemoryError("too small\nand more")

    ended = three.results(work)
    assert [type(error) for error in ended] == [ProcessError, MemoryError, ProcessError]
    assert str(ended[0]) == str(ended[2]) == "process 1 of this sweep failed: too small"


def test_processes_that_find_different_checkpoints_end(three, monkeypatch, tmp_path):
    """As on machines whose folder is not one and the same."""
    monkeypatch.setattr(checkpoint, "texts_of_all", three.texts_of_all)
    for index, epochs in enumerate(([2, 3], [2, 3], [2])):
        for each in epochs:
            (tmp_path / str(index) / str(each)).mkdir(parents=True)
    stores = [checkpoint.Checkpoints(tmp_path / str(index)) for index in range(3)]
    ended = three.results(lambda index: stores[index].restore(np.ones((2, 2), bool)))
    for error in ended:
        assert type(error) is checkpoint.CheckpointError
        assert "process 0 of epochs [3, 2], process 2 of epochs [2]; all need one" in str(error)


def ends(arguments: list[tuple[object, ...]], cwd: Path) -> list[tuple[int, str]]:
    """The exit code and the error of each process of a sweep."""
    started = start_each(arguments, cwd)
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert not any("Traceback" in error for error in errors), errors
    lines = [[line for line in each.splitlines() if "error:" in line] for each in errors]
    assert [len(each) for each in lines] == [1] * len(started), errors
    return [(process.returncode, each[0]) for process, each in zip(started, lines, strict=True)]


DIFFERENT = {
    "batch_size": (("--batch-size", 32), "--batch-size is 32 and not 140"),
    "epochs": (("--epochs", 3), "--epochs is 3 and not 2"),
    "seeds": (("--seeds", 3), "--seeds is 3 and not 2"),
    "seed": (("--seed", 1), "--seed is 1 and not 0"),
    "optimizer": (("--optimizer", "adam"), "--optimizer is adam and not sgd"),
    "precision": (("--precision", "float32"), "--precision is float32 and not default"),
    "monitor": (("--monitor", "train_loss"), "--monitor is train_loss and not test_loss"),
    "block": (("--block", 2), "--block is 2 and not None"),
    "every": (("--checkpoint-every", 2), "--checkpoint-every is 2 and not 1"),
    "stop": (("--stop-diverged",), "--stop-diverged is True and not False"),
    "out": (("--out", "other"), "--out is {folder}/other and not {folder}/out"),
    "schedules": (
        ("--schedules", "second.toml"),
        "schedules[0] is constant(value=0.2) and not constant(value=0.1)",
    ),
    "data": (("--data", "second.npz"), "it has other data"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENT)
def test_processes_with_different_arguments_end_before_anything_is_written(folder, name):
    """Each trained something else, or waited for ever, or aborted."""
    other, words = DIFFERENT[name]
    data = ("--data", "first.npz") if name == "data" else ()
    same = (*SAME, *data, "--out", "out")
    before = {path.name for path in folder.iterdir()}
    (line,) = set(ends([same, (*same, *other)], folder))
    words = words.format(folder=folder.resolve())
    assert line == (
        2,
        f"error: process 1 of this sweep differs from process 0: {words}; "
        "start all processes with the same arguments, data and code",
    )
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.slow
def test_the_failure_of_one_process_before_training_ends_all(folder):
    """Only process 1 finds no file, or process 0 a folder that is taken."""
    same = (*SAME, "--out", "out")
    missing = (*same, "--schedules", "third.toml")
    (code, line), (other_code, other) = ends([same, missing], folder)
    assert (code, other_code) == (1, 2)
    assert line == "error: process 1 of this sweep failed: " + other.removeprefix("error: ")
    assert "third.toml" in other
    (folder / "out").mkdir()
    (folder / "out" / "run.json").write_text("{}")
    (code, line), (other_code, other) = ends([same, same], folder)
    assert (code, other_code) == (2, 1)
    assert "'out' holds another sweep" in line
    assert other == "error: process 0 of this sweep failed: " + line.removeprefix("error: ")


@pytest.mark.slow
def test_processes_that_resume_different_sweeps_end(folder):
    (line,) = set(ends([("--resume", "one"), ("--resume", "two")], folder))
    assert line[0] == 2
    at = folder.resolve()
    assert f"process 0: --resume is {at}/two and not {at}/one; start" in line[1]


IN_PYTHON = """
import sys
import jax
import optax
import jaxdecay
index = int(sys.argv[1])
jax.config.update("jax_num_cpu_devices", 1)
jax.distributed.initialize(sys.argv[2], 2, index)
task = jaxdecay.classifier(jaxdecay.digits())
rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])

def run(population=rates, **options):
    options = {"seeds": 2, "batch_size": 140, "epochs": 2, "block": 2, **options}
    try:
        jaxdecay.sweep(task, population, **options)
    except ValueError as error:
        print(error)

def momentum(much):
    return lambda rate: optax.sgd(rate, momentum=much)

second = index == 1
run(batch_size=70 if second else 140)
run(epochs=3 if second else 2)
run(jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.2 if second else 0.3]))
run(optimizer=momentum(0.9 if second else 0.8))
run(checkpoints=jaxdecay.Checkpoints(f"{index}"))
run(checkpoints=None if second else jaxdecay.Checkpoints("0"))
with jax.enable_x64(second):
    run()
if second:
    task = jaxdecay.classifier(jaxdecay.digits(), lambda rngs: jaxdecay.MLP(64, 8, 10, rngs=rngs))
run()
print("end")
"""
"""A program that starts eight sweeps, each of which differs by something in its two processes."""


@pytest.mark.slow
def test_sweeps_of_python_that_differ_are_refused_on_all_processes(tmp_path):
    program = tmp_path / "differ.py"
    program.write_text(IN_PYTHON)
    words = [sys.executable, str(program)]
    at = f"127.0.0.1:{free_port()}"
    started = [
        subprocess.Popen([*words, str(each), at], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for each in range(2)
    ]
    texts = [process.communicate(timeout=300)[0].splitlines() for process in started]
    first, second = ([line for line in text if "[Gloo]" not in line] for text in texts)
    assert first == second
    expected = [
        "batch_size is 70 and not 140",
        "epochs is 3 and not 2",
        "schedules[1] is constant(value=0.2) and not constant(value=0.3)",
        "its optimizer differs",
        f"checkpoints[folder] is {tmp_path.resolve()}/1 and not {tmp_path.resolve()}/0",
        "checkpoints is None",
        "jax[jax_enable_x64] is True and not False",
        "member[.parameters['hidden']['bias'].value] is float32[8] and not float32[128]",
    ]
    for line, words in zip(first[:-1], expected, strict=True):
        assert line.startswith(f"process 1 of this sweep differs from process 0: {words}"), line
    assert first[-1] == "end"
    assert not list(tmp_path.glob("[01]"))


def quickly(seconds: float) -> str:
    """A statement after which the command line waits so long for other processes."""
    return (
        f"import jaxdecay.cli.processes as p; p.SILENT_SECONDS, p.CONNECT_SECONDS = 0.2, {seconds}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("process", [0, 1])
def test_a_process_that_is_alone_says_what_it_waits_for_and_ends(folder, process):
    at = f"127.0.0.1:{free_port()}"
    words = (*SAME, "--out", "out", "--distributed", "--coordinator", at, "--processes", 2)
    waiting = start(*words, "--process", process, cwd=folder, before=quickly(3))
    _, errors = waiting.communicate(timeout=60)
    others = f"the other processes of this sweep (the first one at {at})"
    assert waiting.returncode == 1
    assert errors.splitlines() == [
        f"note: waiting up to 3 s for {others}",
        f"error: waited 3 s for {others}; start all processes within that time, with the same "
        "--coordinator and --processes",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_waits_for_others_can_be_interrupted(folder, number):
    """JAX waits where Python does not see signals."""
    words = (*SAME, "--out", "out", "--distributed", "--coordinator", f"127.0.0.1:{free_port()}")
    before = f"{INTERRUPTIBLE}; {quickly(200)}"
    waiting = start(*words, "--process", 0, "--processes", 2, cwd=folder, before=before)
    assert waiting.stderr is not None
    until(waiting.stderr, "note: waiting up to 200 s")
    waiting.send_signal(number)
    _, errors = waiting.communicate(timeout=10)
    assert waiting.returncode == 128 + number
    assert errors.startswith("stopped while waiting for the other processes")
    assert len(errors.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_one_process_is_the_exit_code_of_all(folder, number, interrupted):
    """An unfinished sweep must not end with 0, or `sweep && confirm` goes on."""
    both = start_two(*SAME, "--epochs", 1_000_000, "--out", "out", cwd=folder)
    history = folder / "out" / "history.csv"
    wait_for(history.exists, both[0])
    both[interrupted].send_signal(number)
    printed = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [128 + number] * 2, printed
    assert "resume with: jaxdecay sweep --resume out" in printed[0][0]
    assert "stopping after this epoch" in printed[interrupted][1]
    other = "stopped, as another process of this sweep was interrupted"
    assert printed[1 - interrupted][1].splitlines() == [other]


@pytest.mark.slow
def test_a_second_process_1_does_not_join_a_running_sweep(folder):
    """JAX would end both of the first two."""
    at = f"127.0.0.1:{free_port()}"
    words = (*SAME, "--epochs", 1_000_000, "--out", "out", "--distributed", "--coordinator", at)
    both = [start(*words, "--process", each, "--processes", 2, cwd=folder) for each in range(2)]
    history = folder / "out" / "history.csv"
    wait_for(history.exists, both[0])
    late = start(*words, "--process", 1, "--processes", 2, cwd=folder)
    _, errors = late.communicate(timeout=60)
    assert late.returncode == 2
    assert errors.startswith("error: another sweep is writing into 'out'")
    size = history.stat().st_size
    wait_for(lambda: history.stat().st_size > size, both[0])
    both[0].send_signal(signal.SIGINT)
    for process in both:
        process.communicate(timeout=300)
        assert process.returncode == 130


def test_a_process_that_is_not_one_of_them_is_refused(tmp_path):
    words = ("--distributed", "--coordinator", "127.0.0.1:1", "--process", 5, "--processes", 2)
    line = error_of(in_this_process("sweep", *words, cwd=tmp_path), code=2)
    assert line == "error: --process 5 is not one of --processes 2; number them from 0 to 1"
