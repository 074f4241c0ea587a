"""Where a recorded peer is wrong, or goes on where ours ends."""

from __future__ import annotations

import math
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np
import pytest
from makers_torch import torch, transformers
from parity import claim, equal, families_in, wrong
from recorded_peers import PEERS, defects, is_defect, ours
from recorded_rates import RTOL, Case, cases_of
from rows import called

import jaxdecay


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
