"""Confidence bounds on vote probabilities, proven in ball arithmetic, and the failure budget.

Bounds live on the grid of multiples of 2^-40: a lower bound is the largest grid point that the
method proves, so it is the same number on every machine, whatever the float search guessed.

Both methods are symmetric, upper(S, n) = 1 − lower(n − S, n), so only lower bounds are computed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify import special
from certify.binomial import tails_at_most
from certify.distinct import distinct
from certify.exact import ball, decimal
from certify.fields import require
from certify.search import largest

GRID_BITS = 40
ONE = 1 << GRID_BITS
_HALF = arb(1) / 2
_GRID = arb(2) ** -GRID_BITS

Floats = NDArray[np.float64]
Units = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """How the failure probability of a document is shared out: the only place where it is.

    features: share of all bounds on vote probabilities together, two for each feature, so every
    claim about features holds at once, whichever are reported. pairs: share of two bounds for each
    ordered pair of features, 0 where single votes are not kept. prediction: share of the bound on
    the class's probability.
    """

    features: float
    pairs: float
    prediction: float

    def __post_init__(self) -> None:
        shares = (self.features, self.pairs, self.prediction)
        positive = self.features > 0 and self.prediction > 0 and self.pairs >= 0
        require(positive, "shares", shares, "be positive, 0 for pairs at least")
        require(sum(map(decimal, shares)) <= 1, "sum of shares", sum(shares), "be at most 1")


def split(votes_kept: bool) -> Split:
    """How we split. A bound's width goes with the logarithm of its share, so the many pairs lose
    little by getting less, and features keep enough to certify single labels well."""
    if votes_kept:
        return Split(features=0.7, pairs=0.2, prediction=0.1)
    return Split(features=0.9, pairs=0.0, prediction=0.1)


@dataclass(frozen=True)
class Method:
    """A way to bound a probability from successes among independent trials.

    guess(successes, trials, failure_probability) approximates lower bounds in floats; tests(
    successes, trials, failure_probability, guesses) gives for each count a function of a ball that
    is True only if every number in it is a valid lower bound, two-sided at that failure
    probability. It is asked about numbers strictly between 0 and the observed frequency, and
    answers soonest about the guess, a multiple of 2^-40.
    """

    guess: Callable[[Floats, int, float], Floats]
    tests: Callable[[Units, int, Fraction, Floats], Iterator[Callable[[arb], bool]]]


@dataclass(frozen=True, eq=False)
class Bounds:
    """Simultaneous bounds lower ≤ probability ≤ upper, in units of 2^-40."""

    lower: Units
    upper: Units


@dataclass(frozen=True)
class Budget:
    """The failure probability of one document, and how each family of bounds spends its share.

    samples: trials behind every count. slack: distance of the drawn law from the exact one, by
    which every bound is widened.
    """

    samples: int
    confidence: str
    failure_probability: Fraction
    split: Split
    slack: Fraction

    def features(self, successes: Units) -> Bounds:
        """Bounds on every feature's probability, all at once within the features' share."""
        return self._bounds(successes, self.split.features, successes.size)

    def each_feature(self, features: int) -> Fraction:
        """The failure probability of one feature's two bounds."""
        return self._each(self.split.features, features)

    def each_pair(self, features: int) -> Fraction:
        """The failure probability of one pair's two bounds."""
        return self._each(self.split.pairs, features * (features - 1))

    def pairs_lower(self, successes: Units, features: int) -> Units:
        """Lower bounds on any of the ordered pairs of features, two-sided, all pairs at once:
        whoever chooses which pairs to look at may do so by the same samples."""
        each = self.each_pair(features)
        return lower_bounds(successes, self.samples, self.confidence, each, self.slack)

    def prediction(self, successes: int) -> Bounds:
        """Bounds on the probability of the target class."""
        return self._bounds(np.array([successes]), self.split.prediction, 1)

    def _bounds(self, successes: Units, share: float, number: int) -> Bounds:
        each = self._each(share, number)
        return bounds(successes, self.samples, self.confidence, each, self.slack)

    def _each(self, share: float, number: int) -> Fraction:
        return self.failure_probability * decimal(share) / number


def bounds(
    successes: Units, trials: int, confidence: str, failure_probability: Fraction, slack: Fraction
) -> Bounds:
    """Two-sided bounds, each pair failing with probability at most `failure_probability`.

    successes: array of counts out of `trials`. slack: distance of the drawn law from the exact one,
    by which every bound is widened. Raises ValueError for counts outside 0..trials.
    """
    both = np.concatenate([successes, trials - successes])
    lower, complement = np.split(
        lower_bounds(both, trials, confidence, failure_probability, slack), 2
    )
    return Bounds(lower, ONE - complement)


def lower_bounds(
    successes: Units, trials: int, confidence: str, failure_probability: Fraction, slack: Fraction
) -> Units:
    """The lower halves of `bounds`. The upper bound of n is ONE less the lower of trials − n."""
    inside = bool(np.all((successes >= 0) & (successes <= trials)))
    require(inside, "successes", successes.tolist(), f"lie in 0..{trials}")
    values, index = distinct(successes)
    widening = -int(-slack * ONE // 1)
    proven = _proven(values, trials, METHODS[confidence], failure_probability)
    return np.maximum(proven - widening, 0)[index]


def _proven(successes: Units, trials: int, method: Method, failure: Fraction) -> Units:
    proven, some = np.zeros(len(successes), dtype=np.int64), successes > 0
    counts = successes[some]
    guesses = method.guess(counts.astype(np.float64), trials, float(failure)) * ONE
    starts = np.clip(np.nan_to_num(np.floor(guesses)), 1, ONE - 1).astype(np.int64)
    tests = method.tests(counts, trials, failure, starts / ONE)
    proven[some] = [
        _proven_unit(count, trials, test, start)
        for count, test, start in zip(counts.tolist(), tests, starts.tolist(), strict=True)
    ]
    return proven


def _proven_unit(successes: int, trials: int, test: Callable[[arb], bool], start: int) -> int:
    def proves(unit: int) -> bool:
        return unit * trials < successes * ONE and test(unit * _GRID)

    return largest(proves, start, ONE)


def _sequence_guess(successes: Floats, trials: int, failure: float) -> Floats:
    failures, low, high = trials - successes, np.zeros_like(successes), successes / trials
    mixture = special.betaln(successes + 0.5, failures + 0.5) - special.betaln(0.5, 0.5)
    for _ in range(60):
        middle = (low + high) / 2
        bet = special.xlogy(successes, middle) + special.xlog1py(failures, -middle)
        # Wealth falls with the probability up to the observed frequency.
        outside = mixture - bet >= -np.log(failure)
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return low


def _sequence_tests(
    successes: Units, trials: int, failure: Fraction, near: Floats
) -> Iterator[Callable[[arb], bool]]:
    """Beta-binomial mixture: ∫∏Bern(q)dBeta(½, ½)(q) ≥ ∏Bern(p)/failure, p below the frequency.

    The ratio is a nonnegative martingale under p that starts at 1, so with probability 1 − failure
    it never reaches 1/failure, at any number of trials (Ville). Reference: Robbins, Annals of
    Mathematical Statistics 41(5), 1970; Howard et al., arXiv:1810.08240, section 3.
    """
    alike = _sequence_level(trials, failure)
    for count in successes.tolist():
        yield _sequence_test(count, trials - count, alike)


def _sequence_test(successes: int, rest: int, alike: arb) -> Callable[[arb], bool]:
    level = _log_gamma(successes) + _log_gamma(rest) + alike
    return lambda p: bool(successes * p.log() + rest * (1 - p).log() <= level)


@lru_cache(maxsize=1 << 15)
def _log_gamma(count: int) -> arb:
    """ln Γ(count + ½)."""
    return (count + _HALF).lgamma()


@lru_cache(maxsize=64)
def _sequence_level(trials: int, failure: Fraction) -> arb:
    """What does not depend on the successes."""
    return ball(failure).log() - arb(trials + 1).lgamma() - arb.pi().log()


def _exact_guess(successes: Floats, trials: int, failure: float) -> Floats:
    return np.asarray(special.betaincinv(successes, trials - successes + 1, failure / 2))


def _exact_tests(
    successes: Units, trials: int, failure: Fraction, near: Floats
) -> Iterator[Callable[[arb], bool]]:
    """Clopper–Pearson: P(Binomial(trials, p) ≥ successes) ≤ failure / 2.

    Reference: Clopper & Pearson, Biometrika 26(4), 1934.
    """
    return tails_at_most(successes, trials, ball(failure / 2), near)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "anytime": Method(_sequence_guess, _sequence_tests),
        "fixed": Method(_exact_guess, _exact_tests),
    }
)
