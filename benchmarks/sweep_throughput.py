"""Throughput of a sweep against other ways to train the same networks.

    python benchmarks/sweep_throughput.py --data-dir FOLDER_OF_THE_MNIST_FILES --json FILE.json
    python benchmarks/sweep_throughput.py --quick   # in under two minutes

Networks of 784-128-10 units, SGD, batches of 32. For each number of members N the same schedules
are trained for an epoch and tested,

- by `jaxdecay.sweep`, in blocks;
- by a loop: one after another through one compiled `jaxdecay.train`;
- by one big `vmap` of `jaxdecay.train` over all of them, without blocks.

From N = 64 on an epoch is shorter (the first images only, in training and test, but never less
than 100 steps, or what a block costs once an epoch would weigh too much), so that a run takes
seconds. `--quick` measures 1 and 64 members only, on digits where there is no MNIST, and
fails if the sweep of 64 is slower than another way by more than noise.

Everything is compiled and warmed up before it is timed, and blocks until the result is there. Each
figure is the median of several runs that alternate between the ways, with the smallest and the
largest beside it. The bound is what the machine's matrix products allow, measured in the same
process before and after each run. Accuracies stand beside speeds, so that a fast wrong answer is
visible.

The peers in `benchmarks/peers` train one network after another, so their figures hold for every
N; only the ensemble trains 64 at a time. Each runs in a process of its own, of
`--peers-python` (an interpreter with PyTorch and Keras on TensorFlow) if that is given.
"""

import argparse
import dataclasses
import functools
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

import jaxdecay
from jaxdecay.training.devices import one_device_per_core

BATCH_SIZE = 32
MEMBERS = [1, 4, 16, 64, 256, 1_024, 4_096]
LARGEST_RUN, FEWEST_STEPS = 60_000, 100
"""Member-steps of a run, and steps of each member: of more members, each makes fewer steps."""

QUICK_RUN = 20_000

NOISE = 0.8
"""A sweep of many members at less than this share of another way's speed is a failure."""

PEERS = {
    "Optax + Flax": ("optax_flax", {}),
    "PyTorch eager": ("torch_eager", {}),
    "PyTorch torch.func, 64 at a time": ("torch_ensemble", {"members": 64, "steps": 100}),
    "Keras fit": ("keras_fit", {}),
}


def main() -> None:
    arguments = parse_arguments()
    one_device_per_core()  # as the command line does
    has_mnist = arguments.data_dir or os.environ.get("JAXDECAY_DATA")
    data = jaxdecay.mnist(arguments.data_dir) if has_mnist else jaxdecay.digits()
    epochs = 1 if has_mnist else 20
    rows = []
    for members in arguments.members or ([1, 64] if arguments.quick else MEMBERS):
        most = QUICK_RUN if arguments.quick else LARGEST_RUN
        steps = max(most // members, FEWEST_STEPS) // epochs
        task = jaxdecay.classifier(shortened(data, steps))
        rows.append(measure(task, members, epochs, arguments.runs))
        print(f"N = {members} done", file=sys.stderr, flush=True)
    report = {
        "task": f"{data.name}, batch size {BATCH_SIZE}, SGD, hidden 128",
        "runs": arguments.runs,
        "rows": rows,
        "peers": {} if arguments.quick else peers(arguments, rows),
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
        if not arguments.quick:
            draw(report, arguments.json.with_suffix(".png"))
    if arguments.quick:
        fail_if_slow(rows)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="sweep against other ways to train")
    parser.add_argument("--data-dir", help="folder of the MNIST files [JAXDECAY_DATA, or download]")
    parser.add_argument("--quick", action="store_true", help="few members, digits if need be")
    parser.add_argument("--members", type=int, nargs="+", help="numbers of members")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each figure")
    parser.add_argument("--peers-python", help="interpreter with torch, keras and tensorflow")
    parser.add_argument("--json", type=Path, help="file for the figures; the picture lies beside")
    return parser.parse_args()


def shortened(data: jaxdecay.Data, most: int) -> jaxdecay.Data:
    """The first examples, in proportion, for at most so many steps an epoch."""
    whole = len(np.asarray(data.train_labels)) // BATCH_SIZE
    steps = min(whole, max(most, 1))
    tests = len(np.asarray(data.test_labels)) * steps // whole
    train = slice(0, steps * BATCH_SIZE)
    return dataclasses.replace(
        data,
        train_inputs=np.asarray(data.train_inputs)[train],
        train_labels=np.asarray(data.train_labels)[train],
        test_inputs=np.asarray(data.test_inputs)[:tests],
        test_labels=np.asarray(data.test_labels)[:tests],
    )


def measure(task: jaxdecay.Task, members: int, epochs: int, runs: int) -> dict[str, Any]:
    """Member-steps per second of each way to train `members` schedules."""
    steps = len(np.asarray(task.data.train_labels)) // BATCH_SIZE
    ways = {
        "sweep": by_sweep(task, members, epochs),
        "loop": by_loop(task, members, epochs),
        "vmap": by_vmap(task, members, epochs),
    }
    for way in ways.values():
        way()  # warm up
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(runs):
        before = product_bound(task)
        for name, way in ways.items():
            result = way()
            after = product_bound(task)
            speed, bound = members * epochs * steps / result["seconds"], (before + after) / 2
            found[name].append({**result, "speed": speed, "share": speed / bound, "bound": bound})
            before = after
    row: dict[str, Any] = {
        "members": members,
        "steps": epochs * steps,
        "bound": spread([each["bound"] for each in found["sweep"]]),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    for name, results in found.items():
        row[name] = {
            **spread([each["speed"] for each in results]),
            "share_of_bound": spread([each["share"] for each in results]),
            "compile_seconds": statistics.median(each["compile_seconds"] for each in results),
            "accuracy": results[0]["accuracy"],
        }
    for name in ("loop", "vmap"):
        pairs = zip(found["sweep"], found[name], strict=True)
        row[f"sweep_over_{name}"] = spread(
            [ours["speed"] / other["speed"] for ours, other in pairs]
        )
    row["block"] = int(found["sweep"][0]["block"])
    return row


Way = Callable[[], dict[str, float]]


def schedules(members: int) -> jaxdecay.Population:
    return jaxdecay.grid(
        jaxdecay.exponential,
        init_value=np.geomspace(0.05, 0.5, members).tolist(),
        decay_rate=0.96,
        transition_steps=1_000,
        staircase=True,
    )


def by_sweep(task: jaxdecay.Task, members: int, epochs: int) -> Way:
    population = schedules(members)

    def run() -> dict[str, float]:
        result = jaxdecay.sweep(task, population, epochs=epochs, batch_size=BATCH_SIZE)
        return {
            "seconds": result.run_seconds,
            "compile_seconds": result.compile_seconds,
            "accuracy": float(result.metrics["test_accuracy"].max()),
            "block": result.settings["block"],
        }

    return run


def by_loop(task: jaxdecay.Task, members: int, epochs: int) -> Way:
    each_one, key, data = list(schedules(members)), jax.random.key(0), jax.device_put(task.data)
    train, compile_seconds = compiled(trainer(task, epochs), each_one[0], key, data)

    def run() -> dict[str, float]:
        started = time.perf_counter()
        trained = [train(schedule, key, data).history["test_accuracy"] for schedule in each_one]
        jax.block_until_ready(trained)
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "compile_seconds": compile_seconds,
            "accuracy": max(float(each[-1]) for each in trained),
        }

    return run


def by_vmap(task: jaxdecay.Task, members: int, epochs: int) -> Way:
    (group,), key, data = schedules(members).groups, jax.random.key(0), jax.device_put(task.data)
    mapped = jax.vmap(trainer(task, epochs), in_axes=(0, None, None))
    train, compile_seconds = compiled(mapped, group, key, data)

    def run() -> dict[str, float]:
        started = time.perf_counter()
        accuracy = train(group, key, data).history["test_accuracy"].block_until_ready()
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "compile_seconds": compile_seconds,
            "accuracy": float(accuracy[:, -1].max()),
        }

    return run


def trainer(task: jaxdecay.Task, epochs: int) -> Callable[..., jaxdecay.Trained]:
    return functools.partial(
        jaxdecay.train, task=task, optimizer=optax.sgd, epochs=epochs, batch_size=BATCH_SIZE
    )


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    return program, time.perf_counter() - started


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def product_bound(task: jaxdecay.Task, size: int = 2_048) -> float:
    """Member-steps per second if the machine did nothing but matrix products, at full speed.

    4 operations for each weight of the first layer and example (its input needs no gradient)
    and 6 for each of the second.
    """
    square = jnp.ones((size, size))
    product = jax.jit(jnp.matmul)
    product(square, square).block_until_ready()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        product(square, square).block_until_ready()
        times.append(time.perf_counter() - started)
    operations_per_second = 2 * size**3 / statistics.median(times)
    inputs = int(np.prod(np.shape(task.data.train_inputs)[1:]))
    return operations_per_second / (BATCH_SIZE * (4 * inputs * 128 + 6 * 128 * 10))


def peers(arguments: argparse.Namespace, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What each peer prints; one that is not installed is skipped with a line that says so."""
    found = {}
    data_dir = arguments.data_dir or os.environ.get("JAXDECAY_DATA")
    bound = statistics.median(row["bound"]["median"] for row in rows)
    for name, (script, options) in PEERS.items():
        python = sys.executable if script == "optax_flax" else arguments.peers_python
        path = Path(__file__).parent / "peers" / f"{script}.py"
        words = [python or sys.executable, path, f"--data-dir={data_dir}"]
        words += [f"--{option}={value}" for option, value in options.items()]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        run = subprocess.run(
            [*map(str, words), f"--runs={arguments.runs}"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        if run.returncode:
            reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"skipped {name}: {reason}", file=sys.stderr)
            continue
        found[name] = json.loads(run.stdout.splitlines()[-1])
        found[name]["share_of_bound"] = found[name]["median"] / bound
    return found


def show(report: dict[str, Any]) -> None:
    table = Table(title=report["task"], caption="member-steps/s: median (least … most)")
    for name in ("N", "block", "sweep", "loop", "one vmap", "× loop", "× vmap", "of bound"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["rows"]:
        table.add_row(
            str(row["members"]),
            str(row["block"]),
            *("{median:,.0f} ({least:,.0f} … {most:,.0f})".format(**row[way]) for way in WAYS),
            *("{median:.2f}".format(**row[f"sweep_over_{way}"]) for way in WAYS[1:]),
            "{median:.2f}".format(**row["sweep"]["share_of_bound"]),
        )
    Console(width=130).print(table)
    for row in report["rows"]:
        seen = ", ".join(f"{row[way]['accuracy']:.4f} ({way})" for way in WAYS)
        times = ", ".join(f"{row[way]['compile_seconds']:.1f} s ({way})" for way in WAYS)
        print(f"N = {row['members']}: best accuracy {seen}; compiled in {times}")
    for name, figures in report["peers"].items():
        line = "{median:,.0f} ({least:,.0f} … {most:,.0f})".format(**figures)
        print(f"{name}: {line} member-steps/s, accuracy {figures['accuracy']:.4f}")


WAYS = ("sweep", "loop", "vmap")


def draw(report: dict[str, Any], path: Path) -> None:
    """Member-steps per second against the number of members."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    members = [row["members"] for row in report["rows"]]
    for way, label in zip(
        WAYS, ("jaxdecay.sweep", "loop over one compiled train", "one big vmap"), strict=True
    ):
        axes.plot(members, [row[way]["median"] for row in report["rows"]], "o-", label=label)
    for color, (name, figures) in enumerate(report["peers"].items(), start=3):
        axes.axhline(figures["median"], ls=":", color=f"C{color}", label=name)
    axes.plot(
        members, [row["bound"]["median"] for row in report["rows"]], "k--", label="matrix products"
    )
    axes.set(xscale="log", yscale="log", xlabel="members", ylabel="member-steps per second")
    axes.set_xticks(members, [f"{each:,}" for each in members])
    axes.minorticks_off()
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)


def fail_if_slow(rows: list[dict[str, Any]]) -> None:
    """Exit code 1 if, of many members, the sweep is slower than another way by more than noise."""
    for row in rows:
        for way in ("loop", "vmap"):
            ratio = row[f"sweep_over_{way}"]["median"]
            if row["members"] > 1 and ratio < NOISE:
                sys.exit(f"the sweep of {row['members']} members runs at {ratio:.2f} of the {way}")


if __name__ == "__main__":
    main()
