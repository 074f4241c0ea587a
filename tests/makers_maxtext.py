"""Our schedules for recorded cases of MaxText."""

from __future__ import annotations

from parity import claim

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.migration.peer import in_sequence


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
