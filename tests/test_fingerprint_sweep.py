"""A real sweep, resumed with something that was edited."""

from __future__ import annotations

import functools

import jax
import numpy as np
import optax
import pytest
from fingerprinted import loaded_from, loaded_in

import jaxdecay


@pytest.fixture
def load(tmp_path):
    return functools.partial(loaded_in, tmp_path)


SWEEP = """
import jax, jax.numpy as jnp, optax
import jaxdecay

MOMENTUM = 0.5

def init(key):
    return {"w": jax.random.normal(key, (64, 10)) * 0.01}

def logits(parameters, inputs):
    return inputs.reshape(-1, 64) @ parameters["w"]

def loss(parameters, batch):
    outputs = logits(parameters, batch.inputs)
    return optax.softmax_cross_entropy_with_integer_labels(outputs, batch.labels).mean() * 1.0

def metrics(parameters, batch):
    right = logits(parameters, batch.inputs).argmax(-1) == batch.labels
    return {"accuracy": jnp.mean(right, dtype=float)}

def optimizer(rate):
    return optax.sgd(rate, momentum=MOMENTUM, nesterov=False)

def slow(step, init_value):
    return init_value / (1 + 0.01 * step)

accuracy = jaxdecay.Metric("accuracy", larger_is_better=True)
task = jaxdecay.Task(init, loss, metrics, jaxdecay.digits(), measures=[accuracy])
schedules = jaxdecay.stack(
    [jaxdecay.constant(0.1), jaxdecay.from_function(slow, init_value=0.1)]
)
"""

EDITS = {
    "loss": ("* 1.0", "* 1.5"),
    "metrics": ("== batch.labels", "!= batch.labels"),
    "init": ("* 0.01", "* 0.02"),
    "loss and metrics": ("reshape(-1, 64) @", "reshape(-1, 64) * 2 @"),
    "optimizer": ("MOMENTUM = 0.5", "MOMENTUM = 0.6"),
    "decay slow": ("0.01 * step", "0.02 * step"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "mine.py").write_text(SWEEP)
    go_on(loaded_from(folder / "mine.py"), folder, epochs=1)
    return folder


def go_on(module, folder, **changes):
    settings = {"optimizer": module.optimizer, "epochs": 2, "batch_size": 359, "block": 2}
    settings["checkpoints"] = jaxdecay.Checkpoints(folder / "checkpoints")
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return jaxdecay.sweep(module.task, module.schedules, **{**settings, **changes})


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_sweep_is_not_resumed(load, kept, name):
    before, after = EDITS[name]
    assert SWEEP.count(before) == 1
    module = load(SWEEP.replace(before, after))
    with pytest.raises(
        ValueError, match=f"of another sweep: {name} changed since the sweep was started"
    ):
        go_on(module, kept)


def test_another_lambda_is_not_resumed(load, kept):
    module = load(SWEEP)
    module.optimizer = lambda rate: optax.sgd(rate, momentum=0.5)
    module.optimizer.__name__ = "optimizer"
    with pytest.raises(ValueError, match="optimizer changed"):
        go_on(module, kept)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            jax.threefry_partitionable(False),
            "jax_threefry_partitionable] was True and is now False",
        ),
        (jax.default_prng_impl("rbg"), "jax_default_prng_impl] was threefry2x32 and is now rbg"),
    ],
)
def test_other_random_numbers_of_jax_are_not_resumed(load, kept, setting, message):
    with setting, pytest.raises(ValueError, match=message.replace("]", r"\]")):
        go_on(load(SWEEP), kept)


def test_what_cannot_be_compared_is_refused_with_checkpoints_only(load, tmp_path):
    module = load(SWEEP.replace("MOMENTUM = 0.5", "import threading\nMOMENTUM = threading.Lock()"))
    module.optimizer = lambda rate: module.MOMENTUM and optax.sgd(rate)
    with pytest.raises(ValueError, match="the optimizer cannot be compared"):
        go_on(module, tmp_path)
    result = go_on(module, tmp_path, checkpoints=None, epochs=1)
    assert np.isfinite(result.history["train_loss"]).all()


def test_a_reformatted_sweep_is_resumed(load, kept):
    text = SWEEP.replace("MOMENTUM = 0.5", "# Nesterov does not help.\nMOMENTUM = 5e-1")
    result = go_on(load(text), kept)
    assert len(result.history["train_loss"]) == 2
