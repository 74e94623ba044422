"""One failure probability for class and regions together: enumerated, however they correlate."""

from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

from certify.confidence import ONE, Budget, Split

SAMPLES, FAILURE = 20, Fraction(1, 2)
# Chances that a sample votes for the first of two features and has the class; only the one; only
# the other; neither. The second feature gets the vote that the first does not.
CELLS = [
    (0.00, 0.50, 0.50, 0.00),
    (0.05, 0.55, 0.35, 0.05),
    (0.50, 0.00, 0.00, 0.50),
    (0.36, 0.24, 0.24, 0.16),
    (0.02, 0.20, 0.75, 0.03),
]


def chance_of_error(cells: tuple[float, ...], budget: Budget) -> float:
    """Exact chance that any bound is wrong: of the two features, or of the class."""
    counts = np.arange(SAMPLES + 1)
    voted, said = cells[0] + cells[1], cells[0] + cells[2]
    both = [budget.features(np.array([n, SAMPLES - n])) for n in counts]
    feature_wrong = [
        bool((b.lower > truth).any() or (b.upper < truth).any())
        for b in both
        for truth in [np.array([voted, 1 - voted]) * ONE]
    ]
    class_wrong = [bool(budget.prediction(int(n)).lower[0] > said * ONE) for n in counts]
    total = 0.0
    for a, b, c in product(range(SAMPLES + 1), repeat=3):
        d = SAMPLES - a - b - c
        if d >= 0 and (feature_wrong[a + b] or class_wrong[a + c]):
            ways = factorial(SAMPLES) // np.prod([factorial(n) for n in (a, b, c, d)], dtype=object)
            total += ways * np.prod([p**n for p, n in zip(cells, (a, b, c, d), strict=True)])
    return total


@pytest.mark.parametrize("cells", CELLS)
def test_any_bound_is_wrong_no_more_often_than_the_document_says(cells: tuple[float, ...]) -> None:
    shared = Budget(SAMPLES, "fixed", FAILURE, Split(0.5, 0.0, 0.5), Fraction(0))
    # Errors do happen, or there would be nothing to see here.
    assert 0.1 < chance_of_error(cells, shared) <= FAILURE
