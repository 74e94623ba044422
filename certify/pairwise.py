"""Route "pairwise": two features compared in the same samples, where shared votes cancel.

For a reported i and another j let p10 be the probability that a sample votes for i and not for j,
p01 the other way round. With F the law of one noise entry and r the size of the change in the
law's own norm (ℓ2 for Gaussian noise, ℓ1 for the others),

    h_i(x′) − h_j(x′) ≥ F(F⁻¹(p10) − r) − F(F⁻¹(p01) + r),

and for Gaussian noise both half-spaces can be attained together, so no bound from these two numbers
is better. The difference is positive for r < (F⁻¹(p10) − F⁻¹(p01))/2, with a lower bound on p10 and
an upper bound on p01: the *pair radius*. A violation with `swaps` swaps at radius R needs sets A
and B of that size all of whose pairs are *open*, pair radius below R. Peeling off, again and again,
whoever has fewer than `swaps` open partners leaves every such A and B untouched; if nothing is
left, there is none.

At population values this proves at least what the per-feature route does (docs/theory.md). There
are many more pairs than features to be right about at once, so both routes are tried.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify import curve
from certify.ball import EUCLIDEAN, NormBall
from certify.confidence import ONE, Budget, Units
from certify.distinct import distinct
from certify.evidence import Evidence
from certify.exact import UndecidedError, floor
from certify.noise import Law
from certify.radius import UNITS_PER_INTENSITY

# Quantiles as integers this much finer than radii: some thousand distinct ones serve all pairs.
_FINER_BITS = 20
_NOTHING = np.iinfo(np.int64).min // 4


@dataclass(frozen=True, eq=False)
class Pairs:
    """How many samples voted for one of a pair and not the other; (reported, others) each.

    inside_only: for the reported one; outside_only: for the other.
    """

    inside_only: Units
    outside_only: Units


def count(evidence: Evidence, reported: tuple[int, ...]) -> Pairs | None:
    """Counts of each reported feature against each other one; None if single votes are not kept.

    Rows follow `reported`, columns the other features in ascending order.
    """
    if evidence.votes is None:
        return None
    others = np.setdiff1d(np.arange(evidence.features), reported)
    rows, counts = np.array(reported), evidence.counts
    shared = np.zeros((len(rows), len(others)), dtype=np.int64)
    for block in evidence.rows():
        words = _words(block)
        columns = np.ascontiguousarray(words[:, others])
        both, ones = np.empty_like(columns), np.empty(columns.shape, dtype=np.uint8)
        for row, mine in zip(shared, words.T[rows], strict=True):
            np.bitwise_count(np.bitwise_and(mine[:, None], columns, out=both), out=ones)
            # Three words have at most 192 ones, which still fit into the byte.
            threes = ones[0::3] + ones[1::3]
            threes += ones[2::3]
            row += threes.sum(axis=0, dtype=np.uint16)
    return Pairs(counts[rows][:, None] - shared, counts[others][None, :] - shared)


def _words(votes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Votes as bits, (words, features): 64 samples to a word, a multiple of three words."""
    packed = np.packbits(votes.T, axis=1)
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 24))).copy()
    return np.ascontiguousarray(padded.view(np.uint64).T)


def radii(
    pairs: Pairs, features: int, budget: Budget, law: Law, norm: NormBall = EUCLIDEAN
) -> list[int]:
    """For swaps = 1, 2, …: the radius proven, in units of 10^-7."""
    (inside, rows), (outside, columns) = distinct(pairs.inside_only), distinct(pairs.outside_only)
    either = np.concatenate([inside, budget.samples - outside])
    lower, complement = np.split(budget.pairs_lower(either, features), [len(inside)])
    low, high = _quantiles(lower, law, norm), _quantiles(ONE - complement, law, norm, up=True)
    return curve_of(_halved(low[rows] - high[columns]))


def pair_radii(
    lower: Units, upper: Units, law: Law, norm: NormBall = EUCLIDEAN
) -> NDArray[np.int64]:
    """(F⁻¹(lower) − F⁻¹(upper))/2 in the norm, rounded down strictly, in units of 10^-7."""
    return _halved(_quantiles(lower, law, norm) - _quantiles(upper, law, norm, up=True))


def _halved(gaps: Units) -> Units:
    """Pair radii from gaps between quantiles; less one, so that what is level counts as open."""
    return np.asarray(np.maximum((gaps - 1) >> _FINER_BITS, 0))


def _quantiles(probabilities: Units, law: Law, norm: NormBall, *, up: bool = False) -> Units:
    """F⁻¹/2 in the norm, in units of 2^-20 of the grid's, rounded outward."""
    unit = UNITS_PER_INTENSITY / (2 * norm.stretch(law.link_norm))
    values, index = np.unique(probabilities, return_inverse=True)
    return np.array([_quantile(value, law, unit, up) for value in values.tolist()])[index]


def _quantile(probability: int, law: Law, unit: arb, up: bool) -> int:
    value = law.quantile(Fraction(probability, ONE)) * unit * (1 << _FINER_BITS)
    try:
        return -floor(-value) if up else floor(value)
    except UndecidedError:
        # F⁻¹(0) below, F⁻¹(1) above: either way the gap is hopeless and the pair proves nothing.
        return -_NOTHING if up else _NOTHING


def curve_of(pair_radii: NDArray[np.int64]) -> list[int]:
    """For swaps = 1, 2, …: the largest R at which the pairs with radius below R hold no violation.

    That is the least v for which peeling the pairs of radius ≤ v leaves something.
    """
    values, places = distinct(pair_radii)
    ranks = places.astype(np.int32)
    by_row, by_column = np.sort(ranks, axis=1), np.sort(ranks, axis=0)

    def radius(swaps: int) -> int:
        # At v, `swaps` rows and as many columns must each have that many pairs of radius ≤ v.
        sides = by_row[:, swaps - 1], by_column[swaps - 1]
        least = [np.argpartition(side, swaps - 1)[:swaps] for side in sides]
        low = int(max(side[first].max() for side, first in zip(sides, least, strict=True)))
        # There, at the latest, the first of both sides are a violation.
        high = int(ranks[np.ix_(*least)].max())
        left = ranks[np.ix_(*(np.flatnonzero(side <= high) for side in sides))]
        while low < high:
            middle = (low + high) // 2
            rows, columns = peeled(left <= middle, swaps)
            if len(rows):
                # What a smaller radius leaves is part of what this one left.
                high, left = middle, left[np.ix_(rows, columns)]
            else:
                low = middle + 1
        return int(values[low])

    return curve.radii(radius, min(pair_radii.shape))


def survives(is_open: NDArray[np.bool_], swaps: int) -> bool:
    """Whether peeling leaves rows and columns with at least `swaps` open partners each."""
    return bool(len(peeled(is_open, swaps)[0]))


def peeled(is_open: NDArray[np.bool_], swaps: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns that peeling leaves; none of either, or at least `swaps` of both."""
    rows, columns = np.arange(is_open.shape[0]), np.arange(is_open.shape[1])
    while True:
        kept = np.count_nonzero(is_open, axis=1) >= swaps
        is_open, rows = is_open[kept], rows[kept]
        held = np.count_nonzero(is_open, axis=0) >= swaps
        if held.all() and kept.all():
            return rows, columns[held]
        is_open, columns = is_open[:, held], columns[held]
        if not is_open.size:
            return rows[:0], columns[:0]
