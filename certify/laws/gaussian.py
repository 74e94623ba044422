"""Normal noise: the law of ℓ2."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np
from flint import arb

from certify.ball import NormBall
from certify.exact import ball as around
from certify.exact import decimal
from certify.laws.law import GREY_LEVELS, Floats, require_scale
from certify.normal import distribution, quantile


@dataclass(frozen=True)
class Gaussian:
    """Normal noise of standard deviation `scale`, in units of [0, 1] intensity.

    Its Rényi divergence of any order under a shift t is order·‖t‖₂²/(2·scale²): only the ℓ2 size
    matters, so its supremum over an ℓ_d ball is exact.
    """

    name: ClassVar[str] = "gaussian"
    shapes: ClassVar[tuple[int, ...]] = (2,)
    shape: ClassVar[int] = 2
    link_norm: ClassVar[int] = 2
    scale: float

    def __post_init__(self) -> None:
        require_scale(self.scale)

    @classmethod
    def of(cls, shape: int, scale: float) -> "Gaussian":
        """The law of that scale; shape is 2."""
        return cls(scale)

    @cached_property
    def _width(self) -> arb:
        return around(decimal(self.scale))

    def cumulative(self, grey: Fraction) -> arb:
        """A ball around P(ε ≤ grey) = Φ(grey/scale), ε in grey levels."""
        return distribution(around(grey / (decimal(self.scale) * GREY_LEVELS)))

    def quantile(self, probability: Fraction) -> arb:
        """A ball around scale·Φ⁻¹(probability)."""
        return self._width * quantile(probability)

    def divergence(self, order: Fraction, shift: Fraction) -> arb:
        """order·shift²/(2·scale²)."""
        return around(order) * (around(shift) / self._width) ** 2 / 2

    def over_ball(self, order: Fraction, radius: Fraction, ball: NormBall) -> arb:
        """order·(radius·n^max(0, ½ − 1/d))²/(2·scale²), attained."""
        return self.divergence(order, radius) * ball.stretch(2) ** 2

    def sketch(self, orders: Floats, shifts: Floats) -> Floats:
        """order·shift²/(2·scale²)."""
        return np.asarray(orders * shifts**2 / (2 * self.scale**2))

    @property
    def reach(self) -> int:
        """9.2 scales: erfc(t/√2)/2 < 2^-65 from t = 9.2 on."""
        return math.ceil(Fraction(92, 10) * decimal(self.scale) * GREY_LEVELS) + 1
