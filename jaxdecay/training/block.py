"""Blocks: the functions of `train`, mapped over the members that one device trains together.

All blocks of a sweep have one shape, k seeds × s schedules, so one compiled program trains them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import jax
from jax import Array
from jax.sharding import Mesh, PartitionSpec

from jaxdecay.training.config import SweepConfig
from jaxdecay.training.layout import restored, stored
from jaxdecay.training.task import Batch, Task
from jaxdecay.training.train import (
    Member,
    epoch_order,
    evaluate_member,
    init_member,
    train_epoch,
    train_step,
)

CPU_OPTIONS: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""Multiplies matrices with Eigen, faster here than the default YNNPACK: benchmarks/README.md."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """The functions of `train`, mapped over the members of a block and over the devices.

    Arrays of members have the axes [D, k, s, …]: devices, seeds, schedules. Devices exchange
    nothing.
    """

    task: Task
    config: SweepConfig
    mesh: Mesh

    def compile(self, traced: jax.stages.Traced) -> jax.stages.Compiled:
        """Compiles `init` or `run_epoch`, traced by `jax.jit(...).trace`, for the devices."""
        lowered = traced.lower()
        if self.mesh.devices.flat[0].platform == "cpu":
            with contextlib.suppress(jax.errors.JaxRuntimeError):  # JAX lacks the option
                return lowered.compile(CPU_OPTIONS)
        return lowered.compile()

    def init(self, rates: Array, keys: Array) -> Member:
        """Creates members from their first learning rates [D, k, s] and their seeds' keys [D, k].

        Members with the same seed start with the same parameters.
        """

        def init(rates: Array, keys: Array) -> Member:
            return _over_members(
                lambda rate, key: _stored(init_member(self.task, self.config.optimizer, rate, key)),
                in_axes=((0, 0), (0, None)),
            )(rates, keys)

        return self._on_each_device(init, 2)(rates, keys)

    def run_epoch(
        self, members: Member, rates: Array, keys: Array, epoch: Array, data: Any
    ) -> tuple[Member, dict[str, Array]]:
        """Trains the members of a round for one epoch.

        Args:
            members: from `init`, or from the previous epoch.
            rates: learning rates for the steps of this epoch, [D, steps, k, s].
            keys: the keys of the seeds, [D, k].
            epoch: counted from 0.
            data: a copy on every device.

        Returns:
            The members, and the measurements of `train_epoch` by name, each [D, k, s].
        """

        def run(
            members: Member, rates: Array, keys: Array, epoch: Array, data: Any
        ) -> tuple[Member, dict[str, Array]]:
            orders = jax.vmap(
                lambda key: epoch_order(key, epoch, data, self.config.batch_size), out_axes=1
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
                self.task, self.config.optimizer, _restored(member), step, rate, batch
            )
            return _stored(trained), loss

        # All schedules of a seed share a batch. It is not mapped over schedules, so it stays one
        # array, and their first layers become one large matrix product.
        return _over_members(train_one, in_axes=((0, None, 0, 0), (0, None, 0, None)))

    def _measure_all(self, data: Any) -> Any:
        def measure(member: Member) -> dict[str, Array]:
            return evaluate_member(self.task, _restored(member), data)

        return _over_members(measure, in_axes=((0,), (0,)))

    def _on_each_device(self, function: Any, split: int, replicated: int = 0) -> Any:
        """Runs a function of one block on every device.

        Its first `split` arguments have an axis of devices; the `replicated` ones are the same on
        all of them.
        """

        def on_one(*arguments: Any) -> Any:
            own_parts = jax.tree.map(lambda array: array[0], arguments[:split])
            with jax.default_matmul_precision(self.config.precision):
                results = function(*own_parts, *arguments[split:])
            return jax.tree.map(lambda array: array[None], results)

        by_device, same = PartitionSpec("member"), PartitionSpec()
        specs = (by_device,) * split + (same,) * replicated
        return jax.shard_map(
            on_one, mesh=self.mesh, in_specs=specs, out_specs=by_device, check_vma=False
        )


def _over_members(function: Any, in_axes: tuple[tuple[int | None, ...], ...]) -> Any:
    """Maps a function of one member over [k, s]; `in_axes` are those over seeds and schedules."""
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
