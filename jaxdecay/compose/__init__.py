"""Decays that take schedules, or numbers in place of constant ones, as hyperparameters."""

# In the order of the catalogue.
# isort: off
from jaxdecay.compose import sequence, clock, extension, arithmetic
from jaxdecay.compose.sequence import *
from jaxdecay.compose.clock import *
from jaxdecay.compose.extension import *
from jaxdecay.compose.arithmetic import *
# isort: on

__all__: list[str] = []
__all__ += sequence.__all__
__all__ += clock.__all__
__all__ += extension.__all__
__all__ += arithmetic.__all__
