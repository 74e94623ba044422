"""Route "per_feature": every vote probability is smoothed by the noise, hence moves slowly.

For Gaussian noise and a function into [0, 1] with mean h at x, its mean at distance R lies within
[Φ(Φ⁻¹(h) − R/scale), Φ(Φ⁻¹(h) + R/scale)]. The shift is the same for every feature, so `swaps`
swaps are refuted as long as the swaps-th smallest bound inside stays above the swaps-th largest
outside:

    R = scale/2 · (Φ⁻¹(inside[swaps − 1]) − Φ⁻¹(outside[swaps − 1])).

Reference: Levine, Singla & Feizi (2019), arXiv:1905.12105 (one pair, Hoeffding bounds); the shift
is Lemma 2 of Salman et al. (2019), arXiv:1906.04584.
"""

from fractions import Fraction

from flint import arb

from certify.claims import Boundary
from certify.confidence import ONE
from certify.exact import ball, decimal
from certify.noise import Gaussian
from certify.normal import quantile
from certify.radius import issued


def radii(boundary: Boundary, law: Gaussian) -> list[int]:
    """For swaps = 1, 2, …: the radius proven, in units of 10^-7."""
    return [radius(boundary, swaps, law) for swaps in range(1, boundary.largest_swaps + 1)]


def radius(boundary: Boundary, swaps: int, law: Gaussian) -> int:
    """The radius proven for `swaps` swaps, in units of 10^-7."""
    inside, outside = int(boundary.inside[swaps - 1]), int(boundary.outside[swaps - 1])
    if inside <= outside:
        return 0
    return issued(ball(decimal(law.scale)) / 2 * (_quantile(inside) - _quantile(outside)))


def label_radii(lower: list[int], upper: list[int], law: Gaussian) -> list[int]:
    """Signed radius of each feature's majority label, in units of 10^-7.

    Positive: the feature stays among the voted of most noisy pictures (h > ½) within the radius.
    Negative: it stays out of them (h < ½). Zero: undecided at x itself. A feature's label at
    radius R is proven if |radius| ≥ R. This is what Anani et al. (2025), arXiv:2506.15499, test
    at one fixed threshold.
    """
    scale = ball(decimal(law.scale))
    half = ONE // 2
    return [
        issued(scale * _quantile(low))
        if low > half
        else -issued(-scale * _quantile(high))
        if high < half
        else 0
        for low, high in zip(lower, upper, strict=True)
    ]


def class_radius(lower: int, law: Gaussian) -> int:
    """Radius within which the class keeps the majority, scale·Φ⁻¹(lower), in units of 10^-7.

    Reference: Cohen, Rosenfeld & Kolter (2019), arXiv:1902.02918, Theorem 1 with p_B = 1 − p_A.
    """
    return issued(ball(decimal(law.scale)) * _quantile(lower))


def _quantile(units: int) -> arb:
    return quantile(Fraction(units, ONE))
