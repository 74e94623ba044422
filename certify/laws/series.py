"""The power series of the moments of generalized normal noise (`certify.laws.moments`).

With y = −u/z the integrand's exponent is (order − 1)·z^b·((1 + y)^b − 1) − z^b. Expanding the first
term's exponential and integrating, where odd powers of z vanish,

    I(u) = Σ_m u^m Σ_s (order − 1)^s · q(m, s) · Γ((bs − m + 1)/b)/Γ(1/b),    m = 0, 2, 4, …

with q(m, s) = [y^m]((1 + y)^b − 1)^s / s!, no term negative. As sums of absolute values converge
too (b − 1 < b), they may be exchanged with the integral. The terms from u^(m) on are at most
(u/v)^m·I(v) for any v > u.
"""

from fractions import Fraction
from functools import lru_cache

from flint import arb, arb_poly, fmpz_poly

from certify.exact import ball

# Powers of u up to this are summed. At half a shift of known moment the rest is 2^-82 of that.
DEGREE = 80


def excess(shape: int, order: Fraction, shift: arb, known: arb, moment: arb) -> arb:
    """A ball around I(shift) − 1, shift in units of a.

    known: a larger shift; moment: a number, or a ball around one, that I(known) does not exceed.
    """
    square = shift * shift
    rest = (shift / known) ** (DEGREE + 2) * moment
    return square * _coefficients(shape, order)(square) + (rest / 2 + arb(0, 1) * rest / 2)


@lru_cache(maxsize=1 << 10)
def _coefficients(shape: int, order: Fraction) -> arb_poly:
    """Coefficients of u², u⁴, …, u^DEGREE."""
    return arb_poly([polynomial(ball(order - 1)) for polynomial in _in_order(shape)])


@lru_cache(maxsize=32)
def _in_order(shape: int) -> tuple[arb_poly, ...]:
    """The same as polynomials in order − 1."""
    rise = fmpz_poly([1, 1]) ** shape - 1
    powers, factorial = [fmpz_poly([1])], [1]
    for s in range(1, DEGREE + 1):
        product = powers[-1] * rise
        powers.append(fmpz_poly([product[m] for m in range(DEGREE + 1)]))
        factorial.append(factorial[-1] * s)
    found = []
    for m in range(2, DEGREE + 1, 2):
        terms = [arb(0)] * (m + 1)
        for s in range(-(-m // shape), m + 1):
            terms[s] = arb(powers[s][m]) / factorial[s] * _moment(shape, shape * s - m)
        found.append(arb_poly(terms))
    return tuple(found)


@lru_cache(maxsize=1 << 14)
def _moment(shape: int, power: int) -> arb:
    """The mean of z^power under the density ∝ e^(−z^shape): Γ((power + 1)/shape)/Γ(1/shape)."""
    return ball(Fraction(power + 1, shape)).gamma() / ball(Fraction(1, shape)).gamma()
