"""Blocks: every member once, the same numbers in any block and on any devices, nothing moved."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pooch
import pytest
from compiler import AS_USERS_DO
from flax import nnx

import jaxdecay
from jaxdecay.training import block as block_module
from jaxdecay.training import block_size
from jaxdecay.training.block import Blocks
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.devices import member_mesh
from jaxdecay.training.layout import restored, stored
from jaxdecay.training.placement import by_device
from jaxdecay.training.plan import Plan, even_block, full_plan

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def task() -> jaxdecay.Task:
    return jaxdecay.classifier(jaxdecay.digits())


def rates(number: int) -> jaxdecay.Population:
    values = np.geomspace(0.01, 0.3, number).tolist()
    return jaxdecay.grid(jaxdecay.inverse_time, init_value=values, decay_rate=0.01)


@pytest.mark.parametrize("devices", [1, 3])
@pytest.mark.parametrize("block", [1, 4, 7, 64])
@pytest.mark.parametrize(("schedules", "seeds"), [(1, 1), (1, 9), (5, 3), (20, 2), (64, 1)])
def test_every_member_is_in_one_block(schedules, seeds, block, devices):
    plan = apart(full_plan(schedules=schedules, seeds=seeds, block=block, devices=devices))
    assert all(len(each.seeds) == devices for each in plan.rounds)
    assert {each.real.shape[1:] for each in plan.rounds} == {plan.shape}
    assert 1 <= plan.block <= block
    seen = np.zeros((schedules, seeds), int)
    for each in plan.rounds:
        for device, k, s in zip(*np.nonzero(each.real), strict=True):
            seen[each.schedules[device, s], each.seeds[device, k]] += 1
    assert (seen == 1).all()
    # No more is filled up than evens out the blocks.
    filled = plan.most_members - schedules * seeds
    assert filled < schedules + seeds * plan.shape[1] + devices * plan.block


def apart(plan: Plan) -> Plan:
    """The plan when all schedules have parted."""
    return plan.part(np.arange(len(plan.trunk), dtype=float)[:, None])


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
@pytest.mark.parametrize("block", [1, 5, 32])
@pytest.mark.parametrize(("schedules", "seeds"), [(1, 1), (1, 99), (40, 1), (96, 1), (61, 3)])
def test_devices_have_as_little_to_do_in_vain_as_can_be(schedules, seeds, block, devices):
    sizes = range(block, block // 2, -1)

    def plan(size: int) -> Plan:
        return full_plan(schedules=schedules, seeds=seeds, block=size, devices=devices)

    even = even_block(schedules, seeds, block, devices)
    assert plan(even).block == even <= block
    assert plan(even).most_members == min(plan(size).most_members for size in sizes)


def test_blocks_change_nothing_but_rounding(task):
    population = rates(7)
    whole = jaxdecay.sweep(task, population, epochs=2, seeds=2, block=14)
    parts = jaxdecay.sweep(task, population, epochs=2, seeds=2, block=3)
    assert (whole.settings["block"], parts.settings["block"]) == (14, 3)
    alone = jax.jit(functools.partial(jaxdecay.train, task=task, epochs=2))
    for name, values in whole.history.items():
        np.testing.assert_allclose(parts.history[name], values, rtol=2e-4, err_msg=name)
    for index, k in ((0, 0), (6, 1)):  # the last one shares its block with copies of itself
        trained = alone(population[index], jax.random.key(k), task.data)
        for name, values in trained.history.items():
            np.testing.assert_allclose(
                parts.history[name][:, index, k], values, rtol=2e-4, err_msg=name
            )
    np.testing.assert_array_equal(parts.final_learning_rate, whole.final_learning_rate)


# Devices.

ON_DEVICES = """
import json, sys
import jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import jaxdecay
task = jaxdecay.classifier(jaxdecay.digits())
rates = jaxdecay.grid(jaxdecay.constant, value=[0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5])
result = jaxdecay.sweep(task, rates, epochs=2, seeds=2, block=3)
assert result.settings["devices"] == jax.device_count() == int(sys.argv[1])
# Without a block of its own, no device stays idle.
usual = jaxdecay.sweep(task, rates, seeds=2)
assert usual.settings["block"] == {1: 7, 4: 4}[jax.device_count()]
print(json.dumps({name: each.tolist() for name, each in result.history.items()}))
"""


@pytest.mark.slow
def test_the_number_of_devices_changes_no_bit():
    found = []
    for devices in ("1", "4"):
        words = [sys.executable, "-c", ON_DEVICES, devices]
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        found.append(json.loads(run.stdout))
    assert found[0] == found[1]


def devices_of(code: str, **environment: str) -> int:
    """The number of devices after some code and `one_device_per_core`, in a new process."""
    code = (
        f"{code}\nfrom jaxdecay.training.devices import one_device_per_core\none_device_per_core()"
    )
    code += "\nimport jax; print(jax.device_count())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return int(run.stdout)


def test_each_core_becomes_a_device():
    assert devices_of("") == len(os.sched_getaffinity(0))


@pytest.mark.slow
def test_cores_are_what_was_told_otherwise():
    assert devices_of("import jax; jax.config.update('jax_num_cpu_devices', 3)") == 3
    assert devices_of("", XLA_FLAGS="--xla_force_host_platform_device_count=3") == 3
    assert devices_of("import jax; jax.numpy.ones(2)") == 1  # too late


def test_an_option_that_the_compiler_does_not_know_is_left_out(task, monkeypatch):
    monkeypatch.setattr(block_module, "CPU_OPTIONS", {"xla_cpu_of_another_version": ""})
    result = jaxdecay.sweep(task, rates(2), block=2)
    assert result.metrics["test_accuracy"].max() > 0.5


def test_precision_is_that_of_the_products(task):
    def products(precision: str) -> set[str]:
        blocks = Blocks(task, SweepConfig(precision=precision), member_mesh())
        keys = jnp.broadcast_to(jax.random.key(0), (1, 1))
        some = np.full((1, 44, 1, 2), 0.1, np.float32)
        state = jax.eval_shape(blocks.init, some[:, 0], keys)
        text = jax.jit(blocks.run_epoch).lower(state, some, keys, jnp.asarray(0), task.data)
        lines = [line for line in text.as_text().splitlines() if "dot_general" in line]
        return {each for line in lines for each in re.findall(r"DEFAULT|HIGHEST", line)}

    assert products("default") == {"DEFAULT"}
    assert products("float32") == {"HIGHEST"}


COLLECTIVES = r"all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"


def compiled_epoch(task: jaxdecay.Task, members: int = 4) -> str:
    """The compiled program of an epoch of one block, as text."""
    blocks = Blocks(task, SweepConfig(), member_mesh())
    steps = len(np.asarray(task.data.train_labels)) // 32
    devices = blocks.mesh.size
    rates = by_device(blocks.mesh, np.full((devices, steps, 1, members), 0.1, np.float32))
    keys = by_device(blocks.mesh, jnp.broadcast_to(jax.random.key(0), (devices, 1)))
    state = jax.eval_shape(blocks.init, rates[:, 0], keys)
    run = jax.jit(blocks.run_epoch, donate_argnums=0)
    lowered = run.lower(state, rates, keys, jnp.asarray(0), task.data)
    return lowered.compile(AS_USERS_DO).as_text()


@pytest.fixture(scope="module")
def compiled(task) -> str:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return compiled_epoch(task)


def test_devices_exchange_nothing(compiled):
    assert not re.search(COLLECTIVES, compiled)


def test_the_search_for_collectives_can_fail():
    code = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
mesh = jax.make_mesh((2,), ("member",), (jax.sharding.AxisType.Auto,))
spec = jax.sharding.PartitionSpec("member")
total = jax.shard_map(lambda x: jax.lax.psum(x, "member"), mesh=mesh, in_specs=spec,
                      out_specs=jax.sharding.PartitionSpec())
print(jax.jit(total).lower(jax.numpy.ones(2)).compile().as_text())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(COLLECTIVES, run.stdout)


# Layout: in each step all kernels are read by two products and written by one pass.


def moved(text: str, kernels: int) -> list[str]:
    """Instructions that write an array as large as all kernels of the first layer elsewhere."""
    found = []
    for line in text.splitlines():
        instruction = re.match(
            r"\s*(?:ROOT )?%[\w.-]+ = f32\[([\d,]+)\]\S* (transpose|copy)\(", line
        )
        if instruction and np.prod(list(map(int, instruction[1].split(",")))) == kernels:
            inside_loop = "while/body" in line
            found += [line.strip()] * inside_loop
    return found


def test_kernels_are_not_moved_in_a_step(compiled):
    assert "while/body" in compiled
    assert not moved(compiled, kernels=4 * 64 * 128)


def test_the_search_for_moves_can_fail(task):
    def usual(rngs: nnx.Rngs) -> nnx.Module:
        return nnx.Sequential(
            lambda inputs: inputs.reshape(inputs.shape[0], -1),
            nnx.Linear(64, 128, rngs=rngs),
            nnx.relu,
            nnx.Linear(128, 10, rngs=rngs),
        )

    text = compiled_epoch(jaxdecay.classifier(task.data, usual))
    assert moved(text, kernels=4 * 64 * 128)


def test_kernel_first_is_a_product_like_any_other():
    chance = np.random.default_rng(0)
    inputs = jnp.asarray(chance.normal(size=(5, 3, 4)), float)
    kernel = jnp.asarray(chance.normal(size=(4, 2, 6)), float)
    product = jaxdecay.kernel_first(inputs, kernel, (((2,), (0,)), ((), ())))
    np.testing.assert_allclose(product, np.tensordot(inputs, kernel, 1), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="kernel_first takes no batch dimensions"):
        jaxdecay.kernel_first(inputs, inputs, (((2,), (2,)), ((0,), (0,))))


def test_what_is_stored_comes_back():
    tree = {
        "kernel": jnp.arange(24.0).reshape(2, 3, 4),
        "bias": jnp.ones(3),
        "count": jnp.zeros(()),
    }
    assert stored(tree)["kernel"].shape == (2, 4, 3)
    jax.tree.map(np.testing.assert_array_equal, restored(stored(tree)), tree)


# One blocks for any number of members.


def test_compilation_does_not_depend_on_the_number_of_members(task, caplog):
    def compilations(members: int) -> int:
        caplog.clear()
        with jax.log_compiles():
            jaxdecay.sweep(task, rates(members), block=4)
        return sum("Finished XLA compilation of jit(run_epoch)" in each for each in caplog.messages)

    assert compilations(8) == compilations(24) == 1


# The size of a block.


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    return tmp_path / "jaxdecay" / "block_sizes.json"


def fastest(task: jaxdecay.Task, members: int, speeds: dict[int, float], monkeypatch: Any) -> Any:
    """The size chosen by these speeds, and the sizes that were measured."""
    asked: list[int] = []

    def speed(blocks: Blocks, size: int) -> float:
        asked.append(size)
        return speeds[size]

    monkeypatch.setattr(block_size, "member_steps_per_second", speed)
    blocks = Blocks(task, SweepConfig(), member_mesh())
    return block_size.fastest_block(blocks, members), asked


def test_the_fastest_size_is_taken_and_remembered(task, cache, monkeypatch):
    speeds = {8: 100.0, 16: 130.0, 32: 125.0, 64: 90.0}
    assert fastest(task, 5, speeds, monkeypatch) == (5, [])  # too few to measure
    assert fastest(task, 64, speeds, monkeypatch) == (8, [])
    assert fastest(task, 65, speeds, monkeypatch) == (16, [8, 16, 32, 64])
    assert fastest(task, 4_096, speeds, monkeypatch) == (16, [])
    assert list(json.loads(cache.read_text()).values()) == [{str(k): v for k, v in speeds.items()}]


def test_a_gpu_begins_with_larger_blocks(task, cache, monkeypatch):
    monkeypatch.setattr(block_size, "SMALLEST", {})  # as where there is no CPU
    assert fastest(task, 64, {}, monkeypatch) == (64, [])
    assert fastest(task, 65, {64: 1.0, 128: 2.0}, monkeypatch) == (65, [64, 128])


def test_a_damaged_or_unwritable_memory_is_measured_again(task, cache, monkeypatch):
    cache.parent.mkdir()
    cache.write_text("{")
    assert fastest(task, 65, {8: 1.0, 16: 2.0, 32: 1.0}, monkeypatch) == (16, [8, 16, 32])
    monkeypatch.setattr(pooch, "os_cache", lambda name: cache / name)  # a file is no folder
    assert fastest(task, 65, {8: 3.0, 16: 2.0}, monkeypatch) == (8, [8, 16])


@pytest.mark.slow
def test_sizes_are_measured_with_real_steps(task, cache):
    result = jaxdecay.sweep(task, rates(65), epochs=1)
    ((name, speeds),) = json.loads(cache.read_text()).items()
    assert "batch 32" in name
    assert {"8", "16"} <= set(speeds) <= {"8", "16", "32", "64", "128"}
    assert result.settings["block"] <= int(max(speeds, key=speeds.get))
    assert 0 < min(speeds.values()) < 1e9


def test_a_block_of_none_is_refused(task):
    with pytest.raises(ValueError, match="block must be at least 1, got 0; None measures"):
        jaxdecay.sweep(task, rates(2), block=0)
