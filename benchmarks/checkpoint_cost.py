"""What checkpoints at every epoch cost a sweep: its time with them and without, in turns.

    python benchmarks/checkpoint_cost.py --data-dir FOLDER_OF_THE_MNIST_FILES

256 members of 784-128-10 units on MNIST, SGD, batches of 32.
"""

import argparse
import statistics
import tempfile

import numpy as np

import jaxdecay
from jaxdecay.training.block import one_device_per_core


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", help="folder of the MNIST files [JAXDECAY_DATA, or download]")
    parser.add_argument("--members", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3, help="pairs of timed runs")
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
    ratios = []
    for run in range(options.runs):
        seconds = {}
        with tempfile.TemporaryDirectory() as folder:
            ways = {"without": None, "with": jaxdecay.Checkpoints(folder)}
            for name in list(ways)[:: 1 if run % 2 else -1]:
                result = jaxdecay.sweep(task, rates, epochs=options.epochs, checkpoints=ways[name])
                seconds[name] = result.run_seconds
        ratios.append(seconds["with"] / seconds["without"])
        told = ", ".join(f"{value:.1f} s {name}" for name, value in sorted(seconds.items()))
        print(f"{told}: {ratios[-1]:.3f} of the time", flush=True)
    print(
        f"checkpoints at every epoch: {statistics.median(ratios) - 1:+.1%} "
        f"({min(ratios) - 1:+.1%} … {max(ratios) - 1:+.1%})"
    )


if __name__ == "__main__":
    main()
