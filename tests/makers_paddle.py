"""Our schedules for recorded cases of Paddle."""

from __future__ import annotations

from typing import Any

from makers_torch import RISES, function_of_epoch, running_product
from parity import claim
from recorded_rates import Make

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.migration.peer import in_sequence, wave


def paddle(scheduler: str, **arguments: Any) -> Schedule:
    return PADDLE_MAKERS[scheduler](**arguments)


def paddle_noam(d_model: int, warmup_steps: int, learning_rate: float = 1.0) -> Schedule:
    return in_sequence(
        [0.0, jaxdecay.noam(d_model, warmup_steps=warmup_steps, scale=learning_rate)], [1]
    )


def paddle_polynomial(
    learning_rate: float,
    decay_steps: int,
    end_lr: float = 1e-4,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    return jaxdecay.polynomial(
        learning_rate, end_value=end_lr, power=power, transition_steps=decay_steps, cycle=cycle
    )


def paddle_warmup(
    learning_rate: Any, warmup_steps: int, start_lr: float, end_lr: float
) -> Schedule:
    if isinstance(learning_rate, dict):
        inner = paddle(learning_rate["scheduler"], **learning_rate["arguments"])
    else:
        inner = jaxdecay.constant(learning_rate)
    if learning_rate == end_lr or isinstance(learning_rate, dict):
        return jaxdecay.warmup(inner, warmup_steps=warmup_steps, init_value=start_lr)
    return in_sequence(
        [jaxdecay.linear(start_lr, end_value=end_lr, transition_steps=warmup_steps), inner],
        [warmup_steps],
    )


def paddle_one_cycle(
    max_learning_rate: float,
    total_steps: int,
    divide_factor: float = 25.0,
    end_learning_rate: float = 1e-4,
    phase_pct: float = 0.3,
    anneal_strategy: str = "cos",
    three_phase: bool = False,
) -> Schedule:
    end = total_steps - 1
    return jaxdecay.one_cycle(
        max_learning_rate,
        transition_steps=end,
        warmup_fraction=(phase_pct * total_steps - 1) / end,
        initial_divisor=divide_factor,
        final_divisor=max_learning_rate / divide_factor / end_learning_rate,
        shape="cosine" if anneal_strategy == "cos" else "linear",
        three_phase=three_phase,
    )


def paddle_cyclic(
    base_learning_rate: float, max_learning_rate: float, exp_gamma: float = 1.0, **cycle: Any
) -> Schedule:
    return jaxdecay.from_torch(
        "CyclicLR", base_lr=base_learning_rate, max_lr=max_learning_rate, gamma=exp_gamma, **cycle
    )


def paddle_plateau(learning_rate: float, epsilon: float = 1e-8, **rule: Any) -> Schedule:
    return jaxdecay.from_torch("ReduceLROnPlateau", lr=learning_rate, eps=epsilon, **rule)


PADDLE_MAKERS: dict[str, Make] = {
    "NoamDecay": paddle_noam,
    "PiecewiseDecay": lambda boundaries, values: jaxdecay.piecewise_constant(
        values, boundaries=boundaries
    ),
    "NaturalExpDecay": lambda learning_rate, gamma: jaxdecay.natural_exponential(
        learning_rate, decay_rate=gamma
    ),
    "InverseTimeDecay": lambda learning_rate, gamma: jaxdecay.inverse_time(
        learning_rate, decay_rate=gamma
    ),
    "ExponentialDecay": lambda learning_rate, gamma: jaxdecay.exponential(
        learning_rate, decay_rate=gamma
    ),
    "StepDecay": lambda learning_rate, step_size, gamma=0.1: jaxdecay.step_decay(
        learning_rate, decay_rate=gamma, transition_steps=step_size
    ),
    "MultiStepDecay": lambda learning_rate, milestones, gamma=0.1: jaxdecay.multi_step(
        learning_rate, decay_rate=gamma, boundaries=milestones
    ),
    "LambdaDecay": lambda learning_rate, lr_lambda: function_of_epoch(learning_rate, lr_lambda),
    "MultiplicativeDecay": lambda learning_rate, lr_lambda: running_product(
        learning_rate, lr_lambda
    ),
    "PolynomialDecay": paddle_polynomial,
    "CosineAnnealingDecay": lambda learning_rate, T_max, eta_min=0.0: wave(  # noqa: N803
        learning_rate, eta_min, T_max
    ),
    "CosineAnnealingWarmRestarts": lambda learning_rate, **cycle: jaxdecay.from_torch(
        "CosineAnnealingWarmRestarts", lr=learning_rate, **cycle
    ),
    "LinearLR": lambda learning_rate, total_steps, start_factor=1 / 3, end_factor=1.0: (
        jaxdecay.linear(
            learning_rate * start_factor,
            end_value=learning_rate * end_factor,
            transition_steps=total_steps,
        )
    ),
    "LinearWarmup": paddle_warmup,
    "OneCycleLR": paddle_one_cycle,
    "CyclicLR": paddle_cyclic,
    "ReduceOnPlateau": paddle_plateau,
}

PADDLE = {
    "NoamDecay": claim("noam", "one step later, and 0 at step 0"),
    "PiecewiseDecay": claim("piecewise_constant"),
    "NaturalExpDecay": claim("natural_exponential"),
    "InverseTimeDecay": claim("inverse_time"),
    "ExponentialDecay": claim("exponential"),
    "StepDecay": claim("step_decay"),
    "MultiStepDecay": claim("multi_step"),
    "LambdaDecay": claim("from_function"),
    "MultiplicativeDecay": claim("interpolate", "`MultiplicativeDecay` as a table"),
    "PolynomialDecay": claim("polynomial"),
    "CosineAnnealingDecay": claim("cosine", RISES),
    "CosineAnnealingWarmRestarts": claim("cosine_restarts"),
    "LinearLR": claim("linear"),
    "LinearWarmup": claim("warmup"),
    "OneCycleLR": claim("one_cycle", "its last step is `total_steps` − 1"),
    "CyclicLR": claim("cyclic"),
    "ReduceOnPlateau": claim("reduce_on_plateau", "in a cooldown no metric is looked at"),
}
