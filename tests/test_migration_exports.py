"""Schedules given to Keras, and to PyTorch where it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jaxdecay
from jaxdecay import Schedule, from_keras


def test_a_peer_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_class: Any = jaxdecay.keras_schedule_class  # not from its cache
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match="pip install keras"):
        make_class.__wrapped__()

    (tmp_path / "keras.py").write_text("import a_backend_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(ImportError, match=r"a_backend.*KERAS_BACKEND=jax"):
        make_class.__wrapped__()

    monkeypatch.delitem(sys.modules, "jaxdecay.migration.torch_scheduler", raising=False)
    monkeypatch.setitem(sys.modules, "torch.optim", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="pip install torch"):
        jaxdecay.to_torch(SCHEDULE, None)


# To Keras

SCHEDULE = jaxdecay.warmup_cosine(0.1, warmup_steps=5, transition_steps=20)


def model_with(rate: Any) -> keras.Model:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss="mse")
    return model


IGNORED = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@IGNORED
def test_trains_and_saves_with_keras(tmp_path: Path, relaxed_promotion: None) -> None:
    model = model_with(jaxdecay.to_keras(SCHEDULE))
    start = model.get_weights()
    x, y = np.ones((12, 2), np.float32), np.ones((12, 1), np.float32)
    model.fit(x, y, batch_size=2, epochs=1, verbose=0, shuffle=False)

    weight, bias = (np.asarray(each, np.float64) for each in start)
    for step in range(6):  # by hand: all samples are the same
        slope = 2 * (weight.sum() + bias[0] - 1)
        rate = float(SCHEDULE(step))
        weight, bias = weight - rate * slope, bias - rate * slope
    np.testing.assert_allclose(model.get_weights()[0], weight, rtol=1e-4, atol=1e-6)
    assert float(np.asarray(model.optimizer.learning_rate)) == float(SCHEDULE(6))

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer._learning_rate.schedule == SCHEDULE
    assert float(np.asarray(loaded.optimizer.learning_rate)) == float(SCHEDULE(6))


@IGNORED
def test_goes_to_keras_and_back(relaxed_promotion: None) -> None:
    rate = jaxdecay.to_keras(SCHEDULE)
    assert isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    written = json.loads(json.dumps(keras.optimizers.schedules.serialize(rate)))
    read = keras.optimizers.schedules.deserialize(written)
    assert type(read) is jaxdecay.keras_schedule_class()
    assert from_keras(rate) == from_keras(written) == from_keras(read) == SCHEDULE
    assert [float(read(step)) for step in (0, 5, 25)] == [0.0, np.float32(0.1), 0.0]


def test_another_backend_of_keras() -> None:
    program = (
        "import jaxdecay, numpy, keras; assert keras.backend.backend() == 'numpy';"
        "rate = jaxdecay.to_keras(jaxdecay.linear(1.0, end_value=0.0, transition_steps=4));"
        "print(float(rate(1)), float(rate(numpy.int64(3))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": "numpy"},
    )
    assert run.stdout.split() == ["0.75", "0.25"]


# To PyTorch, where it is installed


def test_goes_to_torch_and_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    def made(rate: float) -> tuple[Any, Any]:
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
        optimizer = torch.optim.SGD(groups, lr=rate)
        return optimizer, jaxdecay.to_torch(
            SCHEDULE if rate == 1 else jaxdecay.constant(0.5), optimizer
        )

    optimizer, scheduler = made(1.0)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    for step in range(30):
        assert [group["lr"] for group in optimizer.param_groups] == [float(SCHEDULE(step))] * 2
        if step == 10:
            torch.save(scheduler.state_dict(), tmp_path / "state.pt")
        optimizer.step()
        scheduler.step()

    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["last_epoch"] == 10
    assert Schedule.from_dict(state["schedule"]) == SCHEDULE
    optimizer, scheduler = made(2.0)
    scheduler.load_state_dict(state)
    optimizer.step()
    scheduler.step()
    assert scheduler.schedule == SCHEDULE
    assert scheduler.get_last_lr() == [float(SCHEDULE(11))] * 2


def test_a_function_goes_to_torch_without_a_name() -> None:
    torch = pytest.importorskip("torch")

    def made(factor: float) -> Any:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = jaxdecay.from_function(lambda step: factor * (jnp.asarray(step, float) + 1))
        return jaxdecay.to_torch(schedule, optimizer)

    scheduler = made(0.5)
    scheduler.optimizer.step()
    scheduler.step()
    state = scheduler.state_dict()
    assert state["last_epoch"] == 1
    assert "schedule" not in state
    again = made(0.25)
    again.load_state_dict(state)
    again.optimizer.step()
    again.step()
    assert again.get_last_lr() == [0.75]
