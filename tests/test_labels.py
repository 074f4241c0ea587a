"""What a classifier says of labels that are no class numbers."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx

import jaxdecay
from jaxdecay.data import Data

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def labelled(labels: np.ndarray) -> Data:
    inputs = np.random.default_rng(0).normal(size=(len(labels), 3)).astype(np.float32)
    return Data(inputs, labels, inputs, labels, name="mine")


RNG = np.random.default_rng(1)
ONE_HOT = np.eye(4)[RNG.integers(0, 4, 40)]
MULTI_HOT = (RNG.random((40, 4)) < 0.6).astype(np.float32)
TOKENS = RNG.integers(0, 50, (40, 7))
SHARES = RNG.dirichlet(np.ones(4), 40)
TARGETS = RNG.normal(size=(40, 2))


@pytest.mark.parametrize(
    ("labels", "kind", "remedy"),
    [
        (ONE_HOT, r"float32 \(40, 4\)", r"They are one-hot: take labels\.argmax\(axis=1\)"),
        (ONE_HOT.astype(int), r"int32 \(40, 4\)", r"one-hot: take labels\.argmax\(axis=1\)"),
        (ONE_HOT.astype(bool), r"bool \(40, 4\)", r"one-hot: take labels\.argmax\(axis=1\)"),
        (
            MULTI_HOT,
            r"float32 \(40, 4\)",
            r"several classes per example.*Task with a loss.*sigmoid",
        ),
        (TOKENS, r"int32 \(40, 7\)", r"class numbers per token or pixel: write a jaxdecay\.Task"),
        (SHARES, r"float32 \(40, 4\)", r"probabilities of classes: write.*softmax_cross_entropy"),
        (TARGETS, r"float32 \(40, 2\)", r"regression targets: write a jaxdecay\.Task"),
        (np.append(np.arange(39), np.nan), r"float32 \(40,\)", r"Some are missing.*drop these"),
        (TARGETS[:, 0], r"float32 \(40,\)", r"regression targets: write a jaxdecay\.Task"),
        (TARGETS[:, :1], r"float32 \(40, 1\)", r"regression targets: write a jaxdecay\.Task"),
        (np.arange(40.0) % 3, r"float32 \(40,\)", r"take labels\.astype\(np\.int32\); for regr"),
        (TOKENS[:, :1], r"int32 \(40, 1\)", r"Take labels\[:, 0\]\.astype\(np\.int32\)"),
    ],
)
def test_other_labels_are_recognised(labels, kind, remedy):
    message = rf"mine: classifier\(\) needs one class number.*got train_labels of {kind}\. "
    with pytest.raises(ValueError, match=message + f".*{remedy}") as caught:
        jaxdecay.classifier(labelled(labels))
    assert "\n" not in str(caught.value)
    others = {"argmax", "np.unique"} - {"argmax" if "argmax" in remedy else ""}
    assert not any(other in str(caught.value) for other in others)


def test_the_remedies_work():
    for labels in (ONE_HOT.argmax(axis=1), (np.arange(40.0) % 3).astype(np.int32), TOKENS[:, 0]):
        jaxdecay.classifier(labelled(labels))


@pytest.mark.parametrize("largest", [10**9, 255, 2**31 - 1])
def test_class_numbers_that_hardly_occur_are_refused(largest):
    labels = np.append(np.arange(39) % 21, largest)
    message = rf"mine: only 22 of the {largest + 1:,} class.*\(labels != {largest}, if.*np\.unique"
    with pytest.raises(ValueError, match=message):
        jaxdecay.classifier(labelled(labels))
    with pytest.raises(ValueError, match=rf"at least {largest + 1}\), for labels.*only 22 of the"):
        jaxdecay.classifier(labelled(labels), lambda rngs: nnx.Linear(3, 21, rngs=rngs))


def test_a_model_with_an_output_for_each_may_have_classes_that_do_not_occur():
    labels = np.append(np.arange(39) % 21, 255)
    task = jaxdecay.classifier(labelled(labels), lambda rngs: nnx.Linear(3, 1_000, rngs=rngs))
    assert task.ranks_by == "accuracy"


def test_classes_that_only_the_test_set_has_are_noted(caplog):
    inputs = np.zeros((40, 3), np.float32)
    trained, tested = np.arange(40) % 3, np.arange(40) % 5
    jaxdecay.classifier(Data(inputs, trained, inputs, tested, name="mine"))
    note = "mine: no training example has label 3, 4, so no schedule can learn the 40 % of the test"
    assert note in caplog.text
    caplog.clear()
    jaxdecay.classifier(Data(inputs, tested, inputs, trained.astype(np.uint8)))
    assert not caplog.text


def test_labels_to_ignore_are_refused():
    with pytest.raises(ValueError, match=r"class numbers from 0, got -100; remove examples to ig"):
        jaxdecay.classifier(labelled(np.append(np.arange(39) % 3, -100)))


def test_booleans_are_the_classes_0_and_1():
    right = np.arange(40) % 2
    rates = jaxdecay.grid(jaxdecay.constant, value=[0.1])
    by_bool, by_number = (
        jaxdecay.sweep(jaxdecay.classifier(labelled(each)), rates, batch_size=8)
        for each in (right.astype(bool), right)
    )
    for name, values in by_number.history.items():
        np.testing.assert_array_equal(values, by_bool.history[name])
