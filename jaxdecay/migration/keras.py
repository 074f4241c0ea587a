"""Converts Keras learning-rate schedules to schedules of this package, and back."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxdecay.adaptive import reduce_on_plateau
from jaxdecay.compounds import warmup_cosine
from jaxdecay.decays import (
    cosine,
    cosine_restarts,
    exponential,
    inverse_time,
    piecewise_constant,
    polynomial,
)
from jaxdecay.migration.peer import Peer, check_steps_alone
from jaxdecay.schedule import Schedule

KERAS = Peer("Keras", {"verbose": "controls what Keras prints; leave it out"})


def from_keras(config: Any, **arguments: Any) -> Schedule:
    """Converts a Keras `LearningRateSchedule` to a schedule with the same values.

    Keras's conventions apply: at a boundary, `PiecewiseConstantDecay` still has its old value;
    `decay_steps` of `CosineDecay` do not include the warm-up; and `m_mul` of
    `CosineDecayRestarts` scales the part above the floor. Keras need not be installed to convert
    a dictionary or a name.

    Args:
        config: the result of `keras.optimizers.schedules.serialize`, or any dictionary with
            "class_name" and "config"; or the `LearningRateSchedule` itself; or the name of a
            class, such as "CosineDecay".
        **arguments: the arguments of the class, if `config` is a name. The callback
            "ReduceLROnPlateau" also takes `lr`, the optimizer's rate.

    Returns:
        A `Schedule`; for "ReduceLROnPlateau" one with state.

    Raises:
        ValueError: a class or argument is unknown, or a value has no equivalent here. The message
            names what works.

    Example:
        >>> import jaxdecay
        >>> arguments = {"initial_learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96}
        >>> jaxdecay.from_keras({"class_name": "ExponentialDecay", "config": arguments})
        exponential(init_value=0.1, decay_rate=0.96, transition_steps=1000)
        >>> jaxdecay.from_keras("ExponentialDecay", **arguments)
        exponential(init_value=0.1, decay_rate=0.96, transition_steps=1000)

    Source:
        Keras 3.15, `keras.optimizers.schedules`, `keras.callbacks.ReduceLROnPlateau`.
    """
    if isinstance(config, str):
        return KERAS.convert(config, arguments)
    if arguments:
        raise ValueError(
            f"from_keras takes arguments only with the name of a class, got {', '.join(arguments)} "
            f"with {config!r}; put them into its config"
        )
    if hasattr(config, "get_config"):
        config = {"class_name": type(config).__name__, "config": config.get_config()}
    if not isinstance(config, Mapping) or not isinstance(config.get("config"), Mapping):
        raise ValueError(
            'from_keras: expected a LearningRateSchedule, or {"class_name": "CosineDecay", '
            '"config": {"initial_learning_rate": 0.1, "decay_steps": 1000}}, as '
            f"keras.optimizers.schedules.serialize returns, got {config!r}"
        )
    arguments = {name: value for name, value in config["config"].items() if name != "name"}
    return KERAS.convert(config.get("class_name"), arguments)


@KERAS.named("ExponentialDecay")
def exponential_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """Multiplied by `decay_rate` every `decay_steps`."""
    return exponential(
        initial_learning_rate,
        decay_rate=decay_rate,
        transition_steps=decay_steps,
        staircase=staircase,
    )


@KERAS.named("InverseTimeDecay")
def inverse_time_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """Divided by a number that grows linearly with the step."""
    return inverse_time(
        initial_learning_rate,
        decay_rate=decay_rate,
        transition_steps=decay_steps,
        staircase=staircase,
    )


@KERAS.named("PolynomialDecay")
def polynomial_decay(
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 1e-4,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    """A power of the remaining share of steps."""
    _check_steps("decay_steps", decay_steps)
    return polynomial(
        initial_learning_rate,
        end_value=end_learning_rate,
        power=power,
        transition_steps=decay_steps,
        cycle=cycle,
    )


@KERAS.named("PiecewiseConstantDecay")
def piecewise_constant_decay(boundaries: Sequence[float], values: Sequence[float]) -> Schedule:
    """Values between boundaries; at a boundary, the old value still applies."""
    first_of_new = [max(math.floor(boundary) + 1, 0) for boundary in boundaries]
    return piecewise_constant(list(values), boundaries=first_of_new)


@KERAS.named("CosineDecay")
def cosine_decay(
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    """Half a cosine down to the share `alpha`; a warm-up only with `warmup_target`."""
    _check_steps("decay_steps", decay_steps)
    if warmup_target is None:
        return cosine(
            initial_learning_rate,
            transition_steps=decay_steps,
            end_value=alpha * initial_learning_rate,
        )
    floor = alpha * warmup_target
    return warmup_cosine(
        warmup_target,
        warmup_steps=warmup_steps,
        transition_steps=decay_steps,
        init_value=initial_learning_rate,
        end_value=floor,
    )


@KERAS.named("CosineDecayRestarts")
def cosine_decay_restarts(
    initial_learning_rate: float,
    first_decay_steps: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Schedule:
    """Cosines that restart; `m_mul` scales the part above the floor."""
    _check_steps("first_decay_steps", first_decay_steps)
    floor = alpha * initial_learning_rate
    if m_mul == 1 or floor == 0:
        return cosine_restarts(
            initial_learning_rate,
            period=first_decay_steps,
            end_value=floor,
            period_multiplier=t_mul,
            peak_multiplier=m_mul,
        )
    above = initial_learning_rate - floor
    return (
        cosine_restarts(
            above,
            period=first_decay_steps,
            end_value=0.0,
            period_multiplier=t_mul,
            peak_multiplier=m_mul,
        )
        + floor
    )


def _check_steps(name: str, steps: float) -> None:
    if steps <= 0:
        raise ValueError(
            f"{name} must be > 0, got {steps}; for a constant rate use jaxdecay.constant"
        )


@KERAS.named("ReduceLROnPlateau")
def reduce_lr_on_plateau(
    lr: float,
    monitor: str = "val_loss",
    factor: float = 0.1,
    patience: int = 10,
    mode: str = "auto",
    min_delta: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
) -> Schedule:
    """The callback, which reduces the rate after `patience` bad metrics."""
    if mode == "auto" and monitor in ("loss", "val_loss"):
        mode = "min"
    if mode not in ("min", "max"):
        raise ValueError("mode must be 'min' or 'max', or for a loss 'auto'")
    return reduce_on_plateau(
        lr,
        factor=factor,
        patience=patience,
        threshold=abs(min_delta),
        cooldown=max(0, cooldown - 1),  # Keras counts the last one
        min_scale=min_lr / lr,
        mode="min" if mode == "min" else "max",
        threshold_mode="absolute",
        patience_rule="reaches",
    )


@KERAS.named("JaxdecaySchedule")
def jaxdecay_schedule(schedule: Mapping[str, Any]) -> Schedule:
    """A schedule that `to_keras` converted."""
    return Schedule.from_dict(schedule)


def to_keras(schedule: Schedule) -> Any:
    """Converts a schedule to a Keras `LearningRateSchedule`, to compile, save and load models.

    Keras's JAX backend compiles it into the training step. Other backends evaluate it outside the
    compiled step, through NumPy: with TensorFlow, compile the model with `run_eagerly=True`.

    Args:
        schedule: any schedule that needs no metric, built from decays that have a name
            (`from_function` has none).

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`. Its config is `schedule.to_dict()`.
        To load a model that was saved with it, first call `keras_schedule_class()`, which
        registers the class with Keras.

    Raises:
        TypeError: the argument is not a schedule.
        ValueError: the schedule follows a metric, or has a part without a name in files.
        ImportError: Keras or its backend is not installed.

    Example:
        >>> import jaxdecay
        >>> rate = jaxdecay.to_keras(jaxdecay.cosine(0.1, transition_steps=1_000))  # doctest: +SKIP
        >>> model.compile(keras.optimizers.SGD(rate), loss="mse")  # doctest: +SKIP

    Source:
        Keras 3.15, `keras.optimizers.schedules.LearningRateSchedule`.
    """
    check_steps_alone("to_keras", schedule, "keras.callbacks.ReduceLROnPlateau")
    return keras_schedule_class()(schedule.to_dict())


@functools.cache
def keras_schedule_class() -> type:
    """The class of the schedules from `to_keras`, registered with Keras by the first call.

    Call it before `keras.saving.load_model` in a process that has not called `to_keras`.

    Returns:
        A subclass of `keras.optimizers.schedules.LearningRateSchedule`, registered as
        "jaxdecay>JaxdecaySchedule".

    Raises:
        ImportError: Keras or its backend is not installed; the message says what to install.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.keras_schedule_class()  # doctest: +SKIP
        <class 'jaxdecay.migration.keras.JaxdecaySchedule'>

    Source:
        Keras 3.15, `keras.saving.register_keras_serializable`.
    """
    try:
        import keras
    except ImportError as error:
        raise ImportError(
            "Keras is not installed: pip install keras"
            if error.name == "keras"
            else f"Keras does not find its backend ({error}); set the environment variable "
            "KERAS_BACKEND=jax before Keras is imported, or install the backend",
            name=error.name,
        ) from error

    @keras.saving.register_keras_serializable(package="jaxdecay")
    class JaxdecaySchedule(keras.optimizers.schedules.LearningRateSchedule):
        """A jaxdecay schedule, stored as its dictionary."""

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
