"""An adaptive schedule gives the same rates for the same metrics, wherever it is used."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from flax import nnx

import jaxdecay
from jaxdecay.domain import Factor

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

RECORDED = Path(__file__).parent / "recorded" / "torch_more.json"


def recorded() -> list[dict[str, Any]]:
    """PyTorch's rates and metrics, but for negative ones, of which it takes a share wrongly."""
    cases = json.loads(RECORDED.read_text())["cases"]
    return [
        case
        for case in cases
        if case["scheduler"] == "ReduceLROnPlateau"
        and (min(case["metrics"]) > 0 or case["arguments"].get("threshold_mode") == "abs")
    ]


def as_plateau(
    lr: float, min_lr: float = 0.0, threshold_mode: str = "rel", eps: float = 1e-8, **same: Any
) -> jaxdecay.AdaptiveSchedule:
    assert eps == 1e-8
    mode = {"rel": "relative", "abs": "absolute"}[threshold_mode]
    return jaxdecay.reduce_on_plateau(lr, min_scale=min_lr / lr, threshold_mode=mode, **same)


# A decay of a user's own: the rate is reduced whenever the metric is worse than ever.


class Worst(NamedTuple):
    scale: jax.Array
    worst: jax.Array


def _first(**_: Any) -> Worst:
    return Worst(jnp.asarray(1.0, float), jnp.asarray(-jnp.inf, float))


def _seen(state: Worst, value: jax.Array, *, factor: jax.Array, **_: Any) -> Worst:
    scale = jnp.where(value > state.worst, state.scale * factor, state.scale)
    return Worst(scale, jnp.maximum(state.worst, value))


def _record(step: Any, schedule: jaxdecay.ScheduleLike, *, factor: Factor = 0.5) -> Any:
    return jaxdecay.value_at(schedule, step)


with pytest.MonkeyPatch.context() as patch:
    patch.setattr("jaxdecay.registry.families", dict(jaxdecay.families))
    _record.__name__ = _record.__qualname__ = "reduce_on_record"
    reduce_on_record = jaxdecay.decay(feedback=jaxdecay.Feedback(_first, _seen))(_record)


# Three ways to train, each of which returns the rates of its updates.


def by_hand(schedule: Any, metrics: Sequence[float]) -> list[float]:
    """A loop that asks the schedule for the rate and makes an optimizer with it."""

    @jax.jit
    def step(state: Any, metric: Any) -> Any:
        rate = schedule(state)
        updates, _ = optax.sgd(rate).update(jnp.ones(()), optax.sgd(rate).init(jnp.ones(())))
        return schedule.update(state, value=metric), -updates

    state, rates = schedule.init(), []
    for metric in metrics:
        state, rate = step(state, metric)
        rates.append(float(rate))
    return rates


def in_optax(schedule: Any, metrics: Sequence[float]) -> list[float]:
    """`inject_hyperparams`, which is shown the metric by `update`."""
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=schedule)
    parameters = jnp.ones((), float)
    update, state, rates = jax.jit(optimizer.update), optimizer.init(parameters), []
    for metric in metrics:
        updates, state = update(parameters, state, parameters, value=metric)
        assert float(updates) == -float(state.hyperparams["learning_rate"])
        rates.append(-float(updates))
    return rates


class Module(nnx.Module):
    def __init__(self) -> None:
        self.parameter = nnx.Param(jnp.ones((), float))


def in_nnx(schedule: Any, metrics: Sequence[float]) -> list[float]:
    module = Module()
    transformation = optax.inject_hyperparams(optax.sgd)(learning_rate=schedule)
    optimizer = nnx.Optimizer(module, transformation, wrt=nnx.Param)

    @nnx.jit
    def step(module: Module, optimizer: Any, metric: Any) -> Any:
        gradients = jax.tree.map(jnp.ones_like, nnx.state(module))
        return optimizer.update(module, gradients, value=metric)["parameter"]

    return [-float(step(module, optimizer, metric)) for metric in metrics]


# In a sweep the metric comes once an epoch. Here an update counts steps, whatever the rate is, and
# the metric is looked up among the inputs, so that each epoch ends with one that we choose.

STEPS_PER_EPOCH = 2


def counting(rate: Any) -> optax.GradientTransformation:
    return optax.GradientTransformation(
        lambda parameters: optax.EmptyState(),
        lambda gradients, state, parameters=None: (jax.tree.map(jnp.ones_like, gradients), state),
    )


def task_of(metrics: Sequence[float], mode: str = "min") -> jaxdecay.Task:
    def chosen(steps: Any, batch: Any) -> Any:
        epoch = jnp.maximum(steps.astype(int) // STEPS_PER_EPOCH - 1, 0)
        return batch.inputs[:, epoch].astype(steps.dtype)

    rows = np.tile(np.asarray(metrics, np.float32), (2 * STEPS_PER_EPOCH, 1))
    return jaxdecay.Task(
        init=lambda key: jnp.zeros((), float),
        loss=lambda steps, batch: 0 * steps,
        metrics=lambda steps, batch: {"chosen": chosen(steps, batch)},
        data=jaxdecay.Data(rows, np.zeros(len(rows)), rows[:1], np.zeros(1), name="metrics"),
        measures=[jaxdecay.Metric("chosen", larger_is_better=mode == "max")],
    )


def in_train(schedule: Any, metrics: Sequence[float]) -> list[float]:
    task = task_of(metrics, schedule.options.get("mode", "min"))
    run = jax.jit(
        lambda schedule, data: jaxdecay.train(
            schedule,
            jax.random.key(0),
            data,
            task=task,
            optimizer=counting,
            epochs=len(metrics),
            batch_size=2,
            monitor="test_chosen",
        )
    )
    history = run(schedule, task.data).history
    np.testing.assert_array_equal(history["test_chosen"], metrics)
    return np.asarray(history["learning_rate"]).tolist()


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("case", recorded(), ids=lambda case: str(case["arguments"]["lr"])[:6])
def test_the_rates_are_pytorchs_everywhere(case: dict[str, Any]) -> None:
    schedule, metrics = as_plateau(**case["arguments"]), case["metrics"]
    assert len(set(case["rates"])) > 2
    for way in (by_hand, in_optax, in_nnx, in_train):
        rates = way(schedule, metrics)
        np.testing.assert_allclose(rates, case["rates"][:-1], rtol=1e-6, err_msg=way.__name__)


METRICS = [3.0, 2.0, 2.0, 2.0, 4.0, 1.0, 1.0, 5.0, 6.0, 0.5, 0.5, 0.5]

CONSTANT = [
    jaxdecay.reduce_on_plateau(0.3, factor=0.7, patience=1),
    jaxdecay.reduce_on_plateau(0.3, factor=0.7, patience=0, accumulation_size=2),
    jaxdecay.greedy(0.3, factor=0.7, patience=0, window=2),
    reduce_on_record(0.3, factor=0.7),
]


def test_the_rates_are_the_same_to_the_last_bit_everywhere() -> None:
    for schedule in CONSTANT:
        rates = by_hand(schedule, METRICS)
        assert len(set(rates)) > 2
        for way in (in_optax, in_nnx, in_train):
            assert way(schedule, METRICS) == rates, (way.__name__, schedule)


def test_the_rates_of_a_sweep_are_the_same() -> None:
    task, population = task_of(METRICS), jaxdecay.stack(CONSTANT)
    result = jaxdecay.sweep(
        task,
        population,
        optimizer=counting,
        epochs=len(METRICS),
        batch_size=2,
        seeds=2,
        monitor="test_chosen",
    )
    for index, schedule in enumerate(CONSTANT):
        rates = result.history["learning_rate"][:, index]
        expected = np.asarray(by_hand(schedule, METRICS), np.float32)
        np.testing.assert_array_equal(rates, np.broadcast_to(expected[:, None], rates.shape))


def test_a_decay_of_ones_own_reduces_at_each_record() -> None:
    rates = by_hand(reduce_on_record(0.5, factor=0.5), [1.0, 2.0, 2.0, 0.0, 3.0, 3.0])
    assert rates == [0.5, 0.25, 0.125, 0.125, 0.125, 0.0625]
    schedule = reduce_on_record(jaxdecay.linear(1.0, end_value=0.0, transition_steps=4))
    assert by_hand(schedule, [1.0, 0.5, 0.5]) == [1.0, 0.375, 0.25]
    assert isinstance(schedule, optax.schedules.StatefulSchedule)
    state = pickle.loads(pickle.dumps(schedule.update(schedule.init(), value=1.0)))
    assert float(schedule(state)) == 0.375


@pytest.mark.parametrize(
    "arguments",
    [
        {"factor": 0.5, "patience": 2, "accumulation_size": 3},
        {"factor": 0.75, "patience": 1, "rtol": 0.0, "atol": 3 / 256, "accumulation_size": 5},
        {"factor": 0.25, "patience": 3, "cooldown": 2, "min_scale": 0.01, "accumulation_size": 2},
        {"factor": 0.5, "patience": 2, "accumulation_size": 1},
    ],
)
def test_accumulation_is_that_of_optax(arguments: dict[str, Any]) -> None:
    chance = np.random.default_rng(len(str(arguments)))
    steps = chance.integers(-2, 8, 400) * (chance.random(400) < 0.3)
    metrics = jnp.asarray(64 - np.cumsum(steps) / 64, jnp.float32)
    theirs = optax.contrib.reduce_on_plateau(**arguments)
    same = {key: value for key, value in arguments.items() if key not in ("rtol", "atol")}
    threshold = arguments.get("atol") or arguments.get("rtol", 1e-4)
    ours = jaxdecay.reduce_on_plateau(
        1.0,
        threshold=threshold,
        threshold_mode="absolute" if "atol" in arguments else "relative",
        patience_rule="reaches",
        **same,
    )

    def follow(states: Any, metric: Any) -> Any:
        _, their_state = theirs.update(jnp.float32(1), states[0], value=metric)
        our_state = ours.update(states[1], value=metric)
        return (their_state, our_state), (their_state.scale, ours(our_state))

    first = theirs.init(jnp.float32(1)), ours.init()
    _, (expected, got) = jax.jit(lambda: jax.lax.scan(follow, first, metrics))()
    assert len(set(np.asarray(expected).tolist())) > 3
    np.testing.assert_allclose(got, expected, rtol=1e-6)


# What cannot drive it says so.


@pytest.mark.parametrize("schedule", CONSTANT, ids=lambda schedule: schedule.family)
@pytest.mark.parametrize("make", [optax.sgd, optax.adamw, optax.scale_by_learning_rate])
def test_an_optimizer_that_shows_it_no_metric_is_refused(make: Any, schedule: Any) -> None:
    optimizer = make(schedule)
    parameters = jnp.ones(3)
    state = optimizer.init(parameters)
    message = (
        rf"{schedule.family} follows a metric and must be called with its state.*"
        r"optax.inject_hyperparams\(optax.sgd\)\(schedule\).*value=loss"
    )
    for update in (optimizer.update, jax.jit(optimizer.update)):
        with pytest.raises(TypeError, match=message):
            update(parameters, state, parameters)


@pytest.mark.parametrize("schedule", CONSTANT, ids=lambda schedule: schedule.family)
def test_an_update_without_the_metric_is_refused(schedule: Any) -> None:
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=schedule)
    parameters = jnp.ones(3)
    state = optimizer.init(parameters)
    message = f"{schedule.family} follows a metric: value=… is missing"
    for extra in ({}, {"value": None}, {"loss": 1.0}):
        with pytest.raises(TypeError, match=message):
            optimizer.update(parameters, state, parameters, **extra)
    module = Module()
    in_module = nnx.Optimizer(module, optimizer, wrt=nnx.Param)
    with pytest.raises(TypeError, match=message):
        in_module.update(module, nnx.state(module))
