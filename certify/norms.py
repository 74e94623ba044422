"""The largest radius of an ℓ_d ball within Rényi reach of a law.

Independent noise has divergence Σ h(|t_i|) under a shift t, h that of one entry. A law knows the
supremum over a ball, `law.over_ball`; here it is turned round: first in floats, for all orders at
once, then one radius in balls.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from flint import arb

from certify.ball import NormBall
from certify.exact import ball as around
from certify.laws.law import Floats, Law
from certify.orders import ORDERS
from certify.radius import LARGEST, UNITS_PER_INTENSITY, issued
from certify.search import largest

_GUESSES_PER_DECADE = 16
_LOWEST, _HIGHEST = -700.0, 700.0
# A guess this near, in units, is near enough; so many steps bring it there, or it stays as it is.
_NEAR, _SECANTS = 0.25, 6


def largest_radius(
    law: Law, order: Fraction, ball: NormBall, divergence: arb, guess: float | None = None
) -> int:
    """The largest radius, in units of 10^-7, whose ball certainly stays below `divergence`.

    `law.over_ball` at the returned radius is below the whole ball `divergence`; 0 if none is, or if
    `divergence` is not a positive number. The search starts from a guess in floats, in [0, 1]
    intensity, which decides how long it takes and not what it finds.
    """
    if not divergence.is_finite() or not divergence > 0:
        return 0
    seen: dict[int, arb] = {}

    def over(units: int) -> arb:
        if units not in seen:
            seen[units] = law.over_ball(order, Fraction(units, UNITS_PER_INTENSITY), ball)
        return seen[units]

    if guess is None:
        guess = float(reached(law, ball, (order,), np.array([float(divergence)]))[0])
    start = _nearer(over, guess * UNITS_PER_INTENSITY, float(divergence))
    return largest(lambda units: bool(over(units) < divergence), start, LARGEST)


def _nearer(over: Callable[[int], arb], units: float, divergence: float) -> float:
    """Where a divergence that goes with a power of the radius, the square at first, meets another:
    by secants, each a guess for the next."""
    power, before = 2.0, (0.0, 0.0)
    for _ in range(_SECANTS):
        if not 1 <= units < LARGEST:
            return units
        here = float(over(int(units)))
        if not 0 < here < math.inf:
            return units
        at = (math.log(int(units)), math.log(here))
        if before[0] and abs(at[0] - before[0]) > 0:
            power = (at[1] - before[1]) / (at[0] - before[0]) or power
        step = (math.log(divergence) - at[1]) / power
        units, before = math.exp(min(at[0] + step, math.log(LARGEST))), at
        if abs(step) * units < _NEAR:
            return units
    return units


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
    sketch = _every_order(law, ball) if orders is ORDERS else _sketch(law, ball, orders)
    flat = divergences.reshape(len(orders), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.log(np.maximum(flat, 0))
    found = np.exp(sketch.inverse(wanted)).reshape(divergences.shape)
    return np.where(np.isfinite(wanted.reshape(divergences.shape)) & (divergences > 0), found, 0.0)


@dataclass(frozen=True, eq=False)
class Sketch:
    """ln R along a grid, and for each order the rising ln of max(h(R), n·h(R·n^(−1/d))) there.

    The worst shift is one entry or all alike, exactly or nearly, for every law and norm.
    """

    logs: Floats
    table: Floats

    @cached_property
    def _line(self) -> Floats:
        """All rows one after another, far enough apart: one rising sequence to search in."""
        return np.asarray((np.clip(self.table, _LOWEST, _HIGHEST) + self._apart).ravel())

    @cached_property
    def _apart(self) -> Floats:
        return np.asarray(4 * (_HIGHEST - _LOWEST) * np.arange(len(self.table))[:, None])

    def inverse(self, wanted: Floats) -> Floats:
        """Linear interpolation of each row's ln R at a row of values, as `numpy.interp` does it."""
        size, values = len(self.logs), self.table.ravel()
        held = np.clip(wanted, _LOWEST, _HIGHEST)
        places = np.searchsorted(self._line, (held + self._apart).ravel(), side="right")
        first = size * np.arange(len(self.table))[:, None]
        cell = np.clip(places.reshape(held.shape) - 1 - first, 0, size - 2)
        at = first + cell
        low, high = values.take(at), values.take(at + 1)
        start, stop = self.logs.take(cell), self.logs.take(cell + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = (stop - start) / (high - low) * (held - low) + start
        return np.asarray(np.where(held >= high, stop, np.where(held <= low, start, inside)))


@lru_cache(maxsize=1 << 8)
def _every_order(law: Law, ball: NormBall) -> Sketch:
    return _sketch(law, ball, ORDERS)


@lru_cache(maxsize=1 << 10)
def _sketch(law: Law, ball: NormBall, orders: tuple[Fraction, ...]) -> Sketch:
    least, most = 1e-8 * law.scale, 100 * law.scale
    count = int(_GUESSES_PER_DECADE * np.log10(most / least))
    radii = np.geomspace(least, most, count)
    rows = np.array([[float(order)] for order in orders])
    single, alike = law.sketch(rows, radii), law.sketch(rows, radii * float(ball.share))
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(single, ball.entries * alike))
    return Sketch(np.log(radii), np.maximum.accumulate(np.minimum(logs, _HIGHEST), axis=1))
