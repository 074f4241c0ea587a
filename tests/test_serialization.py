"""Schedules in functions that `jax.export` writes, in Flax's bytes and in Orbax's checkpoints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import flax.serialization
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint
import pytest
from cases import one_of_each_family

import jaxdecay

SCHEDULES = [case.schedule for case in one_of_each_family()]
POPULATION = jaxdecay.stack(SCHEDULES[:3] * 2)
RELATIVE = jaxdecay.warmup(
    jaxdecay.cosine(0.1, transition_steps=jaxdecay.percent(90)), warmup_steps=jaxdecay.epochs(2)
)
STATES = [each.init() for each in SCHEDULES if isinstance(each, jaxdecay.AdaptiveSchedule)]


@pytest.mark.parametrize("schedule", [*SCHEDULES, RELATIVE], ids=lambda each: each.family)
def test_flax_writes_and_reads_every_family(schedule: jaxdecay.Schedule) -> None:
    written = flax.serialization.to_bytes(schedule)
    others = jax.tree.map(lambda leaf: leaf * 2 + 1, schedule)
    read = flax.serialization.from_bytes(others, written)
    assert type(read) is type(schedule)
    assert read == schedule
    assert read != others


@pytest.mark.parametrize("tree", [POPULATION, *STATES], ids=["population", "plateau", "greedy"])
def test_flax_writes_and_reads_populations_and_states(tree: Any) -> None:
    others = jax.tree.map(jnp.zeros_like, tree)
    read = flax.serialization.from_bytes(others, flax.serialization.to_bytes(tree))
    assert jax.tree.structure(read) == jax.tree.structure(tree)
    jax.tree.map(np.testing.assert_array_equal, read, tree)


def test_the_state_of_another_family_is_refused() -> None:
    state = flax.serialization.to_state_dict(jaxdecay.constant(0.1))
    with pytest.raises(ValueError, match="a state with value cannot be restored to cosine"):
        flax.serialization.from_state_dict(jaxdecay.cosine(0.1, transition_steps=9), state)
    cosine = jaxdecay.cosine(0.1, transition_steps=9)
    state = flax.serialization.to_state_dict(cosine)
    del state["transition_steps"]
    with pytest.raises(ValueError, match=r"cannot be restored to cosine.*, transition_steps"):
        flax.serialization.from_state_dict(cosine, state)


PROGRAM = """
import jaxdecay
import sys
jaxdecay.cosine(0.1, transition_steps=10)
assert "flax" not in sys.modules
import flax.serialization
schedule = jaxdecay.cosine(0.2, transition_steps=10)
print(flax.serialization.to_state_dict(schedule)["init_value"])
"""


def test_flax_may_be_loaded_later() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert run.stdout == "0.2\n", run.stderr


def test_exported_functions_take_every_family() -> None:
    trees = [SCHEDULES, POPULATION, STATES, RELATIVE]
    exported = jax.export.export(jax.jit(lambda trees: trees))(trees)
    read = jax.export.deserialize(exported.serialize())
    returned = read.call(trees)
    assert jax.tree.structure(returned) == jax.tree.structure(trees)
    assert returned[0] == SCHEDULES
    with pytest.raises(ValueError, match="tree"):
        read.call([SCHEDULES[::-1], *trees[1:]])


def test_a_function_without_a_name_cannot_be_exported() -> None:
    nameless = jaxdecay.from_function(lambda step, value: value, value=0.1)
    exported = jax.export.export(jax.jit(lambda schedule: schedule(3)))(nameless)
    with pytest.raises(ValueError, match="has no name in files; write @jaxdecay"):
        exported.serialize()


def test_orbax_writes_and_reads_schedules_populations_and_states(tmp_path: Path) -> None:
    tree = {"schedules": SCHEDULES, "population": POPULATION, "states": STATES}
    others = jax.tree.map(lambda leaf: np.full_like(leaf, 7), tree)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "tree", tree)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        read = checkpointer.restore(tmp_path / "tree", others)
    assert jax.tree.structure(read) == jax.tree.structure(tree)
    assert read["schedules"] == SCHEDULES
    jax.tree.map(np.testing.assert_array_equal, read["population"], POPULATION)
    jax.tree.map(np.testing.assert_array_equal, read["states"], STATES)
