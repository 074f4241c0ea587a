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
assert_type(jaxdecay.value_at(0.1, 3), jax.Array)

adaptive = jaxdecay.reduce_on_plateau(schedule, patience=3)
assert_type(adaptive, jaxdecay.AdaptiveSchedule)
state = adaptive.init()
assert_type(state, jaxdecay.AdaptiveState)
assert_type(adaptive.update(state, value=0.5), jaxdecay.AdaptiveState)
assert_type(adaptive(state), jax.Array)
as_stateful: optax.schedules.StatefulSchedule = adaptive
optax.inject_hyperparams(optax.sgd)(learning_rate=adaptive)

relative = jaxdecay.warmup_cosine(
    0.1, warmup_steps=jaxdecay.epochs(1), transition_steps=jaxdecay.percent(90)
)
assert_type(relative.resolve(steps=1_000, steps_per_epoch=100), jaxdecay.Schedule)
jaxdecay.join([0.1, schedule], lengths=[jaxdecay.tokens(1e9), jaxdecay.samples(1e6)])
floats, rebuild = schedule.partition()
assert_type(rebuild(floats), jaxdecay.Schedule)
family: jaxdecay.Family[..., jaxdecay.Schedule] = jaxdecay.cosine


@jaxdecay.decay
def mine(step: ArrayLike, init_value: Positive, *, decay_rate: NonNegative = 0.1) -> ArrayLike:
    return init_value / (1 + decay_rate * jnp.asarray(step))


assert_type(mine(0.1, decay_rate=0.2), jaxdecay.Schedule)
population = jaxdecay.grid(mine, init_value=[0.1, 0.2])
assert_type(population[0], jaxdecay.Schedule)
assert_type(population[:1], jaxdecay.Population)
task = jaxdecay.classifier(jaxdecay.digits())
result = jaxdecay.sweep(task, population, optimizer=optax.adam)
assert_type(result.best(), jaxdecay.Schedule)
