"""Route "simplex": the whole vote as one draw, against every test at once. Gaussian noise.

A vote of a random sample, for a random one of its features, is one draw from m, a point of the
simplex. Noise shifted by R = μ·scale constrains (m(x), m(x′)) by every test: the mass of a set S of
features moves at most to Φ(Φ⁻¹(m(S)) + μ) and at least to Φ(Φ⁻¹(m(S)) − μ).

A violation has a level s with m(x′) ≤ s on A and ≥ s on B. For the a largest of A and the b
smallest of B that means

    Φ(Φ⁻¹(mass inside of a) − μ)/a  ≤  s  ≤  Φ(Φ⁻¹(mass outside of b) + μ)/b.

So R is proven if for some (a, b) the left side exceeds the right. The best pair gives exactly the
minimum over thresholds of the clamp's trade-off: for each s the least μ is a maximum of functions
that fall in s and functions that rise, so the minimum over s lies where two of them cross. It
proves at least what any order of Rényi divergence does (docs/theory.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify import curve, special
from certify.claims import Boundary
from certify.confidence import ONE
from certify.exact import ball, decimal
from certify.noise import Gaussian
from certify.normal import distribution, quantile
from certify.radius import LARGEST, UNITS_PER_INTENSITY
from certify.search import largest

Floats = NDArray[np.float64]
_BISECTIONS = 60
_FAR = 80.0


@dataclass(frozen=True)
class Refutation:
    """Two tests: `a` features inside have at least this mass, `b` outside at most that."""

    inside: Fraction
    outside: Fraction
    a: int
    b: int

    def holds(self, shift: arb) -> bool:
        """Whether no level s is left at μ = `shift`; False unless a ball says so for certain."""
        lower, upper = self._quantiles
        return bool(distribution(lower - shift) / self.a > distribution(upper + shift) / self.b)

    @cached_property
    def _quantiles(self) -> tuple[arb, arb]:
        return quantile(self.inside), quantile(self.outside)


def radii(boundary: Boundary, weight: Fraction, law: Gaussian) -> list[int]:
    """For swaps = 1, 2, …: the radius proven, in units of 10^-7."""
    return curve.all_at_once(
        lambda chosen: _proven(boundary, chosen, weight, law), boundary.largest_swaps
    )


def radius(boundary: Boundary, swaps: int, weight: Fraction, law: Gaussian) -> int:
    """The radius proven for exactly `swaps` swaps, in units of 10^-7."""
    return _proven(boundary, [swaps], weight, law)[0]


def _proven(
    boundary: Boundary, examined: Sequence[int], weight: Fraction, law: Gaussian
) -> list[int]:
    if not examined:
        return []
    size = Fraction(weight) * ONE
    masses = [
        (np.cumsum(boundary.inside[:swaps][::-1]), np.cumsum(boundary.outside[:swaps][::-1]))
        for swaps in examined
    ]
    # A mass above 1 means that bounds add up to more than all there is: a test that says nothing.
    guesses = best_tests([[np.minimum(side / float(size), 1) for side in both] for both in masses])
    return [
        _refuted(
            Refutation(int(inside[a - 1]) / size, int(outside[b - 1]) / size, a, b), shift, law
        )
        for (inside, outside), (shift, a, b) in zip(masses, guesses, strict=True)
    ]


def _refuted(refutation: Refutation, shift: float, law: Gaussian) -> int:
    """The radius that these tests refute, searched from a shift that is thought to be it."""
    if not shift:
        return 0
    unit = ball(1 / (decimal(law.scale) * UNITS_PER_INTENSITY))
    guess = shift * law.scale * UNITS_PER_INTENSITY
    return largest(lambda units: refutation.holds(units * unit), guess, LARGEST)


def best_tests(masses: Sequence[Sequence[Floats]]) -> list[tuple[float, int, int]]:
    """For each (inside, outside) the largest shift μ that some pair of tests refutes, and its
    numbers (a, b), in floats.

    inside[a − 1]: mass of the a largest bounds inside; outside[b − 1]: of the b smallest outside.
    All are bisected at once.
    """
    sizes = [len(inside) for inside, _ in masses]
    starts = np.cumsum([0, *sizes[:-1]])
    numbers = np.concatenate([np.arange(1, size + 1) for size in sizes])
    lower, upper = (special.ndtri(np.concatenate(side)) for side in zip(*masses, strict=True))

    def levels(shifts: Floats) -> tuple[Floats, Floats]:
        by = np.repeat(shifts, sizes)
        return special.ndtr(lower - by) / numbers, special.ndtr(upper + by) / numbers

    low, high = np.zeros(len(sizes)), np.full(len(sizes), _FAR)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        least, most = levels(middle)
        refuted = np.maximum.reduceat(least, starts) > np.minimum.reduceat(most, starts)
        low, high = np.where(refuted, middle, low), np.where(refuted, high, middle)
    ends = starts[1:]
    pairs = zip(*(np.split(side, ends) for side in levels(low)), strict=True)
    return [
        (float(shift), int(least.argmax()) + 1, int(most.argmin()) + 1)
        for shift, (least, most) in zip(low, pairs, strict=True)
    ]
