"""The third law: ends are exact for every length, and held for ever, however it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import LAST_STEP

import jaxdecay
from jaxdecay import Schedule

LENGTHS = np.array([*range(2001), 10**6, 2**24 + 1, LAST_STEP], np.int32)
FROM_THE_END = np.array([*(-(2 ** np.arange(31))), -3, 0, 1, 1000, LAST_STEP])
STEPS = np.clip(LENGTHS[:, None].astype(np.int64) + FROM_THE_END, 0, LAST_STEP).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A schedule of every length: its value at step 0, that at its end, and its largest.

    Lengths below the shortest have no step for one of its phases.
    """

    make: Callable[[Any], Schedule]
    start: float
    end: float
    peak: float = 0.0
    shortest: int = 0

    def faults(self, lengths: np.ndarray, steps: np.ndarray, got: Any) -> np.ndarray:
        """The lengths at which a value is not that of a schedule with exact ends."""
        start, end = np.float32(self.start), np.float32(self.end)
        got, lengths = np.asarray(got), lengths[:, None]
        assert got.dtype == np.float32
        low, high = min(start, end), max(start, end, np.float32(self.peak))
        wrong = ~((got >= low) & (got <= high))  # past an end, or NaN
        wrong |= (steps >= lengths) & (got != end)
        wrong |= (steps == 0) & (lengths > 0) & (got != start)
        return lengths[(wrong & (lengths >= self.shortest)).any(axis=1), 0]


def _powers_and_waves() -> dict[str, Kind]:
    linear, polynomial, cosine = jaxdecay.linear, jaxdecay.polynomial, jaxdecay.cosine
    return {
        "linear to zero": Kind(lambda n: linear(0.1, end_value=0.0, transition_steps=n), 0.1, 0.0),
        "linear falling": Kind(
            lambda n: linear(0.1, end_value=0.03, transition_steps=n), 0.1, 0.03
        ),
        "linear rising": Kind(lambda n: linear(0.03, end_value=0.1, transition_steps=n), 0.03, 0.1),
        "root to zero": Kind(
            lambda n: polynomial(0.1, end_value=0.0, power=0.5, transition_steps=n), 0.1, 0.0
        ),
        "power .9 to zero": Kind(
            lambda n: polynomial(0.1, end_value=0.0, power=0.9, transition_steps=n), 0.1, 0.0
        ),
        "power .9 falling": Kind(
            lambda n: polynomial(0.1, end_value=0.03, power=0.9, transition_steps=n), 0.1, 0.03
        ),
        "square rising": Kind(
            lambda n: polynomial(0.0, end_value=0.1, power=2.0, transition_steps=n), 0.0, 0.1
        ),
        "cosine to zero": Kind(lambda n: cosine(0.1, transition_steps=n), 0.1, 0.0),
        "cosine falling": Kind(
            lambda n: cosine(0.1, transition_steps=n, end_value=0.03), 0.1, 0.03
        ),
        "cosine rising": Kind(lambda n: cosine(0.03, transition_steps=n, end_value=0.1), 0.03, 0.1),
    }


def _steeper() -> dict[str, Kind]:
    k_decay, tanh = jaxdecay.k_decay, jaxdecay.tanh_decay
    return {
        "k-decay to zero": Kind(
            lambda n: k_decay(0.1, end_value=0.0, transition_steps=n, k=1.5), 0.1, 0.0
        ),
        "k-decay falling": Kind(
            lambda n: k_decay(0.1, end_value=0.03, transition_steps=n, k=3.0), 0.1, 0.03
        ),
        "polynomial k-decay": Kind(
            lambda n: k_decay(
                0.1, end_value=0.0, transition_steps=n, k=0.5, power=0.9, shape="polynomial"
            ),
            0.1,
            0.0,
        ),
        "tanh": Kind(
            lambda n: tanh(0.1, end_value=0.0, transition_steps=n, normalized=True), 0.1, 0.0
        ),
        "tanh rising": Kind(
            lambda n: tanh(0.03, end_value=0.1, transition_steps=n, normalized=True), 0.03, 0.1
        ),
    }


def _quotients() -> dict[str, Kind]:
    hyperbolas = {
        "hyperbolic": jaxdecay.hyperbolic,
        "exponential hyperbolic": jaxdecay.exponential_hyperbolic,
    }
    return {
        "rex to zero": Kind(lambda n: jaxdecay.rex(0.1, transition_steps=n), 0.1, 0.0),
        "rex falling": Kind(
            lambda n: jaxdecay.rex(0.1, transition_steps=n, end_value=0.03), 0.1, 0.03
        ),
        "inverse linear": Kind(
            lambda n: jaxdecay.inverse_linear(0.1, end_value=0.03, transition_steps=n), 0.1, 0.03
        ),
        "inverse rising": Kind(
            lambda n: jaxdecay.inverse_linear(0.03, end_value=0.1, transition_steps=n), 0.03, 0.1
        ),
        **{
            name: Kind(
                lambda n, make=make: make(0.1, end_value=0.03, transition_steps=n), 0.1, 0.03
            )
            for name, make in hyperbolas.items()
        },
    }


def _pieces() -> dict[str, Kind]:
    warmup, cooldown = jaxdecay.warmup, jaxdecay.cooldown
    shapes = ("linear", "cosine", "sqrt")
    falling = (*shapes, "power", "inverse", "exponential")
    return {
        "points": Kind(
            lambda n: jaxdecay.piecewise_linear([0.1, 0.03], boundaries=_from_0(n)), 0.1, 0.03
        ),
        **{
            f"{shape} warm-up": Kind(
                lambda n, shape=shape: warmup(0.1, warmup_steps=n, init_value=0.03, shape=shape),
                0.03,
                0.1,
            )
            for shape in shapes
        },
        "warm-up from zero": Kind(lambda n: warmup(0.1, warmup_steps=n), 0.0, 0.1),
        **{
            f"{shape} cooldown": Kind(
                lambda n, shape=shape: cooldown(
                    0.1, begin=0, transition_steps=n, end_value=0.03, shape=shape
                ),
                0.1,
                0.03,
            )
            for shape in falling
        },
        **{
            f"{shape} cooldown to zero": Kind(
                lambda n, shape=shape: cooldown(0.1, begin=0, transition_steps=n, shape=shape),
                0.1,
                0.0,
            )
            for shape in falling[:4]
        },
    }


def _phases() -> dict[str, Kind]:
    line = jaxdecay.linear(0.1, end_value=0.01, transition_steps=10)
    return {
        "extended line": Kind(
            lambda n: jaxdecay.extend(line, at=0, new_transition_steps=n), 0.1, 0.01, shortest=1
        ),
        "warm-up and cosine": Kind(
            lambda n: jaxdecay.warmup_cosine(
                0.1, warmup_steps=0, transition_steps=n, init_value=0.0, end_value=0.03
            ),
            0.1,
            0.03,
        ),
        "warm-up and line": Kind(
            lambda n: jaxdecay.warmup_linear(
                0.1,
                warmup_steps=n // 2,
                transition_steps=n - n // 2,
                init_value=0.03,
                end_value=0.01,
            ),
            *(0.03, 0.01, 0.1, 2),
        ),
        "three phases": Kind(
            lambda n: jaxdecay.warmup_stable_decay(
                0.1,
                warmup_steps=n // 3,
                stable_steps=n // 3,
                transition_steps=n - 2 * (n // 3),
                init_value=0.03,
                end_value=0.01,
            ),
            *(0.03, 0.01, 0.1, 3),
        ),
    }


def _from_0(length: Any) -> Any:
    return jnp.stack([jnp.zeros_like(length), jnp.asarray(length)])


KINDS = _powers_and_waves() | _steeper() | _quotients() | _pieces() | _phases()
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def mapped(make: Callable[[Any], Any], lengths: Any, steps: Any) -> Any:
    return jax.vmap(lambda length, row: make(length)(row))(lengths, steps)


def unrolled(make: Callable[[Any], Any], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and values with lengths as constants that the compiler sees.

    The step is an argument, so that the values themselves cannot be computed by the compiler.
    """
    schedules = [(make(int(length)), int(length)) for length in lengths]
    offsets = np.array([-3, -2, -1, 0, 1, 1000])

    @jax.jit
    def compiled(offset: Any) -> Any:
        return jnp.stack([schedule(length + offset) for schedule, length in schedules])

    return (
        np.maximum(lengths[:, None] + offsets, 0),
        np.stack([compiled(offset) for offset in offsets], axis=1),
    )


@pytest.mark.quick_each(2)
@every_kind
def test_ends_are_exact_for_every_length(kind: Kind) -> None:
    ways = {
        "mapped": mapped,
        "compiled": jax.jit(mapped, static_argnums=0),
        "compiled with constant lengths": lambda make, lengths, steps: jax.jit(
            lambda steps: mapped(make, lengths, steps)
        )(steps),
    }
    for way, call in ways.items():
        faults = kind.faults(LENGTHS, STEPS, call(kind.make, LENGTHS, STEPS))
        assert not faults.size, (way, faults)


@pytest.mark.quick_each(2)
@every_kind
def test_ends_are_exact_where_counts_are_floats(kind: Kind) -> None:
    lengths, steps = LENGTHS[:2001], STEPS[:2001, 10:-1]
    got = jax.jit(mapped, static_argnums=0)(kind.make, lengths.astype(np.float32), steps)
    assert not kind.faults(lengths, steps, got).size


@pytest.mark.quick_each(2)
@every_kind
@pytest.mark.parametrize("random", [2, pytest.param(7, marks=pytest.mark.slow)])
def test_ends_are_exact_one_by_one(kind: Kind, random: int) -> None:
    lengths = np.append([0, 1, 2], np.random.default_rng(3).choice(LENGTHS[:2001], random))
    steps, got = unrolled(kind.make, lengths)
    assert not kind.faults(lengths, steps, got).size
    eager = np.stack(
        [kind.make(int(n))(row) for n, row in zip(lengths[:4], steps[:4], strict=True)]
    )
    assert not kind.faults(lengths[:4], steps[:4], eager).size


BETWEEN: dict[str, Callable[[Any, Any, Any], Schedule]] = {
    "linear": lambda start, end, n: jaxdecay.linear(start, end_value=end, transition_steps=n),
    "polynomial": lambda start, end, n: jaxdecay.polynomial(
        start, end_value=end, power=0.9, transition_steps=n
    ),
    "cosine": lambda start, end, n: jaxdecay.cosine(start, transition_steps=n, end_value=end),
    "k-decay": lambda start, end, n: jaxdecay.k_decay(
        start, end_value=end, transition_steps=n, k=1.5
    ),
    "tanh": lambda start, end, n: jaxdecay.tanh_decay(start, end_value=end, transition_steps=n),
    "normalized tanh": lambda start, end, n: jaxdecay.tanh_decay(
        start, end_value=end, transition_steps=n, normalized=True
    ),
    "rex": lambda start, end, n: jaxdecay.rex(start, transition_steps=n, end_value=end),
    "inverse linear": lambda start, end, n: jaxdecay.inverse_linear(
        start, end_value=end, transition_steps=n
    ),
    "hyperbolic": lambda start, end, n: jaxdecay.hyperbolic(
        start, end_value=end, transition_steps=n
    ),
    "exponential hyperbolic": lambda start, end, n: jaxdecay.exponential_hyperbolic(
        start, end_value=end, transition_steps=n
    ),
    "restarts": lambda start, end, n: jaxdecay.cosine_restarts(
        start, period=n, end_value=end, period_multiplier=1.5
    ),
    "triangles": lambda start, end, n: jaxdecay.cyclic(end, peak_value=start, up_steps=n),
    "sine": lambda start, end, n: jaxdecay.sine_wave(end, peak_value=start, up_steps=n),
    "points": lambda start, end, n: jaxdecay.piecewise_linear(
        _both(start, end), boundaries=_from_0(n)
    ),
    "table": lambda start, end, n: jaxdecay.interpolate(_both(start, end), transition_steps=n),
    **{
        f"{shape} warm-up": lambda start, end, n, shape=shape: jaxdecay.warmup(
            start, warmup_steps=n, init_value=end, shape=shape
        )
        for shape in ("linear", "cosine", "sqrt")
    },
    **{
        f"{shape} cooldown": lambda start, end, n, shape=shape: jaxdecay.cooldown(
            start, begin=0, transition_steps=n, end_value=end, shape=shape
        )
        for shape in ("linear", "cosine", "sqrt", "power", "inverse", "exponential")
    },
}


def _both(start: Any, end: Any) -> Any:
    return jnp.stack([jnp.asarray(start), jnp.asarray(end)])


@pytest.mark.quick_each(2)
@pytest.mark.parametrize("make", BETWEEN.values(), ids=BETWEEN)
def test_no_value_passes_an_end_whatever_the_ends_are(make: Callable[..., Schedule]) -> None:
    generator = np.random.default_rng(11)
    members = 4000
    start = (10.0 ** generator.uniform(-8, 1, members)).astype(np.float32)
    other = (10.0 ** generator.uniform(-8, 1, members)).astype(np.float32)
    near = (start * (1 - generator.integers(0, 9, members) * 2.0**-23)).astype(np.float32)
    end = np.minimum(start, np.choose(np.arange(members) % 3, [other, near, start]))
    lengths = (2 ** generator.uniform(0, 30.7, members)).astype(np.int32)
    steps = (lengths[:, None] * generator.uniform(0, 1.2, (members, 50))).astype(np.int32)

    @jax.jit
    def values(start: Any, end: Any) -> Any:
        call = lambda start, end, n, row: make(start, end, n)(row)  # noqa: E731
        return jax.vmap(call)(start, end, lengths, steps)

    got = np.asarray(values(start, end))
    assert np.all((got >= end[:, None]) & (got <= start[:, None]))


@pytest.mark.parametrize(("name", "first"), [("linear to zero", 1), ("power .9 to zero", 201)])
def test_ends_are_exact_one_by_one_for_many_lengths(name: str, first: int) -> None:
    lengths = np.arange(first, first + 60)
    steps, got = unrolled(KINDS[name].make, lengths)
    assert not KINDS[name].faults(lengths, steps, got).size


def test_the_test_of_ends_finds_what_compilers_do() -> None:
    def careless(length: Any) -> Callable[[Any], Any]:
        def line(step: Any) -> Any:
            done = jnp.clip(step, 0, length)
            return jnp.float32(0.1) * (1 - jnp.asarray(done, float) / jnp.asarray(length, float))

        return line

    lengths = LENGTHS[1:61]
    kind = KINDS["linear to zero"]
    steps, got = unrolled(careless, lengths)
    assert kind.faults(lengths, steps, got).size
    compiled = jax.jit(lambda steps: jax.vmap(lambda n, row: careless(n)(row))(lengths, steps))
    assert kind.faults(lengths, STEPS[1:61], compiled(STEPS[1:61])).size
