"""The standard normal law in balls: Φ, Φ⁻¹."""

from fractions import Fraction
from functools import lru_cache

from flint import arb

from certify.exact import ball


def distribution(argument: arb) -> arb:
    """A ball around Φ(argument)."""
    return (-argument / arb(2).sqrt()).erfc() / 2


@lru_cache(maxsize=1 << 16)
def quantile(probability: Fraction) -> arb:
    """A ball around Φ⁻¹(probability); not finite at 0 and 1."""
    if not 0 < probability < 1:
        return arb.nan()
    # erfcinv keeps full relative accuracy in the lower tail, and Φ⁻¹ is odd about ½.
    if probability > Fraction(1, 2):
        return -quantile(1 - probability)
    return -arb(2).sqrt() * ball(2 * probability).erfcinv()
