"""A schedule as a PyTorch scheduler; the only module that imports PyTorch, for `to_torch`.

The class is defined at the top of a module so that pickle, and so `torch.save`, finds it by name.
"""

from __future__ import annotations

import contextlib
from typing import Any

import jax
import numpy as np
from torch.optim.lr_scheduler import LRScheduler  # pyright: ignore[reportMissingImports]

from jaxdecay.schedule import Schedule

_value = jax.jit(lambda schedule, step: schedule(step))


class JaxdecayLR(LRScheduler):
    """Sets the rate of every group to the value of a jaxdecay schedule."""

    def __init__(self, optimizer: Any, schedule: Schedule) -> None:
        self.schedule = schedule
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """The rate of each group at the current step."""
        value = float(_value(self.schedule, np.int32(self.last_epoch)))
        return [value] * len(self.optimizer.param_groups)

    def state_dict(self) -> dict[str, Any]:
        """The step, and the schedule if all its decays have names in files."""
        state = super().state_dict()
        del state["schedule"]
        with contextlib.suppress(ValueError):  # a decay has no name in files
            state["schedule"] = self.schedule.to_dict()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the step, and the schedule if the state contains it."""
        saved = state_dict.get("schedule")
        schedule = self.schedule if saved is None else Schedule.from_dict(saved)
        super().load_state_dict({**state_dict, "schedule": schedule})
