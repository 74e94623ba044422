"""The largest radius of an ℓ_d ball within Rényi reach of a law.

Independent noise has divergence Σ h(|t_i|) under a shift t, h that of one entry. A law knows the
supremum over a ball, `law.over_ball`; here it is turned round: first in floats, for all orders at
once, then one radius in balls.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np
from flint import arb

from certify.ball import NormBall
from certify.exact import ball as around
from certify.laws.law import Floats, Law
from certify.radius import LARGEST, UNITS_PER_INTENSITY, issued
from certify.search import largest

_GUESSES_PER_DECADE = 16


def largest_radius(law: Law, order: Fraction, ball: NormBall, divergence: arb) -> int:
    """The largest radius, in units of 10^-7, whose ball certainly stays below `divergence`.

    `law.over_ball` at the returned radius is below the whole ball `divergence`; 0 if none is, or if
    `divergence` is not a positive number. The search starts from a guess in floats, which decides
    how long it takes and not what it finds.
    """
    if not divergence.is_finite() or not divergence > 0:
        return 0

    def holds(units: int) -> bool:
        radius = Fraction(units, UNITS_PER_INTENSITY)
        return bool(law.over_ball(order, radius, ball) < divergence)

    guess = reached(law, ball, (order,), np.array([float(divergence)]))[0]
    return largest(holds, guess * UNITS_PER_INTENSITY, LARGEST)


def from_euclidean(units: list[int], norm: NormBall) -> list[int]:
    """Radii of ℓ2 balls as those of the largest ℓ_d balls inside them, in units of 10^-7."""
    if norm.within(2):
        return units
    grid = UNITS_PER_INTENSITY * norm.stretch(2)
    return [issued(around(radius) / grid) for radius in units]


def reached(law: Law, ball: NormBall, orders: tuple[Fraction, ...], divergences: Floats) -> Floats:
    """For each order, in floats, about the radius at which its divergence is reached.

    divergences: one for each order along the first axis; the result has their shape. Zero where a
    divergence is not positive.
    """
    logs, table = _sketch(law, ball, orders)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.log(np.maximum(divergences, 0))
    rows = [np.interp(w, row, logs) for w, row in zip(wanted, table, strict=True)]
    found = np.exp(np.array(rows))
    return np.where(np.isfinite(wanted) & (divergences > 0), found, 0.0)


@lru_cache(maxsize=1 << 10)
def _sketch(law: Law, ball: NormBall, orders: tuple[Fraction, ...]) -> tuple[Floats, Floats]:
    """ln R, and for each order the rising ln of max(h(R), n·h(R·n^(−1/d))).

    The worst shift is one entry or all alike, exactly or nearly, for every law and norm.
    """
    least, most = 1e-8 * law.scale, 100 * law.scale
    count = int(_GUESSES_PER_DECADE * np.log10(most / least))
    radii = np.geomspace(least, most, count)
    rows = np.array([[float(order)] for order in orders])
    single, alike = law.sketch(rows, radii), law.sketch(rows, radii * float(ball.share))
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(single, ball.entries * alike))
    return np.log(radii), np.maximum.accumulate(np.minimum(logs, 700.0), axis=1)
