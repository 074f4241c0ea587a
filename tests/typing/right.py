"""Pyright must accept all of this; run by tests/test_typing.py."""

from typing import assert_type

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

import jaxdecay
from jaxdecay.domain import NonNegative, Positive

schedule = jaxdecay.inverse_time(0.1, decay_rate=0.5)
assert_type(schedule, jaxdecay.Schedule)
assert_type(schedule(3), jax.Array)
assert_type(schedule * 2 + schedule * schedule, jaxdecay.Schedule)
jaxdecay.inverse_time(jnp.float32(0.1), decay_rate=np.float32(0.5), transition_steps=np.int64(3))
jaxdecay.join([0.1, schedule], lengths=[10, 20])
jaxdecay.piecewise_constant(jnp.ones(3), boundaries=np.arange(2))
optax.sgd(learning_rate=schedule)
as_optax: optax.Schedule = schedule


@jaxdecay.decay
def mine(step: ArrayLike, init_value: Positive, decay_rate: NonNegative = 0.1) -> ArrayLike:
    return init_value / (1 + decay_rate * jnp.asarray(step))


assert_type(mine(0.1, decay_rate=0.2), jaxdecay.Schedule)
population = jaxdecay.grid(mine, init_value=[0.1, 0.2])
assert_type(population[0], jaxdecay.Schedule)
assert_type(population[:1], jaxdecay.Population)
task = jaxdecay.classifier(jaxdecay.digits())
result = jaxdecay.sweep(task, population, optimizer=optax.adam)
assert_type(result.best(), jaxdecay.Schedule)
