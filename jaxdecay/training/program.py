"""The compiled program of a sweep, which does not change while the sweep runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdecay.data import Data
from jaxdecay.population import Population
from jaxdecay.training.block import Blocks
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.fingerprint import own_decays
from jaxdecay.training.lowered import Lowered
from jaxdecay.training.optimizers import UpdateClock
from jaxdecay.training.placement import by_device, everywhere
from jaxdecay.training.plan import Round
from jaxdecay.training.task import Task
from jaxdecay.training.train import Member, clock_of, monitored


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """The functions of a sweep and the arrays that they share: data, keys, schedules.

    Attributes:
        blocks: the functions of `train` for all members of a block.
        population: the S schedules, with the lengths of this run.
        steps: batches in an epoch.
        shape: the numbers of seeds and schedules in a block, (k, s).
        own: the indices of the R schedules whose learning rates this process computes.
    """

    blocks: Blocks
    population: Population
    steps: int
    shape: tuple[int, int]
    own: np.ndarray

    @property
    def task(self) -> Task:
        """What is trained."""
        return self.blocks.task

    @property
    def config(self) -> SweepConfig:
        """The options of the sweep."""
        return self.blocks.config

    # Learning rates, by epoch.

    @functools.cached_property
    def clock(self) -> UpdateClock:
        """Counts the updates before each batch, which schedules take as their step."""
        return clock_of(self.task, self.config.optimizer, self.steps)

    def first_states(self) -> Any:
        """The states of adaptive schedules before training, [K, R]; None without such ones."""
        if not self._population.is_adaptive:
            return None
        return jax.vmap(lambda key: self._population.init_states())(self._keys)

    def learning_rates(self, updates: Any, states: Any) -> np.ndarray:
        """The learning rates in an epoch, [R, steps], or [K, R, steps] if schedules have states.

        Args:
            updates: the state of the clock before the epoch.
            states: the states of the schedules, [K, R], or None.
        """
        return np.asarray(self._rates_at(self._population, states, self._count(updates)[1]))

    def next_updates(self, updates: Any) -> Any:
        """The state of the clock after an epoch."""
        return self._count(updates)[0]

    def next_states(self, states: Any, history: Mapping[str, np.ndarray]) -> Any:
        """The states of adaptive schedules after they have seen an epoch's history."""
        if states is None:
            return None
        return self._follow(states, monitored(history, self.config.monitor)[self.own].T)

    # Members, by round.

    def compile(self) -> None:
        """Compiles the programs that train a block and compute rates, for any number of blocks."""
        history = {name: kind for name, kind in self.measured.items() if name != "diverged_at"}
        monitored(history, self.config.monitor)
        self._init  # noqa: B018
        self._run_epoch  # noqa: B018
        self.learning_rates(self.clock.start, self.first_states())

    def init(self, keys: Array, rates: np.ndarray) -> Member:
        """Creates the members of a round; `rates` are from `rates_of`, for epoch 0."""
        return self._init(by_device(self.blocks.mesh, rates[:, 0]), keys)

    def run_epoch(
        self, members: Member, keys: Array, rates: np.ndarray, epoch: int
    ) -> tuple[Member, dict[str, Array]]:
        """Trains the members of a round for one epoch.

        Args:
            members: from `init`, or from the previous epoch; their memory is reused.
            keys: from `keys_of`.
            rates: from `rates_of`, for the epoch.
            epoch: counted from 0.

        Returns:
            The members, and the measurements of `train_epoch` by name, each [D, k, s].
        """
        placed = by_device(self.blocks.mesh, rates)
        count = everywhere(self.blocks.mesh, jnp.asarray(epoch))
        return self._run_epoch(members, placed, keys, count, self._data)

    def keys_of(self, round_: Round) -> Array:
        """The keys for the seeds of a round, [D, k]."""
        return self._keys_of_seeds(round_.seeds)

    @functools.cached_property
    def measured(self) -> dict[str, Any]:
        """The dtypes, by name, of an epoch's measurements of each member and of `diverged_at`."""
        members, history = self._traced_epoch.out_info
        arrays = {**history, "diverged_at": members.diverged_at}
        return {name: array.dtype for name, array in arrays.items()}

    @functools.cached_property
    def member(self) -> Member:
        """The shapes and dtypes of one member as a block stores it."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape[3:], leaf.dtype),
            self._traced_init.out_info,
        )

    @functools.cached_property
    def _init(self) -> jax.stages.Compiled:
        return self.blocks.compile(self._traced_init)

    @functools.cached_property
    def _run_epoch(self) -> jax.stages.Compiled:
        return self.blocks.compile(self._traced_epoch)

    # Both functions are traced once, for the shapes of their results and for the compiler.

    @functools.cached_property
    def _traced_init(self) -> jax.stages.Traced:
        return jax.jit(self.blocks.init).trace(self._shaped(), self._keys_of_one_round)

    @functools.cached_property
    def _traced_epoch(self) -> jax.stages.Traced:
        keys = self._keys_of_one_round
        members = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=keys.sharding),
            self._traced_init.out_info,
        )
        epoch = everywhere(self.blocks.mesh, jnp.asarray(0))
        traced = jax.jit(self.blocks.run_epoch, donate_argnums=0)
        return traced.trace(members, self._shaped(self.steps), keys, epoch, self._data)

    def _shaped(self, *steps: int) -> jax.ShapeDtypeStruct:
        """The shape of a round's learning rates, [D, k, s] or [D, steps, k, s]."""
        shape = self.blocks.mesh.size, *steps, *self.shape
        kind = jnp.result_type(float)
        return jax.ShapeDtypeStruct(shape, kind, sharding=self._keys_of_one_round.sharding)

    @functools.cached_property
    def _keys_of_one_round(self) -> Array:
        shape = self.blocks.mesh.size, self.shape[0]
        return self._keys_of_seeds(np.zeros(shape, int))

    def _keys_of_seeds(self, seeds: np.ndarray) -> Array:
        # Taken by NumPy: each of JAX's operations on the keys would be a program to load.
        data = np.asarray(jax.random.key_data(self._keys))[seeds]
        placed = by_device(self.blocks.mesh, data)
        return jax.random.wrap_key_data(placed, impl=jax.random.key_impl(self._keys))

    @functools.cached_property
    def _data(self) -> Data:
        return everywhere(self.blocks.mesh, self.task.data)

    @functools.cached_property
    def _keys(self) -> Array:
        return jnp.stack([jax.random.key(seed) for seed in self.config.all_seeds])

    @functools.cached_property
    def _population(self) -> Population:
        """The schedules whose rates this process computes."""
        is_whole = len(self.own) == len(self.population)
        return self.population if is_whole else self.population[self.own]

    @functools.cached_property
    def _rates_at(self) -> Any:
        own = any(own_decays(self.population.groups))
        return jax.jit(_learning_rates) if own else Lowered(_learning_rates)

    @functools.cached_property
    def _count(self) -> Any:
        return jax.jit(self.clock.epoch)

    @functools.cached_property
    def _follow(self) -> Any:
        return jax.jit(jax.vmap(self._population.update_states))


def rates_of(round_: Round, table: np.ndarray, row: np.ndarray) -> np.ndarray:
    """A round's learning rates, [D, steps, k, s], from the table for an epoch.

    Args:
        round_: the places of its members.
        table: from `Program.learning_rates`.
        row: [S], which row of the table has the rates of each schedule that is trained.
    """
    rows = row[round_.schedules]
    if table.ndim == 3:
        rates = table[round_.seeds[:, :, None], rows[:, None, :]]
    else:
        rates = np.repeat(table[rows][:, None], round_.seeds.shape[1], axis=1)
    return np.moveaxis(rates, -1, 1)


def _learning_rates(population: Population, states: Any, updates: Array) -> Array:
    if states is None:
        return population(updates)
    return jax.vmap(population, in_axes=(None, 0))(updates, states)
