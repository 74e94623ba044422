"""Labels of all features at one radius chosen beforehand, each sample counted, step by step.

A feature's majority label cannot change within R if h > θ or h < 1 − θ, θ = F(R) for the law F of
one noise entry, R in its link norm (`certify.tradeoff`). Let K of n samples vote for it and
M = max(K, n − K). The features are labelled in order of M as long as, m of them being left,

    P(Binomial(n, θ) ≥ M) ≤ (1 − ε)·η/m,

and M is at least a number a so large that a − 1 ≥ θ(n − 1) and features·P(Binomial(n, 1 − θ) ≥ a)
≤ εη. All labels are right with probability 1 − η (docs/theory.md). Whoever asks about many radii
needs `certify.per_feature.label_radii`; for one, this proves more.

Reference: Holm, Scandinavian Journal of Statistics 6(2), 1979, for the steps.
"""

from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify.ball import EUCLIDEAN, NormBall
from certify.binomial import tail_at_most
from certify.confidence import Units
from certify.exact import ball, floor
from certify.fields import require
from certify.laws.law import GREY_LEVELS
from certify.noise import Law

# ε: what is put aside for labels of the wrong side, which next to never happen.
_PUT_ASIDE = Fraction(1, 1 << 20)


def labels_within(
    radius: Fraction,
    counts: Units,
    samples: int,
    law: Law,
    failure_probability: Fraction,
    norm: NormBall = EUCLIDEAN,
    slack: Fraction = Fraction(0),
) -> NDArray[np.int8]:
    """+1 for features voted by most within the radius, −1 for those voted by few, 0 undecided.

    radius: [0, 1] intensity, in the norm; it must not depend on the samples, and nor must their
    number. counts: votes for each feature. slack: distance of the drawn law from the exact one. All
    labels hold at once with probability at least 1 − failure_probability. Raises ValueError unless
    the radius is positive and counts lie in 0..samples.
    """
    require(radius > 0, "radius", float(radius), "be positive")
    inside = bool(np.all((counts >= 0) & (counts <= samples)))
    require(inside, "counts", counts.tolist(), f"lie in 0..{samples}")
    threshold = mean_needed(radius, law, norm) + ball(slack)
    labels = np.zeros(len(counts), dtype=np.int8)
    if not bool(threshold < 1):
        return labels
    least = _least(samples, len(counts), threshold, _PUT_ASIDE * failure_probability)
    agreeing = np.maximum(counts, samples - counts)
    level = (1 - _PUT_ASIDE) * failure_probability
    for done, feature in enumerate(np.argsort(-agreeing, kind="stable").tolist()):
        most, each = int(agreeing[feature]), ball(level / (len(counts) - done))
        if most < least or not tail_at_most(most, samples, each)(threshold):
            break
        labels[feature] = 1 if 2 * int(counts[feature]) > samples else -1
    return labels


def mean_needed(radius: Fraction, law: Law, norm: NormBall = EUCLIDEAN) -> arb:
    """A ball around F(R), R the radius in the law's link norm: a mean above it stays above ½."""
    linked = (ball(radius) * norm.stretch(law.link_norm)).upper()
    mantissa, exponent = linked.man_exp()
    return law.cumulative(int(mantissa) * Fraction(2) ** int(exponent) * GREY_LEVELS)


def _least(samples: int, features: int, threshold: arb, put_aside: Fraction) -> int:
    """The smallest number of agreeing samples at which no wrong side need be feared; samples + 1
    if there is none."""
    level, other = ball(put_aside / features), 1 - threshold
    for count in range(max(samples // 2, floor(threshold * (samples - 1))) + 1, samples + 1):
        convex = bool(count - 1 >= threshold * (samples - 1))
        if convex and tail_at_most(count, samples, level)(other):
            return count
    return samples + 1
