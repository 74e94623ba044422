"""The sum of scores: exact, so that no cut and no order of the samples changes a bit of it."""

from fractions import Fraction

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from certify.plan import Plan
from models.lanes import Piece
from models.tallies import UNIT, Total

# Scores of float32 whose sum in float64 would depend on the order: 2^10 beside 2^-60.
SCORES = st.builds(lambda m, e: m * 2.0**e, st.integers(0, 2**24 - 1), st.integers(-84, -14))


@given(scores=st.lists(SCORES, min_size=1, max_size=6), cut=st.integers(0, 6), turned=st.booleans())
def test_a_sum_is_that_of_whole_units_however_it_is_cut_and_ordered(
    scores: list[float], cut: int, turned: bool, plan: Plan
) -> None:
    one_by_one = sum(round(Fraction(score) / Fraction(UNIT)) for score in scores)
    rows = torch.tensor(scores[::-1] if turned else scores).unsqueeze(1).expand(-1, plan.features)
    total = Total(Piece(plan, np.zeros((16, 16, 3), np.uint8), 0, len(scores), summed=True))
    for part in (rows[:cut], rows[cut:]):
        total.add(part, torch.zeros(len(part), 10))
    assert [Fraction(value) for value in total.result()] == [
        one_by_one * Fraction(UNIT)
    ] * plan.features
