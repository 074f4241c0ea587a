"""Adaptive schedules: decays whose value also depends on a metric, such as the validation loss.

Inside `optax.inject_hyperparams` they see the metric at each update, in a sweep after each epoch.
"""

# In the order of the catalogue.
# isort: off
from jaxdecay.adaptive import plateau, greedy_scale
from jaxdecay.adaptive.plateau import *
from jaxdecay.adaptive.greedy_scale import *
# isort: on

__all__: list[str] = []
__all__ += plateau.__all__
__all__ += greedy_scale.__all__
