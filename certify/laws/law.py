"""What a noise law must know."""

import math
from fractions import Fraction
from typing import Protocol

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify.ball import NormBall
from certify.exact import decimal
from certify.fields import require

GREY_LEVELS = 255
SMALLEST_SCALE, LARGEST_SCALE = Fraction(4, 1000), Fraction(4)
Floats = NDArray[np.float64]


class Law(Protocol):
    """Independent noise in every entry, symmetric about 0, of standard deviation `scale`.

    The density is proportional to exp(−|z/a|^shape): even, and log-concave as shape ≥ 1. `scale` is
    in units of [0, 1] intensity. A law is hashable and equal to another of the same numbers.

    link_norm: q such that the mean of any function into [0, 1] moves from p to no less than
    F(F⁻¹(p) − ‖t‖_q) under a shift t, F the law of one entry.
    """

    @property
    def name(self) -> str:
        """Its name in a recipe."""

    @property
    def shape(self) -> int:
        """Exponent of the density."""

    @property
    def scale(self) -> float:
        """Standard deviation, [0, 1] intensity."""

    @property
    def link_norm(self) -> int:
        """See the class."""

    @property
    def reach(self) -> int:
        """Grey levels beyond which less than half a share of 2^-64 lies on either side."""

    def __hash__(self) -> int: ...

    def cumulative(self, grey: Fraction) -> arb:
        """A ball around F = P(ε ≤ grey), ε in grey levels."""

    def quantile(self, probability: Fraction) -> arb:
        """A ball around F⁻¹(probability), in [0, 1] intensity; not finite at 0 and 1."""

    def divergence(self, order: Fraction, shift: Fraction) -> arb:
        """A ball around h(shift), Rényi divergence of one entry and the same entry shifted.

        The law is symmetric, so both directions are equal. Order 1 is Kullback–Leibler.
        """

    def over_ball(self, order: Fraction, radius: Fraction, ball: NormBall) -> arb:
        """A ball whose upper end no shift within `radius` exceeds: sup of Σ h(|t_i|), order > 1."""

    def sketch(self, orders: Floats, shifts: Floats) -> Floats:
        """h in floats, orders and shifts broadcast: to guess with, never to prove."""


class LawType(Protocol):
    """A law's class: which shapes it has, and its maker."""

    @property
    def name(self) -> str:
        """The law's name in a recipe."""

    @property
    def shapes(self) -> tuple[int, ...]:
        """The exponents it may have."""

    def of(self, shape: int, scale: float) -> Law:
        """The law of that shape and scale."""


def require_scale(scale: float) -> None:
    """Raise ValueError unless `scale` is one every law takes.

    Below, rounding to grey levels makes the noise degenerate; above, the reach of Laplace noise
    (8 000 grey levels for each unit of scale) would leave the range of 16-bit integers.
    """
    holds = math.isfinite(scale) and SMALLEST_SCALE <= decimal(scale) <= LARGEST_SCALE
    require(holds, "scale", scale, "lie between 0.004 (about one grey level) and 4")
