"""Blocks: the members that one compiled program trains at the same time on one device.

All blocks of a sweep have one shape, k seeds × s schedules, so that one program trains any number
of members. A block is trained through a whole epoch before the next, so that its parameters stay
in a processor's cache. A round is one block on each device.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxdecay.training.layout import restored, stored
from jaxdecay.training.optimizers import Optimizer
from jaxdecay.training.task import Batch, Task
from jaxdecay.training.train import (
    Member,
    epoch_order,
    evaluate_member,
    init_member,
    train_epoch,
    train_step,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Rounds:
    """Which members are trained where and when: R rounds of D devices, each k seeds × s schedules.

    Attributes:
        seeds: indices of seeds [R, D, k].
        schedules: indices of schedules [R, D, s].
        real: [R, D, k, s], False where a block is filled up with copies of a member.
    """

    seeds: np.ndarray
    schedules: np.ndarray
    real: np.ndarray

    @property
    def block(self) -> int:
        """The members of a block, k · s."""
        return int(np.prod(self.real.shape[2:]))

    def of_devices(self, devices: Sequence[int]) -> Rounds:
        """The part of some of the D devices."""
        return Rounds(self.seeds[:, devices], self.schedules[:, devices], self.real[:, devices])

    def places(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices of schedules and of seeds of a round's members, both [D, k, s]."""
        shape = self.real.shape[1:]
        schedules = np.broadcast_to(self.schedules[index][:, None, :], shape)
        return schedules, np.broadcast_to(self.seeds[index][:, :, None], shape)


def arrange(schedules: int, seeds: int, block: int, devices: int = 1) -> Rounds:
    """Blocks of at most `block` members, as even as they can be.

    A block has the schedules of one seed, which share their batches; only where there are fewer
    schedules than a block may have members does it have several seeds.

    Example:
        >>> from jaxdecay.training.block import arrange
        >>> arrange(schedules=60, seeds=3, block=16).real.shape
        (12, 1, 1, 15)
        >>> arrange(schedules=2, seeds=9, block=16).real.shape
        (2, 1, 5, 2)
    """
    of_schedules = _parts(schedules, block)
    of_seeds = _parts(seeds, max(1, block // schedules))
    pairs = [(k, s) for k in of_seeds for s in of_schedules]
    rounds = math.ceil(len(pairs) / devices)
    filled = [pairs[min(index, len(pairs) - 1)] for index in range(rounds * devices)]
    seed_rows, schedule_rows = (np.array(rows) for rows in zip(*filled, strict=True))
    real = (seed_rows < seeds)[:, :, None] & (schedule_rows < schedules)[:, None, :]
    real[len(pairs) :] = False
    return Rounds(
        np.minimum(seed_rows, seeds - 1).reshape(rounds, devices, -1),
        np.minimum(schedule_rows, schedules - 1).reshape(rounds, devices, -1),
        real.reshape(rounds, devices, *real.shape[1:]),
    )


def even_block(schedules: int, seeds: int, block: int, devices: int) -> int:
    """The size, from `block` down to half of it, with which devices have the least to do in vain.

    Example:
        >>> from jaxdecay.training.block import even_block
        >>> even_block(schedules=96, seeds=1, block=32, devices=2)  # of 32 there would be 3 blocks
        24
    """

    def rounds_and_members(size: int) -> tuple[int, int]:
        parts = math.ceil(schedules / size), math.ceil(seeds / max(1, size // schedules))
        members = math.ceil(schedules / parts[0]) * math.ceil(seeds / parts[1])
        return math.ceil(math.prod(parts) / devices), members

    return min(map(rounds_and_members, range(block, block // 2, -1)), key=math.prod)[1]


def _parts(total: int, most: int) -> list[np.ndarray]:
    """0, 1, … in equal parts of at most `most`; the last may go past the total."""
    parts = math.ceil(total / most)
    size = math.ceil(total / parts)
    return [np.arange(part * size, (part + 1) * size) for part in range(parts)]


def one_device_per_core() -> None:
    """Makes each processor core a device of JAX, unless their number is set or JAX is in use.

    Cores that train blocks of their own wait for each other once an epoch; as one device, they
    share every operation of a step and wait for each other after each.
    """
    set_by_flags = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if jax.config.values["jax_num_cpu_devices"] < 0 and not set_by_flags:
        with contextlib.suppress(RuntimeError):  # in use
            jax.config.update("jax_num_cpu_devices", _cores())


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def own_devices() -> list[int]:
    """The places of this process's devices among those of all processes."""
    own = jax.process_index()
    return [place for place, device in enumerate(jax.devices()) if device.process_index == own]


def member_mesh() -> Mesh:
    """The devices of this process along one axis, `member`."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), ("member",), (AxisType.Auto,), devices=devices)


CPU_OPTIONS: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""Products by Eigen, faster here than YNNPACK, which is the default; see benchmarks/README.md."""


@dataclasses.dataclass(frozen=True)
class Program:
    """The functions of `train`, mapped over the members of a block and over the devices.

    Arrays of members have the axes [D, k, s, …]: devices, seeds, schedules. No device needs
    anything of another.
    """

    task: Task
    optimizer: Optimizer
    batch_size: int
    precision: str
    mesh: Mesh

    def compile(self, function: Any, *arguments: Any, **options: Any) -> jax.stages.Compiled:
        """`init` or `run_epoch`, compiled for such arguments; options are those of `jax.jit`."""
        lowered = jax.jit(function, **options).lower(*arguments)
        if self.mesh.devices.flat[0].platform == "cpu":
            with contextlib.suppress(jax.errors.JaxRuntimeError):  # not an option of this version
                return lowered.compile(CPU_OPTIONS)
        return lowered.compile()

    def by_device(self, tree: Any) -> Any:
        """Arrays with a first axis of devices, each part where it is needed."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec("member")))

    def everywhere(self, tree: Any) -> Any:
        """Arrays that every device needs whole."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))

    def init(self, rates: Array, keys: Array) -> Member:
        """Members before their first step, of their first learning rates [D, k, s] and keys [D, k].

        Those of one seed have the same parameters.
        """

        def init(rates: Array, keys: Array) -> Member:
            return _over_members(
                lambda rate, key: _stored(init_member(self.task, self.optimizer, rate, key)),
                in_axes=((0, 0), (0, None)),
            )(rates, keys)

        return self._on_each_device(init, 2)(rates, keys)

    def run_epoch(
        self, members: Member, rates: Array, keys: Array, epoch: Array, data: Any
    ) -> tuple[Member, dict[str, Array]]:
        """One epoch of the members of a round.

        Args:
            members: of `init` or of the epoch before.
            rates: learning rates of each step of this epoch, [D, steps, k, s].
            keys: of the seeds, [D, k].
            epoch: counted from 0.
            data: on every device.

        Returns:
            The members, and by name what `train_epoch` measures, [D, k, s].
        """

        def run(
            members: Member, rates: Array, keys: Array, epoch: Array, data: Any
        ) -> tuple[Member, dict[str, Array]]:
            orders = jax.vmap(
                lambda key: epoch_order(key, epoch, data, self.batch_size), out_axes=1
            )(keys)
            return train_epoch(
                self._train_all,
                self._measure_all(data),
                members,
                epoch * len(orders),
                rates,
                orders,
                data,
            )

        return self._on_each_device(run, 3, 2)(members, rates, keys, epoch, data)

    @property
    def _train_all(self) -> Any:
        def train_one(
            member: Member, step: Array, rate: Array, batch: Batch
        ) -> tuple[Member, Array]:
            trained, loss = train_step(
                self.task, self.optimizer, _restored(member), step, rate, batch
            )
            return _stored(trained), loss

        # All schedules of a seed share a batch: mapped over schedules it stays one array, and the
        # first layer of all of them is one large matrix product.
        return _over_members(train_one, in_axes=((0, None, 0, 0), (0, None, 0, None)))

    def _measure_all(self, data: Any) -> Any:
        def measure(member: Member) -> dict[str, Array]:
            return evaluate_member(self.task, _restored(member), data)

        return _over_members(measure, in_axes=((0,), (0,)))

    def _on_each_device(self, function: Any, split: int, whole: int = 0) -> Any:
        """A function of one device's block on all: `split` arguments by device, `whole` alike."""

        def on_one(*arguments: Any) -> Any:
            own = jax.tree.map(lambda each: each[0], arguments[:split])
            with jax.default_matmul_precision(self.precision):
                found = function(*own, *arguments[split:])
            return jax.tree.map(lambda each: each[None], found)

        devices, alike = PartitionSpec("member"), PartitionSpec()
        specs = (devices,) * split + (alike,) * whole
        return jax.shard_map(
            on_one, mesh=self.mesh, in_specs=specs, out_specs=devices, check_vma=False
        )


def _over_members(function: Any, in_axes: tuple[tuple[int | None, ...], ...]) -> Any:
    """A function of one member of [k, s] members; axes of its arguments over seeds, schedules."""
    over_seeds, over_schedules = in_axes
    return jax.vmap(jax.vmap(function, in_axes=over_schedules), in_axes=over_seeds)


def _stored(member: Member) -> Member:
    return member._replace(
        parameters=stored(member.parameters), optimizer_state=stored(member.optimizer_state)
    )


def _restored(member: Member) -> Member:
    return member._replace(
        parameters=restored(member.parameters), optimizer_state=restored(member.optimizer_state)
    )
