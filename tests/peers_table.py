"""Writes `PEERS.md`: which family equals which peer's, and where a peer is wrong.

Every cell comes from a test, through `parity`. To write it again::

    python tests/peers_table.py
"""

from __future__ import annotations

from pathlib import Path

import test_peers  # noqa: F401  enters its verdicts
import test_recorded_peers  # noqa: F401  enters its verdicts
from parity import PEERS, VERDICTS

import jaxdecay

PATH = Path(__file__).parent / "PEERS.md"

HEAD = """\
# Families and peers

Made by `python tests/peers_table.py` from the tests; a test fails if it is not up to date.

"equal" is within 1e-6 of the peer's own values (relative), at every step to past the end, by a test
in `test_peers.py` (Optax and Keras, run), `test_recorded_peers.py` (the others, recorded; versions
are in `recorded/*.json`) or `test_adaptive.py`. The peers calculate in double, this package in
float32, or in double too where a number is one that float32 does not hold (a boundary between two
steps, a base of 0.97) or is multiplied many times. Rates that follow a metric may miss 3e-8, since
PyTorch and Hugging Face make no change of 1e-8 or less. After the colon stands the peer's
convention, which the converters of `jaxdecay.migration` keep. "peer is wrong" names the test that
shows it, and that this package is right. "–": the peer does not have the family.

"""


def cell(family: str, peer: str) -> str:
    """What the tests show: first where it is equal, then what is wrong."""
    found = [each for each in VERDICTS if (each.family, each.peer) == (family, peer)]
    conventions = sorted({each.convention for each in found if not each.is_wrong} - {""})
    faults = sorted({each.test for each in found if each.is_wrong})
    parts = []
    if conventions:
        parts.append(f"equal: {', '.join(conventions)}")
    elif any(not each.is_wrong for each in found):
        parts.append("equal")
    if faults:
        parts.append(f"peer is wrong: {', '.join(f'`{fault}`' for fault in faults)}")
    return "; ".join(parts) or "–"


def table() -> str:
    families = [
        name
        for name, decay in jaxdecay.families.items()
        if decay.__module__.startswith("jaxdecay.")
    ]
    families.append("from_function")
    rows = [["family", *PEERS], ["---"] * (len(PEERS) + 1)]
    rows += [[f"`{name}`", *(cell(name, peer) for peer in PEERS)] for name in families]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    PATH.write_text(table())
