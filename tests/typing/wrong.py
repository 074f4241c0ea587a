"""Pyright must reject each line that ends in a comment; run by tests/test_typing.py."""

import jaxdecay

jaxdecay.inverse_time(0.1, decay_rat=0.5)  # reportCallIssue
jaxdecay.inverse_time("0.1", decay_rate=0.5)  # reportArgumentType
jaxdecay.exponential(0.1, decay_rate=0.5, staircase="yes")  # reportArgumentType
jaxdecay.warmup(0.1, warmup_steps=5, first_step="none")  # reportArgumentType
jaxdecay.cosine(0.1)  # reportCallIssue
jaxdecay.reduce_on_plateau(0.1).update(value=0.5)  # reportCallIssue
