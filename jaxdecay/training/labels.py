"""Labels for `classifier`: one class number for each example."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxdecay.data import Data, check_data

FEW_CLASSES = 20
"""With up to so many classes, any number of them may be missing from the examples."""

BY_HAND = "write a jaxdecay.Task with a loss for them"


def with_class_numbers(data: Data) -> Data:
    """The data with boolean labels, one for each example, as the class numbers 0 and 1."""
    numbers = {
        name: np.asarray(labels, np.uint8)
        for name, labels in _labels(data)
        if np.asarray(labels).dtype == np.bool_ and np.ndim(labels) == 1
    }
    return dataclasses.replace(data, **numbers) if numbers else data


def count_classes(data: Data) -> int:
    """The largest class number plus 1.

    Raises:
        ValueError: the labels are not class numbers; the message says what they look like and
            what to do.
    """
    for name, labels in _labels(data):
        if not hasattr(labels, "shape"):
            check_data(data)
        labels = np.asarray(labels)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"{data.name}: classifier() needs one class number for each example, integers of "
                f"shape (n,); got {name} of {labels.dtype} {labels.shape}. {_remedy(labels)}"
            )
    check_data(data)
    labels = _all(data)
    if labels.min() < 0:
        raise ValueError(
            f"{data.name}: labels must be class numbers from 0, got {labels.min()}; remove "
            "examples to ignore, such as those with label -1, and number the classes from 0"
        )
    return int(labels.max()) + 1


def missing_classes(data: Data) -> str | None:
    """What to do if most class numbers have no example; None if most have one."""
    occurring = np.unique(_all(data))
    classes = int(occurring[-1]) + 1
    if classes <= FEW_CLASSES or 2 * len(occurring) >= classes:
        return None
    return (
        f"only {len(occurring)} of the {classes:,} class numbers 0 … {occurring[-1]} occur: "
        f"remove examples to ignore (labels != {occurring[-1]}, if that marks them), or number the "
        "classes without gaps (np.unique(labels, return_inverse=True)[1] on train and test labels "
        "together)"
    )


def untrained_classes(data: Data) -> str | None:
    """What to do about classes in the test set without a training example; None without such."""
    trained, tested = (np.unique(labels) for _, labels in _labels(data))
    missing = np.setdiff1d(tested.astype(np.int64), trained.astype(np.int64))
    if not len(missing):
        return None
    share = np.isin(np.asarray(data.test_labels), missing).mean()
    shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
    return (
        f"no training example has label {shown}, so no schedule can learn the {100 * share:.2g} % "
        "of the test examples that have it; shuffle the examples before you split them"
    )


def _labels(data: Data) -> Iterator[tuple[str, np.ndarray]]:
    yield "train_labels", data.train_labels  # pyright: ignore[reportReturnType]
    yield "test_labels", data.test_labels  # pyright: ignore[reportReturnType]


def _all(data: Data) -> np.ndarray:
    # As int64, uint8 and int32 labels compare by their numbers.
    return np.concatenate([np.asarray(labels).astype(np.int64) for _, labels in _labels(data)])


def _remedy(labels: np.ndarray) -> str:
    """What labels other than class numbers look like, and what to do with them."""
    if not (jnp.issubdtype(labels.dtype, np.number) or labels.dtype == np.bool_) or not labels.size:
        return "Number the classes from 0"
    if not np.isfinite(labels).all():
        return "Some are missing (not a number): drop these examples"
    have_integer_type = np.issubdtype(labels.dtype, np.integer)
    are_integers = have_integer_type or bool((labels == np.round(labels)).all())
    if labels.ndim == 2 and labels.shape[1] == 1 and are_integers:
        return "Take labels[:, 0].astype(np.int32), which has shape (n,)"
    if labels.ndim == 1 and are_integers:
        return f"If they number classes, take labels.astype(np.int32); for regression, {BY_HAND}"
    if labels.ndim == 2 and are_integers and labels.min() >= 0 and labels.max() <= 1:
        if (labels.sum(axis=1) == 1).all():
            return "They are one-hot: take labels.argmax(axis=1)"
        return f"They mark several classes per example: {BY_HAND}, such as a sigmoid cross-entropy"
    if have_integer_type and labels.ndim > 1:
        return f"They are class numbers per token or pixel: {BY_HAND} that averages over them"
    if labels.ndim == 2 and labels.min() >= 0 and np.allclose(labels.sum(axis=1), 1):
        return f"They are probabilities of classes: {BY_HAND}, such as optax.softmax_cross_entropy"
    return f"They look like regression targets: {BY_HAND}"
