"""What the tests against peers show, collected where the tests are: the data of `PEERS.md`.

A verdict enters by being part of a test: `equal` is called with the cases that a test is
parametrized with, `wrong` decorates a test of a defect. `peers_table.py` makes the table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from jaxdecay import Schedule
from jaxdecay.definition import FunctionDecay

PEERS = ("Optax", "Keras", "PyTorch", "transformers", "timm", "Paddle", "fairseq", "MaxText")

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one test shows about one family of one peer."""

    family: str
    peer: str
    test: str
    convention: str = ""
    is_wrong: bool = False


VERDICTS: list[Verdict] = []


@dataclasses.dataclass(frozen=True)
class Claim:
    """Families that a peer's schedule equals, perhaps by a convention of the peer's."""

    families: tuple[str, ...]
    convention: str = ""


def claim(families: str, convention: str = "") -> Claim:
    return Claim(tuple(families.split()), convention)


def equal(peer: str, claims: Iterable[Claim], test: str) -> None:
    """Enters the claims of a test that compares schedules of a peer."""
    for each in claims:
        VERDICTS.extend(Verdict(family, peer, test, each.convention) for family in each.families)


def wrong(peer: str, families: str) -> Callable[[Test], Test]:
    """Enters a test that shows a peer wrong and this package right."""

    def mark(test: Test) -> Test:
        name = test.__name__
        VERDICTS.extend(Verdict(each, peer, name, is_wrong=True) for each in families.split())
        return test

    return mark


def families_in(schedule: Any) -> set[str]:
    """Names of the families that a schedule is made of, its own among them."""
    if isinstance(schedule, tuple):
        return {name for each in schedule for name in families_in(each)}
    if not isinstance(schedule, Schedule):
        return set()
    inside = (schedule.parts(),) if schedule.decay.is_compound else ()
    operands = families_in((*inside, *schedule.hyperparameters.values()))
    is_function = isinstance(schedule.decay, FunctionDecay)
    return {"from_function" if is_function else schedule.family} | operands
