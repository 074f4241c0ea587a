"""Repeats a published table of optimizers and decays with twenty seeds instead of one.

    python examples/npfl138_table.py --data-dir FOLDER_OF_THE_MNIST_FILES

The course NPFL138 at Charles University publishes the accuracy of eight settings, each from one run
in PyTorch (https://github.com/ufal/npfl138, labs/02/mnist_training.py): a network of 784-128-10
units on MNIST, trained for 10 epochs on 55,000 images with batches of 50, and evaluated on the
other 5,000. Twenty runs show in which range such a number falls by chance: 95 % of single runs are
within

    mean ± t · deviation · √(1 + 1/seeds).

Weights are Glorot-uniform (Xavier), biases 0, and schedules change with every batch. The course may
have held out a different 5,000 images.
"""

import argparse
import dataclasses

import numpy as np
import optax
from rich.console import Console
from rich.table import Table
from scipy import stats

import jaxdecay
from jaxdecay.training.devices import one_device_per_core

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
parser.add_argument("--data-dir", help="folder of the MNIST files [JAXDECAY_DATA, or download]")
parser.add_argument("--seeds", type=int, default=20)
parser.add_argument("--epochs", type=int, default=10)
arguments = parser.parse_args()
one_device_per_core()

mnist = jaxdecay.mnist(arguments.data_dir)
inputs, labels = np.asarray(mnist.train_inputs), np.asarray(mnist.train_labels)
data = dataclasses.replace(
    mnist,
    train_inputs=inputs[:55_000],
    train_labels=labels[:55_000],
    test_inputs=inputs[55_000:],
    test_labels=labels[55_000:],
)
batch_size = 50
run = jaxdecay.percent(100)

sgd = optax.sgd


def nesterov(rate):
    return optax.sgd(rate, momentum=0.9, nesterov=True)


def adam(rate):
    return optax.adam(rate)


# For each optimizer: the name of the setting, its schedule, and the published accuracy.
SETTINGS = {
    sgd: [
        ("SGD, 0.01", jaxdecay.constant(0.01), 0.9546),
        ("SGD, 0.1", jaxdecay.constant(0.1), 0.9806),
    ],
    nesterov: [("SGD with Nesterov momentum 0.9, 0.01", jaxdecay.constant(0.01), 0.9788)],
    adam: [
        ("Adam, 0.001", jaxdecay.constant(0.001), 0.9780),
        ("Adam, 0.01", jaxdecay.constant(0.01), 0.9710),
        (
            "Adam, 0.01 → 0.0001 linear",
            jaxdecay.linear(0.01, end_value=1e-4, transition_steps=run),
            0.9812,
        ),
        (
            "Adam, 0.01 → 0.001 exponential",
            jaxdecay.exponential(0.01, decay_rate=0.1, transition_steps=run),
            0.9832,
        ),
        (
            "Adam, 0.01 → 0.0001 cosine",
            jaxdecay.cosine(0.01, transition_steps=run, end_value=1e-4),
            0.9792,
        ),
    ],
}

table = Table(title=f"{arguments.seeds} seeds, {arguments.epochs} epochs")
for column in ("setting", "published", "our mean", "95 % interval", "95 % of runs", "inside"):
    table.add_column(column, justify="left" if column == "setting" else "right")
for optimizer, settings in SETTINGS.items():
    result = jaxdecay.sweep(
        jaxdecay.classifier(data),
        jaxdecay.stack([schedule for _, schedule, _ in settings]),
        optimizer=optimizer,
        epochs=arguments.epochs,
        batch_size=batch_size,
        seeds=arguments.seeds,
    )
    comparison = result.compare()
    deviation = result.metrics["test_accuracy"].std(axis=1, ddof=1)
    quantile = stats.t.isf(0.025, arguments.seeds - 1)
    half = quantile * deviation * np.sqrt(1 + 1 / arguments.seeds)
    for row, (name, _, published) in enumerate(settings):
        mean = comparison.mean[row]
        table.add_row(
            name,
            f"{published:.4f}",
            f"{mean:.4f}",
            f"{comparison.low[row]:.4f} … {comparison.high[row]:.4f}",
            f"{mean - half[row]:.4f} … {mean + half[row]:.4f}",
            "yes" if abs(published - mean) <= half[row] else "no",
        )
    print(f"{optimizer.__name__}: {result.run_seconds:.0f} s", flush=True)
Console(width=120).print(table)
