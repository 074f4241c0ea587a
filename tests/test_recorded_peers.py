"""Against PyTorch, transformers, timm, Paddle, fairseq and MaxText, as recorded.

The rates in `recorded/*.json` come from the peers' own code (`recorded/record_peers.py`). Where
there is a converter, ours is made by it; for the others by hand, here. A test takes all recorded
cases of one of the peer's schedules, at every recorded step: all to a little past the end, and
some far past it.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import parity
import pytest
from parity import VERDICTS, Claim, claim, equal, families_in, wrong
from rows import called

import jaxdecay
from jaxdecay import AdaptiveSchedule, Schedule, value_at
from jaxdecay.migration.peer import in_sequence, wave

RTOL = 1e-6
RECORDED = Path(__file__).parent / "recorded"

Case = dict[str, Any]
Make = Callable[..., Schedule]


@functools.cache
def recorded(peer: str) -> list[Case]:
    names = {"PyTorch": "torch_more", "MaxText": "maxtext", "Paddle": "paddle"}
    return json.loads((RECORDED / f"{names.get(peer, peer)}.json").read_text())["cases"]


def cases_of(peer: str, scheduler: str) -> list[Case]:
    return [case for case in recorded(peer) if case["scheduler"] == scheduler]


# Ours at the recorded steps. Few shapes, so that schedules of one structure compile once.


@jax.jit
def values_after(
    schedule: AdaptiveSchedule, metrics: jax.Array, first: int, pause: int
) -> jax.Array:
    """The rate at each step, when a metric comes after each.

    Metrics before `first`, and `pause` of them after each reduction, are kept from the schedule.
    """

    def follow(carry: tuple[Any, Any], each: tuple[Any, Any]) -> tuple[Any, Any]:
        (state, left), (step, metric) = carry, each
        counts = (step >= first) & (left == 0)
        after = jax.tree.map(
            lambda new, old: jnp.where(counts, new, old),
            schedule.update(state, value=metric),
            state,
        )
        reduced = after.feedback.scale < state.feedback.scale
        left = jnp.where(reduced, pause, jnp.maximum(left - 1, 0))
        return (after, left), value_at(schedule, step, state)

    steps = jnp.arange(len(metrics))
    start = (schedule.init(), jnp.zeros_like(pause))
    return jax.lax.scan(follow, start, (steps, metrics))[1]


def ours(peer: str, case: Case) -> tuple[Schedule, np.ndarray]:
    schedule = PEERS[peer].make(case["scheduler"], **case["arguments"])
    steps = np.array(case["steps"])
    if "metrics" in case:
        metrics = jnp.array([*case["metrics"], 0.0])
        first, pause = case["arguments"].get("warmup_t", 0), 0
        if peer == "Paddle":
            pause, schedule = schedule.cooldown, schedule.replace(cooldown=0)
        values = values_after(schedule, metrics, first, pause)
    else:
        values = called(schedule, jnp.asarray(np.pad(steps, (0, 256 - len(steps)), mode="edge")))
    return schedule, np.asarray(values, np.float64)[: len(steps)]


# PyTorch


def pairs(schedulers: list[Case]) -> list[tuple[str, Any]]:
    return [(each["scheduler"], each["arguments"]) for each in schedulers]


def in_jax(expression: str) -> Callable[[Any], Any]:
    """A recorded function of the epoch."""
    return lambda epoch: eval(expression, {"epoch": jnp.asarray(epoch, float)})


def function_of_epoch(lr: float, lr_lambda: str) -> Schedule:
    return jaxdecay.from_function(lambda step: lr * in_jax(lr_lambda)(step))


def running_product(lr: float, lr_lambda: str) -> Schedule:
    factors = [eval(lr_lambda, {"epoch": epoch}) for epoch in range(1, 1_001)]
    return jaxdecay.interpolate(np.cumprod([lr, *factors]))


def torch(scheduler: str, **arguments: Any) -> Schedule:
    if scheduler == "LambdaLR":
        return function_of_epoch(**arguments)
    if scheduler == "MultiplicativeLR":
        return running_product(**arguments)
    if "schedulers" in arguments:
        arguments["schedulers"] = pairs(arguments["schedulers"])
    return jaxdecay.from_torch(scheduler, **arguments)


RISES = "rises again after its end, with `cycle`"

TORCH = {
    "LinearLR": claim("linear"),
    "ConstantLR": claim("piecewise_constant"),
    "PolynomialLR": claim("polynomial"),
    "StepLR": claim("step_decay"),
    "MultiStepLR": claim("multi_step"),
    "CosineAnnealingLR": claim("cosine", RISES),
    "CosineAnnealingWarmRestarts": claim("cosine_restarts"),
    "CyclicLR": claim("cyclic"),
    "OneCycleLR": claim("one_cycle", "its last step is `total_steps` − 1"),
    "SequentialLR": claim("join"),
    "ChainedScheduler": claim("multiply"),
    "LambdaLR": claim("from_function"),
    "MultiplicativeLR": claim("interpolate", "`MultiplicativeLR` as a table of its products"),
    "SWALR": claim(""),
    "ReduceLROnPlateau": claim("reduce_on_plateau"),
}


# transformers

TRANSFORMERS = {
    "constant": claim("constant"),
    "constant_with_warmup": claim("warmup"),
    "linear": claim("linear warmup_linear"),
    "cosine": claim("cosine", RISES),
    "cosine_with_restarts": claim("cosine_restarts", "cycles of one length, then 0"),
    "polynomial": claim("polynomial"),
    "inverse_sqrt": claim("inverse_sqrt"),
    "cosine_with_min_lr": claim(""),
    "cosine_warmup_with_min_lr": claim(""),
    "warmup_stable_decay": claim("cooldown warmup_stable_decay"),
    "reduce_lr_on_plateau": claim("reduce_on_plateau"),
    "greedy": claim("greedy"),
}


def transformers(scheduler: str, **arguments: Any) -> Schedule:
    return jaxdecay.from_transformers(scheduler, **arguments)


# timm


def timm(scheduler: str, **arguments: Any) -> Schedule:
    return jaxdecay.from_timm(scheduler, **arguments)


CYCLES = "after `cycle_limit` cycles `lr_min` holds"

TIMM = {
    "CosineLRScheduler": claim("cosine cosine_restarts warmup_cosine warmup k_decay"),
    "TanhLRScheduler": claim("tanh_decay", CYCLES),
    "PolyLRScheduler": claim("polynomial linear warmup_linear"),
    "StepLRScheduler": claim("step_decay advance"),
    "MultiStepLRScheduler": claim("multi_step", "one step before each boundary"),
    "WSDLRScheduler": claim("warmup_stable_decay cooldown inverse_time inverse_sqrt clip"),
    "PlateauLRScheduler": claim("reduce_on_plateau", "metrics count after the warm-up"),
}


# Paddle


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


# fairseq


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


# MaxText


def maxtext(
    scheduler: str,
    learning_rate: float,
    steps: int,
    learning_rate_schedule_steps: int | None = None,
    warmup_steps_fraction: float = 0.1,
    learning_rate_final_fraction: float = 0.1,
    lr_schedule_type: str = "cosine",
    wsd_decay_steps_fraction: float = 0.1,
    wsd_decay_style: str = "linear",
) -> Schedule:
    total = learning_rate_schedule_steps or steps
    warm = int(total * warmup_steps_fraction)
    end_value = learning_rate * learning_rate_final_fraction
    if scheduler == "cosine":
        schedule = jaxdecay.warmup_cosine(
            learning_rate, warmup_steps=warm, transition_steps=total - warm - 1, end_value=end_value
        )
    else:
        fall = int(total * wsd_decay_steps_fraction)
        schedule = jaxdecay.warmup_stable_decay(
            learning_rate,
            warmup_steps=warm,
            stable_steps=total - warm - fall,
            transition_steps=fall - 1,
            end_value=end_value,
            shape="cosine" if wsd_decay_style == "cosine" else "linear",
        )
    return in_sequence([schedule, 0.0], [total]) if steps > total else schedule


LAST_EARLY = "its last step is the end"

MAXTEXT = {
    "cosine": claim("cosine warmup_cosine warmup", LAST_EARLY),
    "wsd": claim("warmup_stable_decay cooldown", LAST_EARLY),
}


# All of them


class Recorded(NamedTuple):
    make: Callable[..., Schedule]
    claims: dict[str, Claim]


PEERS = {
    "PyTorch": Recorded(torch, TORCH),
    "transformers": Recorded(transformers, TRANSFORMERS),
    "timm": Recorded(timm, TIMM),
    "Paddle": Recorded(paddle, PADDLE),
    "fairseq": Recorded(fairseq, FAIRSEQ),
    "MaxText": Recorded(maxtext, MAXTEXT),
}

for _peer, _recorded in PEERS.items():
    equal(_peer, _recorded.claims.values(), "test_equals_recorded")


def is_defect(peer: str, case: Case) -> bool:
    """A case that is unlike ours, with a test of its own below."""
    arguments, scheduler = case["arguments"], case["scheduler"]
    if scheduler in ("ReduceLROnPlateau", "ReduceOnPlateau"):
        return arguments.get("threshold_mode", "rel") == "rel" and min(case["metrics"]) < 0
    if scheduler == "OneCycleLR":
        return arguments.get("pct_start") == 0
    if scheduler == "cosine_warmup_with_min_lr":
        return arguments["num_warmup_steps"] < (2 if "warmup_lr_rate" in arguments else 1)
    if scheduler == "wsd":
        total = arguments.get("learning_rate_schedule_steps", arguments["steps"])
        fall = int(total * arguments.get("wsd_decay_steps_fraction", 0.1))
        return fall == 1 and arguments.get("wsd_decay_style", "linear") == "linear"
    return peer in ("timm", "fairseq") and 3 in (
        arguments.get("cycle_mul"),
        arguments.get("t_mult"),
    )


def compared(peer: str, case: Case) -> np.ndarray:
    """Which recorded steps are compared: all but those past the end where the peer goes on."""
    steps, arguments = np.array(case["steps"]), case["arguments"]
    if case["scheduler"] == "OneCycleLR":  # see test_torch_one_cycle_goes_on_past_its_end
        return steps < steps[-1]
    if peer == "MaxText":  # see test_maxtext_goes_on_past_its_end
        total = arguments.get("learning_rate_schedule_steps", arguments["steps"])
        return (steps < total) | (arguments["steps"] > total)
    return steps >= 0


def needs_double(case: Case) -> bool:
    """Whether it has numbers that float32 does not hold: boundaries between steps, or 0.97."""
    between = case["arguments"].get("num_cycles", 0.5) % 0.5 > 0
    return between or case["scheduler"].startswith(("OneCycle", "Lambda"))


@pytest.mark.parametrize(
    ("peer", "scheduler"), [(peer, each) for peer in PEERS for each in PEERS[peer].claims]
)
def test_equals_recorded(peer: str, scheduler: str) -> None:
    used: set[str] = set()
    cases = [case for case in cases_of(peer, scheduler) if not is_defect(peer, case)]
    assert cases
    for case in cases:
        with jax.enable_x64(needs_double(case) or jax.config.jax_enable_x64):
            schedule, values = ours(peer, case)
        used |= families_in(schedule)
        inside, rates = compared(peer, case), np.array(case["rates"])
        rates[0] = case.get("constructed", rates[0])  # which timm's training begins with
        np.testing.assert_allclose(
            values[inside],
            rates[inside],
            rtol=RTOL,
            # PyTorch and Hugging Face make no change of 1e-8 or less.
            atol=3e-8 if "metrics" in case else 0.0,
            err_msg=str(case["arguments"]),
        )
    assert used >= set(PEERS[peer].claims[scheduler].families)


@pytest.mark.parametrize("peer", PEERS)
def test_every_recorded_scheduler_is_compared(peer: str) -> None:
    assert {case["scheduler"] for case in recorded(peer)} == set(PEERS[peer].claims)


# Where a peer is wrong, or goes on where ours ends.


def defects(peer: str, *schedulers: str) -> list[Case]:
    found = [case for each in schedulers for case in cases_of(peer, each) if is_defect(peer, case)]
    assert found
    return found


def no_better(case: Case) -> Iterable[bool]:
    """Whether each metric is worse than the best before it."""
    metrics = np.array(case["metrics"])
    if case["arguments"]["mode"] == "max":
        metrics = -metrics
    return metrics[1:] > np.minimum.accumulate(metrics)[:-1]


@wrong("PyTorch", "reduce_on_plateau")
@wrong("Paddle", "reduce_on_plateau")
@pytest.mark.parametrize(
    ("peer", "scheduler"), [("PyTorch", "ReduceLROnPlateau"), ("Paddle", "ReduceOnPlateau")]
)
def test_a_share_of_a_negative_metric(peer: str, scheduler: str) -> None:
    """best·(1 − threshold) is above a best below 0, so that a little worse counts as better."""
    for case in defects(peer, scheduler):
        _, values = ours(peer, case)
        reductions = np.flatnonzero(np.diff(values)), np.flatnonzero(np.diff(case["rates"]))
        assert len(reductions[0]) > len(reductions[1])
        shifted = expected_plateau(case)
        np.testing.assert_allclose(values, shifted, rtol=RTOL)


def expected_plateau(case: Case) -> list[float]:
    """The rule with |best| in the place of best, in Python."""
    rule, sign = case["arguments"], 1 if case["arguments"]["mode"] == "min" else -1
    rate = rule.get("lr", rule.get("learning_rate"))
    best, bad, rest, rates = math.inf, 0, 0, [rate]
    is_paddle = "learning_rate" in rule
    for metric in (sign * each for each in case["metrics"]):
        if is_paddle and rest > 0:
            rest -= 1
            rates.append(rate)
            continue
        if best == math.inf or metric < best - rule["threshold"] * abs(best):
            best, bad = metric, 0
        else:
            bad += 1
        if rest > 0:
            rest, bad = rest - 1, 0
        if bad > rule["patience"]:
            rate, rest, bad = max(rate * rule["factor"], rule["min_lr"]), rule["cooldown"], 0
        rates.append(rate)
    return rates


@wrong("PyTorch", "one_cycle")
def test_torch_one_cycle_goes_on_past_its_end() -> None:
    """At `total_steps` PyTorch extrapolates: a line below 0, a cosine up; ours holds."""
    below, above = 0, 0
    for case in cases_of("PyTorch", "OneCycleLR"):
        if is_defect("PyTorch", case):
            continue
        _, values = ours("PyTorch", case)
        assert values[-1] == values[-2] > 0
        below += case["rates"][-1] < 0
        above += case["rates"][-1] > case["rates"][-2]
    assert below >= 2
    assert above >= 2


@wrong("PyTorch", "one_cycle")
def test_torch_one_cycle_without_a_rise_starts_in_the_fall() -> None:
    for case in defects("PyTorch", "OneCycleLR"):
        peak, length = case["arguments"]["max_lr"], case["arguments"]["total_steps"]
        assert case["rates"][0] < peak
        with pytest.raises(ValueError, match="pct_start·total_steps must be at least 1"):
            torch("OneCycleLR", **case["arguments"])
        schedule = jaxdecay.one_cycle(peak, transition_steps=length - 1, warmup_fraction=0.0)
        first = called(schedule, jnp.arange(256))[0]
        np.testing.assert_allclose(first, peak, rtol=RTOL)


@wrong("transformers", "cosine")
def test_transformers_loses_the_first_step_of_a_decay() -> None:
    for case in defects("transformers", "cosine_warmup_with_min_lr"):
        rates, arguments = case["rates"], case["arguments"]
        peak, warm = arguments["lr"], arguments["num_warmup_steps"]
        assert max(rates) < peak * (1 - 1e-4)  # never reached
        with pytest.raises(ValueError, match="leaves out the first step of the decay"):
            transformers("cosine_warmup_with_min_lr", **arguments)
        arguments = {name: each for name, each in arguments.items() if name != "warmup_lr_rate"}
        assert float(transformers("cosine_with_min_lr", **arguments)(warm)) == np.float32(peak)


@wrong("transformers", "warmup")
def test_transformers_wastes_the_first_step_of_a_warmup() -> None:
    cases = [
        each for each in cases_of("transformers", "constant_with_warmup") if each["rates"][0] == 0
    ]
    assert cases
    for case in cases:
        lr, warm = case["arguments"]["lr"], case["arguments"]["num_warmup_steps"]
        schedule = jaxdecay.warmup(lr, warmup_steps=warm, first_step="one_over_w")
        np.testing.assert_allclose(float(schedule(0)), lr / warm, rtol=RTOL)


def peaks_after(rates: np.ndarray, end: int) -> float:
    return float(np.max(rates[end:], initial=0.0))


@pytest.mark.parametrize("scheduler", ["cosine", "cosine_with_min_lr"])
def test_equals_warmup_cosine_to_its_end(scheduler: str) -> None:
    compared = 0
    for case in cases_of("transformers", scheduler):
        arguments = case["arguments"]
        warm, end = arguments["num_warmup_steps"], arguments["num_training_steps"]
        if arguments.get("num_cycles", 0.5) != 0.5 or end <= warm:
            continue
        lr = arguments["lr"]
        low = arguments.get("min_lr", lr * arguments.get("min_lr_rate", 0))
        schedule = jaxdecay.warmup_cosine(
            lr, warmup_steps=warm, transition_steps=end - warm, end_value=low
        )
        steps = jnp.minimum(jnp.arange(128), end)
        values = np.asarray(called(schedule, steps), np.float64)[: end + 1]
        np.testing.assert_allclose(values, case["rates"][: end + 1], rtol=RTOL, atol=1e-17)
        compared += 1
    assert compared >= 3


equal(
    "transformers",
    [claim("warmup_cosine", "it rises again after its end")],
    test_equals_warmup_cosine_to_its_end.__name__,
)


@wrong("transformers", "cosine")
@wrong("Paddle", "cosine")
@pytest.mark.parametrize(
    ("peer", "scheduler", "end"),
    [
        ("transformers", "cosine", "num_training_steps"),
        ("transformers", "cosine_with_min_lr", "num_training_steps"),
        ("Paddle", "CosineAnnealingDecay", "T_max"),
    ],
)
def test_cosine_rises_after_its_end(peer: str, scheduler: str, end: str) -> None:
    """`hold` stays at the end; `cosine` does so by itself."""
    rises = 0
    for case in cases_of(peer, scheduler):
        length, rates = case["arguments"][end], np.array(case["rates"])
        if case["arguments"].get("num_cycles", 0.5) != 0.5 or length < 10:
            continue
        rises += peaks_after(rates, length) > 1.5 * rates[length]
        held = jaxdecay.hold(PEERS[peer].make(scheduler, **case["arguments"]), begin=length)
        after = np.asarray(called(held, jnp.array([length, length + 3, 10_000])), np.float64)
        np.testing.assert_allclose(after, rates[length], rtol=RTOL, atol=1e-12)
    assert rises >= 2


@wrong("MaxText", "cosine warmup_stable_decay")
@pytest.mark.parametrize("scheduler", ["cosine", "wsd"])
def test_maxtext_goes_on_past_its_end(scheduler: str) -> None:
    rises = 0
    for case in cases_of("MaxText", scheduler):
        arguments = case["arguments"]
        total = arguments.get("learning_rate_schedule_steps", arguments["steps"])
        if arguments["steps"] > total or is_defect("MaxText", case):
            continue
        _, values = ours("MaxText", case)
        rates = np.array(case["rates"])
        rises += peaks_after(rates, total) > rates[total - 1] * (1 + 1e-4)
        np.testing.assert_array_equal(values[total:], values[total - 1])
    assert rises >= 1


@wrong("MaxText", "warmup_stable_decay")
def test_maxtext_never_decays_in_one_step() -> None:
    """A decay of one step is a line of no steps for Optax, which stays at its start."""
    for case in defects("MaxText", "wsd"):
        arguments = case["arguments"]
        assert min(case["rates"][arguments["steps"] - 1 :]) == arguments["learning_rate"]
        _, values = ours("MaxText", case)
        end_value = arguments["learning_rate"] * 0.1
        np.testing.assert_allclose(values[arguments["steps"] - 1 :], end_value, rtol=RTOL)


@wrong("timm", "cosine_restarts")
@wrong("fairseq", "cosine_restarts")
@pytest.mark.parametrize(
    ("peer", "scheduler"), [("timm", "CosineLRScheduler"), ("fairseq", "cosine")]
)
def test_a_restart_is_missed(peer: str, scheduler: str) -> None:
    """⌊log₃(1 + 2t)⌋ is 4 at t = 121, where the fifth cycle of 3ⁱ steps begins."""
    assert math.floor(math.log(1 + 2 * 121, 3)) == 4
    for case in defects(peer, scheduler):
        schedule, values = ours(peer, case)
        arguments, rates = case["arguments"], np.array(case["rates"])
        shrink = arguments.get("cycle_decay", arguments.get("lr_shrink"))
        peak = arguments["lr"] * shrink**5
        assert abs(rates[121] / peak - 1) > 0.1
        np.testing.assert_allclose(values[121], peak, rtol=RTOL)
        others = np.array(case["steps"]) < 130
        others[121] = False
        np.testing.assert_allclose(values[others], rates[others], rtol=RTOL)
        assert "cosine_restarts" in families_in(schedule)


@wrong("timm", "multi_step")
def test_timm_falls_one_step_early() -> None:
    for case in cases_of("timm", "MultiStepLRScheduler"):
        arguments = case["arguments"]
        if arguments.get("warmup_t", 0):
            continue
        boundaries = arguments["decay_t"]
        falls = np.flatnonzero(np.diff(case["rates"], prepend=arguments["lr"])).tolist()
        assert falls == [each - 1 for each in boundaries]
        schedule = jaxdecay.multi_step(
            arguments["lr"], decay_rate=arguments["decay_rate"], boundaries=boundaries
        )
        values = np.asarray(called(schedule, jnp.arange(256)))
        assert (np.flatnonzero(np.diff(values)) + 1).tolist() == boundaries


def test_the_table_of_peers_is_up_to_date() -> None:
    import peers_table  # it imports this file

    assert peers_table.PATH.read_text() == peers_table.table(), "run python tests/peers_table.py"


def test_every_peer_and_every_verdict_is_about_something_there() -> None:
    families = {*jaxdecay.families, "from_function"}
    for verdict in VERDICTS:
        assert verdict.peer in parity.PEERS
        assert verdict.family in families
