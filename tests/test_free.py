"""Unconstrained coordinates of every domain: there and back, inside, with slopes everywhere."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Annotated, Any, get_origin

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt

import jaxdecay
from jaxdecay import domain as domains
from jaxdecay.domain import LAST_STEP, Domain, Search


def every_domain() -> dict[str, Domain]:
    """Those of `jaxdecay.domain` and of every family's numbers, and one of each kind of limits."""
    found = {
        name: Domain.of(each)
        for name, each in vars(domains).items()
        if get_origin(each) is Annotated
    }
    for family in jaxdecay.families.values():
        for parameter in family.decay.parameters.values():
            if parameter.kind == "number" and family.__module__.startswith("jaxdecay."):
                found[f"{family.__name__}.{parameter.name}"] = parameter.domain
    for low, high in itertools.product((None, Gt(-2.5), Ge(-2.5)), (None, Lt(3.5), Le(3.5))):
        bounds = tuple(each for each in (low, high) if each is not None)
        found[f"{low}, {high}"] = Domain(bounds)
    return {name: domain for domain, name in {each: name for name, each in found.items()}.items()}


DOMAINS = every_domain()
every = pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)


def limits(domain: Domain) -> list[float]:
    """All limits but that of integers."""
    ends = [value for bound in domain.bounds for value in dataclasses.asdict(bound).values()]
    return [end for end in ends if not (domain.count and end == LAST_STEP)]


def closed_ends(domain: Domain) -> list[float]:
    """The limits that belong to a domain; that of integers is none of a float."""
    ends = [getattr(bound, "ge", getattr(bound, "le", None)) for bound in domain.bounds]
    return [end for end in ends if end is not None and not (domain.count and end == LAST_STEP)]


def some_values(domain: Domain) -> np.ndarray:
    """Seeded, from the search range and around it, and the ends that belong to the domain."""
    generator = np.random.default_rng(11)
    search = domain.search or Search(0.01, 3.0)
    width = search.high - search.low
    wide = generator.uniform(search.low - width, search.high + width, 200)
    logarithmic = np.exp(generator.uniform(math.log(1e-5), math.log(search.high), 200))
    inside = [each for each in (*wide, *logarithmic) if domain.fault(float(each)) is None]
    assert len(inside) > 50
    values = np.array([*closed_ends(domain), *inside], np.float32)
    return np.resize(values, 402)  # one shape, so that operations are compiled once


@every
def test_there_and_back(domain: Domain) -> None:
    values = some_values(domain)
    free = jax.jit(domain.to_free)(values)
    back = np.asarray(jax.jit(jax.vmap(domain.from_free))(free), np.float64)
    assert np.all(np.isfinite(free))
    # Next to a limit that is not 0 a float has the digits of that limit.
    limit = max((abs(end) for end in limits(domain)), default=0)
    sizes = np.maximum(np.abs(values.astype(np.float64)), limit)
    error = np.abs(back - values) / np.where(sizes == 0, 1, sizes)
    assert np.max(error) <= 1e-6, values[np.argmax(error)]


@every
def test_the_ends_come_back_exactly(domain: Domain) -> None:
    for end in closed_ends(domain):
        assert float(domain.from_free(domain.to_free(end))) == end


@every
def test_every_coordinate_is_a_number_of_the_domain(domain: Domain) -> None:
    generator = np.random.default_rng(3)
    free = np.concatenate([generator.normal(0, size, 100) for size in (1e-6, 1, 30, 1e4)])
    for each in np.asarray(domain.from_free(np.array([*free, 0, 1, -1, 1e6, -1e6]))):
        assert domain.fault(float(each)) is None, each


@every
def test_slopes_are_finite_and_not_0(domain: Domain) -> None:
    free = np.array([*np.linspace(-20, 20, 401), 1.0, -1.0, 0.0, 1e-7, -1e-7], np.float32)
    at_values = jax.jit(domain.to_free)(some_values(domain))
    slopes = jax.jit(jax.vmap(jax.grad(domain.from_free)))(np.array([*free, *at_values]))
    assert np.all(np.isfinite(slopes))
    assert np.all(slopes != 0)
    back = jax.vmap(jax.grad(domain.to_free))(some_values(domain))
    assert np.all(np.isfinite(back))
    assert np.all(back != 0)


@every
def test_slopes_are_those_of_differences(domain: Domain) -> None:
    with jax.enable_x64(True):
        free = np.random.default_rng(5).uniform(-4, 4, 50)
        free = free[np.abs(free - np.round(free)) > 1e-3]  # the corners of waves
        above, below = domain.from_free(free + 1e-6), domain.from_free(free - 1e-6)
        slopes = jax.vmap(jax.grad(domain.from_free))(free)
        np.testing.assert_allclose(slopes, (above - below) / 2e-6, rtol=1e-5)


def test_the_formulas() -> None:
    def value(*bounds: Any, x: float, search: Search | None = None) -> float:
        return float(Domain(bounds, search=search).from_free(x))

    e = math.exp
    logarithmic = Search(0.01, 1.0, log=True)
    assert value(x=-3.0) == -3.0
    assert value(Ge(1), x=-2.0) == pytest.approx(1 + math.sinh(2), rel=1e-6)
    assert value(Ge(0), x=2.0, search=logarithmic) == pytest.approx(0.1 * math.sinh(2), rel=1e-6)
    assert value(Gt(0), x=-2.0) == pytest.approx(e(-2), rel=1e-6)
    assert value(Gt(0), x=1.0, search=logarithmic) == pytest.approx(0.1 * e(1), rel=1e-6)
    assert value(Lt(3), x=2.0) == pytest.approx(3 - e(2), rel=1e-6)
    assert value(Le(3), x=2.0) == pytest.approx(3 - math.sinh(2), rel=1e-6)
    assert value(Ge(1), Le(3), x=0.25) == value(Ge(1), Le(3), x=-0.25) == 1.5
    assert value(Ge(1), Le(3), x=1.25) == value(Ge(1), Le(3), x=2.75) == 2.5
    assert value(Ge(1), Lt(3), x=-2.0) == pytest.approx(3 - 2 * e(-2), rel=1e-6)
    assert value(Gt(1), Le(3), x=2.0) == pytest.approx(1 + 2 * e(-2), rel=1e-6)
    assert value(Gt(1), Lt(3), x=2.0) == pytest.approx(1 + 2 / (1 + e(-2)), rel=1e-6)


def test_large_numbers_do_not_overflow() -> None:
    for bounds in ((Ge(0),), (Gt(0),), (Le(0),), (Lt(0),), ()):
        sign = -1 if isinstance(bounds and bounds[0], Le | Lt) else 1
        domain = Domain(bounds, search=Search(1e-5, 1e5, log=True))
        values = sign * jnp.array([1e20, 1e30, 3e30, 1e35, 3e38])
        free = domain.to_free(values)
        assert np.all(np.isfinite(free))
        # A coordinate of 80 has 5 digits after the point.
        np.testing.assert_allclose(domain.from_free(free), values, rtol=1e-5)


def test_an_optimizer_leaves_a_rate_of_0_again() -> None:
    domain = Domain.of(domains.NonNegative)

    def loss(free: Any) -> Any:
        return (domain.from_free(free) / 1e-3 - 1) ** 2

    free = domain.to_free(0.0)
    for _ in range(200):
        free = free - 0.05 * jax.grad(loss)(free)
    assert float(domain.from_free(free)) == pytest.approx(1e-3, rel=0.01)
