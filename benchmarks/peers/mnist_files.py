"""What all peers share: the MNIST files as arrays, and how a run is timed and reported."""

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH_SIZE = 32


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the MNIST files")
    parser.add_argument("--members", type=int, default=1, help="networks, where all train at once")
    parser.add_argument("--steps", type=int, default=1_875, help="of each network in a run")
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def images(data_dir: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [n, 784] from 0 to 1 and labels [n] of "train" or "t10k"."""

    def read(kind: str, header: int) -> np.ndarray:
        with gzip.open(data_dir / f"{part}-{kind}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    pixels = read("images-idx3", 16).reshape(-1, 784)
    return pixels.astype(np.float32) / 255, read("labels-idx1", 8).astype(np.int64)


def report(run: Callable[[], float], member_steps: int, runs: int, versions: dict) -> None:
    """Runs it once to warm up, then times it; prints one line of JSON.

    `run` trains from new weights, blocks until it is done and returns the test accuracy.
    """
    started = time.perf_counter()
    run()
    first = time.perf_counter() - started
    seconds, accuracies = [], []
    for _ in range(runs):
        started = time.perf_counter()
        accuracies.append(run())
        seconds.append(time.perf_counter() - started)
    speeds = [member_steps / each for each in seconds]
    found = {
        "median": statistics.median(speeds),
        "least": min(speeds),
        "most": max(speeds),
        "compile_seconds": max(0.0, first - statistics.median(seconds)),
        "accuracy": statistics.median(accuracies),
        "versions": versions,
    }
    print(json.dumps(found))
