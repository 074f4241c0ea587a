"""Against PyTorch, transformers, timm, Paddle, fairseq and MaxText, as recorded.

The rates in `recorded/*.json` come from the peers' own code (`recorded/record_peers.py`). Where
there is a converter, ours is made by it; for the others by hand, in `makers_*.py`.
A test takes all recorded cases of one of the peer's schedules, at every recorded step: all to a
little past the end, and some far past it.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest
from parity import equal, families_in
from recorded_peers import PEERS, compared, is_defect, needs_double, ours
from recorded_rates import RTOL, cases_of, recorded

for _peer, _recorded in PEERS.items():
    equal(_peer, _recorded.claims.values(), "test_equals_recorded")


@pytest.mark.quick_each(2)
@pytest.mark.parametrize(
    ("peer", "scheduler"), [(peer, each) for peer in PEERS for each in PEERS[peer].claims]
)
def test_equals_recorded(peer: str, scheduler: str) -> None:
    used: set[str] = set()
    cases = [case for case in cases_of(peer, scheduler) if not is_defect(peer, case)]
    assert cases
    for case in cases:
        with jax.enable_x64(needs_double(case) or jax.config.jax_enable_x64):
            schedule, values = ours(peer, case)
        used |= families_in(schedule)
        inside, rates = compared(peer, case), np.array(case["rates"])
        rates[0] = case.get("constructed", rates[0])  # which timm's training begins with
        np.testing.assert_allclose(
            values[inside],
            rates[inside],
            rtol=RTOL,
            # PyTorch and Hugging Face make no change of 1e-8 or less.
            atol=3e-8 if "metrics" in case else 0.0,
            err_msg=str(case["arguments"]),
        )
    assert used >= set(PEERS[peer].claims[scheduler].families)


@pytest.mark.parametrize("peer", PEERS)
def test_every_recorded_scheduler_is_compared(peer: str) -> None:
    assert {case["scheduler"] for case in recorded(peer)} == set(PEERS[peer].claims)
