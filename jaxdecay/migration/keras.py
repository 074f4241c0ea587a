"""Learning-rate schedules of Keras as schedules of this package, and the other way round."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxdecay.compounds import warmup_cosine
from jaxdecay.decays import (
    cosine,
    cosine_restarts,
    exponential,
    inverse_time,
    piecewise_constant,
    polynomial,
)
from jaxdecay.migration.peer import Peer
from jaxdecay.schedule import Schedule

KERAS = Peer("Keras")


def from_keras(config: Any) -> Schedule:
    """The schedule that a Keras `LearningRateSchedule` is, with the same values.

    Keras's conventions are kept: at a boundary of `PiecewiseConstantDecay` the old value holds,
    `decay_steps` of `CosineDecay` leave out the warm-up, and `m_mul` of `CosineDecayRestarts`
    scales what is above the floor. Keras itself is not needed for a dictionary.

    Args:
        config: what `keras.optimizers.schedules.serialize` gives, or any dictionary with
            "class_name" and "config"; or the `LearningRateSchedule` itself.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: an unknown class or argument, or a value that has no equal here. The message
            names what works.

    Example:
        >>> import jaxdecay
        >>> arguments = {"initial_learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96}
        >>> jaxdecay.from_keras({"class_name": "ExponentialDecay", "config": arguments})
        exponential(init_value=0.1, decay_rate=0.96, transition_steps=1000)

    Source:
        Keras 3.15, `keras.optimizers.schedules`.
    """
    if hasattr(config, "get_config"):
        config = {"class_name": type(config).__name__, "config": config.get_config()}
    if not isinstance(config, Mapping) or not {"class_name", "config"} <= set(config):
        raise ValueError(
            "from_keras: expected a LearningRateSchedule or a dictionary with class_name and "
            f"config, as keras.optimizers.schedules.serialize gives, got {config!r}"
        )
    arguments = {name: value for name, value in config["config"].items() if name != "name"}
    return KERAS.convert(config["class_name"], arguments)


@KERAS.named("ExponentialDecay")
def exponential_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """A rate per `decay_steps`."""
    return exponential(initial_learning_rate, decay_rate, decay_steps, staircase=staircase)


@KERAS.named("InverseTimeDecay")
def inverse_time_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """Divided by what grows with time."""
    return inverse_time(initial_learning_rate, decay_rate, decay_steps, staircase=staircase)


@KERAS.named("PolynomialDecay")
def polynomial_decay(
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 1e-4,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    """A power of what remains."""
    _check_steps("decay_steps", decay_steps)
    return polynomial(initial_learning_rate, end_learning_rate, power, decay_steps, cycle=cycle)


@KERAS.named("PiecewiseConstantDecay")
def piecewise_constant_decay(boundaries: Sequence[float], values: Sequence[float]) -> Schedule:
    """Values between boundaries; the old one still holds at a boundary."""
    first_of_new = [max(math.floor(boundary) + 1, 0) for boundary in boundaries]
    return piecewise_constant(list(values), first_of_new)


@KERAS.named("CosineDecay")
def cosine_decay(
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    """Half a cosine down to a share `alpha`; a warm-up only with `warmup_target`."""
    _check_steps("decay_steps", decay_steps)
    if warmup_target is None:
        return cosine(initial_learning_rate, decay_steps, alpha * initial_learning_rate)
    floor = alpha * warmup_target
    return warmup_cosine(warmup_target, warmup_steps, decay_steps, initial_learning_rate, floor)


@KERAS.named("CosineDecayRestarts")
def cosine_decay_restarts(
    initial_learning_rate: float,
    first_decay_steps: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Schedule:
    """Cosines that start again; `m_mul` scales what is above the floor."""
    _check_steps("first_decay_steps", first_decay_steps)
    floor = alpha * initial_learning_rate
    if m_mul == 1 or floor == 0:
        return cosine_restarts(initial_learning_rate, first_decay_steps, floor, t_mul, m_mul)
    above = initial_learning_rate - floor
    return cosine_restarts(above, first_decay_steps, 0.0, t_mul, m_mul) + floor


def _check_steps(name: str, steps: float) -> None:
    if steps <= 0:
        raise ValueError(f"{name} must be > 0; a decay of no steps is jaxdecay.constant")


@KERAS.named("JaxdecaySchedule")
def jaxdecay_schedule(schedule: Mapping[str, Any]) -> Schedule:
    """What `to_keras` made."""
    return Schedule.from_dict(schedule)


def to_keras(schedule: Schedule) -> Any:
    """A schedule as a Keras `LearningRateSchedule`, for `model.compile`, saving and loading.

    On Keras's JAX backend it is compiled into the training step. On another backend it is
    evaluated outside of the compiled step, through NumPy: with TensorFlow compile the model with
    `run_eagerly=True`.

    Args:
        schedule: any schedule that needs no metric, made of decays that have a name
            (`from_function` has none).

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`. Its config is `schedule.to_dict()`. To
        load a model that was saved with it, call `keras_class()` first, so that Keras knows the
        class.

    Raises:
        ValueError: the schedule follows a metric, or has a part without a name in files.

    Example:
        >>> import jaxdecay
        >>> rate = jaxdecay.to_keras(jaxdecay.cosine(0.1, 1_000))  # doctest: +SKIP
        >>> model.compile(keras.optimizers.SGD(rate), loss="mse")  # doctest: +SKIP

    Source:
        Keras 3.15, `keras.optimizers.schedules.LearningRateSchedule`.
    """
    if schedule.decay.feedback is not None:
        raise ValueError(
            f"to_keras: {schedule.family} follows a metric, which a LearningRateSchedule cannot "
            "see; expected a schedule of the step alone, or use keras.callbacks.ReduceLROnPlateau"
        )
    return keras_class()(schedule.to_dict())


@functools.cache
def keras_class() -> type:
    """The class of what `to_keras` returns, made and registered with Keras when first asked for.

    Call it before `keras.saving.load_model` in a process that has not called `to_keras`.

    Returns:
        A subclass of `keras.optimizers.schedules.LearningRateSchedule`, registered as
        "jaxdecay>JaxdecaySchedule".

    Raises:
        ModuleNotFoundError: Keras is not installed.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.keras_class()  # doctest: +SKIP
        <class 'jaxdecay.migration.keras.JaxdecaySchedule'>

    Source:
        Keras 3.15, `keras.saving.register_keras_serializable`.
    """
    import keras

    @keras.saving.register_keras_serializable(package="jaxdecay")
    class JaxdecaySchedule(keras.optimizers.schedules.LearningRateSchedule):
        """A jaxdecay schedule, held as its dictionary."""

        def __init__(self, schedule: Mapping[str, Any]) -> None:
            super().__init__()
            self.schedule = Schedule.from_dict(schedule)

        def __call__(self, step: Any) -> Any:
            ops: Any = keras.ops
            if keras.backend.backend() == "jax":
                return self.schedule(ops.convert_to_tensor(step))
            return ops.convert_to_tensor(float(self.schedule(ops.convert_to_numpy(step))))

        def get_config(self) -> dict[str, Any]:
            return {"schedule": self.schedule.to_dict()}

    JaxdecaySchedule.__qualname__ = "JaxdecaySchedule"
    return JaxdecaySchedule
