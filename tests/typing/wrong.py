"""Pyright must reject each line that ends in a comment; run by tests/test_typing.py."""

import jaxdecay

jaxdecay.inverse_time(0.1, decay_rat=0.5)  # reportCallIssue
jaxdecay.inverse_time("0.1", decay_rate=0.5)  # reportArgumentType
jaxdecay.exponential(0.1, decay_rate=0.5, staircase="yes")  # reportArgumentType
jaxdecay.warmup(0.1, warmup_steps=5, first_step="none")  # reportArgumentType
jaxdecay.cosine(0.1)  # reportCallIssue
jaxdecay.reduce_on_plateau(0.1).update(value=0.5)  # reportCallIssue

# A second argument without a name, in every family.
jaxdecay.linear(0.1, 2, end_value=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.polynomial(0.1, 2, end_value=0.1, power=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.cosine(0.1, 2, transition_steps=10)  # reportCallIssue
jaxdecay.k_decay(0.1, 2, end_value=0.1, transition_steps=10, k=0.1)  # reportCallIssue
jaxdecay.tanh_decay(0.1, 2, end_value=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.rex(0.1, 2, transition_steps=10)  # reportCallIssue
jaxdecay.inverse_linear(0.1, 2, end_value=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.hyperbolic(0.1, 2, end_value=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.exponential_hyperbolic(0.1, 2, end_value=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.cosine_restarts(0.1, 2, period=10)  # reportCallIssue
jaxdecay.cyclic(0.1, 2, peak_value=0.1, up_steps=10)  # reportCallIssue
jaxdecay.sine_wave(0.1, 2, peak_value=0.1, up_steps=10)  # reportCallIssue
jaxdecay.constant(0.1, 2)  # reportCallIssue
jaxdecay.piecewise_constant([0.1], 2, boundaries=[10])  # reportCallIssue
jaxdecay.piecewise_linear([0.1], 2, boundaries=[10])  # reportCallIssue
jaxdecay.interpolate([0.1], 2)  # reportCallIssue
jaxdecay.exponential(0.1, 2, decay_rate=0.1)  # reportCallIssue
jaxdecay.natural_exponential(0.1, 2, decay_rate=0.1)  # reportCallIssue
jaxdecay.inverse_time(0.1, 2, decay_rate=0.1)  # reportCallIssue
jaxdecay.inverse_sqrt(0.1, 2)  # reportCallIssue
jaxdecay.step_decay(0.1, 2, decay_rate=0.1, transition_steps=10)  # reportCallIssue
jaxdecay.discrete_staircase(0.1, 2, decrement=0.1)  # reportCallIssue
jaxdecay.multi_step(0.1, 2, decay_rate=0.1, boundaries=[10])  # reportCallIssue
jaxdecay.noam(0.1, 2, warmup_steps=10)  # reportCallIssue
jaxdecay.power_law(0.1, 2, power=0.1)  # reportCallIssue
jaxdecay.reduce_on_plateau(0.1, 2)  # reportCallIssue
jaxdecay.greedy(0.1, 2)  # reportCallIssue
jaxdecay.warmup(0.1, 2, warmup_steps=10)  # reportCallIssue
jaxdecay.cooldown(0.1, 2, begin=10, transition_steps=10)  # reportCallIssue
jaxdecay.join([0.1], 2, lengths=[10])  # reportCallIssue
jaxdecay.hold(0.1, 2, begin=10)  # reportCallIssue
jaxdecay.delay(0.1, 2, delay_steps=10)  # reportCallIssue
jaxdecay.advance(0.1, 2, advance_steps=10)  # reportCallIssue
jaxdecay.repeat(0.1, 2, period=10)  # reportCallIssue
jaxdecay.count_units(0.1, 2, units_per_step=10)  # reportCallIssue
jaxdecay.per_epoch(0.1, 2, steps_per_epoch=10)  # reportCallIssue
jaxdecay.extend(0.1, 2, at=10, new_transition_steps=10)  # reportCallIssue
jaxdecay.add(0.1, 2, second=0.1)  # reportCallIssue
jaxdecay.multiply(0.1, 2, second=0.1)  # reportCallIssue
jaxdecay.scale(0.1, 2, factor=0.1)  # reportCallIssue
jaxdecay.clip(0.1, 2)  # reportCallIssue
jaxdecay.warmup_cosine(0.1, 2, warmup_steps=10, transition_steps=10)  # reportCallIssue
jaxdecay.warmup_linear(0.1, 2, warmup_steps=10, transition_steps=10)  # reportCallIssue
jaxdecay.warmup_stable_decay(
    0.1,
    2,  # reportCallIssue
    warmup_steps=10,
    stable_steps=10,
    transition_steps=10,
)
jaxdecay.infinite_schedule(
    0.1,
    2,  # reportCallIssue
    stable_value=0.1,
    end_value=0.1,
    warmup_steps=10,
    cooldown_steps=10,
    stable_steps=10,
    transition_steps=10,
)
jaxdecay.one_cycle(0.1, 2, transition_steps=10)  # reportCallIssue
jaxdecay.slanted_triangular(0.1, 2, transition_steps=10)  # reportCallIssue
