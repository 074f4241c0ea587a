"""The command line stores what it compiles; a second sweep reads it and finds the same bits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxdecay.training.devices import store_compiled_programs

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
    """Each stored program, compiled or lowered, and when it was written."""
    return {
        path.name: path.stat().st_mtime_ns
        for kind in ("cache", "lowered")
        for path in folder.glob(f"cache/jaxdecay/compiled/*/*[-.]{kind}")
    }


@pytest.mark.slow
def test_what_is_compiled_is_stored_once_and_read_again(tmp_path):
    (tmp_path / "few.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = [0.1, 0.3]\n')
    sweep(tmp_path, "without", "--no-compilation-cache")
    assert stored(tmp_path) == {}
    sweep(tmp_path, "first")
    programs = stored(tmp_path)
    assert any("run_epoch" in name for name in programs)
    assert sum(name.endswith(".lowered") for name in programs) == 1
    sweep(tmp_path, "second")
    assert stored(tmp_path) == programs
    history = (tmp_path / "without" / "history.csv").read_bytes()
    for out in ("first", "second"):
        assert (tmp_path / out / "history.csv").read_bytes() == history


CACHE = {
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 1.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}
"""JAX's settings of its compilation cache, and their defaults."""


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The cache folder of a user who has set nothing; JAX's settings come back afterwards."""
    before = {name: jax.config.values[name] for name in CACHE}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for setting in ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"):
        monkeypatch.delenv(setting, raising=False)
    for name, default in CACHE.items():
        jax.config.update(name, default)
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)


def test_programs_are_stored_in_the_folder_of_the_user_each_of_them(user):
    store_compiled_programs()
    folder = Path(jax.config.values["jax_compilation_cache_dir"])
    assert folder.is_dir()
    assert folder.parent == user / "jaxdecay" / "compiled"
    assert re.fullmatch("[0-9a-f]{16}", folder.name)
    # JAX would leave out programs that take less than a second to compile.
    assert jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 0
    assert jax.config.values["jax_persistent_cache_min_entry_size_bytes"] == -1


@pytest.mark.parametrize(
    "setting", ["JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", "config", "a file"]
)
def test_programs_are_stored_as_jax_is_told_or_not_at_all(user, monkeypatch, setting):
    expected = dict(CACHE)
    if setting == "config":
        expected["jax_compilation_cache_dir"] = str(user / "own")
        jax.config.update("jax_compilation_cache_dir", str(user / "own"))
    elif setting == "a file":
        (user / "jaxdecay").touch()
    else:
        monkeypatch.setenv(setting, "")
    store_compiled_programs()
    assert {name: jax.config.values[name] for name in CACHE} == expected
    assert not (user / "jaxdecay").is_dir()
