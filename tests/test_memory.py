"""The memory that is free, where a container or a batch job limits it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from commands import error_of, in_this_process

import jaxdecay
from jaxdecay import memory

VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
UNIFIED = "0::{path}\n"
SEPARATE = "9:cpu:/\n4:cpuset,memory:{path}\n1:name=systemd:/\n0::/elsewhere\n"


def group(folder: Path, names: tuple[str, str, str], limit: object, used: int, cache: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"active_file 7\n{names[2]} {cache}\nunevictable 9\n")


def process(tmp_path: Path, cgroup: str, *mounts: str) -> Path:
    """A folder that looks like /proc/self of a process in some groups."""
    folder = tmp_path / "proc"
    folder.mkdir(exist_ok=True)
    (folder / "cgroup").write_text(cgroup)
    lines = ["22 1 0:21 / /proc rw - proc proc rw", *mounts]
    (folder / "mountinfo").write_text("\n".join(lines) + "\n")
    return folder


def mounts(tmp_path: Path, root: str) -> tuple[str, str, str]:
    """Both versions, mounted where this test has its folders; `root` is what they show."""
    return (
        f"30 22 0:27 {root} {tmp_path}/cpu rw shared:1 - cgroup cgroup rw,cpu",
        f"31 22 0:28 {root} {tmp_path}/memory rw shared:1 - cgroup cgroup rw,memory",
        f"32 22 0:29 {root} {tmp_path}/unified rw shared:1 - cgroup2 cgroup2 rw",
    )


@pytest.mark.parametrize(
    ("cgroup", "place", "names"),
    [(UNIFIED, "unified", VERSION_2), (SEPARATE, "memory", VERSION_1)],
    ids=["version 2", "version 1"],
)
class TestGroups:
    """Of either version: Linux mounts one or the other, or both."""

    def test_a_batch_job_has_the_limit_of_its_group(
        self, tmp_path, monkeypatch, cgroup, place, names
    ):
        at = process(tmp_path, cgroup.format(path="/slurm/job_7/step_0"), *mounts(tmp_path, "/"))
        monkeypatch.setattr(memory, "PROCESS", at)
        job = tmp_path / place / "slurm" / "job_7"
        group(job / "step_0", names, "max" if names is VERSION_2 else 2**63 - 4096, 2_000, 0)
        assert memory.free_memory() > 10_000_000
        group(job, names, 5_000_000, 1_500_000, 500_000)  # of the job, not of its step
        assert memory.free_memory() == 4_000_000
        group(job / "step_0", names, 3_000_000, 2_500_000, 0)
        assert memory.free_memory() == 500_000
        group(tmp_path / place, names, 1_000, 2_000, 0)  # more is used than allowed
        assert memory.free_memory() == 0

    def test_a_container_sees_its_own_group_as_the_root(
        self, tmp_path, monkeypatch, cgroup, place, names
    ):
        path = "/docker/0123"
        for root, given in (("/", "/"), (path, path), ("/", path)):
            at = process(tmp_path, cgroup.format(path=given), *mounts(tmp_path, root))
            monkeypatch.setattr(memory, "PROCESS", at)
            group(tmp_path / place, names, 5_000_000, 1_000_000, 0)
            assert memory.free_memory() == 4_000_000


def test_without_groups_the_memory_of_the_machine_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "nowhere")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 7}))
    assert memory.free_memory() == 7


def zeros(path: Path, examples: int) -> None:
    """A file of arrays of zeros, which compress to a thousandth."""
    parts = {"train_inputs": (examples, 1_000), "test_inputs": (2, 1_000)}
    parts |= {"train_labels": (examples,), "test_labels": (2,)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape in parts.items():
            with archive.open(f"{name}.npy", "w") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.write(bytes(int(np.prod(shape))))


def test_a_file_that_does_not_fit_into_memory_is_not_unpacked(tmp_path, monkeypatch):
    zeros(tmp_path / "zeros.NPZ", examples=20_000)
    assert (tmp_path / "zeros.NPZ").stat().st_size < 100_000
    assert jaxdecay.data_from_file(tmp_path / "zeros.NPZ").train_inputs.shape == (20_000, 1_000)
    monkeypatch.setattr(memory, "free_memory", lambda: 10 * 2**20)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    line = error_of(in_this_process("sweep", "--data", "zeros.NPZ", cwd=tmp_path), code=1)
    assert "zeros.NPZ contains 19.1 MiB of arrays, but 10.0 MiB of memory are free" in line


def test_an_array_that_claims_to_be_larger_than_it_is_needs_no_memory(tmp_path):
    header = io.BytesIO()
    shape = (2**40, 1_000)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive:
        archive.writestr("train_inputs.npy", header.getvalue())
    with pytest.raises(jaxdecay.DataError, match=r"claims\.npz .* is damaged: Unable to allocate"):
        jaxdecay.data_from_file(tmp_path / "claims.npz")
