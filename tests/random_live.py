"""Random arguments of Optax's and Keras's schedules, and their values in float64.

Both are installed where the tests run. JAX's x64 mode makes them compute in double precision, so
that what is compared is ours, not the rounding of theirs.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read once, when Keras is imported

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from recorded.draws import Chance, sums

Arguments = dict[str, Any]
Drawn = tuple[Arguments, list[int]]
Draw = Callable[[Chance], Drawn]

ONE_STEP = (
    "piecewise_interpolate_schedule",
    "linear_onecycle_schedule",
    "cosine_onecycle_schedule",
    "CosineDecay",
    "CosineDecayRestarts",
)
"""Schedules that take one step at a time."""


def begin(chance: Chance) -> int:
    return chance.choice([0, 0, -3, chance.count(300)])


# Optax


def constant(chance: Chance) -> Drawn:
    return {"value": chance.choice([0, 0.0, chance.rate(), chance.rate()])}, chance.steps([])


def polynomial(chance: Chance) -> Drawn:
    rate, length, late = (
        chance.rate(),
        chance.choice([0, -1, *[chance.length()] * 6]),
        begin(chance),
    )
    arguments = {"init_value": rate, "end_value": chance.floor(rate), "power": chance.power()}
    if chance.random() < 0.3:  # up
        arguments |= {"init_value": arguments["end_value"], "end_value": rate}
    arguments |= {"transition_steps": length, "transition_begin": late}
    return arguments, chance.steps([max(late, 0), max(late, 0) + length])


def linear(chance: Chance) -> Drawn:
    arguments, steps = polynomial(chance)
    return {name: each for name, each in arguments.items() if name != "power"}, steps


def exponential(chance: Chance) -> Drawn:
    length, late = chance.choice([0, -1, *[chance.length(2_000)] * 8]), begin(chance)
    rate, base = chance.rate(), chance.choice([0, *[chance.base()] * 9])
    arguments = {"init_value": rate, "transition_steps": length, "decay_rate": base}
    arguments |= {"transition_begin": late, "staircase": chance.random() < 0.5}
    if chance.random() < 0.4:
        arguments["end_value"] = rate * chance.choice([0.1, 0.5, 1, 1.5, base**3])
    start, periods = max(late, 0), chance.choice([3, 30, 60])
    marks = [start, *(start + length * i for i in (1, 2, 3, 7, periods))]
    return arguments, chance.steps(marks, int(start + 60 * abs(length)) + 3)


def cosine(chance: Chance) -> Drawn:
    length = chance.length()
    arguments = {"init_value": chance.rate(), "decay_steps": length}
    arguments |= {"alpha": chance.choice([0, 0.0, 1, chance.share()]), "exponent": chance.power()}
    return arguments, chance.steps([length])


def boundaries(chance: Chance) -> dict[int, float]:
    scales = (0.1, 0.5, 2, 1, chance.share())
    return {each: chance.choice(scales) for each in chance.counts(chance.choice([1, 4]))}


def piecewise_constant(chance: Chance) -> Drawn:
    scales = boundaries(chance)
    return {"init_value": chance.rate(), "boundaries_and_scales": scales}, chance.steps(scales)


def piecewise_interpolate(chance: Chance) -> Drawn:
    arguments, steps = piecewise_constant(chance)
    return {"interpolate_type": chance.choice(["linear", "cosine"]), **arguments}, steps


def one_cycle(chance: Chance) -> Drawn:
    length, first = chance.count(), chance.choice([0.3, 0.1, 0.5, chance.uniform(0.05, 0.8)])
    arguments = {"transition_steps": length, "peak_value": chance.rate(), "pct_start": first}
    arguments |= {"div_factor": chance.choice([25, 2.5, 1]), "final_div_factor": 1 / chance.share()}
    return arguments, chance.steps([int(first * length), length])


def three_phases(chance: Chance) -> Drawn:
    arguments, steps = one_cycle(chance)
    return {**arguments, "pct_final": chance.choice([0.85, 0.9, 0.7, 1.0])}, steps


def warmup_constant(chance: Chance) -> Drawn:
    rate, length = chance.rate(), chance.choice([0, 1, chance.count(), chance.count()])
    arguments = {"init_value": chance.floor(rate), "peak_value": rate, "warmup_steps": length}
    return arguments, chance.steps([length])


def warmup_cosine(chance: Chance) -> Drawn:
    arguments, _ = warmup_constant(chance)
    warm, rate = arguments["warmup_steps"], arguments["peak_value"]
    total = warm + chance.choice([0, 1, chance.count(), chance.count(), chance.count()])
    arguments |= {"decay_steps": total, "end_value": chance.floor(rate)}
    return {**arguments, "exponent": chance.power()}, chance.steps([warm, total])


def warmup_exponential(chance: Chance) -> Drawn:
    decay, steps = exponential(chance)
    ramp, _ = warmup_constant(chance)
    rate = decay.pop("init_value")
    ramp |= {"peak_value": rate, "init_value": chance.floor(rate)}
    warm = ramp["warmup_steps"]
    return {**ramp, **decay}, sorted(
        {*chance.steps([warm], warm + 5)[:5], *(s + warm for s in steps[:7])}
    )


def sgdr(chance: Chance) -> Drawn:
    cycles = [warmup_cosine(chance)[0] for _ in range(chance.choice([1, 2, 3]))]
    return {"cosine_kwargs": cycles}, chance.steps(sums([each["decay_steps"] for each in cycles]))


PARTS: dict[str, Draw] = {
    "linear_schedule": linear,
    "exponential_decay": exponential,
    "cosine_decay_schedule": cosine,
    "constant_schedule": constant,
}


def joined(chance: Chance) -> Drawn:
    names = [chance.choice(list(PARTS)) for _ in range(chance.choice([2, 3]))]
    ends = chance.counts(len(names) - 1)
    parts = [(name, PARTS[name](chance)[0]) for name in names]
    return {"schedules": parts, "boundaries": ends}, chance.steps([*ends, *sums(ends)], 2_000)


OPTAX: dict[str, Draw] = {
    **PARTS,
    "polynomial_schedule": polynomial,
    "piecewise_constant_schedule": piecewise_constant,
    "piecewise_interpolate_schedule": piecewise_interpolate,
    "linear_onecycle_schedule": three_phases,
    "cosine_onecycle_schedule": one_cycle,
    "warmup_constant_schedule": warmup_constant,
    "warmup_cosine_decay_schedule": warmup_cosine,
    "warmup_exponential_decay_schedule": warmup_exponential,
    "sgdr_schedule": sgdr,
    "join_schedules": joined,
}


def optax_schedule(name: str, arguments: Arguments) -> Callable[[Any], Any]:
    given = dict(arguments)
    if "schedules" in given:
        given["schedules"] = [optax_schedule(*each) for each in given["schedules"]]
    return getattr(optax.schedules, name)(**given)


# Keras. It computes in the type of its first argument: a rate of 1 makes integers of all.


def keras_cosine(chance: Chance) -> Drawn:
    arguments, _ = cosine(chance)
    del arguments["exponent"]
    rate, length = float(arguments.pop("init_value")), arguments["decay_steps"]
    arguments["initial_learning_rate"] = rate
    warm = chance.choice([0, 1, chance.count()])
    if chance.random() < 0.5:
        arguments |= {"warmup_target": float(chance.rate()), "warmup_steps": warm}
    else:
        warm = 0
    return arguments, chance.steps([warm, warm + length])


def keras_decay(chance: Chance) -> Drawn:
    length = chance.length(2_000)
    arguments = {"initial_learning_rate": float(chance.rate()), "decay_steps": length}
    arguments |= {"decay_rate": chance.base(), "staircase": chance.random() < 0.5}
    marks = [length * i for i in (1, 2, 3, 7, chance.choice([9, 30, 60]))]
    return arguments, chance.steps(marks, int(60 * length) + 3)


def keras_inverse_time(chance: Chance) -> Drawn:
    arguments, steps = keras_decay(chance)
    return {**arguments, "decay_rate": chance.choice([0, 1, 0.5, 10 * chance.share()])}, steps


def keras_polynomial(chance: Chance) -> Drawn:
    rate, length, cycle = float(chance.rate()), chance.length(), chance.random() < 0.4
    arguments = {"initial_learning_rate": rate, "decay_steps": length, "power": chance.power()}
    arguments |= {"end_learning_rate": float(chance.floor(rate)), "cycle": cycle}
    return arguments, chance.steps([length, 2 * length, 5 * length], int(9 * length) + 3)


def keras_piecewise(chance: Chance) -> Drawn:
    ends = sorted({*chance.counts(chance.choice([1, 3, 5]))})
    values = [float(chance.rate()) for _ in range(len(ends) + 1)]
    return {"boundaries": ends, "values": values}, chance.steps(ends)


def keras_restarts(chance: Chance) -> Drawn:
    length, growth = chance.length(500), chance.choice([1.0, 1.0, 2.0, 3.0, 10.0, 1.5])
    arguments = {"initial_learning_rate": float(chance.rate()), "first_decay_steps": length}
    arguments |= {"t_mul": growth, "m_mul": chance.choice([1.0, 0.9, 0.97, chance.share()])}
    arguments["alpha"] = chance.choice([0.0, 0.0, chance.share()])
    ends = sums([length * growth**i for i in range(4)])
    return arguments, chance.steps(ends, int(30 * length * growth) + 3)


KERAS: dict[str, Draw] = {
    "CosineDecay": keras_cosine,
    "CosineDecayRestarts": keras_restarts,
    "ExponentialDecay": keras_decay,
    "InverseTimeDecay": keras_inverse_time,
    "PolynomialDecay": keras_polynomial,
    "PiecewiseConstantDecay": keras_piecewise,
}


def keras_schedule(name: str, arguments: Arguments) -> Callable[[Any], Any]:
    return getattr(keras.optimizers.schedules, name)(**arguments)


PEERS = {"optax": (OPTAX, optax_schedule), "keras": (KERAS, keras_schedule)}


def found_in_optax() -> set[str]:
    public = {name for name in dir(optax.schedules) if not name.startswith("_")}
    return {name for name in public if callable(getattr(optax.schedules, name))}


def found_in_keras() -> set[str]:
    base, callbacks = keras.optimizers.schedules.LearningRateSchedule, vars(keras.callbacks)
    schedules = vars(keras.optimizers.schedules).items()
    found = {name for name, each in schedules if inspect.isclass(each) and issubclass(each, base)}
    return found | {name for name in callbacks if "LR" in name or "LearningRate" in name}


def drawn(peer: str, name: str, seed: int) -> dict[str, Any]:
    """A case as those that are recorded of the other peers: `rates`, or what it `raises`."""
    draws, make = PEERS[peer]
    arguments, steps = draws[name](Chance(f"{peer} {name} {seed}"))
    case = {"scheduler": name, "arguments": arguments, "steps": steps}
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        with (
            jax.enable_x64(True),
            jax.numpy_rank_promotion("allow"),
            jax.numpy_dtype_promotion("standard"),
        ):
            schedule = make(name, arguments)
            at = jax.vmap(schedule) if name in ONE_STEP else schedule
            rates = np.broadcast_to(np.asarray(at(jnp.asarray(steps)), np.float64), len(steps))
        return {**case, "rates": rates.tolist()}
    except (ValueError, TypeError, ArithmeticError) as error:
        return {**case, "raises": repr(error)}
    finally:
        keras.config.set_floatx(before)
