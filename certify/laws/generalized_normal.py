"""Generalized normal noise with an even exponent: flat-topped, for norms above ℓ2."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from flint import arb

from certify import special
from certify.ball import NormBall
from certify.exact import UndecidedError, decimal, floor, lower_tail
from certify.exact import ball as around
from certify.fields import require
from certify.laws.law import GREY_LEVELS, Floats, require_scale
from certify.laws.moments import Reach, log_moment


@dataclass(frozen=True)
class GeneralizedNormal:
    """Noise of density ∝ exp(−(z/a)^shape), shape even, a = scale·√(Γ(1/shape)/Γ(3/shape)).

    Reference: the family of Liu et al. (2021), arXiv:2107.01561. Their series for an ℓ_d ball lacks
    the factors n^(1 − 2i/d) that d > 2 needs.
    """

    name: ClassVar[str] = "generalized_normal"
    shapes: ClassVar[tuple[int, ...]] = tuple(range(4, 21, 2))
    link_norm: ClassVar[int] = 1
    scale: float
    shape: int

    def __post_init__(self) -> None:
        require_scale(self.scale)
        holds = self.shape in self.shapes
        require(holds, "shape", self.shape, "be an even number from 4 to 20")

    @classmethod
    def of(cls, shape: int, scale: float) -> "GeneralizedNormal":
        """The law of that shape and scale."""
        return cls(scale, shape)

    @cached_property
    def _width(self) -> arb:
        return around(decimal(self.scale)) * _width(self.shape)

    def cumulative(self, grey: Fraction) -> arb:
        """A ball around P(ε ≤ grey): Q(1/shape, (|grey|/a)^shape)/2 below 0, ε in grey levels."""
        power = (around(abs(grey)) / (self._width * GREY_LEVELS)) ** self.shape
        tail = power.gamma_upper(around(Fraction(1, self.shape)), 1) / 2
        return tail if grey < 0 else 1 - tail

    def quantile(self, probability: Fraction) -> arb:
        """−a·y^(1/shape) with Q(1/shape, y) = 2p for p up to ½, and odd about it."""
        return self._width * _unit_quantile(self.shape, probability)

    def divergence(self, order: Fraction, shift: Fraction) -> arb:
        """ln I/(order − 1), or at order 1 the series

        Σ_i C(shape, 2i)·Γ((shape − 2i + 1)/shape)/Γ(1/shape)·(shift/a)^(2i), i = 1 … shape/2.
        """
        u = around(abs(shift)) / self._width
        if not shift:
            return arb(0)
        if order == 1:
            b = self.shape
            terms = (math.comb(b, j) * _gamma(b - j + 1, b) * u**j for j in range(2, b + 1, 2))
            return sum(terms, arb(0)) / _gamma(1, b)
        return log_moment(self.shape, order, u) / around(order - 1)

    def over_ball(self, order: Fraction, radius: Fraction, ball: NormBall) -> arb:
        """Up to ℓ2: R²·sup h(t)/t², as ‖t‖₂ ≤ R. ℓ∞: n·h(R). Between: `Reach.mixed`."""
        if not radius:
            return arb(0)
        try:
            reach = Reach(self.shape, order, around(radius) / self._width)
        except UndecidedError:
            return arb.pos_inf()
        if ball.within(2):
            total = reach.slope() * reach.shift**2
        elif ball.power is None:
            total = ball.entries * reach.value()
        else:
            total = reach.mixed(ball.power, ball.stretch(2) ** 2)
        return total / around(order - 1) if total.is_finite() else arb.pos_inf()

    def sketch(self, orders: Floats, shifts: Floats) -> Floats:
        """h in floats, between points of a grid; orders a column, shifts a row."""
        width = self.scale * math.sqrt(math.gamma(1 / self.shape) / math.gamma(3 / self.shape))
        with np.errstate(divide="ignore"):
            places = np.log(shifts / width)
        rows = _sketched(self.shape, tuple(orders[:, 0].tolist()))
        # Below the grid h is a square.
        square = 2 * np.minimum(places - _PLACES[0], 0)
        return np.asarray(np.exp([np.interp(places, _PLACES, row) + square for row in rows]))

    @property
    def reach(self) -> int:
        """a·45^(1/shape): the tail Q(1/shape, y)/2 is below e^(−y)/2, under 2^-65 at y = 45."""
        bound = arb(45) ** around(Fraction(1, self.shape))
        return floor(bound * self._width * GREY_LEVELS) + 2


@lru_cache(maxsize=1 << 8)
def _gamma(numerator: int, denominator: int) -> arb:
    return around(Fraction(numerator, denominator)).gamma()


@lru_cache(maxsize=32)
def _inverse(shape: int) -> arb:
    return around(Fraction(1, shape))


@lru_cache(maxsize=32)
def _width(shape: int) -> arb:
    """a of scale 1."""
    return (_gamma(1, shape) / _gamma(3, shape)).sqrt()


def _unit_quantile(shape: int, probability: Fraction) -> arb:
    """The quantile in units of a; not finite at 0 and 1."""
    if not 0 < probability.numerator < probability.denominator:
        return arb.nan()
    if 2 * probability.numerator == probability.denominator:
        return arb(0)
    tail, is_upper = lower_tail(probability)
    inverse, twice = _inverse(shape), 2 * tail
    guess = arb(float(special.gammainccinv(1 / shape, float(twice))))
    for _ in range(_NEWTON_ROUNDS):
        near = guess * arb(1, _NEWTON_WIDTH)
        density = near ** (inverse - 1) * (-near).exp() / _gamma(1, shape)
        # Interval Newton: a root of Q − 2·tail lies within if this does (mean value theorem).
        root = guess + (guess.gamma_upper(inverse, 1) - twice) / density
        if near.contains_interior(root):
            return root**inverse if is_upper else -(root**inverse)
        guess = root.mid()
    return arb.nan()


# A guess in floats is this good, relatively, or Newton's method makes it so.
_NEWTON_ROUNDS, _NEWTON_WIDTH = 8, arb(2) ** -40

_PLACES = np.log(2.0) * np.arange(-64, 17) / 4


@lru_cache(maxsize=1 << 8)
def _sketched(shape: int, orders: tuple[float, ...]) -> list[Floats]:
    """For each order ln h in floats at shifts e^_PLACES widths, summed over a grid; huge where that
    fails."""
    z, u = np.linspace(-8.0, 3.5, 346), np.exp(_PLACES)[:, None]
    still, moved = _even_power(z, shape), _even_power(z - u, shape)
    total = np.exp(-still).sum()
    fisher = shape**2 * math.gamma(2 - 1 / shape) / math.gamma(1 / shape)
    found = []
    for order in orders:
        exponent = (order - 1) * moved - order * still
        values = np.exp(np.minimum(exponent, 600))
        whole = (values[:, 0] <= 1e-9 * values.max(axis=1)) & (exponent.max(axis=1) < 600)
        square = order * u[:, 0] ** 2 * fisher / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.where(whole, np.log(values.sum(axis=1) / total) / (order - 1), 1e4)
        found.append(np.log(np.where(square < 1e-6, square, far)))
    return found


def _even_power(base: Floats, exponent: int) -> Floats:
    """By multiplication, which is ten times as fast as a power."""
    square = base * base
    return np.asarray(math.prod([square] * (exponent // 2)))
