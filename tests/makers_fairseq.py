"""Our schedules for recorded cases of fairseq."""

from __future__ import annotations

import itertools
from typing import Any

from parity import claim
from recorded_rates import Make

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.migration.peer import in_sequence


def fairseq(scheduler: str, **arguments: Any) -> Schedule:
    return FAIRSEQ_MAKERS[scheduler](**arguments)


def fairseq_inverse_sqrt(
    lr: float, warmup_updates: int = 4_000, warmup_init_lr: float = -1
) -> Schedule:
    decay = jaxdecay.inverse_sqrt(lr, transition_steps=warmup_updates)
    return jaxdecay.warmup(decay, warmup_steps=warmup_updates, init_value=max(0.0, warmup_init_lr))


def fairseq_polynomial(
    lr: float,
    total_num_update: int,
    warmup_updates: int = 0,
    end_learning_rate: float = 0.0,
    power: float = 1.0,
) -> Schedule:
    left = total_num_update - warmup_updates
    if power == 1:
        return jaxdecay.warmup_linear(
            lr,
            warmup_steps=warmup_updates,
            transition_steps=left,
            init_value=0.0,
            end_value=end_learning_rate,
        )
    decay = jaxdecay.polynomial(lr, end_value=end_learning_rate, power=power, transition_steps=left)
    return jaxdecay.warmup(decay, warmup_steps=warmup_updates)


def fairseq_cosine(
    lr: float,
    warmup_updates: int = 0,
    warmup_init_lr: float = -1,
    min_lr: float = 0.0,
    t_mult: float = 1.0,
    lr_period_updates: int = -1,
    lr_shrink: float = 0.1,
    max_update: int = 0,
) -> Schedule:
    period = lr_period_updates if lr_period_updates > 0 else max_update - warmup_updates
    cycles = jaxdecay.cosine_restarts(lr, period=period, end_value=min_lr, period_multiplier=t_mult)
    ends = list(itertools.accumulate(period * int(t_mult) ** i for i in range(11)))
    if t_mult == 1:
        shrink = jaxdecay.step_decay(1.0, decay_rate=lr_shrink, transition_steps=period)
    else:
        shrink = jaxdecay.multi_step(1.0, decay_rate=lr_shrink, boundaries=ends)
    first = warmup_init_lr if warmup_init_lr >= 0 else min_lr
    return jaxdecay.warmup(cycles * shrink, warmup_steps=warmup_updates, init_value=first)


def fairseq_step(
    lr: float,
    warmup_updates: int = 0,
    min_lr: float = 0.0,
    lr_decay: float = 0.5,
    lr_deacy_period: int = 25_000,
    warmup_init_lr: float = -1,
) -> Schedule:
    stairs = jaxdecay.clip(
        jaxdecay.step_decay(lr, decay_rate=lr_decay, transition_steps=lr_deacy_period), lower=min_lr
    )
    first = warmup_init_lr if warmup_init_lr >= 0 else min_lr
    return jaxdecay.warmup(stairs, warmup_steps=warmup_updates, init_value=first)


def fairseq_triangular(
    lr: float,
    max_lr: float,
    lr_period_updates: int = 5_000,
    lr_shrink: float = 0.1,
    shrink_min: bool = False,
) -> Schedule:
    half = lr_period_updates // 2
    if shrink_min:
        above = jaxdecay.cyclic(
            0.0, peak_value=max_lr - lr, up_steps=half, down_steps=half, decay_rate=lr_shrink
        )
        return above + jaxdecay.step_decay(lr, decay_rate=lr_shrink, transition_steps=2 * half)
    # m + (M·gᶜ − m)·△ = M·gᶜ·△ + m·(1 − △)
    return jaxdecay.cyclic(
        0.0, peak_value=max_lr, up_steps=half, down_steps=half, decay_rate=lr_shrink
    ) + jaxdecay.cyclic(lr, peak_value=0.0, up_steps=half)


def fairseq_tri_stage(
    lr: float,
    warmup_steps: int = 0,
    hold_steps: int = 0,
    decay_steps: int = 0,
    init_lr_scale: float = 0.01,
    final_lr_scale: float = 0.01,
    phase_ratio: list[float] | None = None,
    max_update: int = 0,
) -> Schedule:
    lengths = [warmup_steps, hold_steps, decay_steps]
    if phase_ratio is not None:
        lengths = [int(max_update * each) for each in phase_ratio]
    return jaxdecay.warmup_stable_decay(
        lr,
        warmup_steps=lengths[0],
        stable_steps=lengths[1],
        transition_steps=lengths[2],
        init_value=lr * init_lr_scale,
        end_value=lr * final_lr_scale,
        shape="exponential",
    )


def fairseq_fixed(
    lr: float | list[float],
    force_anneal: int | None = None,
    warmup_updates: int = 0,
    lr_shrink: float = 0.1,
) -> Schedule:
    rates = lr if isinstance(lr, list) else [lr]
    by_epoch = jaxdecay.constant(rates[0])
    if len(rates) > 1:
        by_epoch = jaxdecay.piecewise_constant(rates, boundaries=list(range(1, len(rates))))
    if force_anneal is not None:  # epochs count from 1 there
        anneal = jaxdecay.exponential(rates[-1] * lr_shrink, decay_rate=lr_shrink)
        by_epoch = in_sequence([by_epoch, anneal], [force_anneal - 1])
    ramp = jaxdecay.warmup(1.0, warmup_steps=warmup_updates, first_step="one_over_w")
    return ramp * jaxdecay.per_epoch(by_epoch, steps_per_epoch=10)


def fairseq_manual(lr: float, epoch2lr: dict[str, float], update2lr: dict[str, float]) -> Schedule:
    def first(key: str) -> int:
        return int(key.replace("-", ",").partition(",")[0])

    def last(key: str) -> list[int]:
        if "-" in key:
            return list(range(int(key.partition("-")[0]), int(key.partition("-")[2]) + 1))
        return [int(each) for each in key.split(",")]

    by_key = {each: rate for key, rate in (epoch2lr or update2lr).items() for each in last(key)}
    begins = sorted(by_key)
    values = [by_key.get(1, lr), *(by_key[each] for each in begins)]
    if epoch2lr:
        epochs = [each - 1 for each in begins]
        return jaxdecay.per_epoch(
            jaxdecay.piecewise_constant(values, boundaries=epochs), steps_per_epoch=10
        )
    return jaxdecay.piecewise_constant(values, boundaries=begins)


def fairseq_plateau(
    lr: float,
    lr_shrink: float,
    lr_patience: int,
    lr_threshold: float,
    maximize_best_checkpoint_metric: bool,
) -> Schedule:
    mode = "max" if maximize_best_checkpoint_metric else "min"
    return jaxdecay.reduce_on_plateau(
        lr, factor=lr_shrink, patience=lr_patience, threshold=lr_threshold, mode=mode
    )


FAIRSEQ_MAKERS: dict[str, Make] = {
    "reduce_lr_on_plateau": fairseq_plateau,
    "inverse_sqrt": fairseq_inverse_sqrt,
    "polynomial_decay": fairseq_polynomial,
    "cosine": fairseq_cosine,
    "step": fairseq_step,
    "triangular": fairseq_triangular,
    "tri_stage": fairseq_tri_stage,
    "fixed": fairseq_fixed,
    "manual": fairseq_manual,
}

FAIRSEQ = {
    "inverse_sqrt": claim("inverse_sqrt"),
    "polynomial_decay": claim("polynomial linear warmup warmup_linear"),
    "cosine": claim("cosine_restarts", "the floor shrinks with the peak"),
    "step": claim("step_decay clip"),
    "triangular": claim("cyclic", "the floor is fixed, the peak shrinks"),
    "tri_stage": claim("warmup_stable_decay cooldown", '`tri_stage` is the shape "exponential"'),
    "fixed": claim("constant exponential per_epoch"),
    "reduce_lr_on_plateau": claim("reduce_on_plateau"),
    "manual": claim("piecewise_constant"),
}
