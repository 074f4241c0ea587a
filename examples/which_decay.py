# %% [markdown]
# # Which decay?
#
# From `import jaxdecay` to a choice that can be defended, on 1,797 handwritten digits, in about a
# minute. Cells are marked with `# %%`: Jupyter (with jupytext), VS Code and Spyder run them one by
# one; so does `python examples/which_decay.py`.

# %%
import numpy as np

import jaxdecay

data = jaxdecay.digits()
task = jaxdecay.classifier(data)  # the network of the Keras example: one hidden layer of 128
epochs, batch_size = 20, 32
run = jaxdecay.percent(100)  # all steps, once a sweep knows how many

# %% [markdown]
# ## Candidates
#
# A fair comparison gives every family the same first rates, and as many settings as it needs. What
# ends, ends with the run.

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
# ## Training all of them, with five seeds each
#
# In a seed all schedules start from the same weights and see the same batches.

# %%
result = jaxdecay.sweep(task, population, epochs=epochs, batch_size=batch_size, seeds=5)
print(result)
jaxdecay.plot(result)

# %% [markdown]
# ## What the seeds can tell
#
# The best mean is not the answer yet: which schedules could as well have won?

# %%
found = result.compare()
for index in result.ranking()[:10]:
    alike = "≈ best" if found.like_best[index] else f"p = {found.p_value[index]:.1g}"
    print(
        f"{found.mean[index]:.4f} ({found.low[index]:.4f} … {found.high[index]:.4f})  {alike:10}  "
        f"{result.population[int(index)]}"
    )
print(f"{found.like_best.sum()} of {len(population)} schedules cannot be told from the best.")

# %% [markdown]
# ## The choice
#
# Among those that cannot be told apart by accuracy, the test loss, which is finer, may decide.

# %%
losses = result.compare("test_loss")
candidates = np.flatnonzero(found.like_best)
choice = int(candidates[np.argmin(losses.mean[candidates])])
print(f"choice: {result.population[choice]!r}")
for finding in jaxdecay.check_schedule(result.population[choice], result.steps):
    print(f"note: {finding}")

# %% [markdown]
# ## Something to show to others
#
# One file that opens without a network: leaderboard, curves, hyperparameters, seeds.

# %%
result.save("runs/which_decay", overwrite=True)
print("see runs/which_decay/report.html")
