"""The families, one function each, in files by shape.

In the formulas t is `step`, the number of completed updates, and T is `transition_steps`.
Learning rates are in the unit of the optimizer; steps are updates.
"""

# In the order of the catalogue.
# isort: off
from jaxdecay.decays import (
    piecewise,
    polynomials,
    cosines,
    tangents,
    hyperbolas,
    exponentials,
    inverse_powers,
    stairs,
    periodic,
)
from jaxdecay.decays.piecewise import *
from jaxdecay.decays.polynomials import *
from jaxdecay.decays.cosines import *
from jaxdecay.decays.tangents import *
from jaxdecay.decays.hyperbolas import *
from jaxdecay.decays.exponentials import *
from jaxdecay.decays.inverse_powers import *
from jaxdecay.decays.stairs import *
from jaxdecay.decays.periodic import *
# isort: on

__all__: list[str] = []
__all__ += piecewise.__all__
__all__ += polynomials.__all__
__all__ += cosines.__all__
__all__ += tangents.__all__
__all__ += hyperbolas.__all__
__all__ += exponentials.__all__
__all__ += inverse_powers.__all__
__all__ += stairs.__all__
__all__ += periodic.__all__
