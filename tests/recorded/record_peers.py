"""Records the learning rates that peer libraries set, for tests that compare with them.

Each case runs the peer's own code: a real scheduler, stepped as its documentation or its trainer
steps it, and the rate read before each step. The rates go into one file a peer beside this one.
To record again, in an environment of its own::

    pip install torch==2.13.0 transformers==5.23.0 paddlepaddle==3.3.1
    pip install jax==0.10.2 optax==0.2.8 omegaconf==2.4.0 pyyaml
    pip install --no-deps timm==1.0.31
    pip download --no-deps --no-build-isolation fairseq==0.12.2
    pip download --no-deps --only-binary :all: --python-version 3.12 maxtext==0.2.5
    python tests/recorded/record_peers.py torch          # writes torch_more.json
    python tests/recorded/record_peers.py transformers
    python tests/recorded/record_peers.py timm
    python tests/recorded/record_peers.py paddle
    python tests/recorded/record_peers.py fairseq fairseq-0.12.2.tar.gz
    python tests/recorded/record_peers.py maxtext maxtext-0.2.5-py3-none-any.whl

A file holds `{"versions": {...}, "cases": [...]}`, a case a line:

- `scheduler`: the peer's name; `arguments`: the peer's own. `lr` is the optimizer's rate, and left
  out where the scheduler overrides it (torch's CyclicLR and OneCycleLR) or takes the rate as an
  argument of another name (Paddle, MaxText). Where an argument is missing, the peer's default was
  used: most cases spell out every argument that matters, some give only the required ones.
- `steps` and `rates`: `rates[i]` is the rate of the optimizer's step `steps[i]`, counted from 0;
  the last few may be far past the end.
- `metrics`, of the schedulers that watch one: `metrics[i]` was given after step `i`, so it decides
  `rates[i + 1]`; there is one metric fewer than rates. They and the thresholds are multiples of
  powers of two, so that ties are ties in float32 too.
- `steps_per_epoch`, of the fairseq schedulers that change at epochs.
- `constructed`, of timm: the rate before the first `step`, where `step(0)` sets another one.
- An argument that is itself a scheduler is `{"scheduler": ..., "arguments": ...}`; one that is a
  function is its Python expression in `epoch`.

Where peers surprise is said at the case.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
import tempfile
from pathlib import Path

from peer_cases import Case
from peer_fairseq import record_fairseq
from peer_maxtext import record_maxtext
from peer_paddle import record_paddle
from peer_timm import record_timm
from peer_torch import record_torch
from peer_transformers import record_transformers

HERE = Path(__file__).parent


INSTALLED = {
    "torch": (record_torch, ["torch"]),
    "transformers": (record_transformers, ["transformers", "torch"]),
    "timm": (record_timm, ["timm", "torch"]),
    "paddle": (record_paddle, ["paddlepaddle"]),
}
UNPACKED = {"fairseq": (record_fairseq, []), "maxtext": (record_maxtext, ["jax", "optax"])}


def versions(distributions: list[str]) -> dict[str, str]:
    return {d: importlib.metadata.version(d).partition("+")[0] for d in distributions}


def write(peer: str, used: dict[str, str], cases: list[Case]) -> None:
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    path = HERE / ("torch_more.json" if peer == "torch" else f"{peer}.json")
    path.write_text(f'{{"versions":{json.dumps(used)},"cases":[\n{lines}\n]}}\n')
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size // 1000} kB, {used}")


def main(peer: str, archive: str = "") -> None:
    if peer in INSTALLED:
        record, distributions = INSTALLED[peer]
        write(peer, versions(distributions), record())
        return
    record, distributions = UNPACKED[peer]
    version = Path(archive).name.removesuffix(".tar.gz").split("-")[1]
    with tempfile.TemporaryDirectory() as folder:
        kind = "zip" if archive.endswith(".whl") else "gztar"
        shutil.unpack_archive(archive, folder, kind)
        write(peer, {peer: version, **versions(distributions)}, record(Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
