"""All recorded peers: how ours are made, what they equal, and which cases are unlike ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from makers_fairseq import FAIRSEQ, fairseq
from makers_maxtext import MAXTEXT, maxtext
from makers_paddle import PADDLE, paddle
from makers_torch import TIMM, TORCH, TRANSFORMERS, timm, torch, transformers
from parity import Claim
from recorded_rates import Case, cases_of, values_after
from rows import called

from jaxdecay import Schedule


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


def is_defect(peer: str, case: Case) -> bool:
    """A case that is unlike ours, with a test of its own in `test_recorded_defects.py`."""
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


# Where a peer is wrong, or goes on where ours ends.


def defects(peer: str, *schedulers: str) -> list[Case]:
    found = [case for each in schedulers for case in cases_of(peer, each) if is_defect(peer, case)]
    assert found
    return found
