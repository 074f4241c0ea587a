"""Functions as schedules: one trace, names in files, annotations, and closures of Optax."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.domain import Positive, PositiveSteps


def hyperbola(step: Any, init_value: Any, half_life: Any) -> Any:
    return init_value * half_life / (half_life + jnp.asarray(step, float))


def test_a_function_is_a_schedule() -> None:
    schedule = jaxdecay.from_function(hyperbola, init_value=0.5, half_life=100)
    assert float(schedule(100)) == float(jax.jit(schedule)(100)) == 0.25
    assert repr(schedule) == "from_function(hyperbola, init_value=0.5, half_life=100.0)"
    names = {"from_function": jaxdecay.from_function, "hyperbola": hyperbola}
    assert eval(repr(schedule), names) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == copy.deepcopy(schedule) == schedule
    assert schedule != jaxdecay.from_function(lambda step: 0.5)
    assert schedule.replace(half_life=50).half_life == 50
    assert jaxdecay.stack([schedule, schedule.replace(init_value=1.0)])(100).tolist() == [0.25, 0.5]
    assert "hyperbola" not in jaxdecay.families


def test_equal_functions_cost_one_trace() -> None:
    traces = 0

    @jax.jit
    def count(schedule: Schedule) -> Any:
        nonlocal traces
        traces += 1
        return schedule(3)

    for rate in (0.1, 0.2):
        count(jaxdecay.from_function(hyperbola, init_value=rate, half_life=100))
    assert traces == 1


def test_a_function_has_no_name_in_files() -> None:
    schedule = jaxdecay.warmup(
        jaxdecay.from_function(hyperbola, init_value=1, half_life=9), warmup_steps=5
    )
    with pytest.raises(ValueError, match=r"@jaxdecay\.decay above the function hyperbola"):
        schedule.to_dict()


def test_annotations_of_a_function_are_read() -> None:
    def stepped(step: Any, init_value: Positive, period: PositiveSteps = 10) -> Any:
        return init_value / (1 + step // period)

    assert jaxdecay.from_function(stepped, init_value=1).period == 10
    with pytest.raises(ValueError, match="stepped: init_value must be a number > 0, got -1"):
        jaxdecay.from_function(stepped, init_value=-1)
    with pytest.raises(TypeError, match="stepped has no hyperparameter 'perio'"):
        jaxdecay.from_function(stepped, init_value=1, perio=3)


def test_optax_closures_are_schedules(relaxed_promotion: None) -> None:
    theirs = optax.cosine_decay_schedule(0.1, 100)
    ours = jaxdecay.warmup(jaxdecay.from_function(theirs), warmup_steps=10)
    assert ours == jaxdecay.warmup(jaxdecay.from_function(theirs), warmup_steps=10)
    np.testing.assert_allclose(ours([5, 35]), [0.05, theirs(25)], rtol=1e-6)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(ours)


def branching(step: Any, init_value: Any, *, boundary: PositiveSteps) -> Any:
    return init_value if step < boundary else init_value / 10


def with_numpy(step: Any, init_value: Any, *, boundary: Any) -> Any:
    return init_value * np.exp(-boundary)


def with_float(step: Any, init_value: Any, *, boundary: Any) -> Any:
    return init_value * float(boundary)


def with_range(step: Any, init_value: Any, *, boundary: PositiveSteps) -> Any:
    return init_value * len(range(boundary))


@pytest.mark.parametrize("function", [branching, with_numpy, with_float, with_range])
def test_a_decay_that_needs_a_python_number_is_named(function: Any) -> None:
    schedule = jaxdecay.from_function(function, init_value=0.1, boundary=10)
    inside = jaxdecay.warmup(schedule, warmup_steps=5)
    population = jaxdecay.stack([schedule, schedule])
    named = f"^the decay {function.__name__} .* jnp.where"
    for call in (schedule, jax.jit(schedule), inside, jax.jit(inside), population):
        with pytest.raises(TypeError, match=named) as error:
            call(jnp.arange(3))
        assert "\n" not in str(error.value)
