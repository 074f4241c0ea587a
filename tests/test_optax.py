"""Our schedules as learning rates of Optax: every optimizer that takes one, with every family."""

from __future__ import annotations

import collections.abc
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from case import Case
from cases import CASES
from jax.typing import ArrayLike

import jaxdecay
from jaxdecay import ScheduleLike, value_at
from jaxdecay.definition import NamedDecay
from jaxdecay.domain import Count

STEPS = 4


def one_of_each_family() -> list[Case]:
    """The first case of every family with rates that every optimizer makes a step with.

    Some divide by the rate; some begin so small that float32 holds no step of a small rate.
    """
    first: dict[str, Case] = {}
    for case in CASES:
        if all(case.reference(step) > 0.005 for step in range(STEPS)):
            first.setdefault(case.schedule.family, case)
    return list(first.values())


FAMILIES = one_of_each_family()


def test_every_family_takes_part() -> None:
    decays = jaxdecay.families.items()
    ours = {name for name, decay in decays if decay.__module__.startswith("jaxdecay.")}
    assert {case.schedule.family for case in FAMILIES} == ours


# A small least-squares problem, fixed by its seed.

_RANDOM = np.random.default_rng(0)
INPUTS = _RANDOM.normal(size=(16, 6))
TARGETS = INPUTS @ _RANDOM.normal(size=(6, 4)) + 0.5
START = {"w": _RANDOM.normal(size=(6, 4)) / 3, "b": np.full(4, 0.1)}

Parameters = Any


def start() -> Parameters:
    return jax.tree.map(lambda each: jnp.asarray(each, float), START)


def loss(parameters: Parameters) -> Any:
    predicted = jnp.asarray(INPUTS, float) @ parameters["w"] + parameters["b"][None, :]
    return jnp.mean(jnp.square(predicted - jnp.asarray(TARGETS, float)))


def test_sgd_trains_with_the_rates_of_the_formula() -> None:
    optimizer = optax.sgd(learning_rate=jaxdecay.inverse_time(0.1, decay_rate=0.5))
    parameters = start()
    state = optimizer.init(parameters)
    losses = [float(loss(parameters))]
    for step in range(50):
        gradients = jax.grad(loss)(parameters)
        updates, state = optimizer.update(gradients, state, parameters)
        for update, gradient in zip(
            jax.tree.leaves(updates), jax.tree.leaves(gradients), strict=True
        ):
            by_hand = -0.1 / (1 + 0.5 * step) * np.asarray(gradient, np.float64)
            np.testing.assert_allclose(update, by_hand, rtol=1e-6, atol=0)
        parameters = optax.apply_updates(parameters, updates)
        losses.append(float(loss(parameters)))
    assert np.all(np.diff(losses) < 0)
    assert losses[-1] < losses[0] / 2


# Which optimizers take a schedule: by the annotation of the parameter, whatever they are called.

RATES = ("learning_rate", "scaling")  # `scaling` is the learning rate of polyak_sgd


def takes_schedule(annotation: Any) -> bool:
    """Whether an annotation is `optax.ScalarOrSchedule`: a number or a function."""
    if isinstance(annotation, str):
        return "ScalarOrSchedule" in annotation
    return any(get_origin(each) is collections.abc.Callable for each in get_args(annotation))


def find_optimizers() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Name, function and parameter, of all public functions of Optax and its `contrib`."""
    for module in (optax, optax.contrib):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            for parameter in inspect.signature(function).parameters.values():
                of_rate = parameter.name in RATES and takes_schedule(parameter.annotation)
                if of_rate and not name.startswith("_"):
                    yield f"{module.__name__}.{name}", function, parameter.name


OPTIMIZERS = {name: (function, parameter) for name, function, parameter in find_optimizers()}

REQUIRED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "optax.noisy_sgd": lambda rate: {"key": 0},
    "optax.contrib.dpsgd": lambda rate: {"l2_norm_clip": 1.0, "noise_multiplier": 0.1, "seed": 0},
    "optax.contrib.schedule_free": lambda rate: {"base_optimizer": optax.sgd(rate)},
}
"""Other arguments that an optimizer cannot do without."""


def extra_arguments(name: str, value: Any, gradients: Any) -> dict[str, Any]:
    """What an update needs besides gradients, state and parameters."""
    return {
        "optax.lbfgs": {"value": value, "grad": gradients, "value_fn": loss},
        "optax.polyak_sgd": {"value": value},
        "optax.contrib.momo": {"value": value},
        "optax.contrib.momo_adam": {"value": value},
        "optax.contrib.sophia": {"obj_fn": loss},
    }.get(name, {})


def make(name: str, rate: Any) -> Any:
    function, parameter = OPTIMIZERS[name]
    required = REQUIRED.get(name, lambda rate: {})(rate)
    return function(**{parameter: rate}, **required)


def test_optimizers_are_found() -> None:
    print(f"{len(OPTIMIZERS)} optimizers take a schedule:", *OPTIMIZERS)
    assert len(OPTIMIZERS) >= 45
    assert {"optax.sgd", "optax.adamw", "optax.lbfgs", "optax.contrib.muon"} <= set(OPTIMIZERS)


# Compiling each optimizer for each family would take many minutes. So the families travel
# together, as operands of one schedule that answers with one of them: one program an optimizer.
# An ordinary run gives each optimizer every twelfth family, in turns; a long one gives it all.


def _one_of(
    step: ArrayLike, which: Annotated[ArrayLike, Count()], *, schedules: Sequence[ScheduleLike]
) -> Any:
    answers = [lambda step, each=each: value_at(each, step) for each in schedules]
    return jax.lax.switch(which, answers, step)


one_of = NamedDecay(_one_of)  # not `decay`, which would add it to the families


def train(name: str, as_rate: Callable[[Any], Any]) -> Callable[[Any], Parameters]:
    """Trains by an argument that is made a learning rate inside the traced function."""

    @jax.jit
    def update(rate: Any, state: Any, parameters: Parameters) -> tuple[Parameters, Any]:
        value, gradients = jax.value_and_grad(loss)(parameters)
        extra = extra_arguments(name, value, gradients)
        if name == "optax.contrib.dpsgd":  # it takes a gradient for each example
            gradients = jax.tree.map(lambda each: jnp.stack([each, each]), gradients)
        optimizer = optax.with_extra_args_support(make(name, as_rate(rate)))
        updates, state = optimizer.update(gradients, state, parameters, **extra)
        return optax.apply_updates(parameters, updates), state

    def run(rate: Any) -> Parameters:
        parameters = start()
        state = make(name, as_rate(rate)).init(parameters)
        for _ in range(STEPS):
            parameters, state = update(rate, state, parameters)
        return parameters

    return run


@pytest.mark.quick_each(2)
@pytest.mark.filterwarnings('ignore:"seed" is deprecated')  # dpsgd takes nothing else
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_with_families(name: str, relaxed_promotion: None) -> None:
    with_schedule = train(name, lambda schedule: schedule)
    with_table = train(name, lambda table: lambda step: table[step])
    without_state = [case for case in FAMILIES if case.schedule.decay.feedback is None]
    if os.environ.get("JAXDECAY_HYPOTHESIS") != "long":
        without_state = without_state[list(OPTIMIZERS).index(name) % 24 :: 24]
    schedules = [case.schedule for case in without_state]
    for index, case in enumerate(without_state):
        trained = with_schedule(one_of(index, schedules=schedules))
        table = jnp.array([case.reference(step) for step in range(STEPS + 1)], float)
        expected = with_table(table)
        for leaf, first, other in zip(
            jax.tree.leaves(trained),
            jax.tree.leaves(start()),
            jax.tree.leaves(expected),
            strict=True,
        ):
            assert np.all(np.isfinite(leaf)), case.name
            assert np.any(leaf != first), case.name
            np.testing.assert_allclose(leaf, other, rtol=1e-6, atol=1e-6, err_msg=case.name)


@pytest.mark.quick_each(2)
@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_every_family_by_itself(case: Any, relaxed_promotion: None) -> None:
    """The schedule as users pass it, not as an operand; an adaptive one where it sees the loss."""
    is_adaptive = case.schedule.decay.feedback is not None
    adamw = optax.inject_hyperparams(optax.adamw) if is_adaptive else optax.adamw
    optimizer = optax.with_extra_args_support(adamw(case.schedule))
    parameters = start()
    state = optimizer.init(parameters)
    for _ in range(STEPS):
        value, gradients = jax.value_and_grad(loss)(parameters)
        updates, state = jax.jit(optimizer.update)(gradients, state, parameters, value=value)
        parameters = optax.apply_updates(parameters, updates)
    for leaf, first in zip(jax.tree.leaves(parameters), jax.tree.leaves(start()), strict=True):
        assert np.all(np.isfinite(leaf))
        assert np.any(leaf != first)


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_a_schedule_is_what_optax_takes_it_for(case: Any, relaxed_promotion: None) -> None:
    """Optax calls whatever has `init` and `update` as a schedule that sees the metrics."""
    is_adaptive = case.schedule.decay.feedback is not None
    assert isinstance(case.schedule, optax.schedules.StatefulSchedule) == is_adaptive
    if is_adaptive:
        parameters = start()
        optimizer = optax.adamw(case.schedule)
        state = optimizer.init(parameters)
        with pytest.raises(TypeError, match=r"inject_hyperparams.*value=loss"):
            optimizer.update(parameters, state, parameters)
