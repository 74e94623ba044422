"""Route "per_feature": every vote probability is smoothed by the noise, hence moves slowly.

How slowly is the law's trade-off function (`certify.tradeoff`). The bound on the move is the same
function for every feature, so `swaps` swaps are refuted as long as the swaps-th smallest bound
inside stays above the swaps-th largest outside. Where the trade-off is a link F, as for Gaussian
noise in ℓ2 and for every law in ℓ1, that is

    R = ½ · (F⁻¹(inside[swaps − 1]) − F⁻¹(outside[swaps − 1])),

F the law of one noise entry; in other norms the better of link and divergences.

Reference: Levine, Singla & Feizi (2019), arXiv:1905.12105 (Gaussian, one pair, Hoeffding bounds).
"""

from fractions import Fraction

import numpy as np

from certify import curve
from certify.ball import EUCLIDEAN, NormBall
from certify.claims import Boundary
from certify.confidence import ONE
from certify.noise import Law
from certify.tradeoff import crossing_radii, gap_radius, links_exactly, meeting_radii

HALF = ONE // 2
# Of more different bounds only so many are tried against divergences; others take a weaker's.
_DENSE_LABELS = 256


def radii(boundary: Boundary, law: Law, norm: NormBall = EUCLIDEAN) -> list[int]:
    """For swaps = 1, 2, …: the radius proven, in units of 10^-7."""
    swaps = range(1, boundary.largest_swaps + 1)
    linked = [_linked(*_cut(boundary, at), law, norm) for at in swaps]
    if links_exactly(law, norm):
        return linked
    met = curve.all_at_once(
        lambda chosen: _met([_cut(boundary, at) for at in chosen], law, norm),
        boundary.largest_swaps,
    )
    return [max(pair) for pair in zip(linked, met, strict=True)]


def radius(boundary: Boundary, swaps: int, law: Law, norm: NormBall = EUCLIDEAN) -> int:
    """The radius proven for `swaps` swaps, in units of 10^-7."""
    cut = _cut(boundary, swaps)
    linked = _linked(*cut, law, norm)
    return linked if links_exactly(law, norm) else max(linked, *_met([cut], law, norm))


def _cut(boundary: Boundary, swaps: int) -> tuple[int, int]:
    return int(boundary.inside[swaps - 1]), int(boundary.outside[swaps - 1])


def _linked(inside: int, outside: int, law: Law, norm: NormBall) -> int:
    if inside <= outside:
        return 0
    return gap_radius(law, norm, Fraction(outside, ONE), Fraction(inside, ONE), share=2)


def _met(cuts: list[tuple[int, int]], law: Law, norm: NormBall) -> list[int]:
    apart = sorted({(low, high) for high, low in cuts if high > low})
    pairs = [(Fraction(low, ONE), Fraction(high, ONE)) for low, high in apart]
    radii = dict(zip(apart, meeting_radii(law, norm, pairs), strict=True))
    return [radii.get((low, high), 0) for high, low in cuts]


def label_radii(
    lower: list[int], upper: list[int], law: Law, norm: NormBall = EUCLIDEAN
) -> list[int]:
    """Signed radius of each feature's majority label, in units of 10^-7.

    Positive: the feature stays among the voted of most noisy pictures (h > ½) within the radius.
    Negative: it stays out of them (h < ½). Zero: undecided at x itself. A feature's label at
    radius R is proven if |radius| ≥ R. This is what Anani et al. (2025), arXiv:2506.15499, test
    at one fixed threshold.
    """
    # Every law is symmetric: a mean up to u keeps from ½ as one from 1 − u on.
    decided = [
        low if low > HALF else ONE - high if high < HALF else 0
        for low, high in zip(lower, upper, strict=True)
    ]
    proven = _majorities(tuple(sorted(set(decided) - {0})), law, norm)
    return [
        proven.get(units, 0) * (1 if low > HALF else -1)
        for units, low in zip(decided, lower, strict=True)
    ]


def class_radius(lower: int, law: Law, norm: NormBall = EUCLIDEAN) -> int:
    """Radius within which the class keeps the majority, in units of 10^-7.

    scale·Φ⁻¹(lower) for Gaussian noise in ℓ2. Reference: Cohen, Rosenfeld & Kolter (2019),
    arXiv:1902.02918, Theorem 1 with p_B = 1 − p_A.
    """
    return _majorities((lower,), law, norm)[lower] if lower > HALF else 0


def _majorities(lowers: tuple[int, ...], law: Law, norm: NormBall) -> dict[int, int]:
    """For ascending bounds above ½ the radius within which the mean stays above ½."""
    half = Fraction(1, 2)
    linked = [gap_radius(law, norm, half, Fraction(low, ONE), share=1) for low in lowers]
    if links_exactly(law, norm) or not lowers:
        return dict(zip(lowers, linked, strict=True))
    tried = np.unique(np.linspace(0, len(lowers) - 1, _DENSE_LABELS).astype(int)).tolist()
    crossings = [(Fraction(lowers[at], ONE), half) for at in tried]
    crossed = dict(zip(tried, crossing_radii(law, norm, crossings), strict=True))
    best, proven = 0, {}
    for at, low in enumerate(lowers):
        best = max(best, crossed.get(at, 0))
        proven[low] = max(best, linked[at])
    return proven
