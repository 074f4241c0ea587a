"""Throughput of a sweep against a loop over the same compiled `train`.

    python benchmarks/sweep_throughput.py --data-dir FOLDER_OF_THE_MNIST_FILES
    python benchmarks/sweep_throughput.py --quick   # digits instead of MNIST, in under two minutes

For each number of members N the same schedules are trained for an epoch (digits: 20), each with
its test,

- by `jaxdecay.sweep`: all of them at once;
- by a loop: one after another through one compiled `jaxdecay.train`, which is compiled once for
  all of them.

Both are compiled and warmed up before they are timed, and block until the result is there. Each
figure is the median of several runs that alternate between the two, with the smallest and the
largest beside it. The bound is what the machine's matrix products allow, measured in the same
process. The accuracies stand beside the speeds, so that a fast wrong answer is visible.
"""

import argparse
import functools
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

import jaxdecay

BATCH_SIZE = 32


def main() -> None:
    arguments = parse_arguments()
    data = jaxdecay.digits() if arguments.quick else jaxdecay.mnist(arguments.data_dir)
    task = jaxdecay.classifier(data)
    epochs = 20 if arguments.quick else 1
    rows = []
    for members in arguments.members:
        rows.append(measure(task, members, epochs, arguments.runs))
        print(f"N = {members} done", file=sys.stderr, flush=True)
    report = {
        "task": f"{data.name}, {epochs} epochs, batch size {BATCH_SIZE}, SGD, hidden 128",
        "runs": arguments.runs,
        "bound_member_steps_per_second": product_bound(task),
        "rows": rows,
        "machine": {
            "platform": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "devices": [device.device_kind for device in jax.devices()],
        },
        "versions": {
            name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "optax", "flax")
        },
        "command": "python benchmarks/sweep_throughput.py" + " --quick" * arguments.quick,
    }
    show(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="sweep against a loop over the same train")
    parser.add_argument("--data-dir", help="folder of the MNIST files [JAXDECAY_DATA, or download]")
    parser.add_argument("--quick", action="store_true", help="digits instead of MNIST")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each figure")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def measure(task: jaxdecay.Task, members: int, epochs: int, runs: int) -> dict[str, Any]:
    """Member-steps per second of both ways to train `members` schedules."""
    population = jaxdecay.grid(
        jaxdecay.exponential,
        init_value=np.geomspace(0.05, 0.5, members).tolist(),
        decay_rate=0.96,
        transition_steps=1_000,
        staircase=True,
    )
    schedules, key = list(population), jax.random.key(0)
    data = jax.device_put(task.data)
    train = functools.partial(
        jaxdecay.train, task=task, optimizer=optax.sgd, epochs=epochs, batch_size=BATCH_SIZE
    )
    started = time.perf_counter()
    train = jax.jit(train).lower(schedules[0], key, data).compile()
    loop_compile = time.perf_counter() - started

    def loop() -> tuple[float, float]:
        started = time.perf_counter()
        trained = [train(schedule, key, data) for schedule in schedules]
        jax.block_until_ready(trained)
        seconds = time.perf_counter() - started
        return seconds, max(float(each.history["test_accuracy"][-1]) for each in trained)

    def sweep() -> tuple[float, float]:
        result = jaxdecay.sweep(task, population, epochs=epochs, batch_size=BATCH_SIZE)
        compiles.append(result.compile_seconds)
        return result.run_seconds, float(result.metrics["test_accuracy"].max())

    compiles: list[float] = []
    loop()  # warm up
    sweep()
    times = [(loop(), sweep()) for _ in range(runs)]
    steps = members * epochs * (len(np.asarray(task.data.train_labels)) // BATCH_SIZE)
    loops, sweeps = zip(*times, strict=True)
    ratios = [one[0] / all_at_once[0] for one, all_at_once in times]
    return {
        "members": members,
        "sweep": rates(steps, sweeps),
        "loop": rates(steps, loops),
        "sweep_over_loop": spread(ratios),
        "sweep_compile_seconds": statistics.median(compiles),
        "loop_compile_seconds": loop_compile,
    }


def rates(steps: int, runs: tuple[tuple[float, float], ...]) -> dict[str, float]:
    return {**spread([steps / seconds for seconds, _ in runs]), "best_accuracy": runs[0][1]}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def product_bound(task: jaxdecay.Task, size: int = 2_048) -> float:
    """Member-steps per second if the machine did nothing but matrix products, at full speed.

    4 operations for each weight of the first layer and example (its input needs no gradient)
    and 6 for each of the second.
    """
    square = jnp.ones((size, size))
    product = jax.jit(jnp.matmul).lower(square, square).compile()
    product(square, square).block_until_ready()
    times = []
    for _ in range(7):
        started = time.perf_counter()
        product(square, square).block_until_ready()
        times.append(time.perf_counter() - started)
    operations_per_second = 2 * size**3 / statistics.median(times)
    inputs = int(np.prod(np.shape(task.data.train_inputs)[1:]))
    return operations_per_second / (BATCH_SIZE * (4 * inputs * 128 + 6 * 128 * 10))


def show(report: dict[str, Any]) -> None:
    table = Table(title=report["task"], caption="median (least … most); member-steps/s")
    bound = report["bound_member_steps_per_second"]
    for name in ("N", "sweep", "loop over train", "sweep / loop", "sweep / bound", "compile"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["rows"]:
        table.add_row(
            str(row["members"]),
            "{median:,.0f} ({least:,.0f} … {most:,.0f})".format(**row["sweep"]),
            "{median:,.0f} ({least:,.0f} … {most:,.0f})".format(**row["loop"]),
            "{median:.2f} ({least:.2f} … {most:.2f})".format(**row["sweep_over_loop"]),
            f"{row['sweep']['median'] / bound:.2f}",
            f"{row['sweep_compile_seconds']:.1f} s",
        )
    console = Console(width=110)
    console.print(table)
    for row in report["rows"]:
        one, all_at_once = row["loop"]["best_accuracy"], row["sweep"]["best_accuracy"]
        print(f"N = {row['members']}: best accuracy {all_at_once:.4f} (sweep), {one:.4f} (loop)")
    print(f"bound by matrix products: {bound:,.0f} member-steps/s")


if __name__ == "__main__":
    main()
