"""The schedules whose evaluation is measured: one of each family, and the same ones of Optax."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

import jaxdecay as jd
from jaxdecay.catalogue import example

STEPS = 1_000

FAMILIES: dict[str, Callable[[float], jd.Schedule]] = {
    "add": lambda rate: jd.cosine(rate, transition_steps=STEPS) + 0.001,
    "clip": lambda rate: jd.clip(jd.inverse_sqrt(rate), lower=0.001),
    "constant": lambda rate: jd.constant(rate),
    "cooldown": lambda rate: jd.cooldown(rate, begin=800, transition_steps=200),
    "cosine": lambda rate: jd.cosine(rate, transition_steps=STEPS),
    "cosine_restarts": lambda rate: jd.cosine_restarts(rate, period=100, period_multiplier=2.0),
    "count_units": lambda rate: jd.count_units(
        jd.cosine(rate, transition_steps=STEPS * 4096), units_per_step=4096
    ),
    "cyclic": lambda rate: jd.cyclic(0.001, peak_value=rate, up_steps=100),
    "advance": lambda rate: jd.advance(jd.cosine(rate, transition_steps=900), advance_steps=100),
    "delay": lambda rate: jd.delay(jd.cosine(rate, transition_steps=900), delay_steps=100),
    "discrete_staircase": lambda rate: jd.discrete_staircase(
        rate, decrement=0.001, transition_steps=100
    ),
    "exponential": lambda rate: jd.exponential(rate, decay_rate=0.5, transition_steps=100),
    "exponential_hyperbolic": lambda rate: jd.exponential_hyperbolic(
        rate, end_value=0.001, transition_steps=STEPS
    ),
    "extend": lambda rate: jd.extend(
        jd.cosine(rate, transition_steps=500), at=300, new_transition_steps=STEPS
    ),
    "greedy": lambda rate: jd.greedy(jd.cosine(rate, transition_steps=STEPS)),
    "hold": lambda rate: jd.hold(jd.cosine(rate, transition_steps=STEPS), begin=900),
    "hyperbolic": lambda rate: jd.hyperbolic(rate, end_value=0.001, transition_steps=STEPS),
    "infinite_schedule": lambda rate: jd.infinite_schedule(
        rate,
        stable_value=rate / 2,
        end_value=0.001,
        warmup_steps=100,
        cooldown_steps=200,
        stable_steps=500,
        transition_steps=200,
    ),
    "interpolate": lambda rate: jd.interpolate(
        [rate, rate / 2, rate / 8, 0.0], transition_steps=300
    ),
    "inverse_linear": lambda rate: jd.inverse_linear(rate, end_value=0.001, transition_steps=STEPS),
    "inverse_sqrt": lambda rate: jd.inverse_sqrt(rate),
    "inverse_time": lambda rate: jd.inverse_time(rate, decay_rate=0.01),
    "join": lambda rate: jd.join([rate, jd.cosine(rate, transition_steps=500)], lengths=[500, 500]),
    "k_decay": lambda rate: jd.k_decay(rate, end_value=0.0, transition_steps=STEPS, k=2.0),
    "linear": lambda rate: jd.linear(rate, end_value=0.0, transition_steps=STEPS),
    "multi_step": lambda rate: jd.multi_step(rate, decay_rate=0.1, boundaries=[500, 800]),
    "multiply": lambda rate: jd.cosine(rate, transition_steps=STEPS) * jd.inverse_sqrt(1.0),
    "natural_exponential": lambda rate: jd.natural_exponential(
        rate, decay_rate=3.0, transition_steps=STEPS
    ),
    "noam": lambda rate: jd.noam(512, warmup_steps=100, scale=rate),
    "one_cycle": lambda rate: jd.one_cycle(rate, transition_steps=STEPS),
    "per_epoch": lambda rate: jd.per_epoch(
        jd.cosine(rate, transition_steps=10), steps_per_epoch=100
    ),
    "piecewise_constant": lambda rate: jd.piecewise_constant([rate, rate / 2], boundaries=[500]),
    "piecewise_linear": lambda rate: jd.piecewise_linear(
        [rate, rate / 2, 0.0], boundaries=[0, 500, STEPS]
    ),
    "polynomial": lambda rate: jd.polynomial(
        rate, end_value=0.0, power=2.0, transition_steps=STEPS
    ),
    "power_law": lambda rate: jd.power_law(rate, power=0.5, transition_steps=100),
    "reduce_on_plateau": lambda rate: jd.reduce_on_plateau(jd.cosine(rate, transition_steps=STEPS)),
    "repeat": lambda rate: jd.repeat(jd.cosine(rate, transition_steps=250), period=250),
    "rex": lambda rate: jd.rex(rate, transition_steps=STEPS),
    "scale": lambda rate: 2.0 * jd.cosine(rate, transition_steps=STEPS),
    "sine_wave": lambda rate: jd.sine_wave(0.001, peak_value=rate, up_steps=100),
    "slanted_triangular": lambda rate: jd.slanted_triangular(rate, transition_steps=STEPS),
    "step_decay": lambda rate: jd.step_decay(rate, decay_rate=0.5, transition_steps=100),
    "tanh_decay": lambda rate: jd.tanh_decay(rate, end_value=0.0, transition_steps=STEPS),
    "warmup": lambda rate: jd.warmup(rate, warmup_steps=100),
    "warmup_cosine": lambda rate: jd.warmup_cosine(rate, warmup_steps=100, transition_steps=900),
    "warmup_linear": lambda rate: jd.warmup_linear(rate, warmup_steps=100, transition_steps=900),
    "warmup_stable_decay": lambda rate: jd.warmup_stable_decay(
        rate, warmup_steps=100, stable_steps=700, transition_steps=200
    ),
}
"""One schedule of each family, as a function of its learning rate."""

for _name in jd.families.keys() - FAMILIES.keys():
    FAMILIES[_name] = lambda rate, name=_name: example(name)

OF_OPTAX: dict[str, Callable[[Any], optax.Schedule]] = {
    "constant": lambda rate: lambda step: jnp.asarray(rate) + 0.0 * step,
    "cosine": lambda rate: optax.cosine_decay_schedule(rate, STEPS),
    "exponential": lambda rate: optax.exponential_decay(rate, 100, 0.5),
    "join": lambda rate: optax.join_schedules(
        [optax.constant_schedule(rate), optax.cosine_decay_schedule(rate, 500)], [500]
    ),
    "linear": lambda rate: optax.linear_schedule(rate, 0.0, STEPS),
    "one_cycle": lambda rate: optax.cosine_onecycle_schedule(STEPS, rate),
    "piecewise_constant": lambda rate: optax.piecewise_constant_schedule(rate, {500: 0.5}),
    "piecewise_linear": lambda rate: optax.piecewise_interpolate_schedule(
        "linear", rate, {500: 0.5, STEPS: 0.0}
    ),
    "polynomial": lambda rate: optax.polynomial_schedule(rate, 0.0, 2.0, STEPS),
    "step_decay": lambda rate: optax.exponential_decay(rate, 100, 0.5, staircase=True),
    "warmup": lambda rate: optax.warmup_constant_schedule(0.0, rate, 100),
    "warmup_cosine": lambda rate: optax.warmup_cosine_decay_schedule(0.0, rate, 100, STEPS),
}
"""The same schedules, of the families that Optax has."""
