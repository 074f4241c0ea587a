"""Schedules of plain functions, which have no name in files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxdecay.schedule import Decay, Schedule


class FunctionDecay(Decay[...]):
    """The decay that a function is, known by the function and not by a name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.family = self.family or type(function).__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionDecay) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return FunctionDecay, (self.function,)

    def name_in_files(self) -> str:
        """A file cannot name a function."""
        raise ValueError(
            f"a schedule of from_function({self.family}, …) has no name in files; write "
            f"@jaxdecay.decay above the function {self.family} and call that instead"
        )

    def written(self, arguments: Sequence[str]) -> str:
        """The call of `from_function`."""
        return f"from_function({', '.join([self.family, *arguments])})"


def from_function(f: Callable[..., Any], /, **hyperparameters: Any) -> Schedule:
    """A schedule of a function of your own, or of an Optax schedule, as it is.

    Formula: `f(step, **hyperparameters)`.

    Args:
        f: `f(step, **hyperparameters) -> value`, made of JAX operations, for one step. An
            annotation of `jaxdecay.domain` says what a hyperparameter may be; without one it is
            any finite number.
        **hyperparameters: those of the function, in its own units; they are leaves, which can be
            traced, stacked and differentiated.

    Returns:
        A `Schedule`. Those of equal functions and hyperparameters are equal. It pickles if the
        function does; a file cannot hold it: `@jaxdecay.decay` gives a function a name there.

    Raises:
        TypeError: a hyperparameter that the function does not have, or lacks, or a function that
            `jaxdecay.decay` refuses.
        ValueError: a hyperparameter outside its range.

    Example:
        >>> import jaxdecay
        >>> def hyperbola(step, init_value, half_life):
        ...     return init_value * half_life / (half_life + step)
        >>> schedule = jaxdecay.from_function(hyperbola, init_value=0.5, half_life=100)
        >>> schedule
        from_function(hyperbola, init_value=0.5, half_life=100.0)
        >>> float(schedule(100)), float(jaxdecay.warmup(schedule, 10)(110))
        (0.25, 0.25)

    Source:
        PyTorch `LambdaLR`; Keras `LearningRateScheduler`; any `optax.Schedule`.
    """
    if isinstance(f, Decay | Schedule):
        raise TypeError(f"from_function takes a function, got {f!r}, which is one of ours already")
    return FunctionDecay(f)(**hyperparameters)
