"""Route "renyi": no map with the violation is within Rényi reach of the reported one.

Noise of bounded divergence ρ(order, R) bounds D(m(x′)‖m(x)) and D(m(x)‖m(x′)), by data processing.
A violation of `swaps` swaps puts some A inside at or below some B outside, and any such map is at
least ε away, so R is proven if ρ(order, R) < ε for some order.

Both directions come from one weak duality (proof in docs/theory.md). For a threshold t > 0 and
an exponent e, write x(v) = (v/t)^e, and call v active if it must move to t: v > t inside, v < t
outside. If sign(e)·Σ_active (x − 1) ≤ 0, then with F = 1 + Σ_active (t·x − v)

    e = 1 − order:  D(m(x′)‖m(x)) ≥ −ln F
    e = order:      D(m(x)‖m(x′)) ≥ order/(order − 1)·ln F

for every violating m(x′). The best t is the power mean of exponent e over its own active set, where
the bound is the exact minimum. So the float search for t only decides how much is proven, never
whether it is true: the condition and F are evaluated in balls.

Reference: Liu et al. (2021), arXiv:2107.01561, whose closed form (`certify.published`) overstates
the minimum for swaps ≥ 2; Li et al. (2019), arXiv:1809.03113, is swaps = k = 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify import curve
from certify.ball import EUCLIDEAN, NormBall
from certify.claims import Boundary
from certify.confidence import ONE, Units
from certify.exact import ball
from certify.noise import Law
from certify.norms import largest_radius, reached
from certify.orders import ORDERS

# The search takes smaller bounds as this; bounds themselves are multiples of 2^-40.
_LEAST = 2.0**-60

Floats = NDArray[np.float64]
# Bounds of one side of the cut: each value and how many features have it.
Side = Mapping[Fraction, int]


@dataclass(frozen=True)
class Dual:
    """A choice of order, direction and threshold: what a proof by weak duality consists of.

    forward: bounds D(m(x′)‖m(x)), else D(m(x)‖m(x′)). threshold: in the unit of the bounds.
    """

    order: Fraction
    forward: bool
    threshold: Fraction

    @property
    def exponent(self) -> Fraction:
        """1 − order forward, order backward."""
        return 1 - self.order if self.forward else self.order


def divergence(dual: Dual, inside: Side, outside: Side, weight: Fraction) -> arb:
    """A ball whose lower end no violating map's divergence is below.

    inside, outside: lower and upper bounds of the vote probabilities, or mean points, of A and B,
    |A| = |B|; masses are these over `weight`. Not finite, proving nothing, where the duality's
    condition fails.
    """
    t = dual.threshold
    active = _active(t, inside, outside)
    if t <= 0 or (dual.forward and not all(v for v, _ in active)):
        return arb.nan()
    level, exponent = ball(t), ball(dual.exponent)
    balance, shift = arb(0), arb(0)
    for v, n in active:
        bound = ball(v)
        moved = (bound / level) ** exponent if v else bound
        balance, shift = balance + n * (moved - 1), shift + n * (level * moved - bound)
    if not bool(-balance <= 0 if dual.forward else balance <= 0):
        return arb.nan()
    total = 1 + shift / ball(weight)
    return -total.log() if dual.forward else ball(dual.order / (dual.order - 1)) * total.log()


def radii(boundary: Boundary, weight: Fraction, law: Law, norm: NormBall = EUCLIDEAN) -> list[int]:
    """For swaps = 1, 2, …: the radius proven, in units of 10^-7."""
    return curve.radii(
        lambda swaps: radius(boundary, swaps, weight, law, norm), boundary.largest_swaps
    )


def radius(
    boundary: Boundary, swaps: int, weight: Fraction, law: Law, norm: NormBall = EUCLIDEAN
) -> int:
    """The radius proven for exactly `swaps` swaps, in units of 10^-7."""
    # An upper bound may be raised: without zeros the forward divergence is always finite.
    sides = boundary.inside[:swaps], np.maximum(boundary.outside[:swaps], 1)
    if sides[0].max() <= sides[1].min():
        # The bounds themselves are a violation: none is away from the reported map.
        return 0
    inside, outside = (_side(side) for side in sides)
    for dual in promising_duals(inside, outside, weight, law, norm):
        sharp = sharpen(dual, inside, outside)
        least = divergence(sharp, inside, outside, weight)
        proven = largest_radius(law, dual.order, norm, least)
        if proven:
            return proven
    return 0


def _side(units: Units) -> Side:
    values, numbers = np.unique(units, return_counts=True)
    pairs = zip(values.tolist(), numbers.tolist(), strict=True)
    return {Fraction(value, ONE): number for value, number in pairs}


def promising_duals(
    inside: Side, outside: Side, weight: Fraction, law: Law, norm: NormBall
) -> list[Dual]:
    """The best order and threshold of each direction, by search in floats, best first."""
    orders, line = np.array([float(order) for order in ORDERS]), _sorted(inside, outside)
    found = []
    for forward in (True, False):
        thresholds = _means(1 - orders if forward else orders, *line)
        divergences = _divergences(orders, forward, thresholds, *line, float(weight))
        radii = reached(law, norm, ORDERS, divergences)
        best = int(np.argmax(radii))
        if radii[best] > 0 and np.isfinite(thresholds[best]):
            dual = Dual(ORDERS[best], forward, Fraction(float(thresholds[best])))
            found.append((float(radii[best]), dual))
    return [dual for _, dual in sorted(found, key=lambda pair: -pair[0])]


def sharpen(dual: Dual, inside: Side, outside: Side) -> Dual:
    """The dual with its threshold at the power mean of its active set, a hair above.

    A hair, because at the mean itself the condition holds with equality, which no ball can decide.
    """
    active = _active(dual.threshold, inside, outside)
    if not active or (dual.forward and not all(v for v, _ in active)):
        return dual
    exponent = ball(dual.exponent)
    total = sum((n * ball(v) ** exponent for v, n in active if v), arb(0))
    mean = (total / sum(n for _, n in active)) ** (1 / exponent)
    if not mean.is_finite():
        return dual
    return replace(dual, threshold=_above(mean))


def _active(t: Fraction, inside: Side, outside: Side) -> list[tuple[Fraction, int]]:
    """The bounds that must move to t. One value cannot be active on both sides."""
    # v > t in integers, which is several times as fast.
    part, whole = t.numerator, t.denominator
    above = [(v, n) for v, n in inside.items() if v.numerator * whole > part * v.denominator]
    return above + [
        (v, n) for v, n in outside.items() if v.numerator * whole < part * v.denominator
    ]


def _above(mean: arb) -> Fraction:
    """A rational above the ball, by no more than 2^-80 of it."""
    mantissa, exponent = (mean * (1 + arb(2) ** -80)).upper().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def power_means(exponents: Floats, inside: Side, outside: Side) -> Floats:
    """For each exponent e the least t that is the power mean of order e over its active set.

    As t grows past a sorted value, inside values cease and outside values begin to be active, so
    the first value at or above the mean of what is active there closes the interval of t.
    """
    return _means(exponents, *_sorted(inside, outside))


def _means(
    exponents: Floats, values: Floats, numbers: Floats, is_outside: NDArray[np.bool_]
) -> Floats:
    logs = np.log(np.maximum(values, _LEAST))
    total = _active_log_sums(exponents[:, None] * logs + np.log(numbers), is_outside)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = (total - np.log(_active_numbers(numbers, is_outside))) / exponents[:, None]
    closed = np.isnan(means) | (means <= logs)
    first = closed.argmax(axis=1)
    return np.asarray(np.exp(means[np.arange(len(exponents)), first]))


def _sorted(inside: Side, outside: Side) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Values, how many there are of each, and whether they are outside, by ascending value."""
    values = np.array([float(v) for v in (*inside, *outside)])
    numbers = np.array([float(n) for n in (*inside.values(), *outside.values())])
    order = np.argsort(values)
    return values[order], numbers[order], order >= len(inside)


def _active_log_sums(powers: Floats, is_outside: NDArray[np.bool_]) -> Floats:
    """ln Σ exp(powers) over the active just below each value: outside before it, inside from it."""
    nothing = np.full((len(powers), 1), -np.inf)
    outside = np.where(is_outside, powers, -np.inf)
    inside = np.where(is_outside, -np.inf, powers)
    below = np.logaddexp.accumulate(np.hstack([nothing, outside[:, :-1]]), axis=1)
    above = np.logaddexp.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    return np.logaddexp(below, above)


def _active_numbers(numbers: Floats, is_outside: NDArray[np.bool_]) -> Floats:
    outside, inside = np.where(is_outside, numbers, 0), np.where(is_outside, 0, numbers)
    return np.asarray(np.cumsum(outside) - outside + np.cumsum(inside[::-1])[::-1])


def _divergences(
    orders: Floats,
    forward: bool,
    thresholds: Floats,
    values: Floats,
    numbers: Floats,
    is_outside: NDArray[np.bool_],
    weight: float,
) -> Floats:
    moves = thresholds[:, None] - values
    active = np.where(is_outside, moves > 0, moves < 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log1p((moves * active * numbers).sum(axis=1) / weight)
    return np.asarray(-logarithm if forward else orders / (orders - 1) * logarithm)
