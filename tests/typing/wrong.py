"""Pyright must reject each line that ends in a comment; run by tests/test_typing.py."""

import jaxdecay

jaxdecay.inverse_time(0.1, decay_rat=0.5)  # reportCallIssue
jaxdecay.inverse_time("0.1", decay_rate=0.5)  # reportArgumentType
jaxdecay.exponential(0.1, decay_rate=0.5, staircase="yes")  # reportArgumentType
jaxdecay.warmup(
    jaxdecay.cosine(0.1, transition_steps=10), warmup_steps=5, first_step="none"
)  # reportArgumentType
jaxdecay.cosine(0.1)  # reportCallIssue
