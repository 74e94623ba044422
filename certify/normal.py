"""The standard normal law in balls: Φ, Φ⁻¹."""

from fractions import Fraction

from flint import arb

from certify import special
from certify.exact import lower_tail

_ROOT_TWO, _ROOT_TWO_PI = arb(2).sqrt(), (2 * arb.pi()).sqrt()
# A guess in floats is this good, relative to 1 + |Φ⁻¹|, or it is not used.
_WIDTH = arb(2) ** -40


def distribution(argument: arb) -> arb:
    """A ball around Φ(argument)."""
    return (-argument / _ROOT_TWO).erfc() / 2


def quantile(probability: Fraction) -> arb:
    """A ball around Φ⁻¹(probability); not finite at 0 and 1.

    One step of interval Newton from a guess in floats, which costs a third of the inverse in balls:
    if guess − (Φ(guess) − p)/φ(X) lies within X around the guess, then so does the root, and in it.
    """
    if not 0 < probability.numerator < probability.denominator:
        return arb.nan()
    # Φ keeps full relative accuracy in the lower tail, and Φ⁻¹ is odd about ½.
    tail, is_upper = lower_tail(probability)
    guess = arb(float(special.ndtri(float(tail))))
    near = guess + arb(0, _WIDTH * (1 + abs(guess)))
    root = guess - (distribution(guess) - tail) * _ROOT_TWO_PI * (near * near / 2).exp()
    if not near.contains_interior(root):
        root = -_ROOT_TWO * (2 * tail).erfcinv()
    return -root if is_upper else root
