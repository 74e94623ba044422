"""How far a mean moves: trade-off functions of noise, for every law and norm.

Let h be the mean of a function into [0, 1] of the noisy picture, F the law of one noise entry. If
the picture moves by t, then h moves from p to no less than F(F⁻¹(p) − ‖t‖_q), and likewise up. q is
the law's `link_norm`: 2 for Gaussian noise (Salman et al. 2019, arXiv:1906.04584, Lemma 2), 1 for
every law of log-concave density. For these one entry's shift has a monotone likelihood ratio, so by
Neyman–Pearson F(F⁻¹(p) − |t_1|) is exact; entries may be moved one after another, and the shifts of
the quantile add up. One entry attains it: no bound for ℓ1 is better. For Laplace noise this is the
certificate of Teng et al. (2020), "ℓ1 adversarial robustness certificates".

In another norm ‖t‖_q ≤ n^max(0, 1/q − 1/d)·‖t‖_d, exact for Gaussian noise. For the other laws
dense changes are better bounded by divergences: pushing the mean from p through t needs
D(Ber(t)‖Ber(p)) or D(Ber(p)‖Ber(t)), of any order, by data processing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from certify.ball import NormBall
from certify.exact import ball
from certify.laws.law import Floats, Law
from certify.norms import largest_radius, reached
from certify.orders import ORDERS
from certify.radius import issued

_ORDERS = np.array([float(order) for order in ORDERS])
_LEVELS = 24
_ROUNDS = 3
# So many meetings are searched at once: beyond, their floats for all levels and orders leave the
# cache, and each costs twice as much.
_MEETINGS = 8


@dataclass(frozen=True)
class Proof:
    """Which order and direction keep a mean from crossing: forward is D(Ber(level)‖Ber(mean))."""

    order: Fraction
    forward: bool


def gap_radius(law: Law, norm: NormBall, low: Fraction, high: Fraction, share: int) -> int:
    """Radius of the link, ‖t‖_q ≤ (F⁻¹(high) − F⁻¹(low))/share, in units of 10^-7."""
    gap = law.quantile(high) - law.quantile(low)
    return issued(gap / (share * norm.stretch(law.link_norm)))


def links_exactly(law: Law, norm: NormBall) -> bool:
    """Whether the link alone is exact in this norm, so that divergences cannot prove more."""
    return law.link_norm == 2 or norm.within(law.link_norm)


def crossing_radius(law: Law, norm: NormBall, mean: Fraction, level: Fraction) -> int:
    """Radius within which divergences keep a mean at or beyond `mean` from reaching `level`.

    mean and level in [0, 1], either may be the larger. Units of 10^-7.
    """
    return crossing_radii(law, norm, [(mean, level)])[0]


def crossing_radii(
    law: Law, norm: NormBall, crossings: Sequence[tuple[Fraction, Fraction]]
) -> list[int]:
    """`crossing_radius` of each pair of mean and level: one search in floats for all of them."""
    if not crossings:
        return []
    means, levels = np.array([[float(p) for p in pair] for pair in crossings]).T
    radii = np.concatenate([guessed(law, norm, means, levels, way) for way in (True, False)])
    proofs = [Proof(ORDERS[n % len(ORDERS)], n < len(ORDERS)) for n in radii.argmax(axis=0)]
    return [
        largest_radius(law, proof.order, norm, divergence(proof, *crossing), promise)
        if promise > 0
        else 0
        for proof, promise, crossing in zip(
            proofs, radii.max(axis=0).tolist(), crossings, strict=True
        )
    ]


def divergence(proof: Proof, mean: Fraction, level: Fraction) -> arb:
    """Rényi divergence of two coins, exactly; not finite if it is infinite."""
    first, second = (level, mean) if proof.forward else (mean, level)
    order, total = proof.order, arb(0)
    for p, q in ((first, second), (1 - first, 1 - second)):
        if p:
            total += ball(p) ** ball(order) * ball(q) ** ball(1 - order) if q else arb.pos_inf()
    return total.log() / ball(order - 1)


def guessed(law: Law, norm: NormBall, means: Floats, levels: Floats, forward: bool) -> Floats:
    """In floats, for each order and mean, about the radius at which the mean reaches its level.

    means and levels broadcast; orders come along a new first axis.
    """
    means, levels = np.broadcast_arrays(means, levels)
    orders = _ORDERS.reshape(-1, *(1,) * means.ndim)
    p, q = np.clip(levels, 1e-18, 1 - 1e-16), np.clip(means, 1e-18, 1 - 1e-16)
    first, second = (p, q) if forward else (q, p)
    ones = orders * np.log(first) + (1 - orders) * np.log(second)
    zeros = orders * np.log1p(-first) + (1 - orders) * np.log1p(-second)
    return reached(law, norm, ORDERS, np.logaddexp(ones, zeros) / (orders - 1))


def meeting_radius(law: Law, norm: NormBall, low: Fraction, high: Fraction) -> int:
    """Radius within which divergences keep a mean from `high` on above one up to `low` < high.

    They stay apart if some level is reached by neither. Units of 10^-7.
    """
    return meeting_radii(law, norm, [(low, high)])[0]


def meeting_radii(
    law: Law, norm: NormBall, meetings: Sequence[tuple[Fraction, Fraction]]
) -> list[int]:
    """`meeting_radius` of each low and high: one search in floats for all of them."""
    if not meetings:
        return []
    ends = np.array([[float(p) for p in pair] for pair in meetings]).T
    levels = [
        level
        for at in range(0, len(meetings), _MEETINGS)
        for level in _best_levels(law, norm, *ends[:, at : at + _MEETINGS]).tolist()
    ]
    between = [
        (low, high, Fraction(level)) if low < Fraction(level) < high else None
        for (low, high), level in zip(meetings, levels, strict=True)
    ]
    crossings = [(m, at[2]) for at in between if at for m in at[:2]]
    radii = iter(crossing_radii(law, norm, crossings))
    return [min(next(radii), next(radii)) if at else 0 for at in between]


def _best_levels(law: Law, norm: NormBall, low: Floats, high: Floats) -> Floats:
    """In floats, for each low and high the level whose nearer crossing is farthest."""
    start, stop = (np.log(p + 1e-18) - np.log1p(1e-16 - p) for p in (low, high))
    rows = np.arange(len(low))
    for _ in range(_ROUNDS):
        odds = np.linspace(start, stop, _LEVELS, axis=1)
        levels = 1 / (1 + np.exp(-odds))
        falls, rises = (_guess_best(law, norm, mean[:, None], levels) for mean in (high, low))
        best = np.minimum(falls, rises).argmax(axis=1)
        start, stop = (
            odds[rows, np.maximum(best - 1, 0)],
            odds[rows, np.minimum(best + 1, _LEVELS - 1)],
        )
    return np.asarray(levels[rows, best])


def _guess_best(law: Law, norm: NormBall, means: Floats, levels: Floats) -> Floats:
    both = [guessed(law, norm, means, levels, forward).max(axis=0) for forward in (True, False)]
    return np.asarray(np.maximum(*both))
