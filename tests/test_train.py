"""Training one member: `train` is a pure function that can be jitted, mapped and differentiated."""

from __future__ import annotations

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxdecay
from jaxdecay.data import Data
from jaxdecay.training.train import epoch_order, evaluate, take

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def linear_task(examples: int = 20) -> jaxdecay.Task:
    """Least squares in two dimensions, by hand and without Flax."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(examples, 2)).astype(np.float32)
    labels = (inputs @ [1.0, -2.0]).astype(np.float32)

    def loss(parameters, batch):
        return jnp.mean(jnp.square(batch.inputs @ parameters - batch.labels))

    return jaxdecay.Task(
        init=lambda key: jax.random.normal(key, (2,)),
        loss=loss,
        metrics=lambda parameters, batch: {"size": jnp.sum(jnp.abs(parameters))},
        data=Data(inputs, labels, inputs[:7], labels[:7], scale=2.0),
        measures=[jaxdecay.Metric("size", larger_is_better=False)],
    )


def by_hand(task: jaxdecay.Task, schedule, key, epochs, batch_size):
    """SGD in float64 NumPy, given the same first weights and the same order of examples."""
    data = task.data
    weights = np.asarray(task.init(jax.random.fold_in(key, 0)), np.float64)
    losses, step = [], 0
    for epoch in range(epochs):
        epoch_losses = []
        for indices in np.asarray(epoch_order(key, jnp.asarray(epoch), data, batch_size)):
            inputs = np.asarray(data.train_inputs, np.float64)[indices] / data.scale
            errors = inputs @ weights - np.asarray(data.train_labels, np.float64)[indices]
            epoch_losses.append(np.mean(errors**2))
            weights -= float(schedule(step)) * 2 * inputs.T @ errors / len(indices)
            step += 1
        losses.append(np.mean(epoch_losses))
    errors = np.asarray(data.test_inputs) / data.scale @ weights - np.asarray(data.test_labels)
    return weights, losses, np.mean(errors**2)


def test_train_is_sgd():
    task, schedule, key = (
        linear_task(),
        jaxdecay.inverse_time(0.3, decay_rate=0.1),
        jax.random.key(3),
    )
    run = functools.partial(jaxdecay.train, task=task, epochs=4, batch_size=6)
    weights, losses, test_loss = by_hand(task, schedule, key, epochs=4, batch_size=6)
    for trained in (run(schedule, key, task.data), jax.jit(run)(schedule, key, task.data)):
        np.testing.assert_allclose(trained.parameters, weights, rtol=1e-5)
        np.testing.assert_allclose(trained.history["train_loss"], losses, rtol=1e-5)
        np.testing.assert_allclose(trained.history["test_loss"][-1], test_loss, rtol=1e-4)
        expected = [0.3 / (1 + 0.1 * 3 * epoch) for epoch in range(4)]  # 20 // 6 steps an epoch
        np.testing.assert_allclose(trained.history["learning_rate"], expected, rtol=1e-6)
        assert int(trained.diverged_at) == -1


def test_a_schedule_with_state_follows_the_test_loss():
    task, key, epochs = linear_task(), jax.random.key(3), 8
    schedule = jaxdecay.reduce_on_plateau(
        jaxdecay.inverse_time(0.03, decay_rate=0.01), factor=0.5, patience=1, threshold=0.3
    )
    run = functools.partial(jaxdecay.train, task=task, epochs=epochs, batch_size=6)
    trained = jax.jit(run)(schedule, key, task.data)
    data, weights = task.data, np.asarray(task.init(jax.random.fold_in(key, 0)), np.float64)
    scale, best, bad, step, rates, losses = 1.0, np.inf, 0, 0, [], []
    for epoch in range(epochs):
        rates.append(scale * 0.03 / (1 + 0.01 * step))
        for indices in np.asarray(epoch_order(key, jnp.asarray(epoch), data, 6)):
            inputs = np.asarray(data.train_inputs, np.float64)[indices] / data.scale
            errors = inputs @ weights - np.asarray(data.train_labels, np.float64)[indices]
            weights -= scale * 0.03 / (1 + 0.01 * step) * 2 * inputs.T @ errors / len(indices)
            step += 1
        errors = np.asarray(data.test_inputs) / data.scale @ weights - np.asarray(data.test_labels)
        losses.append(np.mean(errors**2))
        better = losses[-1] < 0.7 * best
        best, bad = (losses[-1], 0) if better else (best, bad + 1)
        scale, bad = (scale / 2, 0) if bad > 1 else (scale, bad)
    assert 0.1 < scale < 0.5
    np.testing.assert_allclose(trained.history["learning_rate"], rates, rtol=1e-6)
    np.testing.assert_allclose(trained.history["test_loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(trained.parameters, weights, rtol=1e-4)


def test_a_function_of_step_is_a_schedule():
    task, key = linear_task(), jax.random.key(0)
    by_name, by_function = (
        jaxdecay.train(each, key, task.data, task=task, batch_size=5)
        for each in (
            jaxdecay.inverse_time(0.1, decay_rate=0.5),
            lambda step: 0.1 / (1 + 0.5 * step),
        )
    )
    np.testing.assert_allclose(by_name.parameters, by_function.parameters, rtol=1e-6)


def test_train_maps_over_schedules_and_differentiates():
    task, key = linear_task(), jax.random.key(0)

    def final_loss(rate):
        schedule = jaxdecay.constant(rate)
        trained = jaxdecay.train(schedule, key, task.data, task=task, epochs=2, batch_size=5)
        return trained.history["test_loss"][-1]

    rates = jnp.array([0.01, 0.1, 0.3])
    np.testing.assert_allclose(
        jax.vmap(final_loss)(rates), [final_loss(rate) for rate in rates], rtol=1e-5
    )
    difference = (final_loss(0.101) - final_loss(0.099)) / 0.002
    np.testing.assert_allclose(jax.grad(final_loss)(0.1), difference, rtol=1e-2)


def test_an_optimizer_with_state_follows_the_schedule():
    task, schedule, key = (
        linear_task(),
        jaxdecay.linear(0.1, end_value=0.0, transition_steps=8),
        jax.random.key(1),
    )
    trained = jaxdecay.train(
        schedule, key, task.data, task=task, epochs=2, batch_size=5, optimizer=optax.adam
    )
    # The same, written as Optax's documentation does: one loop, the schedule inside Adam.
    optimizer = optax.adam(schedule)
    weights = task.init(jax.random.fold_in(key, 0))
    state = optimizer.init(weights)
    for epoch in range(2):
        for indices in epoch_order(key, jnp.asarray(epoch), task.data, 5):
            batch = take(task.data.train_inputs, task.data.train_labels, indices, task.data.scale)
            updates, state = optimizer.update(jax.grad(task.loss)(weights, batch), state)
            weights = optax.apply_updates(weights, updates)
    np.testing.assert_allclose(trained.parameters, weights, rtol=1e-5)


def test_any_factory_of_optimizers_works():
    task = linear_task()

    def clipped(rate):
        return optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(rate, momentum=0.9))

    trained = jaxdecay.train(
        jaxdecay.constant(0.1),
        jax.random.key(0),
        task.data,
        task=task,
        batch_size=5,
        optimizer=clipped,
    )
    chex.assert_tree_all_finite(trained.parameters)


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_divergence_is_dated(rate):
    task = linear_task()
    trained = jaxdecay.train(
        jaxdecay.constant(rate), jax.random.key(0), task.data, task=task, epochs=30, batch_size=10
    )
    _, losses, _ = by_hand_until_overflow(task, rate)
    assert int(trained.diverged_at) == losses
    assert not np.isfinite(trained.history["train_loss"][-1])


def by_hand_until_overflow(task, rate):
    """The first step whose loss is not finite, in float32 and step by step."""
    key, step = jax.random.key(0), 0
    weights = task.init(jax.random.fold_in(key, 0))
    for epoch in range(30):
        for indices in epoch_order(key, jnp.asarray(epoch), task.data, 10):
            batch = take(task.data.train_inputs, task.data.train_labels, indices, task.data.scale)
            loss, gradient = jax.value_and_grad(task.loss)(weights, batch)
            if not np.isfinite(loss):
                return weights, step, loss
            weights = weights - rate * gradient
            step += 1
    raise AssertionError("it did not diverge")


def test_divergence_by_the_last_update_is_seen_after_it():
    task, key = linear_task(examples=10), jax.random.key(0)
    trained = jaxdecay.train(jaxdecay.constant(1e30), key, task.data, task=task, batch_size=10)
    first = take(task.data.train_inputs, task.data.train_labels, jnp.arange(10), task.data.scale)
    assert np.isfinite(task.loss(task.init(jax.random.fold_in(key, 0)), first))  # of the only step
    assert np.isfinite(trained.parameters).all()
    assert int(trained.diverged_at) == 1
    assert np.isnan(trained.history["train_loss"][0])


def test_each_epoch_is_a_new_order_of_all_examples():
    data, key = linear_task().data, jax.random.key(0)
    first, second = (np.asarray(epoch_order(key, jnp.asarray(e), data, 5)) for e in (0, 1))
    assert sorted(first.ravel()) == list(range(20)) == sorted(second.ravel())
    assert (first != second).any()


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1_000])
def test_evaluation_in_batches_is_the_mean_over_all_examples(batch_size):
    task = linear_task()
    weights = jnp.array([0.5, 0.25])
    errors = task.data.test_inputs / 2.0 @ np.asarray(weights) - task.data.test_labels
    measured = evaluate(task, weights, task.data, batch_size)
    np.testing.assert_allclose(measured["loss"], np.mean(errors**2), rtol=1e-6)


def test_the_classifier_is_the_network_of_the_documents():
    task = jaxdecay.classifier(jaxdecay.digits())
    parameters = task.init(jax.random.key(0))
    shapes = {
        ".".join(map(str, path)): each.get_value().shape
        for path, each in nnx.to_flat_state(parameters)
    }
    assert shapes == {
        "hidden.bias": (128,),
        "hidden.kernel": (64, 128),
        "output.bias": (10,),
        "output.kernel": (128, 10),
    }
    kernel = parameters["hidden"]["kernel"].get_value()
    limit = np.sqrt(6 / (64 + 128))  # Glorot and Bengio: uniform within √(6/(fan_in + fan_out))
    assert limit * 0.99 < np.abs(kernel).max() <= limit
    assert not np.any(parameters["hidden"]["bias"].get_value())
    batch = take(task.data.test_inputs, task.data.test_labels, jnp.arange(8), 16.0)
    hidden = np.maximum(np.asarray(batch.inputs).reshape(8, 64) @ np.asarray(kernel), 0)
    logits = hidden @ np.asarray(parameters["output"]["kernel"].get_value())
    log_softmax = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -log_softmax[np.arange(8), np.asarray(batch.labels)].mean()
    np.testing.assert_allclose(task.loss(parameters, batch), expected, rtol=1e-5)
    right = logits.argmax(1) == np.asarray(batch.labels)
    np.testing.assert_array_equal(task.metrics(parameters, batch)["accuracy"], right)


def test_a_module_of_your_own_can_be_trained():
    def model(rngs):
        return nnx.Sequential(
            lambda images: images[..., None],
            nnx.Conv(1, 4, kernel_size=(3, 3), rngs=rngs),
            nnx.relu,
            lambda maps: maps.mean(axis=(1, 2)),
            nnx.Linear(4, 10, rngs=rngs),
        )

    task = jaxdecay.classifier(jaxdecay.digits(), model)
    run = jax.jit(functools.partial(jaxdecay.train, task=task, epochs=3, optimizer=optax.adam))
    trained = run(jaxdecay.constant(0.01), jax.random.key(0), task.data)
    losses = trained.history["train_loss"]
    assert losses[2] < losses[1] < losses[0]


def test_a_module_with_other_state_is_refused():
    def model(rngs):
        return nnx.Sequential(nnx.Linear(8, 10, rngs=rngs), nnx.BatchNorm(10, rngs=rngs))

    with pytest.raises(ValueError, match=r"nnx\.Param only, this one also has BatchStat"):
        jaxdecay.classifier(jaxdecay.digits(), model)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda rngs: nnx.Linear(8, 5, rngs=rngs), r"at least 10\), for labels 0 … 9; it returns"),
        (
            lambda rngs: nnx.Sequential(lambda each: each.mean(1), nnx.Linear(8, 9, rngs=rngs)),
            r"must map \(2, 8, 8\) to logits of shape \(2, at least 10\).* returns \(2, 9\)",
        ),
        (lambda rngs: nnx.Linear(64, 10, rngs=rngs), r"not take inputs of shape \(2, 8, 8\)"),
    ],
)
def test_a_module_that_does_not_fit_the_data_is_refused(module, message):
    with pytest.raises(ValueError, match=message) as told:
        jaxdecay.classifier(jaxdecay.digits(), module)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch size must be from 1 to 20"),
        ({"batch_size": 21}, "batch size must be from 1 to 20"),
        (
            {"batch_size": 5, "monitor": "test_siz"},
            r"monitor must be .*, test_loss, .* got 'test_siz' \(did you mean 'test_size'\?\)",
        ),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    task = linear_task()
    with pytest.raises(ValueError, match=message):
        jaxdecay.train(jaxdecay.constant(0.1), jax.random.key(0), task.data, task=task, **settings)


def test_a_task_needs_no_metrics():
    task = linear_task()
    task = jaxdecay.Task(task.init, task.loss, lambda parameters, batch: {}, task.data)
    result = jaxdecay.sweep(task, jaxdecay.stack([jaxdecay.constant(0.1)]), batch_size=5, epochs=2)
    assert set(result.history) == {"learning_rate", "train_loss", "test_loss"}
    assert result.metrics["test_loss"][0, 0] < result.history["test_loss"][0, 0, 0]


def test_a_task_can_be_a_static_argument():
    task = linear_task()
    train = jax.jit(jaxdecay.train, static_argnames=("task", "batch_size"))
    trained = train(jaxdecay.constant(0.1), jax.random.key(0), task.data, task=task, batch_size=5)
    chex.assert_tree_all_finite(trained.parameters)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train_labels": np.zeros(30, int)},
            r"train_inputs and train_labels .* \(40, 3\) and \(30,\)",
        ),
        ({"test_inputs": np.zeros((0, 3)), "test_labels": np.zeros(0, int)}, "at least one"),
        ({"test_inputs": np.zeros((9, 4))}, "must have the same shapes"),
        ({"train_labels": np.full(40, -1)}, "labels must be class numbers from 0, got -1"),
        ({"train_labels": np.zeros(40)}, r"one class number.*got train_labels of float32 \(40,\)"),
        ({"test_labels": np.zeros((9, 1), int)}, r"got test_labels of int32 \(9, 1\)\. Take"),
        ({"test_inputs": np.full((9, 3), np.nan)}, "inputs must be finite, some are not"),
        ({"test_inputs": np.full((9, 3), 1e300)}, "test_inputs: numbers must be finite as float32"),
        ({"test_inputs": np.ones((9, 3), complex)}, "real numbers, got an array of complex128"),
        ({"test_inputs": np.full((9, 3), "a")}, "inputs must be real numbers"),
        ({"scale": 0.0}, r"scale must be a number from 1\.2e-38 to 3\.4e\+38, .*float32, got 0\.0"),
        ({"scale": "255"}, "scale must be a number from .*, got '255'; .* give 255 for images"),
        ({"scale": 1e300}, r"scale must be a number from .*, got 1e\+300"),
        ({"scale": np.nan}, "scale must be a number from .*, got nan"),
        (
            {"scale": 2e-38, "test_inputs": np.full((9, 3), 7)},  # 3.5e38 > 3.4e38
            "inputs must be finite when divided by scale 2e-38, some .*, or use a larger scale",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(changes, message):
    parts = {
        "train_inputs": np.zeros((40, 3)),
        "train_labels": np.zeros(40, int),
        "test_inputs": np.zeros((9, 3)),
        "test_labels": np.zeros(9, int),
    }
    with pytest.raises(ValueError, match=message):
        jaxdecay.classifier(Data(**{**parts, **changes}))


def test_a_class_seen_in_the_test_only_has_an_output():
    labels = np.array([0, 1] * 5)
    data = Data(np.ones((10, 3)), labels, np.ones((3, 3)), np.array([0, 1, 4]))
    task = jaxdecay.classifier(data)
    assert np.isfinite(evaluate(task, task.init(jax.random.key(0)), data)["loss"])


def test_data_are_arrays():
    data = Data([[0.0, 1.0], [1.0, 0.0]] * 8, [0, 1] * 8, [[0.0, 1.0]], [0])
    with pytest.raises(ValueError, match="train_inputs and train_labels must be arrays"):
        jaxdecay.classifier(data)
