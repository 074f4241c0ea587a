"""A decay of your own, swept beside ours.

A decay is a function of `step` with annotated hyperparameters. From then on it is like any
other: it can be stacked, searched, printed, saved, and trained beside other families.

    python examples/custom_decay.py
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from rich.console import Console

import jaxdecay
from jaxdecay.cli.leaderboard import leaderboard
from jaxdecay.domain import Positive, PositiveSteps


@jaxdecay.decay
def hyperbola(step: ArrayLike, init_value: Positive, *, half_life: PositiveSteps) -> ArrayLike:
    """Half of `init_value` after `half_life` steps, a third after twice as many.

    Formula: init_value / (1 + t / half_life).
    """
    return init_value / (1 + jnp.asarray(step) / half_life)


# It is a schedule: a function of step, a pytree, and text.
schedule = hyperbola(0.5, half_life=100)
print(schedule, "is", float(schedule(100)), "at step 100, with leaves", jax.tree.leaves(schedule))
assert jaxdecay.Schedule.from_dict(schedule.to_dict()) == schedule

# It is checked as its annotations say.
try:
    hyperbola(-0.5, half_life=100)
except ValueError as error:
    print("error:", error)

# It is swept beside ours: a grid of one, random draws of another, in one compiled program.
epochs = 10
task = jaxdecay.classifier(jaxdecay.digits())
run = jaxdecay.percent(100)  # all steps, once a sweep knows how many
population = jaxdecay.concat(
    jaxdecay.grid(hyperbola, init_value=[0.1, 0.3, 1.0], half_life=[50, 200]),
    jaxdecay.sample(
        jaxdecay.cosine, 6, jax.random.key(0), init_value=(0.1, 1.0), transition_steps=run
    ),
)
print(population)
result = jaxdecay.sweep(task, population, epochs=epochs, seeds=3)
Console().print(leaderboard(result))
print("best:", result.best())
