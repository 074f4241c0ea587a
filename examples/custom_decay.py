"""Defines a decay and sweeps it together with a built-in one.

A decay is a function of `step` with annotated hyperparameters. Once decorated, it works like every
built-in family: you can stack, search, print, save and train it.

    python examples/custom_decay.py
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

import jaxdecay
from jaxdecay.domain import Positive, PositiveSteps


@jaxdecay.decay
def hyperbola(step: ArrayLike, init_value: Positive, *, half_life: PositiveSteps) -> ArrayLike:
    """Falls to half of `init_value` after `half_life` steps, to a third after twice as many.

    Formula: init_value / (1 + t / half_life).
    """
    return init_value / (1 + jnp.asarray(step) / half_life)


# The result is a schedule: a function of the step, a pytree, and text that evaluates.
schedule = hyperbola(0.5, half_life=100)
print(schedule, "is", float(schedule(100)), "at step 100, with leaves", jax.tree.leaves(schedule))
assert jaxdecay.Schedule.from_dict(schedule.to_dict()) == schedule

# The annotations check its hyperparameters.
try:
    hyperbola(-0.5, half_life=100)
except ValueError as error:
    print("error:", error)

# One compiled program sweeps a grid of it and random samples of cosine.
epochs = 10
task = jaxdecay.classifier(jaxdecay.digits())
run = jaxdecay.percent(100)  # all steps of the run
population = jaxdecay.concat(
    jaxdecay.grid(hyperbola, init_value=[0.1, 0.3, 1.0], half_life=[50, 200]),
    jaxdecay.sample(
        jaxdecay.cosine, 6, jax.random.key(0), init_value=(0.1, 1.0), transition_steps=run
    ),
)
print(population)
result = jaxdecay.sweep(task, population, epochs=epochs, seeds=3)
for row in result.rows():
    print(row.rank, row.name, *row.cells(result.main_metric))
print("best:", result.best())
