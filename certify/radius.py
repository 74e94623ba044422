"""Radii as issued: multiples of 10^-7, rounded down.

A coarse decimal grid makes the issued number the same on every machine and short in print. Radius 0
proves nothing.
"""

from fractions import Fraction

from flint import arb

from certify.exact import UndecidedError, floor

UNITS_PER_INTENSITY = 10**7
# No radius is searched beyond this: 10^4 in intensity, farther than any two pictures are apart.
LARGEST = 10**4 * UNITS_PER_INTENSITY


def issued(radius: arb) -> int:
    """The ball's lower end in units of 10^-7, rounded down; 0 for what is not a positive number."""
    try:
        return max(floor(radius * UNITS_PER_INTENSITY), 0)
    except UndecidedError:
        return 0


def intensity(units: int) -> float:
    """Units of 10^-7 as a float whose shortest decimal is the exact radius."""
    return float(Fraction(units, UNITS_PER_INTENSITY))
