"""The command line stores what it compiles; a second sweep reads it and finds the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import pooch
import pytest

from jaxdecay.training import devices

SWEEP = ("sweep", "--schedules", "few.toml", "--epochs", "1", "--seeds", "1", "--quiet")


def sweep(folder: Path, out: str, *options: str) -> None:
    told = {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"}
    environment = {name: value for name, value in os.environ.items() if name not in told}
    run = subprocess.run(
        [sys.executable, "-m", "jaxdecay", *SWEEP, "--out", out, *options],
        cwd=folder,
        env={**environment, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def stored(folder: Path) -> dict[str, int]:
    """Each stored program and when it was written."""
    programs = folder.glob("cache/jaxdecay/compiled/*/*-cache")
    return {path.name: path.stat().st_mtime_ns for path in programs}


@pytest.mark.slow
def test_what_is_compiled_is_stored_once_and_read_again(tmp_path):
    (tmp_path / "few.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = [0.1, 0.3]\n')
    sweep(tmp_path, "without", "--no-compilation-cache")
    assert stored(tmp_path) == {}
    sweep(tmp_path, "first")
    programs = stored(tmp_path)
    assert any("run_epoch" in name for name in programs)
    sweep(tmp_path, "second")
    assert stored(tmp_path) == programs
    history = (tmp_path / "without" / "history.csv").read_bytes()
    for out in ("first", "second"):
        assert (tmp_path / out / "history.csv").read_bytes() == history


def test_what_the_user_has_set_stays(monkeypatch):
    def update(name: str, value: object) -> None:
        raise AssertionError(f"{name} was set to {value}")

    monkeypatch.setattr(jax.config, "update", update)
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")
    devices.store_compiled_programs()
    monkeypatch.delenv("JAX_ENABLE_COMPILATION_CACHE")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    devices.store_compiled_programs()


def test_a_folder_that_cannot_be_made_is_not_needed(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "file" / name)
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        devices.store_compiled_programs()
        assert jax.config.values["jax_compilation_cache_dir"] is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
