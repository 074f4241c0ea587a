"""The plan of a sweep: which member trains where and when, without its parameters.

All blocks have one shape, k seeds × s schedules, so one compiled program trains any number of
members. A round is one block on each device. A block trains through a complete epoch before the
next block starts, so that its parameters stay in the processor's cache.

Nothing is trained twice: schedules whose rates agree from step 0 to the end of an epoch share one
member until then, the trunk. They become branches in the first epoch in which their rates differ.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np


class Round(NamedTuple):
    """One block on each of D devices, each k seeds × s schedules.

    Attributes:
        seeds: indices of seeds [D, k].
        schedules: indices of schedules [D, s].
        real: [D, k, s], False where a block is padded with copies of a member.
    """

    seeds: np.ndarray
    schedules: np.ndarray
    real: np.ndarray

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """The indices of its members' schedules and of their seeds, both [D, k, s]."""
        schedules = np.broadcast_to(self.schedules[:, None, :], self.real.shape)
        return schedules, np.broadcast_to(self.seeds[:, :, None], self.real.shape)

    def put(self, into: np.ndarray, values: np.ndarray) -> None:
        """Writes its members' values, [D, k, s], to their places in an array [S, K]."""
        schedules, seeds = self.places()
        into[schedules[self.real], seeds[self.real]] = values[self.real]


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """Which members this process trains, on which devices, in which rounds.

    S schedules, K seeds.

    Attributes:
        shape: seeds and schedules in a block, (k, s).
        devices: D, the devices of this process.
        mine: [S, K], the members whose results this process provides.
        trunk: [S], for each schedule the first one with the same rates so far; only that one is
            trained.

    Example:
        >>> import numpy as np
        >>> from jaxdecay.training.plan import full_plan
        >>> plan = full_plan(schedules=3, seeds=2, block=2)
        >>> plan = plan.part(np.array([[0.1, 0.1], [0.1, 0.1], [0.1, 0.2]]))
        >>> plan.trunk.tolist()  # the first two schedules agree so far
        [0, 0, 2]
        >>> plan.stands_for.tolist()
        [[2, 2], [0, 0], [1, 1]]
    """

    shape: tuple[int, int]
    devices: int
    mine: np.ndarray
    trunk: np.ndarray

    @functools.cached_property
    def schedules(self) -> np.ndarray:
        """The indices of the schedules of this process's members, at least one."""
        own = np.flatnonzero(self.mine.any(axis=1))
        return own if own.size else np.zeros(1, int)

    @functools.cached_property
    def stands_for(self) -> np.ndarray:
        """[S, K], how many members share the training of each one; 0 if it is not trained."""
        sharing = np.zeros(self.mine.shape, int)
        np.add.at(sharing, self.trunk, self.mine)
        return sharing

    @functools.cached_property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of an epoch."""
        return tuple(_rounds(self.stands_for > 0, self.shape, self.devices))

    @property
    def most_members(self) -> int:
        """The members of all rounds, padding included, once every schedule is a branch."""
        branched = dataclasses.replace(self, trunk=np.arange(len(self.trunk)))
        return len(branched.rounds) * self.devices * self.block

    @property
    def block(self) -> int:
        """The number of members in a block, k · s."""
        return math.prod(self.shape)

    @functools.cached_property
    def is_parted(self) -> bool:
        """Whether every schedule is a branch."""
        return len(np.unique(self.trunk)) == len(self.trunk)

    def part(self, rates: np.ndarray) -> Plan:
        """The plan of the next epoch: schedules whose rates differ in it become branches.

        Args:
            rates: the rates in that epoch, [S, steps], or [K, S, steps] if they differ by seed; or
                digests of them, [S, bytes].
        """
        if self.is_parted:
            return self
        rows = np.ascontiguousarray(np.moveaxis(rates, -2, 0)).reshape(len(self.trunk), -1)
        firsts: dict[tuple[int, bytes], int] = {}
        trunk = [
            firsts.setdefault((int(before), row.tobytes()), schedule)
            for schedule, (before, row) in enumerate(zip(self.trunk, rows, strict=True))
        ]
        same = np.array_equal(trunk, self.trunk)
        return self if same else dataclasses.replace(self, trunk=np.array(trunk))

    def keep(self, members: np.ndarray) -> Self:
        """The plan for only the members where `members`, [S, K], is True; blocks stay the same."""
        return dataclasses.replace(self, mine=self.mine & members)


def full_plan(
    *, schedules: int, seeds: int, block: int, devices: int = 1, own: Sequence[int] | None = None
) -> Plan:
    """The plan of all members, as one trunk, in even blocks of at most `block` members.

    A block contains schedules with the same seed, because they share batches. It contains several
    seeds only if all schedules fit into it.

    Args:
        schedules: S, the number of schedules.
        seeds: K, the number of seeds.
        block: the most members in a block, at least 1.
        devices: the number of devices of all processes.
        own: the indices of this process's devices among them; None for all.

    Example:
        >>> from jaxdecay.training.plan import full_plan
        >>> full_plan(schedules=60, seeds=3, block=16).shape
        (1, 15)
        >>> full_plan(schedules=2, seeds=9, block=16).shape
        (5, 2)
    """
    shape = _block_shape(schedules, seeds, block)
    own = range(devices) if own is None else own
    mine = np.zeros((schedules, seeds), bool)
    for round_ in _rounds(np.ones_like(mine), shape, devices):
        Round(*(part[list(own)] for part in round_)).put(mine, np.ones((len(own), *shape), bool))
    return Plan(shape, len(own), mine, np.zeros(schedules, int))


def even_block(schedules: int, seeds: int, block: int, devices: int) -> int:
    """The block size between `block/2` and `block` that wastes least on padding.

    Example:
        >>> from jaxdecay.training.plan import even_block
        >>> even_block(schedules=96, seeds=1, block=32, devices=2)  # 32 would need 3 blocks
        24
    """

    def trained_and_size(most: int) -> tuple[int, int]:
        k, s = _block_shape(schedules, seeds, most)
        blocks = math.ceil(seeds / k) * math.ceil(schedules / s)
        return math.ceil(blocks / devices) * k * s, k * s

    return min(map(trained_and_size, range(block, block // 2, -1)), key=lambda pair: pair[0])[1]


def _block_shape(schedules: int, seeds: int, block: int) -> tuple[int, int]:
    """The shape (k, s) of blocks with at most `block` members, as even as possible."""
    of_schedules = math.ceil(schedules / math.ceil(schedules / block))
    most_seeds = max(1, block // schedules)
    return math.ceil(seeds / math.ceil(seeds / most_seeds)), of_schedules


def _rounds(members: np.ndarray, shape: tuple[int, int], devices: int) -> Iterator[Round]:
    """Rounds that train the members where `members`, [S, K], is True."""
    blocks = []
    for seeds in _padded(np.flatnonzero(members.any(axis=0)), shape[0]):
        for schedules in _padded(np.flatnonzero(members[:, seeds].any(axis=1)), shape[1]):
            # Padding repeats an index: only its first occurrence is a member.
            first = _firsts(seeds)[:, None] & _firsts(schedules)
            blocks.append((seeds, schedules, members[schedules][:, seeds].T & first))
    number = math.ceil(len(blocks) / devices)
    for round_ in range(number):
        busy = blocks[round_::number]  # so neighbours share a device, also in other plans
        idle = [(*busy[-1][:2], np.zeros_like(busy[-1][2]))] * (devices - len(busy))
        yield Round(*map(np.stack, zip(*busy, *idle, strict=True)))


def _padded(indices: np.ndarray, size: int) -> list[np.ndarray]:
    """Splits indices into parts of one size; the last part repeats its last index as padding."""
    starts = range(0, len(indices), size)
    return [
        indices[np.minimum(np.arange(start, start + size), len(indices) - 1)] for start in starts
    ]


def _firsts(indices: np.ndarray) -> np.ndarray:
    """Where sorted indices differ from the one before."""
    return np.diff(indices, prepend=-1) != 0
