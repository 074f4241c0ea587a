"""A week in an hour: ten thousand epochs of a small task, with three checkpoints kept.

    python tests/many_epochs.py --epochs 10000

Prints memory, open files and disk as they go. Fails if memory at the end is more than 2 % above
that after a tenth of the epochs, or if the most open files, threads or files on disk in the second
half are well above the most in the first: a checkpoint being written makes some files more or
fewer, a leak in each epoch would make thousands.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import jaxdecay

ALLOWED = {"open files": 1.2, "threads": 1.2, "files on disk": 1.2}
"""By how much the most of each may be larger in the second half than in the first."""

MEMORY, ALLOWED_MEMORY = "MiB of memory", 1.02
"""By how much memory at the end may be larger than after a tenth of the epochs."""

LOOKS = 20


def usage(folder: Path) -> dict[str, float]:
    process = psutil.Process()
    return {
        MEMORY: process.memory_info().rss / 2**20,
        "open files": process.num_fds(),
        "threads": process.num_threads(),
        "files on disk": sum(len(files) for _, _, files in os.walk(folder)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10_000)
    epochs = parser.parse_args().epochs
    random = np.random.default_rng(0)
    inputs = random.normal(size=(64, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(int)
    task = jaxdecay.classifier(jaxdecay.Data(inputs, labels, inputs, labels, name="small"))
    rates = jaxdecay.grid(jaxdecay.cosine, init_value=[0.01, 0.1], transition_steps=2 * epochs)
    seen: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def look(epoch: int, history: Any) -> None:
            if (epoch + 1) % max(1, epochs // LOOKS) == 0:
                seen.append(usage(folder))
                told = ", ".join(f"{value:,.1f} {what}" for what, value in seen[-1].items())
                print(f"epoch {epoch + 1:,}: {told}", flush=True)

        jaxdecay.sweep(
            task, rates, epochs=epochs, checkpoints=jaxdecay.Checkpoints(folder), callback=look
        )
    half = len(seen) // 2
    grown = [
        what
        for what, factor in ALLOWED.items()
        if max(each[what] for each in seen[half:])
        > factor * max(each[what] for each in seen[:half])
    ]
    if seen[-1][MEMORY] > ALLOWED_MEMORY * seen[LOOKS // 10 - 1][MEMORY]:
        grown.append(MEMORY)
    sys.exit(f"grown: {', '.join(grown)}" if grown else 0)


if __name__ == "__main__":
    main()
