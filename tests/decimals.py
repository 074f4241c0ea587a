"""Decimal arithmetic that the formulas share."""

from __future__ import annotations

import decimal
from decimal import Decimal

LAST_DIGIT = Decimal(2) ** -44
"""What is less than this share below an integer is that integer in decimals."""

DIGITS = decimal.Context(prec=60, Emax=10**9, Emin=-(10**9), traps=[decimal.InvalidOperation])
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620900")


def between(start, end, share, shape="linear"):
    """A phase's value at a share of its steps; its ends are its ends."""
    if share in (0, 1):
        return end if share else start
    if shape == "exponential":
        return start ** (1 - share) * end**share if start > 0 and end > 0 else Decimal(0)
    if shape == "inverse":
        return 1 / ((1 - share) / start + share / end) if start > 0 and end > 0 else Decimal(0)
    weight = {"linear": 1 - share, "cosine": half_wave_at(share), "sqrt": 1 - share.sqrt()}[shape]
    return end + (start - end) * weight


def share_of(t: Decimal, transition_steps: Decimal) -> Decimal:
    return min(t, transition_steps) / transition_steps if transition_steps > 0 else Decimal(1)


def transitions(t: Decimal, transition_steps: Decimal | int, staircase: bool) -> Decimal:
    return periods_of(t, transition_steps)[0] if staircase else t / transition_steps


def power_of(base: Decimal, exponent: Decimal) -> Decimal:
    return base**exponent if base > 0 else Decimal(exponent == 0)  # also of Optax, Keras, PyTorch


def floored(number: Decimal) -> Decimal:
    return number.to_integral_value(decimal.ROUND_FLOOR)


def periods_of(t: Decimal, period: Decimal) -> tuple[Decimal, Decimal]:
    """How many are over, and the steps since: none within the last digit of a whole number.

    What is smaller than any rounding of float64 is a difference of `slopes`, and counts.
    """
    quotient = t / period
    nearest = quotient.to_integral_value()
    if abs(quotient - nearest) <= quotient * LAST_DIGIT:
        since = t - nearest * period
        return nearest, since if 0 < since < Decimal("3e-16") else Decimal(0)
    return floored(quotient), t - period * floored(quotient)


def half_wave_at(share: Decimal) -> Decimal:
    return (1 + cos(PI * share)) / 2 if share < 1 else Decimal(0)


def cos(angle: Decimal) -> Decimal:
    term, total, order = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal("1e-62"):
        order += 2
        term *= -angle * angle / (order * (order - 1))
        total += term
    return total


def sinh(number: Decimal) -> Decimal:
    if abs(number) < Decimal("1e-20"):  # where the difference below has lost its digits
        return number * (1 + number * number / 6)
    return (number.exp() - (-number).exp()) / 2


def cosh(number: Decimal) -> Decimal:
    return (number.exp() + (-number).exp()) / 2
