"""The families, one function each, in files by shape.

In the formulas t is `step`, the number of updates finished before this one, and T is
`transition_steps`. Rates are in whatever unit the optimizer reads them; steps are updates.
"""

from jaxdecay.decays.cosines import cosine as cosine
from jaxdecay.decays.cosines import k_decay as k_decay
from jaxdecay.decays.exponentials import exponential as exponential
from jaxdecay.decays.exponentials import natural_exponential as natural_exponential
from jaxdecay.decays.hyperbolas import exponential_hyperbolic as exponential_hyperbolic
from jaxdecay.decays.hyperbolas import hyperbolic as hyperbolic
from jaxdecay.decays.hyperbolas import inverse_linear as inverse_linear
from jaxdecay.decays.hyperbolas import rex as rex
from jaxdecay.decays.inverse_powers import inverse_sqrt as inverse_sqrt
from jaxdecay.decays.inverse_powers import inverse_time as inverse_time
from jaxdecay.decays.inverse_powers import noam as noam
from jaxdecay.decays.inverse_powers import power_law as power_law
from jaxdecay.decays.periodic import cosine_restarts as cosine_restarts
from jaxdecay.decays.periodic import cyclic as cyclic
from jaxdecay.decays.periodic import sine_wave as sine_wave
from jaxdecay.decays.piecewise import constant as constant
from jaxdecay.decays.piecewise import interpolate as interpolate
from jaxdecay.decays.piecewise import piecewise_constant as piecewise_constant
from jaxdecay.decays.piecewise import piecewise_linear as piecewise_linear
from jaxdecay.decays.polynomials import linear as linear
from jaxdecay.decays.polynomials import polynomial as polynomial
from jaxdecay.decays.stairs import discrete_staircase as discrete_staircase
from jaxdecay.decays.stairs import multi_step as multi_step
from jaxdecay.decays.stairs import step_decay as step_decay
from jaxdecay.decays.tangents import tanh_decay as tanh_decay
from jaxdecay.decays.time import countdown as countdown
from jaxdecay.decays.time import elapsed as elapsed
from jaxdecay.decays.time import same_kind as same_kind
from jaxdecay.decays.time import whole_transitions as whole_transitions
from jaxdecay.decays.transition import transition as transition
