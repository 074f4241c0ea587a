from jaxdecay.compose import *
