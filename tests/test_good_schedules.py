"""Schedules in which check_schedule finds nothing."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import jaxdecay


def warm(schedule: jaxdecay.ScheduleLike, steps: int) -> jaxdecay.Schedule:
    return jaxdecay.warmup(schedule, warmup_steps=steps, first_step="one_over_w")


GOOD = {
    "constant": 0.1 * jaxdecay.constant(1.0),
    "line to 0": jaxdecay.linear(0.1, end_value=0.0, transition_steps=1000),
    "line": jaxdecay.linear(0.1, end_value=0.01, transition_steps=1000),
    "root": jaxdecay.polynomial(0.1, end_value=0.0, power=0.5, transition_steps=1000),
    "cycles": jaxdecay.polynomial(0.1, end_value=0.01, power=1.0, transition_steps=250, cycle=True),
    "k decay": jaxdecay.k_decay(0.1, end_value=0.0, transition_steps=1000, k=3.0),
    "tanh": jaxdecay.tanh_decay(0.1, end_value=0.0, transition_steps=1000),
    "rex": jaxdecay.rex(0.1, transition_steps=1000),
    "inverse of a line": jaxdecay.inverse_linear(0.1, end_value=0.001, transition_steps=1000),
    "hyperbola": jaxdecay.hyperbolic(0.1, end_value=0.001, transition_steps=1000, upper_bound=2000),
    "exponential hyperbola": jaxdecay.exponential_hyperbolic(
        0.1, end_value=0.001, transition_steps=1000
    ),
    "exponential": jaxdecay.exponential(0.1, decay_rate=0.01, transition_steps=1000),
    "stairs": jaxdecay.exponential(0.1, decay_rate=0.01, transition_steps=300, staircase=True),
    "equal stairs": jaxdecay.discrete_staircase(0.1, decrement=0.01, transition_steps=100),
    "hyperbola in time": jaxdecay.inverse_time(0.1, decay_rate=0.01),
    "inverse root": jaxdecay.inverse_sqrt(0.1),
    "noam": jaxdecay.noam(512, warmup_steps=100),
    "power law": jaxdecay.power_law(0.1, power=0.5, transition_steps=100),
    "milestones": jaxdecay.multi_step(0.1, decay_rate=0.1, boundaries=[500, 800]),
    "milestones after a warm-up": warm(
        jaxdecay.multi_step(0.1, decay_rate=0.1, boundaries=[500]), 100
    ),
    "pieces": jaxdecay.piecewise_constant([0.1, 0.01, 0.001], boundaries=[500, 800]),
    "points": jaxdecay.piecewise_linear([0.01, 0.1, 0.05, 0.0], boundaries=[0, 100, 100, 1000]),
    "table": jaxdecay.interpolate(np.linspace(0.1, 0.01, 11), transition_steps=100),
    "restarts": jaxdecay.cosine_restarts(0.1, period=250),
    "longer restarts": jaxdecay.cosine_restarts(
        0.1, period=100, end_value=0.001, period_multiplier=2.0, peak_multiplier=0.9
    ),
    "triangles": jaxdecay.cyclic(0.01, peak_value=0.1, up_steps=100, decay_rate=0.5),
    "sine": jaxdecay.sine_wave(0.01, peak_value=0.1, up_steps=100),
    "drops by epoch": jaxdecay.per_epoch(
        jaxdecay.step_decay(0.1, decay_rate=0.1, transition_steps=3), steps_per_epoch=100
    ),
    "curve by epoch": warm(
        jaxdecay.per_epoch(jaxdecay.cosine(0.1, transition_steps=9), steps_per_epoch=100), 100
    ),
    "tokens": jaxdecay.count_units(
        jaxdecay.cosine(0.1, transition_steps=4_095_500), units_per_step=4096
    ),
    "warm-up": warm(jaxdecay.cosine(0.1, transition_steps=900), 100),
    "warm-up from a rate": jaxdecay.warmup(0.1, warmup_steps=100, init_value=0.001),
    "warm-up, stable, decay": jaxdecay.warmup_stable_decay(
        0.1, warmup_steps=100, stable_steps=700, transition_steps=200, init_value=0.001
    ),
    "warm-up in a compound": jaxdecay.warmup_cosine(
        0.1, warmup_steps=100, transition_steps=900, init_value=0.001
    ),
    "three stages": jaxdecay.warmup_stable_decay(
        0.1,
        warmup_steps=100,
        stable_steps=500,
        transition_steps=400,
        end_value=0.001,
        init_value=0.001,
        shape="exponential",
    ),
    "infinite": jaxdecay.infinite_schedule(
        0.1,
        stable_value=0.05,
        end_value=0.001,
        warmup_steps=100,
        cooldown_steps=300,
        stable_steps=400,
        transition_steps=200,
        init_value=0.001,
    ),
    "one cycle": jaxdecay.one_cycle(0.1, transition_steps=1000),
    "one cycle of three phases": jaxdecay.one_cycle(0.1, transition_steps=1000, three_phase=True),
    "slanted triangle": jaxdecay.slanted_triangular(0.1, transition_steps=1000),
    "cooldown of a decay": jaxdecay.cooldown(
        jaxdecay.cosine(0.1, transition_steps=2000), begin=900, transition_steps=100
    ),
    "cycle of which half is seen": jaxdecay.from_torch("CosineAnnealingLR", lr=0.1, T_max=1000),
    "held where the run ends": jaxdecay.hold(
        jaxdecay.linear(0.01, end_value=0.1, transition_steps=1000), begin=1000
    ),
    "milestone at the end": jaxdecay.multi_step(0.1, decay_rate=0.1, boundaries=[500, 1000]),
    "already begun": warm(
        jaxdecay.advance(jaxdecay.cosine(0.1, transition_steps=1000), advance_steps=100), 100
    ),
    "drop at a seam": jaxdecay.join(
        [
            jaxdecay.step_decay(0.1, decay_rate=0.25, transition_steps=100),
            jaxdecay.cosine(0.1 / 256, transition_steps=600),
        ],
        lengths=[400, 600],
    ),
    "held": jaxdecay.hold(jaxdecay.linear(0.1, end_value=0.0, transition_steps=1000), begin=900),
    "repeated": jaxdecay.repeat(jaxdecay.cosine(0.1, transition_steps=250), period=250),
    "prolonged": jaxdecay.extend(
        jaxdecay.cosine(0.1, transition_steps=500), at=300, new_transition_steps=1000
    ),
    "clipped": jaxdecay.clip(jaxdecay.inverse_sqrt(0.1), lower=0.005),
    "join": jaxdecay.join(
        [0.5, jaxdecay.linear(0.5, end_value=0.0, transition_steps=500)], lengths=[500, 500]
    ),
    "join of numbers": jaxdecay.join(
        [0.1, 0.01, jaxdecay.cosine(0.01, transition_steps=400)], lengths=[300, 300, 400]
    ),
    "ramp times a curve": jaxdecay.linear(0.01, end_value=1.0, transition_steps=100)
    * jaxdecay.cosine(0.1, transition_steps=1000),
    "curve above a floor": jaxdecay.cosine(0.1, transition_steps=1000) + 0.001,
    "plateau": jaxdecay.reduce_on_plateau(jaxdecay.cosine(0.1, transition_steps=1000)),
    "own": jaxdecay.from_function(
        lambda step, init_value: init_value * 0.5 ** jnp.floor(step / 100), init_value=0.1
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_schedules_have_no_findings(name):
    assert jaxdecay.check_schedule(GOOD[name], 1000) == []
