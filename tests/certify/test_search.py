"""The search finds the last proven unit from any guess."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.curve import DENSE_SWAPS, examined, radii
from certify.search import largest


@given(
    limit=st.integers(0, 10_000),
    guess=st.floats(allow_nan=True, allow_infinity=True),
    ceiling=st.integers(1, 12_000),
)
def test_the_guess_does_not_matter(limit: int, guess: float, ceiling: int) -> None:
    assert largest(lambda unit: unit <= limit, guess, ceiling) == min(limit, ceiling - 1)


def test_a_good_guess_is_cheap() -> None:
    tried: list[int] = []

    def proves(unit: int) -> bool:
        tried.append(unit)
        return unit <= 777_777

    assert largest(proves, 777_777.2, 10**9) == 777_777
    assert len(tried) == 2


@pytest.mark.parametrize("swaps", [1, 2, DENSE_SWAPS, DENSE_SWAPS + 1, 50_000])
def test_a_curve_never_falls_and_never_exceeds_what_was_examined(swaps: int) -> None:
    found = radii(lambda n: int(1000 * math.log1p(n)), swaps)
    chosen = examined(swaps)
    assert len(found) == swaps
    assert found == sorted(found)
    assert (chosen[0], chosen[-1]) == (1, swaps)
    assert len(chosen) <= DENSE_SWAPS
    assert all(value <= int(1000 * math.log1p(n)) for n, value in enumerate(found, start=1))
