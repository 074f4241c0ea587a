"""Writes `PEERS.md`: which family equals which peer's, and where a peer is wrong.

Every cell comes from a test, through `parity`. To update the file::

    python tests/peers_table.py
"""

from __future__ import annotations

from pathlib import Path

import test_peers_by_hand  # noqa: F401  enters its verdicts
import test_peers_gradients  # noqa: F401  enters its verdicts
import test_peers_keras  # noqa: F401  enters its verdicts
import test_peers_optax  # noqa: F401  enters its verdicts
import test_peers_torch  # noqa: F401  enters its verdicts
import test_peers_wrong  # noqa: F401  enters its verdicts
import test_recorded_defects  # noqa: F401  enters its verdicts
import test_recorded_peers  # noqa: F401  enters its verdicts
from parity import PEERS, VERDICTS

import jaxdecay

PATH = Path(__file__).parent / "PEERS.md"

HEAD = """\
# Families and peers

Look up here which schedule of another library (a peer) each family equals. `python
tests/peers_table.py` writes this file from the tests.

- "equal": within 1e-6 (relative) of the peer's own values, at every step to past the end. The text
  after the colon is the peer's convention, which the converters, such as `from_torch`, keep.
- "peer is wrong": the named test shows that the peer is wrong and jaxdecay is right.
- "–": the peer does not have the family.

`test_peers_*.py` run Optax and Keras. `test_recorded_*.py` compare with recorded values of the
other peers; `recorded/*.json` has their versions. `test_adaptive_peers.py` compares schedules that
follow a metric; their rates may differ by 3e-8, because PyTorch and Hugging Face ignore changes of
1e-8 or less. The peers calculate in float64. jaxdecay calculates in float32, or with twice the
digits for a number that float32 does not represent (a boundary between two steps, a base of 0.97)
or that is multiplied many times.

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
