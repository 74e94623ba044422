"""Rényi moments of generalized normal noise, bounded for every shift from integrals at a few.

For the density f ∝ e^(−z^b), b even, and a shift u > 0

    I(u) = ∫ f(z)^order f(z − u)^(1 − order) dz,    h(u) = ln I(u) / (order − 1).

Expanding e^((order − 1)(z − u)^b) in powers of (z − u)^b, and these in powers of u, leaves only
even moments of e^(−order·z^b), all positive: I is a power series in u², coefficients ≥ 0. Hence

- (I(u) − 1)/u² rises, so ln I(u) ≤ u²·(I(v) − 1)/v² for u ≤ v;
- ln I is convex in ln u (a sum of exponentials), so between two nodes it is below the chord.

Nodes stand at u = 2^(j/8), each computed once for each shape and order. Every bound between them
follows, and costs less than one part in a hundred. Where the power series reaches
(`certify.laws.series`), which is nearly everywhere, nothing is integrated.
"""

import math
from fractions import Fraction
from functools import lru_cache

from flint import acb, acb_poly, arb

from certify.exact import UndecidedError, ball, floor
from certify.laws import series

NODES_PER_OCTAVE = 8
# No shift beyond 2^5 widths is examined: every divergence of use is exceeded long before.
HIGHEST_NODE = 5 * NODES_PER_OCTAVE
# An integrand that climbs beyond e to this is not examined: it would take seconds for nothing.
_HIGHEST = arb(10) ** 6
_CHORD = arb("1.004")
_KEPT = Fraction(1, 8)
_SPACING = arb(2).log() / NODES_PER_OCTAVE
_TOLERANCE = arb(2) ** -64
# What the integrand leaves beyond both ends: no more than 2·e^(−100) + 2·e^(−100).
_TAILS = arb(0, arb(2) ** -140)


def log_moment(shape: int, order: Fraction, shift: arb) -> arb:
    """A ball around ln I(shift), shift > 0 in units of a. Not finite where it cannot be told.

    The integrand is entire, so `acb.integral` encloses its integral over [−left, right]. Beyond
    right = 100^(1/b) + u the exponent is at most −z^b, as |z − u| ≤ z there. Beyond −left, where
    (order − 1)(1 + u/|z|)^b ≤ order − ½ and z^b ≥ 200, it is at most −z^b/2. What the integral is
    divided by, e to the exponent's positive height at its stationary point, keeps it of order 1.
    """
    root, first, second = ball(Fraction(1, shape)), ball(order), ball(order - 1)
    height = _height(shape, first, second, shift).mid()
    if not height < _HIGHEST:
        return arb.nan()
    grown = ball((2 * order - 1) / (2 * order - 2)) ** root - 1
    left = (shift / grown).max(arb(200) ** root).upper()
    right = (arb(100) ** root + shift).upper()

    # As a polynomial: what cancels between z^b and (z − u)^b is gone before balls grow wide.
    terms = [second * math.comb(shape, j) * (-shift) ** (shape - j) for j in range(shape)]
    exponent = acb_poly([terms[0] - height, *terms[1:], -1])

    def integrand(z: acb, _: bool) -> acb:
        return exponent(z).exp()

    inside = acb.integral(integrand, acb(-left), acb(right), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return height + ((inside.real + _TAILS) / (2 * (1 + root).gamma())).log()


@lru_cache(maxsize=1 << 10)
def first_node(order: Fraction) -> int:
    """Index of the lowest node: low enough that I − 1 and ln I are alike, 10^-4 or so, there."""
    octave = 0
    while 16 * order * (order - 1) * Fraction(4) ** octave > Fraction(1, 10_000):
        octave -= 1
    return octave * NODES_PER_OCTAVE


def place(node: int) -> arb:
    """ln u of a node."""
    return _SPACING * node


@lru_cache(maxsize=1 << 14)
def at_node(shape: int, order: Fraction, node: int) -> arb:
    """ln I at a node: from the power series where its rest is small, else from the integral."""
    shift = place(node).exp()
    for octaves in (1, 2):
        far = shift * 2**octaves
        excess = series.excess(shape, order, shift, far, _at_most(shape, order, far))
        if excess.is_finite() and bool(excess.rad() <= _TOLERANCE):
            return excess.log1p()
    return log_moment(shape, order, shift)


def _at_most(shape: int, order: Fraction, shift: arb) -> arb:
    """A rough upper bound on I(shift): −z^b/8 of the exponent is kept, the rest at its height."""
    height = _height(shape, ball(order - _KEPT), ball(order - 1), shift)
    return height.exp() / ball(_KEPT) ** ball(Fraction(1, shape))


def _height(shape: int, first: arb, second: arb, shift: arb) -> arb:
    """The maximum over z of −first·z^b + second·(z − shift)^b, first > second: at −shift/ratio."""
    ratio = (first / second) ** ball(Fraction(1, shape - 1)) - 1
    return first * (shift / ratio) ** shape * ratio


@lru_cache(maxsize=1 << 14)
def _slope_to(shape: int, order: Fraction, node: int) -> arb:
    """Bound on ln I/u² for all u up to a node: cell by cell, as far down as it matters."""
    if node <= first_node(order):
        return _rising(shape, order, first_node(order))
    last = _cell(shape, order, Fraction(2), node - 1)
    if not _matters(last, shape, order, node - 1):
        return last
    return last.max(_slope_to(shape, order, node - 1))


def _matters(above: arb, shape: int, order: Fraction, node: int) -> bool:
    """Whether `_slope_to(node)` could exceed `above`: most often not, and saves all its integrals.

    By what rises, a chord's ends are at most (I − 1)/u² of the node times their own u². A chord of
    u² over a cell is below 1.004·u²: with a spacing s = ln 2/4 of ln u² it is at most
    (e^s − 1)/s·e^(s/(e^s − 1) − 1) < 1.0038 times.
    """
    return not bool(_rising(shape, order, node) * _CHORD <= above)


@lru_cache(maxsize=1 << 14)
def _rising(shape: int, order: Fraction, node: int) -> arb:
    """(I − 1)/u² at a node: no smaller than ln I/u² at any shift up to it."""
    return at_node(shape, order, node).expm1() / (2 * place(node)).exp()


@lru_cache(maxsize=1 << 14)
def _cell(shape: int, order: Fraction, power: Fraction, node: int) -> arb:
    """Bound on ln I/u^power from a node to the next."""
    ends = [at_node(shape, order, node + step) for step in (0, 1)]
    return _steepest(power, place(node), ends[0], place(node + 1), ends[1])


def _steepest(power: Fraction, start: arb, low: arb, stop: arb, high: arb) -> arb:
    """Bound on line(x)·e^(−power·x), x from start to stop, of the line from low up to high.

    It rises while the line is below slope/power and falls from there.
    """
    p, slope = ball(power), (high - low) / (stop - start)
    if slope >= p * high:
        return high * (-p * stop).exp()
    if slope <= p * low:
        return low * (-p * start).exp()
    return slope / p * (p * low / slope - 1 - p * start).exp()


class Reach:
    """What is known of ln I for shifts up to `shift`: its chord and its slopes.

    Raises UndecidedError where the shift is too large, or too near a node to tell its side.
    """

    def __init__(self, shape: int, order: Fraction, shift: arb) -> None:
        self.shape, self.order, self.shift = shape, order, shift.upper()
        self.first, self.log = first_node(order), self.shift.log()
        self.node = floor(self.log / place(1))
        inside = self.node < HIGHEST_NODE and bool(self.log <= place(self.node + 1))
        if not inside:
            raise UndecidedError(f"a shift of {self.shift} widths is out of reach")
        self.tiny = self.node < self.first

    def value(self) -> arb:
        """Bound on ln I(shift)."""
        if self.tiny:
            return self.slope() * self.shift**2
        low, high = (at_node(self.shape, self.order, self.node + step) for step in (0, 1))
        return low + (high - low) * (self.log - place(self.node)) / place(1)

    def slope(self) -> arb:
        """Bound on ln I(u)/u² for all u up to the shift."""
        if self.tiny:
            return _slope_to(self.shape, self.order, self.first)
        last = self._last(Fraction(2))
        if not _matters(last, self.shape, self.order, self.node):
            return last
        return last.max(_slope_to(self.shape, self.order, self.node))

    def _last(self, power: Fraction) -> arb:
        low = at_node(self.shape, self.order, self.node)
        return _steepest(power, place(self.node), low, self.log, self.value())

    def mixed(self, power: Fraction, spread: arb) -> arb:
        """Bound on Σ ln I(u_i) for Σ u_i^power ≤ shift^power and Σ u_i² ≤ spread·shift², power > 2.

        Split the entries at a node: ln I ≤ A·u² below it and ≤ B·u^power above. With a part θ of
        Σ u^power below, the sum is at most

            A·spread·shift²·θ^(2/power) + B·shift^power·(1 − θ),

        concave in θ, so largest at θ = 1 if B·shift^power ≤ (2/power)·A·spread·shift², and never
        more than both terms whole. Every node gives a bound; the least is taken.
        """
        square, best = spread * self.shift**2, self.slope() * spread * self.shift**2
        if self.tiny:
            return best
        steepest = self._last(power)
        for node in range(self.node, self.first - 1, -1):
            below = _slope_to(self.shape, self.order, node) * square
            above = steepest * (ball(power) * self.log).exp()
            best = best.min(below if above <= ball(2 / power) * below else below + above)
            if node > self.first:
                steepest = steepest.max(_cell(self.shape, self.order, power, node - 1))
        return best
