"""Swaps, ties and the boundary."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.claims import at_least, boundary, swaps_for
from certify.confidence import Bounds


@given(k=st.integers(1, 60), tenths=st.integers(1, 100))
def test_swaps_are_the_fewest_that_break_the_overlap(k: int, tenths: int) -> None:
    overlap = Fraction(tenths, 100)
    swaps = swaps_for(overlap, k)
    assert k - swaps < overlap * k
    assert k - (swaps - 1) >= overlap * k
    assert at_least(k, swaps) >= overlap * k


def test_an_overlap_is_not_computed_in_binary() -> None:
    """(1 − 0.8)·5 is 0.9999999999999998 in floats: one swap would seem to break 4 of 5."""
    assert int((1 - 0.8) * 5) + 1 == 1
    assert swaps_for(Fraction("0.8"), 5) == 2


@pytest.mark.parametrize("overlap", [Fraction(0), Fraction(-1, 2), Fraction(11, 10)])
def test_an_overlap_outside_its_range_is_refused(overlap: Fraction) -> None:
    with pytest.raises(ValueError, match=r"overlap is .* at most 1"):
        swaps_for(overlap, 10)


def test_the_boundary_holds_the_adversarys_best_choice() -> None:
    counts = np.array([5, 9, 9, 1, 7])
    bounds = Bounds(lower=counts * 10, upper=counts * 10 + 25)
    found = boundary(counts, bounds, 3)
    assert found.reported == (1, 2, 4)  # ties to the lower index
    assert found.inside.tolist() == [70, 90, 90]
    assert found.outside.tolist() == [75, 35]
    assert found.largest_swaps == 2


@pytest.mark.parametrize("k", [0, 5, 6, -1])
def test_k_must_leave_something_outside(k: int) -> None:
    counts = np.arange(5)
    with pytest.raises(ValueError, match=r"k is .* lie in 1\.\.4"):
        boundary(counts, Bounds(counts, counts), k)
