"""One name per meaning: the tables of names in the docs are complete and true."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest

import jaxdecay
from jaxdecay.migration.keras import KERAS
from jaxdecay.migration.optax import OPTAX
from jaxdecay.migration.peer import Peer
from jaxdecay.migration.torch import TORCH

PAGE = (Path(__file__).parents[1] / ".github" / "docs" / "names.md").read_text()
FAMILIES = {
    name: each
    for name, each in jaxdecay.families.items()
    if each.__module__.startswith("jaxdecay.")
}
NAMES = collections.Counter(name for each in FAMILIES.values() for name in each.decay.parameters)


def columns(header: str) -> list[set[str]]:
    """The names in backticks of each column of a table."""
    rows = []
    for line in PAGE[PAGE.index(header) :].splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append(line[1:-1].split("|"))
    return [set(re.findall(r"`(\w+)`", " ".join(column))) for column in zip(*rows, strict=True)]


def test_every_name_that_families_share_has_one_meaning() -> None:
    vocabulary, _ = columns("| name | is |")
    assert {name for name, number in NAMES.items() if number > 1} <= vocabulary
    assert vocabulary <= set(NAMES)


@pytest.mark.parametrize(("index", "peer"), list(enumerate((OPTAX, KERAS, TORCH))))
def test_every_argument_of_a_peer_has_its_name_here(index: int, peer: Peer) -> None:
    table = columns("| Optax | Keras | PyTorch | here |")
    arguments = {each for name in peer.converters for each in peer.parameters(name)}
    assert arguments - set(NAMES) - table[index] == set()
    used = arguments | set(peer.converters)
    assert table[index] - used <= {"reduce_on_plateau", "sgdr_schedule", "join_schedules"}


def test_the_names_here_are_ours() -> None:
    here = columns("| Optax | Keras | PyTorch | here |")[3]
    others = {"update", "sweep", "monitor", "from_function", "momentum", "gamma"}
    assert here - others <= set(NAMES) | set(FAMILIES)
    assert {"init_value", "transition_steps", "period_multiplier"} <= here
