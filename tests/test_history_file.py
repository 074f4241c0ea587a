"""`history.csv` of a running sweep: it grows by what is new, and can end anywhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxdecay.cli.folders import Output
from jaxdecay.results.files import HistoryFile, history_table, read_history

SHAPE = SCHEDULES, SEEDS = 3, 2
NAMES = ("learning_rate", "train_loss", "test_loss", "test_accuracy")


def histories(epochs: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    return [{name: draw.random(SHAPE).astype(np.float32) for name in NAMES} for _ in range(epochs)]


def written(folder: Path, epochs: int) -> bytes:
    file = HistoryFile(folder)
    for epoch, history in enumerate(histories(epochs)):
        file.add(epoch, history)
    return (folder / "history.csv").read_bytes()


def bytes_written() -> int:
    """By this process until now, whatever it wrote to."""
    text = Path("/proc/self/io").read_text()
    return int(dict(line.split(": ") for line in text.splitlines())["wchar"])


def test_each_epoch_is_written_once(tmp_path):
    before = bytes_written()
    contents = written(tmp_path, 200)
    assert bytes_written() - before < 1.1 * len(contents)
    assert contents == history_table(histories(200))


def test_a_former_file_is_replaced(tmp_path):
    (tmp_path / "history.csv").write_text("member,epoch\n" * 10_000)
    assert written(tmp_path, 2) == history_table(histories(2))


def test_what_another_process_added_is_cut_off(tmp_path):
    file, each = HistoryFile(tmp_path), histories(3)
    for epoch, history in enumerate(each):
        file.add(epoch, history)
        with (tmp_path / "history.csv").open("a") as path:
            path.write("0,1,0.5" * epoch)
    contents = (tmp_path / "history.csv").read_bytes()
    assert contents == history_table(each) + b"0,1,0.5" * 2


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_file_that_ends_anywhere_has_its_complete_epochs(tmp_path, epochs):
    contents, each = written(tmp_path, epochs + 1), histories(epochs + 1)
    complete = len(history_table(each[:-1]))
    for size in range(complete, len(contents) + 1):
        (tmp_path / "history.csv").write_bytes(contents[:size])
        read = read_history(tmp_path, *SHAPE, grows=True)
        found = epochs + (size == len(contents))
        for name, values in read.items():
            np.testing.assert_array_equal(values, [history[name] for history in each[:found]])
        if complete < size < contents.rindex(b"\n", 0, -1):  # the last number may look complete
            with pytest.raises(ValueError, match=r"once in each epoch|columns|could not convert"):
                read_history(tmp_path, *SHAPE)


@pytest.mark.parametrize("name", ["history.csv", "run.json"])
def test_files_that_vanish_are_one_error(tmp_path, name):
    run = SimpleNamespace(write=lambda folder: (folder / "run.json").touch())
    output, each = Output(run, tmp_path), histories(2)
    output.add_epoch(0, each[0])
    (tmp_path / name).unlink()
    with pytest.raises(OSError, match="was moved or removed while the sweep ran") as failed:
        output.add_epoch(1, each[1])
    assert type(failed.value) is OSError  # one that is wrong use has another exit code
