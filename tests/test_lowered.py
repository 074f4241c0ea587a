"""What one process has lowered, others read; never for another function, nor with other bits."""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay.catalogue import default_population
from jaxdecay.training import lowered
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.lowered import Lowered
from jaxdecay.training.program import Program, _learning_rates
from jaxdecay.training.sweep import prepared

UPDATES = jnp.arange(44)
traced: list[Any] = []
"""What the functions below were called with, in each trace."""


def doubled(values: Any) -> list[jax.Array]:
    traced.append(values)
    return [2 * value for value in jax.tree.leaves(values)]


def tripled(values: Any) -> list[jax.Array]:
    return [3 * value for value in jax.tree.leaves(values)]


@pytest.fixture(autouse=True)
def source(monkeypatch) -> None:
    """As if no file of the library had changed since this process began."""
    traced.clear()
    monkeypatch.setattr(lowered, "_digest_of_source", lambda: "the source")


@contextlib.contextmanager
def setting(name: str, value: Any) -> Iterator[None]:
    before = jax.config.values[name]
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """Where this process stores compiled programs."""
    with setting("jax_compilation_cache_dir", str(tmp_path / "compiled")):
        yield tmp_path / "compiled"


def value_of(function: Callable[..., Any]) -> float:
    """The value for 1, in another process."""
    return float(Lowered(function)(1.0)[0])


def stored(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.lowered"))


def test_a_function_is_traced_in_one_process_only(folder):
    arguments = {"a": np.array([1, 2], np.float32), "b": 3}
    for _ in range(2):  # each as if in a process of its own
        function = Lowered(doubled)
        for _ in range(2):
            array, number = function(arguments)
            assert array.tolist() == [2, 4]
            assert int(number) == 6
    assert len(traced) == 1
    assert len(stored(folder)) == 1


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, 2, 3], np.float32),
        np.array([1, 2], np.int32),
        [np.array([1, 2], np.float32)],
        jaxdecay.cyclic(0.1, peak_value=0.2, up_steps=3),
        jaxdecay.cyclic(0.1, peak_value=0.2, up_steps=3, decay_every="step"),
        jaxdecay.inverse_time(0.1, decay_rate=0.5),
    ],
    ids=repr,
)
def test_other_shapes_types_and_structures_are_other_programs(folder, value):
    Lowered(doubled)(np.array([1, 2], np.float32))
    Lowered(doubled)(jaxdecay.sine_wave(0.1, peak_value=0.2, up_steps=3))
    Lowered(doubled)(jaxdecay.sine_wave(0.3, peak_value=0.4, up_steps=5))
    assert len(traced) == 2
    Lowered(doubled)(value)
    assert len(traced) == 3


def test_weak_types_are_other_types(folder):
    strong, weak = jnp.asarray(1.0, float), jnp.asarray(1.0)
    assert weak.weak_type
    assert not strong.weak_type
    assert [Lowered(doubled)(number)[0].weak_type for number in (strong, weak)] == [False, True]


@pytest.mark.parametrize(
    "other",
    [
        lambda: jax.enable_x64(not jax.config.values["jax_enable_x64"]),
        lambda: jax.default_matmul_precision("float32"),
        lambda: jax.numpy_dtype_promotion("standard"),
    ],
    ids=["x64", "precision", "promotion"],
)
def test_other_settings_of_jax_are_other_programs(folder, other):
    Lowered(doubled)(np.array([1], np.int8))
    with other():
        Lowered(doubled)(np.array([1], np.int8))
    assert len(stored(folder)) == len(traced) == 2


@pytest.mark.parametrize("what", ["_digest_of_source", "versions"])
def test_another_library_lowers_again(folder, monkeypatch, what):
    Lowered(doubled)(1.0)
    monkeypatch.setattr(lowered, what, lambda: "another")
    Lowered(doubled)(1.0)
    assert len(stored(folder)) == len(traced) == 2


def test_another_function_is_another_program(folder):
    assert value_of(doubled) == 2
    assert value_of(tripled) == 3


def damaged(contents: bytes) -> dict[str, bytes]:
    middle = len(contents) // 2
    return {
        "empty": b"",
        "short": contents[:-1],
        "long": contents + b"\0",
        "a bit": bytes([*contents[:middle], contents[middle] ^ 1, *contents[middle + 1 :]]),
        "its digest": bytes([contents[0] ^ 1, *contents[1:]]),
    }


def test_a_damaged_file_is_noticed_and_replaced(folder):
    Lowered(doubled)(1.0)
    (path,) = stored(folder)
    contents = path.read_bytes()
    for count, wrong in enumerate(damaged(contents).values(), start=2):
        path.write_bytes(wrong)
        assert value_of(doubled) == 2
        assert len(traced) == count
        assert value_of(doubled) == 2
        assert len(traced) == count
        assert stored(folder) == [path]


def test_a_folder_that_cannot_be_written_costs_nothing_else(folder):
    folder.touch()
    assert [value_of(doubled) for _ in range(2)] == [2, 2]
    assert len(traced) == 2


@pytest.mark.parametrize(
    "off",
    [
        lambda: setting("jax_compilation_cache_dir", None),
        lambda: setting("jax_compilation_cache_dir", "gs://bucket/compiled"),
        lambda: setting("jax_enable_compilation_cache", False),
        lambda: jax.default_device(jax.devices()[0]),
        lambda: jax.disable_jit(),
    ],
    ids=["no folder", "a bucket", "off", "a device", "no jit"],
)
def test_nothing_is_stored_or_read_where_jax_is_told_otherwise(folder, monkeypatch, off):
    monkeypatch.chdir(folder.parent)
    Lowered(tripled)(1.0)
    with off():
        for _ in range(2):
            assert value_of(doubled) == 2
    assert len(traced) == 2
    assert [path.name for path in folder.parent.iterdir()] == ["compiled"]
    assert len(stored(folder)) == 1


def test_the_oldest_are_removed(folder, monkeypatch):
    monkeypatch.setattr(lowered, "STORED", 2)
    first, second, third = (np.zeros(size, np.float32) for size in (1, 2, 3))
    (folder / "other-cache").parent.mkdir()
    (folder / "other-cache").touch()
    for value in (first, second, third, first):
        Lowered(doubled)(value)
    assert len(traced) == 4
    Lowered(doubled)(third)
    assert len(traced) == 4
    assert len(stored(folder)) == 2
    assert (folder / "other-cache").exists()


# The files of the library.


def test_the_source_is_that_of_all_files_unless_one_changed_since_the_process_began(
    tmp_path, monkeypatch
):
    monkeypatch.undo()
    began = {"at": float("inf")}
    process = types.SimpleNamespace(create_time=lambda: began["at"])
    monkeypatch.setattr(lowered.psutil, "Process", lambda: process)
    assert lowered._digest_of_source() is not None
    monkeypatch.setattr(lowered, "PACKAGE", tmp_path)
    assert lowered._digest_of_source() is None  # in an archive, where no file can be read
    file, other = tmp_path / "a.py", tmp_path / "inner" / "b.py"
    other.parent.mkdir()
    digests = set()
    for contents, of_other in [("1", "2"), ("12", ""), ("1", "3")]:
        file.write_text(contents)
        other.write_text(of_other)
        digests.add(lowered._digest_of_source())
        assert lowered._digest_of_source() in digests
    other.rename(tmp_path / "b.py")
    digests.add(lowered._digest_of_source())
    assert len(digests - {None}) == 4
    began["at"] = min(file.stat().st_mtime, file.stat().st_ctime) - 1
    assert lowered._digest_of_source() is None


# The rates of a sweep.


@functools.cache
def task() -> jaxdecay.Task:
    return jaxdecay.classifier(jaxdecay.digits())


def programs(population: jaxdecay.Population) -> Callable[[], Program]:
    """Makes the program of a sweep, as another process would."""
    config = SweepConfig(epochs=1, seeds=2, block=2)
    return lambda: prepared(task(), population, config, 44)[0]


@jaxdecay.decay
def halved(step, value: jaxdecay.domain.Positive):
    traced.append(step)
    return value / 2


@pytest.mark.usefixtures("relaxed_promotion")
def test_the_rates_of_the_library_are_stored_and_those_of_own_decays_are_not(folder):
    own = [
        halved(0.5),
        jaxdecay.warmup(halved(0.5), warmup_steps=2),
        jaxdecay.join([halved(0.5), 0.1], lengths=[2, 2]),
        jaxdecay.warmup(jaxdecay.from_function(jaxdecay.constant(0.1).__call__), warmup_steps=2),
    ]
    for schedule in own:
        program = programs(jaxdecay.stack([jaxdecay.constant(0.1), schedule]))()
        program.learning_rates(program.clock.start, None)
    assert stored(folder) == []
    program = programs(jaxdecay.stack([jaxdecay.constant(0.1)]))()
    assert (program.learning_rates(program.clock.start, None) == np.float32(0.1)).all()
    assert len(stored(folder)) == 1


@pytest.mark.usefixtures("relaxed_promotion")
def test_schedules_that_follow_a_metric_continue_in_another_process(folder):
    plateau = jaxdecay.reduce_on_plateau(0.5, factor=0.5, patience=0)
    make = programs(jaxdecay.stack([jaxdecay.constant(0.1), plateau]))
    rates = []
    for _ in range(2):
        program = make()
        states, updates = program.first_states(), program.clock.start
        for _ in range(3):
            rates.append(program.learning_rates(updates, states))
            updates = program.next_updates(updates)
            states = program.next_states(states, {"test_loss": np.ones((2, 2), np.float32)})
    assert [rate[0, 1, 0] for rate in rates] == [0.5, 0.5, 0.25, 0.5, 0.5, 0.25]
    assert rates[0].shape == (2, 2, 44)
    assert len(stored(folder)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("x64", [False, True])
def test_the_rates_of_all_built_in_families_keep_every_bit(folder, x64):
    with jax.enable_x64(x64):
        population = default_population(15).resolve(
            steps=660, steps_per_epoch=44, samples_per_step=32
        )
        arguments = population, None, UPDATES
        with setting("jax_compilation_cache_dir", None):
            expected = np.asarray(Lowered(_learning_rates)(*arguments))
        rates = jax.jit(_learning_rates)(*arguments)
        np.testing.assert_allclose(expected, rates, rtol=3e-16 if x64 else 2e-7)
        for _ in range(2):
            found = np.asarray(Lowered(_learning_rates)(*arguments))
            assert found.tobytes() == expected.tobytes()
        assert len(stored(folder)) == 1
