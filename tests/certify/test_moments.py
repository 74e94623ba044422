"""Moments of generalized normal noise: the series against integrals, and what is left out."""

from fractions import Fraction

import pytest

from certify.laws import moments, series
from certify.laws.moments import Reach, at_node, first_node, log_moment, place
from certify.orders import ORDERS

SHAPES = (4, 6, 12, 20)
SOME_ORDERS = ORDERS[::12]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", SOME_ORDERS, ids=float)
def test_the_series_is_the_integral(shape: int, order: Fraction) -> None:
    first = first_node(order)
    for node in range(first, min(first + 60, moments.HIGHEST_NODE), 7):
        summed, integrated = (
            at_node(shape, order, node),
            log_moment(shape, order, place(node).exp()),
        )
        if integrated.is_finite():
            assert summed.overlaps(integrated)
            assert summed.rad() <= 2 * integrated.rad().max(moments._TOLERANCE)


def test_the_first_coefficient_is_half_the_fisher_information() -> None:
    """I − 1 ≈ order·(order − 1)·Fisher·u²/2, Fisher = b²·Γ(2 − 1/b)/Γ(1/b) in units of 1/a²."""
    from math import gamma

    for shape in SHAPES:
        fisher = shape**2 * gamma(2 - 1 / shape) / gamma(1 / shape)
        for order in SOME_ORDERS:
            found = float(series._coefficients(shape, order)[0])
            assert found == pytest.approx(float(order * (order - 1)) * fisher / 2, rel=1e-12)


@pytest.mark.parametrize("shape", (4, 12))
@pytest.mark.parametrize("order", SOME_ORDERS, ids=float)
def test_what_is_left_out_of_a_slope_would_not_have_raised_it(shape: int, order: Fraction) -> None:
    """Against the largest over every cell from the lowest node up."""
    first = first_node(order)
    for node in range(first + 1, min(first + 50, moments.HIGHEST_NODE - 1), 9):
        reach = Reach(shape, order, (place(node) + place(1) / 3).exp())
        if not reach.value().is_finite():
            break
        every = reach._last(Fraction(2)).max(moments._rising(shape, order, first))
        for cell in range(first, node):
            every = every.max(moments._cell(shape, order, Fraction(2), cell))
        assert reach.slope().overlaps(every)
