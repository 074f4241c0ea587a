"""Each process reads its share of a checkpoint, and checks it: bytes counted, bits flipped."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import tensorstore
from started import start_each

import jaxdecay
from jaxdecay.training import chunks
from jaxdecay.training.chunks import Chunks, chunks_of
from jaxdecay.training.plan import full_plan

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

SCHEDULES, SEEDS, BLOCK = 8, 2, 2
READ = "/tensorstore/kvstore/file/bytes_read"


def bytes_read() -> int:
    """What this process has read from files of checkpoints so far."""
    return sum(
        value["value"]
        for metric in tensorstore.experimental_collect_matching_metrics(READ)
        for value in metric["values"]
    )


def share(process: int, processes: int) -> np.ndarray:
    """The members of one of some processes, [S, K]."""
    plan = full_plan(
        schedules=SCHEDULES, seeds=SEEDS, block=BLOCK, devices=processes, own=[process]
    )
    return plan.mine


def members(saved: Chunks) -> dict[tuple[int, int], bytes]:
    """The bytes of each member by its schedule and seed."""
    pairs = zip(saved.places.reshape(-1, 2), np.concatenate(saved.members), strict=True)
    return {(int(s), int(k)): row.tobytes() for (s, k), row in pairs if s >= 0}


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """Checkpoints of two epochs of 16 members, in chunks of four, two blocks."""
    folder = tmp_path_factory.mktemp("chunks") / "stored"
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(chunks, "CHUNK_BYTES", 160_000)
        jaxdecay.sweep(
            jaxdecay.classifier(jaxdecay.digits()),
            jaxdecay.grid(jaxdecay.constant, value=np.linspace(0.1, 0.4, SCHEDULES).tolist()),
            epochs=2,
            batch_size=140,
            seeds=SEEDS,
            block=BLOCK,
            checkpoints=jaxdecay.Checkpoints(folder),
        )
    return folder


@pytest.mark.parametrize(
    ("count", "size", "shape"),
    [
        (0, 400_000, (1, 1)),
        (1, 10, (1, 1)),
        (256, 407_000, (24, 11)),
        (7, 10**9, (7, 1)),
        (10**6, 4, (1, 10**6)),
    ],
)
def test_chunks_are_even_and_about_four_megabytes(count, size, shape):
    number, rows = chunks_of(count, size)
    assert (number, rows) == shape
    assert number * rows >= count > (number - 1) * rows - 1
    assert rows == 1 or rows * size <= 2**22 * 1.5


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_each_process_reads_its_share(stored, processes):
    store = jaxdecay.Checkpoints(stored)
    everything = store.restore(np.ones((SCHEDULES, SEEDS), bool))
    assert everything is not None
    complete, size = members(everything.members), everything.members.members.nbytes
    for process in range(processes):
        mine, before = share(process, processes), bytes_read()
        saved = store.restore(mine)
        assert saved is not None
        own = members(saved.members)
        assert own.keys() == {(int(s), int(k)) for s, k in np.argwhere(mine)}
        assert own == {place: complete[place] for place in own}
        assert bytes_read() - before < size / processes + 15_000
    assert size / 4 > 10 * 15_000


def test_a_flipped_bit_concerns_those_who_read_it(stored, tmp_path, caplog):
    folder = shutil.copytree(stored, tmp_path / "flipped")
    largest = max((folder / "2").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    contents = bytearray(largest.read_bytes())
    contents[len(contents) // 2] ^= 4
    largest.write_bytes(contents)
    store = jaxdecay.Checkpoints(folder)
    epochs = [store.restore(share(process, 4)).epochs for process in range(4)]
    assert sorted(epochs) == [1, 2, 2, 2]
    assert store.restore(np.ones((SCHEDULES, SEEDS), bool)).epochs == 1
    assert "ignoring the checkpoint of epoch 2: it cannot be read" in caplog.text
    assert "of its members differs from what was written" in caplog.text


COUNTS = (
    "from test_chunks import bytes_read; from jaxdecay import Checkpoints as c; "
    "restore = c.restore; c.restore = lambda *a: (restore(*a), print('read', bytes_read()))[0]"
)
"""Prints how many bytes were read to resume."""
SWEEP = ("--schedules", "eight.toml", "--seeds", SEEDS, "--block", BLOCK, "--batch-size", 140)


def outputs(arguments: list[tuple[object, ...]], cwd: Path) -> list[tuple[str, str]]:
    """What the processes of a sweep print, all of which succeed."""
    path = f"import sys; sys.path.append({str(Path(__file__).parent)!r})"
    started = start_each(arguments, cwd, before=f"{path}; {COUNTS}")
    printed = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * len(started), printed
    return printed


@pytest.mark.slow
def test_two_processes_read_their_share_of_what_four_wrote(tmp_path):
    """And when a bit of one share is flipped, both resume from the checkpoint before."""
    values = np.linspace(0.1, 0.4, SCHEDULES).tolist()
    text = f'[[schedule]]\nfamily = "constant"\nvalue = {values}\n'
    (tmp_path / "eight.toml").write_text(text)
    outputs([(*SWEEP, "--epochs", 4, "--out", "whole")], tmp_path)
    outputs([(*SWEEP, "--epochs", 3, "--out", "four")] * 4, tmp_path)
    flipped = shutil.copytree(tmp_path / "four", tmp_path / "flipped")
    last = flipped / "checkpoints" / "3" / "sweep" / "members" / "3.0.0"
    contents = bytearray(last.read_bytes())
    contents[len(contents) // 2] ^= 4
    last.write_bytes(contents)
    before = bytes_read()
    jaxdecay.Checkpoints(tmp_path / "four" / "checkpoints").restore(
        np.ones((SCHEDULES, SEEDS), bool)
    )
    everything = bytes_read() - before
    for name in ("four", "flipped"):
        printed = outputs([("--resume", name, "--epochs", 4)] * 2, tmp_path)
        for file in ("members.csv", "history.csv"):
            ours, expected = ((tmp_path / each / file).read_bytes() for each in (name, "whole"))
            assert ours == expected, file
        if name == "four":
            for output, _ in printed:
                (read,) = re.findall(r"^read (\d+)$", output, re.MULTILINE)
                assert 0.4 * everything < int(read) <= 0.6 * everything
        else:
            for _, errors in printed:
                assert "ignoring the checkpoint of epoch 3: it cannot be read" in errors
            assert "renamed the unreadable checkpoint" in printed[0][1]
            assert (flipped / "checkpoints" / "3.unread").is_dir()
