"""Adaptive schedules against PyTorch, Hugging Face, Keras and Optax."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from following import noisy_descent, plateau_scales, watched

import jaxdecay
from jaxdecay import AdaptiveSchedule, Schedule

RECORDED = Path(__file__).parent / "recorded"
THRESHOLD_MODES = {"rel": "relative", "abs": "absolute"}


def recorded(file: str, *names: str) -> list[dict[str, Any]]:
    cases = json.loads((RECORDED / file).read_text())["cases"]
    return [case for case in cases if case["scheduler"] in names]


def as_plateau(
    lr: float, min_lr: float = 0.0, threshold_mode: str = "rel", eps: float = 1e-8, **same: Any
) -> AdaptiveSchedule:
    assert eps == 1e-8
    return jaxdecay.reduce_on_plateau(
        lr, min_scale=min_lr / lr, threshold_mode=THRESHOLD_MODES[threshold_mode], **same
    )


def as_greedy(
    lr: float,
    min_lr: float = 1e-3,
    max_lr: float = 1.0,
    smooth: bool = False,
    window_size: int = 50,
    reset_start: int = 500,
    threshold_mode: str = "abs",
    eps: float = 1e-8,
    **same: Any,
) -> AdaptiveSchedule:
    assert eps == 1e-8
    return jaxdecay.greedy(
        lr,
        min_scale=min_lr / lr,
        max_scale=max_lr / lr,
        reset_after=reset_start,
        window=window_size if smooth else 1,
        threshold_mode=THRESHOLD_MODES[threshold_mode],
        **same,
    )


def is_wrong_there(case: dict[str, Any]) -> bool:
    return min(case["metrics"]) < 0 and case["arguments"].get("threshold_mode", "rel") == "rel"


@pytest.mark.usefixtures("double")
def test_pytorch_and_hugging_face() -> None:
    plateaus = recorded("torch_more.json", "ReduceLROnPlateau")
    plateaus += recorded("transformers.json", "reduce_lr_on_plateau")
    greedies = recorded("transformers.json", "greedy")
    plateaus = [case for case in plateaus if not is_wrong_there(case)]
    assert len(plateaus) >= 7
    assert len(greedies) >= 10
    schedules = [as_plateau(**case["arguments"]) for case in plateaus]
    schedules += [as_greedy(**case["arguments"]) for case in greedies]
    cases = [*plateaus, *greedies]
    got = watched(schedules, np.transpose([case["metrics"] for case in cases]))
    for case, schedule, rates in zip(cases, schedules, got.T, strict=True):
        assert len(set(case["rates"])) > 1
        np.testing.assert_allclose(rates, case["rates"], rtol=1e-6, err_msg=repr(schedule))


@pytest.mark.usefixtures("double")
def test_a_share_of_a_negative_metric_is_where_pytorch_is_wrong() -> None:
    cases = list(filter(is_wrong_there, recorded("torch_more.json", "ReduceLROnPlateau")))
    assert cases
    schedules = [as_plateau(**case["arguments"]) for case in cases]
    got = watched(schedules, np.transpose([case["metrics"] for case in cases]))
    for case, schedule, rates in zip(cases, schedules, got.T, strict=True):
        arguments = {**schedule.hyperparameters, **schedule.options}
        rate = arguments.pop("schedule")
        right = rate * np.array(plateau_scales(case["metrics"], **arguments))
        np.testing.assert_allclose(rates, right, rtol=1e-6)
        # PyTorch takes some metrics that are worse for better, so it reduces less often.
        assert len(set(case["rates"])) < len(set(rates.tolist()))
        assert case["rates"][-1] > 2 * rates[-1]


@pytest.mark.usefixtures("relaxed_promotion")
@pytest.mark.usefixtures("double")
def test_keras() -> None:
    chance = np.random.default_rng(1)
    schedules, columns, expected = [], [], []
    for index in range(10):
        mode, sign = ("min", "max")[index % 2], (1, -1)[index // 2 % 2]
        metrics = noisy_descent(chance, 80, sign)
        factor, patience, cooldown = chance.uniform(0.3, 0.8), 1 + index % 4, index // 3
        min_lr, min_delta = (0.0, 0.02)[index % 2], (0.0, 1 / 256, 5 / 256)[index % 3]
        settings = {"mode": mode, "min_delta": min_delta, "min_lr": min_lr}
        callback = keras.callbacks.ReduceLROnPlateau(
            factor=factor, patience=patience, cooldown=cooldown, **settings
        )
        optimizer = SimpleNamespace(learning_rate=0.5)
        callback.set_model(SimpleNamespace(optimizer=optimizer, jax_state_sync=lambda: None))
        callback.on_train_begin()
        rates = [0.5]
        for epoch, metric in enumerate(metrics):
            callback.on_epoch_end(epoch, {"val_loss": metric})
            rates.append(optimizer.learning_rate)
        schedules.append(
            jaxdecay.reduce_on_plateau(
                0.5,
                factor=factor,
                patience=patience,
                threshold=min_delta,
                cooldown=max(0, cooldown - 1),
                min_scale=min_lr / 0.5,
                mode=mode,
                threshold_mode="absolute",
                patience_rule="reaches",
            )
        )
        columns.append(metrics)
        expected.append(rates)
    assert all(len(set(rates)) > 2 for rates in expected)
    got = watched(schedules, np.transpose(columns))
    np.testing.assert_allclose(got, np.transpose(expected), rtol=1e-6)


OPTAX = [
    {"factor": 0.5, "patience": 3, "rtol": 1 / 256, "cooldown": 2, "min_scale": 1e-3},
    {"factor": 0.75, "patience": 1, "rtol": 0.0, "atol": 3 / 256, "cooldown": 0, "min_scale": 0.1},
    {"factor": 0.3, "patience": 5, "rtol": 1e-4, "cooldown": 4},
    {"factor": 0.5, "patience": 1, "rtol": 1 / 256, "cooldown": 1, "accumulation_size": 4},
]


def optax_scales(arguments: dict[str, Any], metrics: Any) -> np.ndarray:
    plateau = optax.contrib.reduce_on_plateau(**arguments)

    def follow(state: Any, metric: Any) -> Any:
        _, state = plateau.update(jnp.float32(1), state, value=metric)
        return state, state.scale

    first = plateau.init(jnp.float32(1))
    return np.r_[1.0, jax.jit(lambda: jax.lax.scan(follow, first, jnp.asarray(metrics))[1])()]


def as_optax(rtol: float = 1e-4, atol: float = 0.0, **same: Any) -> Schedule:
    threshold = {"threshold": atol or rtol, "threshold_mode": "absolute" if atol else "relative"}
    return jaxdecay.reduce_on_plateau(1.0, **threshold, **same, patience_rule="reaches")


@pytest.mark.usefixtures("relaxed_promotion")
def test_optax() -> None:
    metrics = noisy_descent(np.random.default_rng(2), 100)
    got = watched(
        [as_optax(**each) for each in OPTAX], np.repeat(np.array(metrics)[:, None], len(OPTAX), 1)
    )
    for arguments, scales in zip(OPTAX, got.T, strict=True):
        assert scales[-1] < 0.2
        np.testing.assert_allclose(scales, optax_scales(arguments, metrics), rtol=1e-6)


@pytest.mark.usefixtures("relaxed_promotion")
def test_a_negative_metric_that_stands_still_is_where_optax_is_wrong() -> None:
    metrics = [-3.0] * 9
    arguments = {"factor": 0.5, "patience": 3}
    assert (optax_scales(arguments, metrics) == 1.0).all()
    got = watched([as_optax(**arguments)], np.array(metrics)[:, None])[:, 0]
    assert got.tolist() == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
