"""Records the rates of PyTorch, transformers and timm for random arguments, for `test_random.py`.

Unlike the cases of `record_peers.py`, whose numbers are float32 so that both sides hold them, these
are decimals and integers as people write them, and doubles. The peers compute in float64. To record
again, in an environment of its own::

    pip install torch==2.13.0 transformers==5.23.0
    pip install --no-deps timm==1.0.31
    python tests/recorded/record_random.py

A file `random_PEER.json` holds `{"versions": {...}, "found": [...], "cases": [...]}`. `found` names
all schedulers that the peer has, by inspection: the test wants each converted, or refused for a
reason. A case, a line: `scheduler`, `arguments`, `steps`, and either `rates`, the rate that the
optimizer has at each step, or `raises`, the error of the peer.
"""

from __future__ import annotations

import importlib.metadata
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import random_timm
import random_torch
import random_transformers
from draws import Chance

HERE = Path(__file__).parent
Arguments = dict[str, Any]
Draw = Callable[[Chance], tuple[Arguments, list[int]]]
Rates = Callable[[str, Arguments, list[int]], list[float]]

SETS = {"torch": 80, "transformers": 60, "timm": 40}
FEWER = {"SequentialLR": 24, "ChainedScheduler": 24, "WSDLRScheduler": 24, "constant": 20}
"""Of schedulers of which almost each case is a program of its own, or that have one argument."""
PEERS = {"torch": random_torch, "transformers": random_transformers, "timm": random_timm}


def record(peer: str) -> Iterator[dict[str, Any]]:
    module = PEERS[peer]
    for name, draw in module.DRAWS.items():
        for seed in range(FEWER.get(name, SETS[peer])):
            arguments, steps = draw(Chance(f"{peer} {name} {seed}"))
            case = {"scheduler": name, "arguments": arguments, "steps": steps}
            try:
                yield {**case, "rates": module.rates(name, arguments, steps)}
            except (
                AssertionError,
                ValueError,
                TypeError,
                ArithmeticError,
                LookupError,
                AttributeError,
            ) as error:
                yield {**case, "raises": f"{type(error).__name__}: {error}"}


def main() -> None:
    warnings.simplefilter("ignore")
    for peer, module in PEERS.items():
        versions = {name: importlib.metadata.version(name) for name in {"torch", peer}}
        versions["torch"] = versions["torch"].partition("+")[0]
        head = {"versions": dict(sorted(versions.items())), "found": module.found()}
        lines = [json.dumps(case, separators=(",", ":")) for case in record(peer)]
        text = json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n"
        (HERE / f"random_{peer}.json").write_text(text)
        print(peer, len(lines), "cases,", len(text) // 1000, "kB")


if __name__ == "__main__":
    main()
