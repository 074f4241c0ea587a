"""The state of a sweep between two epochs, and the pure functions that advance it.

state = start(program, plan, untrained(program), rates)
state = run_epoch(program, plan, state, rates)
plan, state = compact(program, plan, state, plan.keep(members))
saved = snapshot(program, plan, state, run_seconds)
plan, state = restore(program, plan, saved)
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdecay.training.checkpoint import Snapshot
from jaxdecay.training.chunks import Chunks, chunks_of, packed, unpacked
from jaxdecay.training.limits import bytes_of
from jaxdecay.training.placement import by_device
from jaxdecay.training.plan import Plan
from jaxdecay.training.processes import exchanged, most_of, sum_of
from jaxdecay.training.program import Program, rates_of
from jaxdecay.training.train import Member


class SweepState(NamedTuple):
    """A sweep after some epochs. S schedules, K seeds.

    Attributes:
        members: for each round of the plan, arrays [D, k, s, …] on the devices; `run_epoch`
            reuses their memory.
        keys: for each round, the keys of its seeds, [D, k].
        schedules: the states of this process's adaptive schedules, [K, R]; None without such.
        updates: the state of the clock that counts updates.
        history: by name, arrays [E, S, K] for the E epochs so far and all members of the sweep. An
            array for each epoch would need much more memory than its numbers.
        diverged_at: [S, K], the first step that was not finite, or -1.
        member_steps: the number of steps that all processes trained; a step that several members
            share counts once.
    """

    members: tuple[Member, ...]
    keys: tuple[Array, ...]
    schedules: Any
    updates: Any
    history: dict[str, np.ndarray]
    diverged_at: np.ndarray
    member_steps: int

    @property
    def epochs(self) -> int:
        """E, the number of completed epochs."""
        return len(next(iter(self.history.values())))

    def epoch(self, index: int) -> dict[str, np.ndarray]:
        """The history of one epoch: by name, arrays [S, K]."""
        return {name: values[index] for name, values in self.history.items()}


def untrained(program: Program) -> SweepState:
    """The state before the first epoch, without members."""
    shape = len(program.population), program.config.seeds
    nowhere = np.full(shape, -1, np.int32)
    kinds = {name: kind for name, kind in program.measured.items() if name != "diverged_at"}
    history = {name: np.empty((0, *shape), kind) for name, kind in kinds.items()}
    return SweepState((), (), program.first_states(), program.clock.start, history, nowhere, 0)


def rates_of_epoch(program: Program, state: SweepState) -> np.ndarray:
    """The learning rates for the next epoch, [R, steps], or [K, R, steps] if they have states.

    R are the schedules of this process's members, `program.own`.
    """
    return program.learning_rates(state.updates, state.schedules)


def part(program: Program, plan: Plan, rates: np.ndarray) -> Plan:
    """The plan of the next epoch, in which schedules with different rates are branches.

    Processes know the rates of their own schedules, so they exchange digests.
    """
    if plan.is_parted or jax.process_count() == 1:
        return plan.part(rates)
    rows = np.ascontiguousarray(np.moveaxis(rates, -2, 0))
    digests = [hashlib.sha256(row.tobytes()).digest() for row in rows]
    own = np.array([np.frombuffer(digest, np.uint8) for digest in digests])
    return plan.part(_of_all(program, own))


def final_rates(program: Program, state: SweepState) -> np.ndarray:
    """The learning rates of the next step, [S, K]."""
    first = np.moveaxis(rates_of_epoch(program, state)[..., 0], -1, 0)
    return np.broadcast_to(_of_all(program, first).T, state.diverged_at.shape[::-1]).T


def start(program: Program, plan: Plan, state: SweepState, rates: np.ndarray) -> SweepState:
    """Creates the members of a plan."""
    keys, row = tuple(map(program.keys_of, plan.rounds)), rate_rows(program, plan)
    members = tuple(
        program.init(round_keys, rates_of(round_, rates, row))
        for round_, round_keys in zip(plan.rounds, keys, strict=True)
    )
    return state._replace(members=members, keys=keys)


def run_epoch(
    program: Program,
    plan: Plan,
    state: SweepState,
    rates: np.ndarray,
    progress: Callable[[int], None] | None = None,
) -> SweepState:
    """Trains all members for an epoch, round by round.

    Args:
        program: the compiled functions.
        plan: the places of the members.
        state: the state before the epoch; its members cannot be used afterwards.
        rates: from `rates_of_epoch`.
        progress: called after each round with the number of members that the round completed.
    """
    epoch, shape = state.epochs, state.diverged_at.shape
    results = {name: _unknown(shape, kind) for name, kind in program.measured.items()}
    members, row = [], rate_rows(program, plan)
    rounds = zip(plan.rounds, state.members, state.keys, strict=True)
    for round_, before, keys in rounds:
        own_rates = rates_of(round_, rates, row)
        after, measured = program.run_epoch(before, keys, own_rates, epoch)
        members.append(after)
        for name, values in jax.device_get({**measured, "diverged_at": after.diverged_at}).items():
            round_.put(results[name], values)
        if progress is not None:
            progress(int(plan.stands_for[round_.places()][round_.real].sum()))
    results = {
        name: np.where(plan.mine, values[plan.trunk], _unknown(shape, values.dtype))
        for name, values in results.items()
    }
    results = exchanged(results, plan.mine)
    diverged_at = np.maximum(results.pop("diverged_at"), state.diverged_at)
    trained = sum_of(int(np.count_nonzero(plan.stands_for)))
    return _after_epoch(program, state, results)._replace(
        members=tuple(members),
        diverged_at=diverged_at,
        member_steps=state.member_steps + trained * program.steps,
    )


def compact(
    program: Program, before: Plan, state: SweepState, after: Plan
) -> tuple[Plan, SweepState]:
    """Moves the members from their places in one plan to those in another.

    The later plan may drop members (`Plan.keep`) or add branches (`Plan.part`), each of which gets
    a copy of its trunk's member. The members of `state` cannot be used afterwards.
    """
    if after is before:
        return before, state
    number = int((before.stands_for > 0).sum())
    places, rows = _rows(before, state.members, program, number)
    for leaf in jax.tree.leaves(state.members):
        leaf.delete()  # so that at most two copies exist
    return after, _placed(program, before.trunk, after, state, places, rows)


def snapshot(program: Program, plan: Plan, state: SweepState, run_seconds: float) -> Snapshot:
    """The contents of a checkpoint."""
    own, size = int((plan.stands_for > 0).sum()), bytes_of(program.member)
    chunks, members = chunks_of(most_of(own), size)
    places, rows = _rows(plan, state.members, program, chunks * members)
    return Snapshot(
        members=Chunks(places.reshape(chunks, members, 2), rows.reshape(chunks, members, size)),
        trunk=plan.trunk,
        history=state.history,
        diverged_at=state.diverged_at.copy(),
        member_steps=state.member_steps,
        run_seconds=run_seconds,
    )


def restore(
    program: Program, plan: Plan, saved: Snapshot, *, members: bool = True
) -> tuple[Plan, SweepState]:
    """The plan and the state at the end of the epoch that a checkpoint stores.

    Args:
        program: the compiled functions.
        plan: a plan of all members, with blocks of any shape.
        saved: from a sweep with the same schedules and seeds.
        members: False if only the results are needed.
    """
    state = untrained(program)
    complete = state._replace(history=saved.history)
    for epoch in range(saved.epochs):
        state = _with_schedules(program, state, complete.epoch(epoch))
    state = state._replace(
        history=saved.history, diverged_at=saved.diverged_at, member_steps=saved.member_steps
    )
    plan = dataclasses.replace(plan, trunk=saved.trunk)
    if members:
        places, rows = (part.reshape(-1, part.shape[-1]) for part in saved.members)
        state = _placed(program, saved.trunk, plan, state, places, rows)
    return plan, state


def _after_epoch(program: Program, state: SweepState, results: dict[str, np.ndarray]) -> SweepState:
    """Adds an epoch to the history, and updates the schedules that follow a metric."""
    return _with_schedules(program, state, results)._replace(
        history={
            name: np.concatenate([values, results[name][None]])
            for name, values in state.history.items()
        },
    )


def _with_schedules(
    program: Program, state: SweepState, results: dict[str, np.ndarray]
) -> SweepState:
    """The states of schedules follow from the history, so checkpoints do not store them."""
    return state._replace(
        schedules=program.next_states(state.schedules, results),
        updates=program.next_updates(state.updates),
    )


def rate_rows(program: Program, plan: Plan) -> np.ndarray:
    """[S], for each schedule that is trained, a row of `rates_of_epoch` that has its rates.

    A trunk may belong to another process; its rates are those of any schedule that shares it.
    """
    row = np.zeros(len(plan.trunk), int)
    row[plan.trunk[program.own]] = np.arange(len(program.own))
    return row


def _of_all(program: Program, values: np.ndarray) -> np.ndarray:
    """Values of all schedules, [S, …], from those of `program.own`."""
    everything = np.zeros((len(program.population), *values.shape[1:]), values.dtype)
    everything[program.own] = values
    is_own = np.zeros(len(everything), bool)
    is_own[program.own] = True
    return exchanged({"": everything}, is_own)[""]


def _rows(
    plan: Plan, members: tuple[Member, ...], program: Program, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """All trained members, on the host, by seed and schedule, which is also the order of blocks.

    Args:
        plan: the places of the members.
        members: by round.
        program: gives the shape of a member.
        number: of rows; those after the members are padding.

    Returns:
        Their places [number, 2], schedules and seeds, -1 for padding; and their bytes [number, …].
    """
    order = np.cumsum((plan.stands_for > 0).T).reshape(plan.mine.shape[::-1]).T - 1
    places = np.full((number, 2), -1, np.int32)
    rows = np.zeros((number, bytes_of(program.member)), np.uint8)
    for round_, round_members in zip(plan.rounds, members, strict=True):
        own = np.stack([indices[round_.real] for indices in round_.places()], axis=1)
        row = order[*own.T]
        places[row] = own
        leaves = _without_keys(jax.tree.leaves(round_members))
        rows[row] = packed([np.asarray(leaf)[round_.real] for leaf in leaves])
    return places, rows


def _placed(
    program: Program,
    trunk: np.ndarray,
    plan: Plan,
    state: SweepState,
    places: np.ndarray,
    rows: np.ndarray,
) -> SweepState:
    """The state with the members of a plan, each read from the row of its former trunk."""
    row = np.zeros(plan.mine.shape, int)  # padding may take any member
    real = np.flatnonzero((places >= 0).all(axis=1))
    row[*places[real].T] = real
    like, structure = jax.tree.flatten(program.member)
    numbers = jax.eval_shape(_without_keys, like)
    members = []
    for round_ in plan.rounds:
        schedules, seeds = round_.places()
        chosen = row[trunk[schedules], seeds]
        leaves = unpacked(rows[chosen.ravel()], numbers)
        leaves = [leaf.reshape(*chosen.shape, *leaf.shape[1:]) for leaf in leaves]
        round_members = structure.unflatten(_with_keys(leaves, like))
        members.append(by_device(program.blocks.mesh, round_members))
    return state._replace(members=tuple(members), keys=tuple(map(program.keys_of, plan.rounds)))


def _unknown(shape: tuple[int, int], kind: Any) -> np.ndarray:
    """The values of members that are not trained: NaN, or -1 for integers."""
    return np.full(shape, np.nan if jnp.issubdtype(kind, jnp.floating) else -1, kind)


def _without_keys(leaves: list[Any]) -> list[Any]:
    """Replaces JAX's random keys, which some optimizers have in their state, by numbers."""
    return [jax.random.key_data(leaf) if _is_key(leaf) else leaf for leaf in leaves]


def _with_keys(leaves: list[Any], like: Sequence[Any]) -> list[Any]:
    return [
        jax.random.wrap_key_data(leaf, dtype=target.dtype) if _is_key(target) else leaf
        for leaf, target in zip(leaves, like, strict=True)
    ]


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
