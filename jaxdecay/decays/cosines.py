"""Half a cosine wave, in plain and in warped time."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdecay.decays.ends import at_transition_steps
from jaxdecay.decays.time import countdown, since
from jaxdecay.decays.transition import (
    SHAPES,
    cosine_weights,
    power_weights,
    transition,
)
from jaxdecay.definition import decay
from jaxdecay.domain import (
    Duration,
    Exponent,
    NonNegative,
)
from jaxdecay.groups import Group
from jaxdecay.inspection.phases import to_the_end

__all__ = ["cosine", "k_decay"]


@decay(end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def cosine(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    transition_steps: Duration,
    end_value: NonNegative = 0.0,
    power: Exponent = 1.0,
    cycle: bool = False,
) -> ArrayLike:
    """Half a cosine wave from `init_value` down to `end_value`, which is then held.

    Formula: E + (I − E)·(½(1 + cos πp))^power, with p = min(t, T)/T; with `cycle` p = t/T, so that
    the rate rises again from step T to 2T, and falls again.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means `end_value` at once. An integer
            is exact at any step; a float can be differentiated.
        end_value: E, the learning rate from step T on, ≥ 0.
        power: ≥ 0, without unit; 0 holds `init_value` forever.
        cycle: rise and fall again and again instead of holding `end_value`; T = 0 counts as 1.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.cosine(1.0, transition_steps=1_000)
        >>> [round(float(schedule(step)), 4) for step in (0, 250, 500, 1_000, 2_000)]
        [1.0, 0.8536, 0.5, 0.0, 0.0]

    Source:
        Loshchilov and Hutter, arXiv 1608.03983; Optax `cosine_decay_schedule` with
        end_value = alpha · init_value; Keras `CosineDecay`. The cosines of PyTorch
        (`CosineAnnealingLR`) and Hugging Face behave as with `cycle`.
    """
    left, done = countdown(step, transition_steps)
    if cycle:
        waves, since_turn, until_turn = since(step, transition_steps)
        rises = jnp.remainder(jnp.remainder(waves.high, 2) + waves.low, 2) > 0
        left = jnp.where(rises, since_turn, until_turn)
        done = jnp.where(rises, until_turn, since_turn)
    return transition(
        init_value,
        end_value,
        left,
        done,
        lambda remaining, progress: power_weights(*cosine_weights(remaining, progress), power),
        last=jnp.where(jnp.equal(power, 0), init_value, end_value),
    )


@decay(end=at_transition_steps, phases=to_the_end, group=Group.ENDING)
def k_decay(
    step: ArrayLike,
    init_value: NonNegative,
    *,
    end_value: NonNegative,
    transition_steps: Duration,
    k: Exponent,
    power: Exponent = 1.0,
    shape: Literal["cosine", "polynomial"] = "cosine",
) -> ArrayLike:
    """A cosine or polynomial in time warped by a power k: a large k keeps the rate high longer.

    Formula: E + (I − E)·(½(1 + cos πq))^power, or with `shape="polynomial"`
    E + (I − E)·(1 − q)^power, with q = p^k and p = min(t, T)/T.

    Args:
        init_value: I, the learning rate at step 0, ≥ 0.
        end_value: E, the learning rate from step T on, ≥ 0.
        transition_steps: T, in steps, 0 … 2³¹−1; 0 means `end_value` at once. An integer
            is exact at any step; a float can be differentiated.
        k: ≥ 0, without unit: 1 is the plain cosine or polynomial; 0 means `end_value` at once.
        power: ≥ 0, without unit; 0 holds `init_value` forever.
        shape: "cosine" or "polynomial".

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> schedule = jaxdecay.k_decay(
        ...     1.0, end_value=0.0, transition_steps=1_000, k=2, shape="polynomial"
        ... )
        >>> [round(float(schedule(step)), 4) for step in (0, 500, 1_000, 2_000)]
        [1.0, 0.75, 0.0, 0.0]

    Source:
        Zhang and Li, arXiv 2004.05909; timm `CosineLRScheduler` and `PolyLRScheduler` with
        `k_decay`.
    """
    left, done = countdown(step, transition_steps)

    def weights(remaining: Array, progress: Array) -> tuple[Array, Array]:
        bent, rest = power_weights(progress, remaining, k)
        fall = SHAPES["cosine" if shape == "cosine" else "linear"]
        return power_weights(*fall(rest, bent), power)

    last = jnp.where(jnp.equal(power, 0), init_value, end_value)
    first = jnp.where(jnp.equal(k, 0), last, init_value)
    return transition(init_value, end_value, left, done, weights, first=first, last=last)
