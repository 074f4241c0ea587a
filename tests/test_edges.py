"""Numbers at the edge: what is measured, concluded and drawn where there is little or nothing."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay
from jaxdecay.data import Data

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def line(**parts: np.ndarray) -> jaxdecay.Task:
    """A straight line through the origin; the slope is the only parameter."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 1)).astype(np.float32)
    labels = (3 * inputs[:, 0] + rng.normal(size=40)).astype(np.float32)
    data = Data(inputs[:32], labels[:32], inputs[32:], labels[32:], name="line")
    return jaxdecay.Task(
        init=lambda key: jnp.zeros(()),
        loss=lambda slope, batch: jnp.mean((batch.inputs[:, 0] * slope - batch.labels) ** 2),
        metrics=lambda slope, batch: {},
        data=dataclasses.replace(data, **parts),
    )


def swept(task: jaxdecay.Task, rates: list[float], **settings) -> jaxdecay.SweepResult:
    return jaxdecay.sweep(
        task, jaxdecay.grid(jaxdecay.constant, value=rates), **{"batch_size": 8, **settings}
    )


@pytest.mark.parametrize("name", ["train_inputs", "train_labels"])
def test_data_that_are_not_finite_are_named_and_not_the_learning_rates(name, caplog):
    damaged = np.full_like(getattr(line().data, name), np.nan)
    result = swept(line(**{name: damaged}), [1e-3, 0.1])
    assert f"numbers in {name} are NaN or infinite; if the loss uses them" in caplog.text
    assert (result.diverged_at == 0).all()
    with pytest.raises(ValueError, match=r"^every schedule diverged; the loss was NaN .* before"):
        result.best()


def test_rates_that_are_too_large_are_named_where_the_first_loss_is_finite(caplog):
    result = swept(line(), [1e30, 1e35])
    with pytest.raises(ValueError, match="every schedule diverged; try smaller learning rates"):
        result.best()
    assert not caplog.text
