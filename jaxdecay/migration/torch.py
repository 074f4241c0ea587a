"""Converts PyTorch's schedulers to schedules of this package, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jaxdecay.adaptive import reduce_on_plateau
from jaxdecay.compounds import one_cycle
from jaxdecay.decays import (
    constant,
    cosine,
    cosine_restarts,
    cyclic,
    exponential,
    linear,
    multi_step,
    piecewise_constant,
    polynomial,
    step_decay,
)
from jaxdecay.migration.peer import Peer, check_steps_alone, wave
from jaxdecay.migration.torch_state import arguments_of
from jaxdecay.schedule import Schedule

MOMENTUM = (
    "cycles the momentum, but from_torch converts only the learning rate; leave it out, and give "
    "the momentum its own schedule with optax.inject_hyperparams"
)
TORCH = Peer(
    "PyTorch",
    {
        "base_momentum": MOMENTUM,
        "max_momentum": MOMENTUM,
        "last_epoch": "is where to resume, but a schedule takes its step as an argument; leave it "
        "out, and call the schedule with the step",
        "lr": "is not used: this scheduler sets the rate from max_lr (CyclicLR: from base_lr and "
        "max_lr); pass those",
        "verbose": "controls what PyTorch prints; leave it out",
    },
)


def from_torch(name: str, state: Mapping[str, Any] | None = None, **arguments: Any) -> Schedule:
    """Converts a class of `torch.optim.lr_scheduler` to a schedule with the same values.

    A step of the schedule is a call of `scheduler.step()`. If you call that once per epoch, put
    `jaxdecay.per_epoch(schedule, steps_per_epoch)` around the schedule. PyTorch's conventions
    apply: `CosineAnnealingLR` rises again after `T_max`, `OneCycleLR` ends at `total_steps` − 1,
    and `LinearLR` starts at a third of the rate. PyTorch need not be installed.

    Args:
        name: the name of the class, such as "StepLR".
        state: the scheduler's `state_dict()`, from which the arguments are read; an error names
            those that it lacks. Progress that depends on a metric is not converted. States contain
            no functions, so the state of a `CyclicLR` with a `scale_fn` and the `scale_mode`
            "cycle" looks like one without; do not convert it.
        **arguments: the arguments of the class, by its names, with `lr` for the optimizer's rate.
            `SequentialLR` and `ChainedScheduler` take `schedulers` as pairs of a name and a
            dictionary of arguments. With a state, they take names, or pairs for schedulers whose
            state lacks an argument. The schedulers are assumed to be created in this order.

    Returns:
        A `Schedule`.

    Raises:
        ValueError: a name or argument is unknown, a value has no equivalent here, or PyTorch
            fails or never changes the rate with it. The message names what works.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.from_torch("StepLR", lr=0.1, step_size=30, gamma=0.5)
        step_decay(init_value=0.1, decay_rate=0.5, transition_steps=30)
        >>> state = {"step_size": 30, "gamma": 0.5, "base_lrs": [0.1], "last_epoch": 12}
        >>> jaxdecay.from_torch("StepLR", state) == jaxdecay.from_torch(
        ...     "StepLR", lr=0.1, step_size=30, gamma=0.5
        ... )
        True

    Source:
        PyTorch 2.13, `torch/optim/lr_scheduler.py`.
    """
    if state is not None:
        with TORCH.reported(name, {"state": state, **arguments}):
            arguments = arguments_of(TORCH, name, state, arguments)
    return TORCH.convert(name, arguments)


def _check(fits: bool, fault: str) -> None:
    if not fits:
        raise ValueError(fault)


@TORCH.named("ConstantLR")
def constant_lr(lr: float, factor: float = 1 / 3, total_iters: int = 5) -> Schedule:
    """A share of the rate for `total_iters` steps, then the rate."""
    _check(
        total_iters > 0,
        "total_iters must be > 0: without steps PyTorch never ends the reduction; use "
        f"jaxdecay.constant({lr!r}) for the full rate",
    )
    return piecewise_constant([lr * factor, lr], boundaries=[total_iters])


@TORCH.named("LinearLR")
def linear_lr(
    lr: float, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
) -> Schedule:
    """A line between two shares of the rate."""
    _check(
        total_iters > 0,
        "total_iters must be > 0: without steps PyTorch stays at start_factor; use "
        f"jaxdecay.constant({lr * end_factor!r}) for the end of the line",
    )
    return linear(lr * start_factor, end_value=lr * end_factor, transition_steps=total_iters)


@TORCH.named("ExponentialLR")
def exponential_lr(lr: float, gamma: float) -> Schedule:
    """Multiplied by `gamma` every step."""
    return exponential(lr, decay_rate=gamma)


@TORCH.named("StepLR")
def step_lr(lr: float, step_size: int, gamma: float = 0.1) -> Schedule:
    """Multiplied by `gamma` every `step_size` steps."""
    return step_decay(lr, decay_rate=gamma, transition_steps=step_size)


@TORCH.named("MultiStepLR")
def multi_step_lr(lr: float, milestones: Iterable[int], gamma: float = 0.1) -> Schedule:
    """Multiplied by `gamma` at each milestone."""
    return multi_step(lr, decay_rate=gamma, boundaries=sorted(milestones))


@TORCH.named("PolynomialLR")
def polynomial_lr(lr: float, total_iters: int = 5, power: float = 1.0) -> Schedule:
    """A power of the remaining share of steps, down to 0."""
    _check(
        total_iters > 0,
        "total_iters must be > 0: without steps PyTorch never changes the rate; use "
        f"jaxdecay.constant({lr!r})",
    )
    return polynomial(lr, end_value=0.0, power=power, transition_steps=total_iters)


@TORCH.named("CosineAnnealingLR")
def cosine_annealing_lr(lr: float, T_max: int, eta_min: float = 0.0) -> Schedule:  # noqa: N803
    """A cosine wave, which rises again after `T_max`."""
    _check(T_max > 0, "T_max must be > 0: PyTorch divides by it")
    return wave(lr, eta_min, T_max)


@TORCH.named("CosineAnnealingWarmRestarts")
def cosine_annealing_warm_restarts(
    lr: float,
    T_0: int,  # noqa: N803
    T_mult: int = 1,  # noqa: N803
    eta_min: float = 0.0,
) -> Schedule:
    """Half cosines that restart."""
    return cosine_restarts(lr, period=T_0, end_value=eta_min, period_multiplier=T_mult)


@TORCH.named("CyclicLR")
def cyclic_lr(
    base_lr: float,
    max_lr: float,
    step_size_up: int = 2000,
    step_size_down: int | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
    scale_fn: Callable[[float], float] | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = False,
) -> Schedule:
    """A triangle wave."""
    _check(not cycle_momentum, f"cycle_momentum {MOMENTUM}")
    _check(
        scale_fn is None,
        f"scale_fn with scale_mode={scale_mode!r} has no equivalent; use one of the modes, or "
        "jaxdecay.from_function with the function written in JAX",
    )
    rates = {"triangular": 1.0, "triangular2": 0.5, "exp_range": gamma}
    _check(mode in rates, f"mode must be one of {', '.join(map(repr, rates))}")
    every = "step" if mode == "exp_range" else "cycle"
    down = step_size_up if step_size_down is None else step_size_down
    return cyclic(
        base_lr,
        peak_value=max_lr,
        up_steps=step_size_up,
        down_steps=down,
        decay_rate=rates[mode],
        decay_every=every,
    )


@TORCH.named("OneCycleLR")
def one_cycle_lr(
    max_lr: float,
    total_steps: int | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = False,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """Up and down; the last of `total_steps` steps has the final rate."""
    _check(not cycle_momentum, f"cycle_momentum {MOMENTUM}")
    if total_steps is None:
        _check(
            epochs is not None and steps_per_epoch is not None,
            "expected total_steps, or epochs and steps_per_epoch",
        )
        total_steps = (epochs or 0) * (steps_per_epoch or 0)
    names = {"cos": "cosine", "linear": "linear"}
    _check(anneal_strategy in names, "anneal_strategy must be 'cos' or 'linear'")
    _check(
        total_steps > 1 and pct_start * total_steps >= 1,
        "pct_start·total_steps must be at least 1: with a shorter rise PyTorch starts in the "
        "middle of the fall; expected a larger one, or jaxdecay.one_cycle with warmup_fraction=0",
    )
    end = total_steps - 1
    rise = (pct_start * total_steps - 1) / end
    if rise >= 1:  # PyTorch never reaches the fall
        rises = cosine if anneal_strategy == "cos" else linear
        return rises(max_lr / div_factor, transition_steps=end, end_value=max_lr)
    return one_cycle(
        max_lr,
        transition_steps=end,
        warmup_fraction=rise,
        initial_divisor=div_factor,
        final_divisor=final_div_factor,
        shape="cosine" if anneal_strategy == "cos" else "linear",
        three_phase=three_phase,
    )


@TORCH.named("SWALR")
def swa_lr(
    lr: float, swa_lr: float, anneal_epochs: int = 10, anneal_strategy: str = "cos"
) -> Schedule:
    """From the rate to `swa_lr`, then constant."""
    _check(anneal_strategy in ("cos", "linear"), "anneal_strategy must be 'cos' or 'linear'")
    if anneal_strategy == "linear":
        return linear(lr, end_value=swa_lr, transition_steps=anneal_epochs)
    return cosine(lr, transition_steps=anneal_epochs, end_value=swa_lr)


@TORCH.named("LambdaLR")
def lambda_lr(lr: float, lr_lambda: Any = None) -> Schedule:
    """Not supported: a function cannot be converted."""
    raise ValueError(
        f"lr_lambda={lr_lambda!r} is a function of Python numbers, which JAX cannot trace; write "
        f"it with jax.numpy and use jaxdecay.from_function(lambda step: {lr!r} * factor(step)), "
        "or define a family with @jaxdecay.decay"
    )


@TORCH.named("MultiplicativeLR")
def multiplicative_lr(lr: float, lr_lambda: Any = None) -> Schedule:
    """Not supported: a function cannot be converted."""
    raise ValueError(
        f"lr_lambda={lr_lambda!r} multiplies the rate at each step, so that a rate depends on all "
        "rates before it; pass the products to jaxdecay.interpolate, or use "
        f"jaxdecay.exponential({lr!r}, factor) if the factor is constant"
    )


@TORCH.named("ReduceLROnPlateau")
def reduce_lr_on_plateau(
    lr: float,
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_lr: float = 0.0,
    eps: float = 1e-8,
) -> Schedule:
    """Reduced after more than `patience` bad metrics."""
    _check(mode in ("min", "max"), "mode must be 'min' or 'max'")
    _check(threshold_mode in ("rel", "abs"), "threshold_mode must be 'rel' or 'abs'")
    _check(
        0 <= eps <= 1e-8,
        "eps above 1e-8 has no equivalent: jaxdecay makes every reduction, however small; expected "
        "the default, and min_lr for the smallest rate",
    )
    return reduce_on_plateau(
        constant(lr),
        factor=factor,
        patience=patience,
        threshold=threshold,
        cooldown=cooldown,
        min_scale=min_lr / lr,
        mode="min" if mode == "min" else "max",
        threshold_mode="relative" if threshold_mode == "rel" else "absolute",
    )


def to_torch(schedule: Schedule, optimizer: Any) -> Any:
    """Converts a schedule to a PyTorch scheduler, to be stepped after the optimizer.

    It sets the rate of every group to the schedule's value, whatever the groups had before: for
    separate rates use one optimizer per group. `scheduler.step()` counts steps of the schedule,
    so call it once per step, or once per epoch for a schedule of epochs.

    Args:
        schedule: any schedule that needs no metric.
        optimizer: a `torch.optim.Optimizer`.

    Returns:
        A `torch.optim.lr_scheduler.LRScheduler`. Its `state_dict()` contains `last_epoch` and, if
        all decays have names, `schedule.to_dict()`, in plain types that
        `torch.load(weights_only=True)` reads. `load_state_dict` restores both; if the state has no
        schedule, it keeps the one given here. The scheduler itself can be pickled, as by
        `torch.save(scheduler)`, if the schedule can.

    Raises:
        TypeError: `schedule` is not a schedule.
        ValueError: the schedule follows a metric.
        ImportError: PyTorch is not installed.

    Example:
        >>> import jaxdecay
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=1.0)  # doctest: +SKIP
        >>> scheduler = jaxdecay.to_torch(
        ...     jaxdecay.cosine(0.1, transition_steps=1_000), optimizer
        ... )  # doctest: +SKIP
        >>> scheduler.get_last_lr()  # doctest: +SKIP
        [0.10000000149011612]

    Source:
        PyTorch 2.13, `torch.optim.lr_scheduler.LRScheduler`.
    """
    check_steps_alone("to_torch", schedule, "torch.optim.lr_scheduler.ReduceLROnPlateau")
    try:
        from jaxdecay.migration.torch_scheduler import JaxdecayLR
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise ImportError("PyTorch is not installed: pip install torch", name="torch") from error
    return JaxdecayLR(optimizer, schedule)
