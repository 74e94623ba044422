"""Exact numbers and balls: where decimals, rationals and rigorous intervals meet.

A float in a document stands for the shortest decimal that prints as it. Balls are python-flint's
`arb`; whoever decides with one must decide with the whole ball.
"""

from fractions import Fraction
from functools import lru_cache

from flint import arb, ctx, fmpq

# python-flint keeps one precision for the whole process, so it is set once and never changed: two
# threads that set it in turn would still be sound, but not reproducible. 128 bits leave over 50
# spare bits wherever we round.
PRECISION_BITS = 128
ctx.prec = PRECISION_BITS


class UndecidedError(ArithmeticError):
    """A ball is too wide, or not finite, to decide what was asked of it."""


@lru_cache(maxsize=1 << 10)
def decimal(number: float) -> Fraction:
    """The exact value of the shortest decimal that prints as `number`: 0.1 is 1/10."""
    return Fraction(repr(float(number)))


def ball(number: Fraction | int) -> arb:
    """A ball around a rational, as narrow as the working precision allows."""
    return arb(fmpq(number.numerator, number.denominator))


def lower_tail(probability: Fraction) -> tuple[arb, bool]:
    """A ball around the smaller of p and 1 − p, and whether that is 1 − p."""
    part, whole = probability.numerator, probability.denominator
    is_upper = 2 * part > whole
    return arb(fmpq(whole - part if is_upper else part, whole)), is_upper


def floor(value: arb) -> int:
    """An integer that no number in the ball is below: the floor of the ball's lower end.

    Raises UndecidedError if the ball is not finite.
    """
    unique = value.lower().floor().unique_fmpz() if value.is_finite() else None
    if unique is None:
        raise UndecidedError(f"no floor of {value}")
    return int(unique)


def nearest_integer(value: arb) -> int:
    """Half-up rounding of the one number the ball encloses.

    Raises UndecidedError if numbers in the ball round to different integers.
    """
    unique = (value + arb("0.5")).floor().unique_fmpz() if value.is_finite() else None
    if unique is None:
        raise UndecidedError(f"{value} is too wide to round")
    return int(unique)
