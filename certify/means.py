"""Confidence bounds on the mean of scores in [0, 1], from their sums and sums of squares.

What `certify.confidence` does for votes, which are 0 or 1: bounds on the grid of multiples of 2^-40
that are proven in ball arithmetic, two-sided, widened by the distance of the drawn law. Scores vary
less than votes of the same mean may; both methods profit from that.

fixed    Maurer & Pontil (2009), arXiv:0907.3740, Theorem 4: with probability at least 1 − δ the
         mean is at least S/n − √(2V·ln(2/δ)/n) − 7·ln(2/δ)/(3(n − 1)), V the sample variance.
anytime  a mixture of Σ_i over λ of exp(λ(S − nμ) − ψ(λ)·Σ(x − μ)²), ψ(λ) = −ln(1 − λ) − λ, which
         is at most ∏(1 + λ(x − μ)), a nonnegative martingale that starts at 1 if μ is the mean; so
         with probability 1 − δ the mixture never reaches 1/δ (Ville). ln(1 + λξ) ≥ λξ − ψ(λ)ξ² for
         ξ ≥ −1 and 0 ≤ λ < 1 is Fan, Grama & Liu (2015), arXiv:1311.6273, Proposition 4.1 there.

Both are one-sided; each side gets half of δ, and the upper bound of x is that of 1 − x turned.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from flint import arb

from certify.confidence import ONE, Bounds, Units
from certify.exact import ball, floor
from certify.fields import require
from certify.search import largest

# The bets of the anytime mixture, each half the one before. Up to ½, where the evidence against a
# mean falls as the mean rises to S/n: its derivative there is −n(λ − 2ψ(λ)(S/n − μ)) ≤ 0.
BETS = tuple(Fraction(1, 2 << halvings) for halvings in range(10))
_BISECTIONS = 60


@dataclass(frozen=True)
class Moments:
    """n scores in [0, 1]: their number, sum and sum of squares, exactly."""

    number: int
    total: Fraction
    squares: Fraction

    def __post_init__(self) -> None:
        within = 0 <= self.squares <= self.total <= self.number
        require(within, "sums", (self.total, self.squares), f"be of {self.number} scores in [0, 1]")
        possible = self.total**2 <= self.number * self.squares
        require(possible, "sum of squares", self.squares, "be at least sum²/number")

    @property
    def turned(self) -> "Moments":
        """The moments of 1 − x."""
        squares = self.number - 2 * self.total + self.squares
        return Moments(self.number, self.number - self.total, squares)

    def spread(self, mean: arb) -> arb:
        """Σ(x − mean)²."""
        number = self.number
        return ball(self.squares) - 2 * mean * ball(self.total) + number * mean * mean


Lower = Callable[[Moments, Fraction], int]


def bounds(
    totals: Units,
    squares: Units,
    top: int,
    number: int,
    confidence: str,
    failure_probability: Fraction,
    slack: Fraction,
) -> Bounds:
    """Two-sided bounds on each feature's mean of points/top, in units of 2^-40.

    totals, squares: of the whole-numbered points, 0 … top, over `number` samples. Each pair fails
    with probability at most `failure_probability`; slack widens it. Raises ValueError for sums
    that no such points have.
    """
    pairs = np.stack([totals, squares])
    values, index = np.unique(pairs, axis=1, return_inverse=True)
    lower_bound, side = METHODS[confidence], failure_probability / 2
    widening = -int(-slack * ONE // 1)
    lower, upper = [], []
    for total, square in values.T.tolist():
        moments = Moments(number, Fraction(total, top), Fraction(square, top * top))
        lower.append(max(lower_bound(moments, side) - widening, 0))
        upper.append(ONE - max(lower_bound(moments.turned, side) - widening, 0))
    places = index.reshape(-1)
    return Bounds(np.array(lower, np.int64)[places], np.array(upper, np.int64)[places])


def maurer_pontil(moments: Moments, failure: Fraction) -> int:
    """The one-sided lower bound of the fixed method, in units of 2^-40; 0 for under two samples."""
    number = moments.number
    if number < 2:
        return 0
    mean = moments.total / number
    variance = (moments.squares - moments.total * mean) / (number - 1)
    nats = (2 / ball(failure)).log()
    width = (2 * ball(variance) * nats / number).sqrt() + 7 * nats / (3 * (number - 1))
    return max(floor((ball(mean) - width) * ONE), 0)


def mixture(moments: Moments, failure: Fraction) -> int:
    """The one-sided lower bound of the anytime method, in units of 2^-40."""
    if not moments.total:
        return 0
    level = len(BETS) / ball(failure)

    def disproves(unit: int) -> bool:
        if unit * moments.number >= moments.total * ONE:
            return False
        mean = arb(unit) / ONE
        lead, spread = ball(moments.total) - moments.number * mean, moments.spread(mean)
        wealth = sum(
            ((ball(bet) * lead - cost * spread).exp() for bet, cost in _COSTS.items()), arb(0)
        )
        return bool(wealth >= level)

    return largest(disproves, _guess(moments, float(failure)) * ONE, ONE)


def _guess(moments: Moments, failure: float) -> float:
    """The bound in floats: where the search begins."""
    number, total, squares = moments.number, float(moments.total), float(moments.squares)
    bets = np.array([float(bet) for bet in BETS])
    costs = -np.log1p(-bets) - bets
    low, high = 0.0, total / number
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        spread = squares - 2 * middle * total + number * middle**2
        wealth = np.logaddexp.reduce(bets * (total - number * middle) - costs * spread)
        beyond = wealth >= np.log(len(bets) / failure)
        low, high = (middle, high) if beyond else (low, middle)
    return low


_COSTS: Mapping[Fraction, arb] = {bet: -ball(1 - bet).log() - ball(bet) for bet in BETS}
METHODS: Mapping[str, Lower] = MappingProxyType({"fixed": maurer_pontil, "anytime": mixture})
