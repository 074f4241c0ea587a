"""Decays of schedules: their hyperparameters are schedules, or numbers that stand for them."""

from jaxdecay.compose.arithmetic import add as add
from jaxdecay.compose.arithmetic import clip as clip
from jaxdecay.compose.arithmetic import multiply as multiply
from jaxdecay.compose.arithmetic import scale as scale
from jaxdecay.compose.clock import advance as advance
from jaxdecay.compose.clock import count_units as count_units
from jaxdecay.compose.clock import delay as delay
from jaxdecay.compose.clock import hold as hold
from jaxdecay.compose.clock import per_epoch as per_epoch
from jaxdecay.compose.clock import repeat as repeat
from jaxdecay.compose.extension import extend as extend
from jaxdecay.compose.sequence import cooldown as cooldown
from jaxdecay.compose.sequence import join as join
from jaxdecay.compose.sequence import warmup as warmup
