# %% [markdown]
# # Which decay?
#
# This notebook trains 28 schedules on 1,797 handwritten digits, in about a minute, and chooses one.
# Run it with `python examples/which_decay.py`, or cell by cell in Jupyter (with jupytext), VS Code
# or Spyder: `# %%` marks the cells.

# %%
import numpy as np

import jaxdecay

data = jaxdecay.digits()
task = jaxdecay.classifier(data)  # one hidden layer of 128 units, as in Keras's MNIST example
epochs, batch_size = 20, 32
run = jaxdecay.percent(100)  # all steps of the run

# %% [markdown]
# ## Candidates
#
# For a fair comparison, give every family the same first rates. A schedule with an end should reach
# it when the run ends.

# %%
first_rates = [0.03, 0.1, 0.3, 1.0]
population = jaxdecay.concat(
    jaxdecay.grid(jaxdecay.constant, value=first_rates),
    jaxdecay.grid(jaxdecay.inverse_time, init_value=first_rates, decay_rate=[1e-3, 1e-2]),
    jaxdecay.grid(
        jaxdecay.exponential, init_value=first_rates, decay_rate=[0.1, 0.5], transition_steps=run
    ),
    jaxdecay.grid(jaxdecay.linear, init_value=first_rates, end_value=0.0, transition_steps=run),
    jaxdecay.grid(jaxdecay.cosine, init_value=first_rates, transition_steps=run),
)
print(population)

# %% [markdown]
# ## Train all of them, with five seeds each
#
# All schedules of a seed start from the same weights and see the same batches.

# %%
result = jaxdecay.sweep(task, population, epochs=epochs, batch_size=batch_size, seeds=5)
print(result)
jaxdecay.plot(result)

# %% [markdown]
# ## Which schedules are not significantly worse than the best?
#
# The schedule with the best mean may have won by luck. `compare` separates those that are
# significantly worse.

# %%
comparison = result.compare()
for index in result.ranking()[:10]:
    alike = "≈ best" if comparison.like_best[index] else f"p = {comparison.p_value[index]:.1g}"
    print(
        f"{comparison.mean[index]:.4f} ({comparison.low[index]:.4f} … {comparison.high[index]:.4f})"
        f"  {alike:10}  {result.population[int(index)]}"
    )
number = comparison.like_best.sum()
print(f"{number} of {len(population)} schedules are not significantly worse than the best.")

# %% [markdown]
# ## Choose one
#
# Among these, choose the one with the lowest test loss, which is finer than the accuracy.

# %%
losses = result.compare("test_loss")
candidates = np.flatnonzero(comparison.like_best)
choice = int(candidates[np.argmin(losses.mean[candidates])])
print(f"choice: {result.population[choice]!r}")
for finding in jaxdecay.check_schedule(result.population[choice], result.steps):
    print(f"note: {finding}")

# %% [markdown]
# ## Save a report
#
# `report.html` is one file that opens offline, with leaderboard, curves, hyperparameters and seeds.

# %%
jaxdecay.write_report(result, "runs/which_decay")
print("Written to runs/which_decay/report.html")
