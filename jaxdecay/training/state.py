"""A sweep between two epochs, and the pure functions that take it from one to the next.

state = start(program, plan, untrained(program), rates)
state = run_epoch(program, plan, state, rates)
plan, state = compact(program, plan, state, plan.keep(members))
saved = snapshot(program, plan, state, run_seconds)
plan, state = restore(program, plan, saved)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdecay.training.checkpoint import Snapshot, packed, unpacked
from jaxdecay.training.limits import bytes_of
from jaxdecay.training.placement import by_device
from jaxdecay.training.plan import Plan
from jaxdecay.training.processes import exchanged, sum_of
from jaxdecay.training.program import Program
from jaxdecay.training.train import Member


class SweepState(NamedTuple):
    """A sweep after some epochs. S schedules, K seeds.

    Attributes:
        members: of each round of the plan, arrays [D, k, s, …] on the devices; `run_epoch` uses
            their memory again.
        keys: of each round, the keys of its seeds, [D, k].
        schedules: the states of adaptive schedules, [K, S]; None if there are none.
        updates: the state of the clock that counts updates.
        history: of each epoch by name, arrays [S, K] of all members of the sweep.
        diverged_at: [S, K], the first step that was not finite, or -1.
        member_steps: the steps that were trained, of all processes; a step that several members
            share counts once.
    """

    members: tuple[Member, ...]
    keys: tuple[Array, ...]
    schedules: Any
    updates: Any
    history: tuple[dict[str, np.ndarray], ...]
    diverged_at: np.ndarray
    member_steps: int


def untrained(program: Program) -> SweepState:
    """Before the first epoch, and without members."""
    shape = len(program.population), program.config.seeds
    nowhere = np.full(shape, -1, np.int32)
    return SweepState((), (), program.first_states(), program.clock.start, (), nowhere, 0)


def rates_of_epoch(program: Program, state: SweepState) -> np.ndarray:
    """The learning rates of the next epoch, [S, steps], or [K, S, steps]."""
    return program.learning_rates(state.updates, state.schedules)


def start(program: Program, plan: Plan, state: SweepState, rates: np.ndarray) -> SweepState:
    """The members of a plan before their first step."""
    keys = tuple(map(program.keys_of, plan.rounds))
    pairs = zip(plan.rounds, keys, strict=True)
    members = tuple(program.init(round_, its_keys, rates) for round_, its_keys in pairs)
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
        program: what is computed.
        plan: where.
        state: before the epoch; its members are used up.
        rates: from `rates_of_epoch`.
        progress: called after each round with the number of members that it trained for.
    """
    epoch, shape = len(state.history), state.diverged_at.shape
    found = {name: _unknown(shape, kind) for name, kind in program.measured.items()}
    members = []
    rounds = zip(plan.rounds, state.members, state.keys, strict=True)
    for round_, before, keys in rounds:
        after, measured = program.run_epoch(round_, before, keys, rates, epoch)
        members.append(after)
        for name, values in jax.device_get({**measured, "diverged_at": after.diverged_at}).items():
            round_.put(found[name], values)
        if progress is not None:
            progress(int(plan.stands_for[round_.places()][round_.real].sum()))
    found = {
        name: np.where(plan.mine, each[plan.trunk], _unknown(shape, each.dtype))
        for name, each in found.items()
    }
    found = exchanged(found, plan.mine)
    diverged_at = np.maximum(found.pop("diverged_at"), state.diverged_at)
    trained = sum_of(int(np.count_nonzero(plan.stands_for)))
    return _after_epoch(program, state, found)._replace(
        members=tuple(members),
        diverged_at=diverged_at,
        member_steps=state.member_steps + trained * program.steps,
    )


def compact(
    program: Program, before: Plan, state: SweepState, after: Plan
) -> tuple[Plan, SweepState]:
    """Takes the members from the places of one plan to those of another.

    The later plan has a part of the members (`Plan.keep`), or more: schedules that have parted
    each get a copy of their trunk's member (`Plan.part`). The members of `state` are used up.
    """
    if after is before:
        return before, state
    places, rows = _rows(before, state.members, program)
    for leaf in jax.tree.leaves(state.members):
        leaf.delete()  # so that there are two copies at most
    return after, _placed(program, before.trunk, after, state, places, rows)


def snapshot(program: Program, plan: Plan, state: SweepState, run_seconds: float) -> Snapshot:
    """What a checkpoint stores."""
    places, rows = _rows(plan, state.members, program)
    return Snapshot(
        places=places,
        members=rows,
        trunk=plan.trunk,
        history=whole_history(state),
        diverged_at=state.diverged_at.copy(),
        member_steps=state.member_steps,
        run_seconds=run_seconds,
    )


def restore(
    program: Program, plan: Plan, saved: Snapshot, *, members: bool = True
) -> tuple[Plan, SweepState]:
    """The sweep as it was at the end of an epoch.

    Args:
        program: what is computed.
        plan: of all members, in blocks of any shape.
        saved: of a sweep with the same schedules and seeds.
        members: False if only the results are needed.
    """
    state = untrained(program)
    for epoch in range(saved.epochs):
        found = {name: each[epoch] for name, each in saved.history.items()}
        state = _after_epoch(program, state, found)
    state = state._replace(diverged_at=saved.diverged_at, member_steps=saved.member_steps)
    plan = dataclasses.replace(plan, trunk=saved.trunk)
    if members:
        state = _placed(program, saved.trunk, plan, state, saved.places, saved.members)
    return plan, state


def whole_history(state: SweepState) -> dict[str, np.ndarray]:
    """By name, [E, S, K]."""
    return {name: np.stack([each[name] for each in state.history]) for name in state.history[0]}


def _after_epoch(program: Program, state: SweepState, found: dict[str, np.ndarray]) -> SweepState:
    """Adds an epoch to the history, and shows it to the schedules that follow a metric.

    Their states are what the metrics until now make of them, so no checkpoint needs them.
    """
    return state._replace(
        schedules=program.next_states(state.schedules, found),
        updates=program.next_updates(state.updates),
        history=(*state.history, found),
    )


def _rows(
    plan: Plan, members: tuple[Member, ...], program: Program
) -> tuple[np.ndarray, np.ndarray]:
    """All trained members, on the host: places [M, 2], schedules and seeds, and bytes [M, …]."""
    ends = np.cumsum([each.real.sum() for each in plan.rounds], dtype=int)
    number = ends[-1] if len(ends) else 0
    places = np.empty((number, 2), np.int32)
    rows = np.empty((number, bytes_of(program.member)), np.uint8)
    for round_, its_members, end in zip(plan.rounds, members, ends, strict=True):
        its = slice(end - round_.real.sum(), end)
        places[its] = np.stack([each[round_.real] for each in round_.places()], axis=1)
        leaves = _without_keys(jax.tree.leaves(its_members))
        rows[its] = packed([np.asarray(leaf)[round_.real] for leaf in leaves])
    return places, rows


def _placed(
    program: Program,
    trunk: np.ndarray,
    plan: Plan,
    state: SweepState,
    places: np.ndarray,
    rows: np.ndarray,
) -> SweepState:
    """The state with the members of a plan, each from the row of the trunk that it had."""
    row = np.zeros(plan.mine.shape, int)  # where a block is filled up, any member will do
    row[*places.T] = np.arange(len(places))
    like, structure = jax.tree.flatten(program.member)
    numbers = jax.eval_shape(_without_keys, like)
    members = []
    for round_ in plan.rounds:
        schedules, seeds = round_.places()
        chosen = row[trunk[schedules], seeds]
        leaves = unpacked(rows[chosen.ravel()], numbers)
        leaves = _with_keys([each.reshape(*chosen.shape, *each.shape[1:]) for each in leaves], like)
        members.append(by_device(program.blocks.mesh, structure.unflatten(leaves)))
    return state._replace(members=tuple(members), keys=tuple(map(program.keys_of, plan.rounds)))


def _unknown(shape: tuple[int, int], kind: Any) -> np.ndarray:
    """Of members that are not trained: not a number, or -1."""
    return np.full(shape, np.nan if jnp.issubdtype(kind, jnp.floating) else -1, kind)


def _without_keys(leaves: list[Any]) -> list[Any]:
    """Arrays of numbers instead of JAX's random keys, which some optimizers have in their state."""
    return [jax.random.key_data(leaf) if _is_key(leaf) else leaf for leaf in leaves]


def _with_keys(leaves: list[Any], like: Sequence[Any]) -> list[Any]:
    pairs = zip(leaves, like, strict=True)
    return [
        jax.random.wrap_key_data(leaf, dtype=its.dtype) if _is_key(its) else leaf
        for leaf, its in pairs
    ]


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
