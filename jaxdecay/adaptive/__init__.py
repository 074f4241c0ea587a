"""Adaptive schedules: decays whose value also depends on a metric, such as the validation loss.

Inside `optax.inject_hyperparams` they see the metric with each update, in a sweep once an epoch.
"""

from jaxdecay.adaptive.greedy_scale import greedy as greedy
from jaxdecay.adaptive.plateau import reduce_on_plateau as reduce_on_plateau
