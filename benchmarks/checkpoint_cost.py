"""What checkpoints at every epoch cost a sweep.

    python benchmarks/checkpoint_cost.py --data-dir FOLDER_OF_THE_MNIST_FILES

256 members of 784-128-10 units on MNIST, SGD, batches of 32. A sweep with checkpoints and one
without differ by less than the machine's speed from minute to minute, so the cost is taken from
within one sweep. It is the time for which the sweep stands still after an epoch, and what the first
round of blocks of the next epoch, beside which the checkpoint is written, takes longer than its
other rounds.
"""

import argparse
import statistics
import tempfile
import time

import numpy as np

import jaxdecay
from jaxdecay.training.devices import one_device_per_core


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", help="folder of the MNIST files [JAXDECAY_DATA, or download]")
    parser.add_argument("--members", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    one_device_per_core()  # as the command line does
    task = jaxdecay.classifier(jaxdecay.mnist(options.data_dir))
    rates = jaxdecay.grid(
        jaxdecay.exponential,
        init_value=np.geomspace(0.05, 0.5, options.members).tolist(),
        decay_rate=0.96,
        transition_steps=1_000,
        staircase=True,
    )
    rounds: list[list[float]] = [[]]  # when each round of an epoch ended, first when it began
    ends: list[float] = []  # when the sweep goes on after an epoch

    def round_ended(done: int, total: int) -> None:
        rounds[-1].append(time.perf_counter())

    def epoch_ended(epoch: int, history: object) -> None:
        ends.append(time.perf_counter())
        rounds.append([ends[-1]])

    with tempfile.TemporaryDirectory() as folder:
        jaxdecay.sweep(
            task,
            rates,
            epochs=options.epochs,
            checkpoints=jaxdecay.Checkpoints(folder),
            progress=round_ended,
            callback=epoch_ended,
        )
    shares = []
    for before, end, after in zip(rounds, ends, rounds[1:-1], strict=False):
        still = end - before[-1]
        first, *others = np.diff(after)
        slower, epoch = first - statistics.median(others), after[-1] - after[0]
        shares.append((still + slower) / epoch)
        print(
            f"stands still {still:.2f} s, then {slower:+.2f} s in the first of {len(after) - 1} "
            f"rounds, of an epoch of {epoch:.1f} s: {shares[-1]:.1%}"
        )
    print(
        f"checkpoints at every epoch: {statistics.median(shares):+.1%} "
        f"({min(shares):+.1%} … {max(shares):+.1%})"
    )


if __name__ == "__main__":
    main()
