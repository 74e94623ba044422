"""Laplace noise: the law of ℓ1."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np
from flint import arb

from certify.ball import NormBall
from certify.exact import ball as around
from certify.exact import decimal, floor, lower_tail
from certify.laws.law import GREY_LEVELS, Floats, require_scale


@dataclass(frozen=True)
class Laplace:
    """Noise of density e^(−|z|/λ)/(2λ), λ = scale/√2.

    With u = |t|/λ the Rényi divergence of one entry is

        h = ln( order/(2·order − 1)·e^((order − 1)u) + (order − 1)/(2·order − 1)·e^(−order·u) )
            / (order − 1).

    It is the cumulant function of two points: convex in u with h(0) = h′(0) = 0, and h″, a
    variance, falls with u ≥ 0. Hence h(u)/u rises and h(u)/u² falls: over an ℓ1 ball the worst
    shift sits in one entry, over an ℓ_d ball with d ≥ 2 it is the same in all.
    Reference: Mironov (2017), arXiv:1702.07476, Proposition 6.
    """

    name: ClassVar[str] = "laplace"
    shapes: ClassVar[tuple[int, ...]] = (1,)
    shape: ClassVar[int] = 1
    link_norm: ClassVar[int] = 1
    scale: float

    def __post_init__(self) -> None:
        require_scale(self.scale)

    @classmethod
    def of(cls, shape: int, scale: float) -> "Laplace":
        """The law of that scale; shape is 1."""
        return cls(scale)

    @cached_property
    def _width(self) -> arb:
        return around(decimal(self.scale)) / arb(2).sqrt()

    def cumulative(self, grey: Fraction) -> arb:
        """A ball around P(ε ≤ grey), e^(grey/λ)/2 below 0, ε in grey levels."""
        tail = (-around(abs(grey)) / (self._width * GREY_LEVELS)).exp() / 2
        return tail if grey < 0 else 1 - tail

    def quantile(self, probability: Fraction) -> arb:
        """λ·ln(2p) for p up to ½, and odd about it."""
        if not 0 < probability.numerator < probability.denominator:
            return arb.nan()
        tail, is_upper = lower_tail(probability)
        value = self._width * (2 * tail).log()
        return -value if is_upper else value

    def divergence(self, order: Fraction, shift: Fraction) -> arb:
        """h as above; u + e^(−u) − 1 at order 1."""
        return self._divergence(order, around(abs(shift)))

    def _divergence(self, order: Fraction, shift: arb) -> arb:
        u = shift / self._width
        if order == 1:
            return u + (-u).expm1()
        near, far = around(order / (2 * order - 1)), around((order - 1) / (2 * order - 1))
        rises, falls = (around(order - 1) * u).expm1(), (-around(order) * u).expm1()
        return (near * rises + far * falls).log1p() / around(order - 1)

    def over_ball(self, order: Fraction, radius: Fraction, ball: NormBall) -> arb:
        """h(R) for ℓ1 and n·h(R·n^(−1/d)) from ℓ2 on, both attained.

        Between, the smaller of the bounds of the ℓ1 and the ℓ2 ball around the ℓ_d ball.
        """
        size = around(radius)
        if not ball.within(2) or ball.norm == "2":
            return ball.entries * self._divergence(order, size * ball.share)
        one = self._divergence(order, size * ball.stretch(1))
        if ball.within(1):
            return one
        return one.min(self.over_ball(order, radius, NormBall("2", ball.entries)))

    def sketch(self, orders: Floats, shifts: Floats) -> Floats:
        """h in floats; the limit order·u²/2 where the closed form cancels."""
        u = shifts * (np.sqrt(2) / self.scale)
        near = np.log(orders / (2 * orders - 1)) + (orders - 1) * u
        far = np.log((orders - 1) / (2 * orders - 1)) - orders * u
        exact = np.logaddexp(near, far) / (orders - 1)
        return np.asarray(np.where(orders * u < 1e-3, orders * u**2 / 2, exact))

    @property
    def reach(self) -> int:
        """64·ln 2 ≈ 44.4 widths, where the tail e^(−u)/2 is 2^-65: 8 000 grey levels at scale 1."""
        return floor(64 * arb(2).log() * self._width * GREY_LEVELS) + 2
