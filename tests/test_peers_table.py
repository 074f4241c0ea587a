"""The table of peers."""

from __future__ import annotations

import parity
import peers_table
from parity import VERDICTS

import jaxdecay


def test_the_table_of_peers_is_up_to_date() -> None:
    assert peers_table.PATH.read_text() == peers_table.table(), "run python tests/peers_table.py"


def test_every_peer_and_every_verdict_is_about_something_there() -> None:
    families = {*jaxdecay.families, "from_function"}
    for verdict in VERDICTS:
        assert verdict.peer in parity.PEERS
        assert verdict.family in families
