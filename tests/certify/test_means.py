"""Bounds on means: the inequality, the promise by enumeration and simulation, gain over votes."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.confidence import ONE, lower_bounds
from certify.means import BETS, Moments, bounds, maurer_pontil, mixture

FAILURE = Fraction(1, 100)


def moments_of(values: list[Fraction]) -> Moments:
    return Moments(len(values), sum(values, Fraction(0)), sum((v * v for v in values), Fraction(0)))


def test_the_bet_is_below_the_martingale() -> None:
    """ln(1 + λξ) ≥ λξ − ψ(λ)ξ² for every ξ ≥ −1: on a fine grid, with equality at −1 and 0."""
    gaps = np.linspace(-1, 1, 20001)
    for bet in map(float, BETS):
        cost = -math.log1p(-bet) - bet
        slack = np.log1p(bet * gaps) - (bet * gaps - cost * gaps**2)
        assert slack.min() > -1e-15 and abs(slack[0]) < 1e-15
        # Evidence against a mean falls as the mean rises: so a bound disproves all below it.
        assert bet >= 2 * cost


@pytest.mark.parametrize("bound", [maurer_pontil, mixture])
def test_coverage_by_enumeration(bound: object) -> None:
    """All outcomes of n draws from three-valued laws: the bound exceeds the mean too rarely."""
    method = {maurer_pontil: maurer_pontil, mixture: mixture}[bound]  # type: ignore[index]
    values = [Fraction(0), Fraction(1, 2), Fraction(1)]
    number, failure = 14, Fraction(1, 4)
    lower = {
        (a, b): method(
            moments_of([values[0]] * a + [values[1]] * b + [values[2]] * (number - a - b)), failure
        )
        for a, b in product(range(number + 1), repeat=2)
        if a + b <= number
    }
    for p, q in [(0.1, 0.1), (0.9, 0.05), (0.98, 0.01), (0.5, 0.5), (0.05, 0.9), (1 / 3, 1 / 3)]:
        mean, missed = q / 2 + (1 - p - q), 0.0
        for (a, b), found in lower.items():
            c = number - a - b
            ways = math.factorial(number) / math.prod(map(math.factorial, (a, b, c)))
            if found / ONE > mean + 1e-12:
                missed += ways * p**a * q**b * max(1 - p - q, 0) ** c
        assert missed <= float(failure)


def test_the_mixture_keeps_its_promise_at_every_time_at_once() -> None:
    """Skewed law, mean 7/8: paths on which the bound ever exceeds the mean are rarer than δ.

    The mixture as `mixture` tests it, in floats; that δ is nearly spent shows it is no larger.
    """
    failure, paths, length = 0.5, 400, 2000
    values = 1 - np.random.Generator(np.random.Philox(11)).random((paths, length)) ** 7
    totals, squares = values.cumsum(axis=1), (values**2).cumsum(axis=1)
    numbers, mean = np.arange(1, length + 1), 7 / 8
    lead, spread = totals - numbers * mean, squares - 2 * mean * totals + numbers * mean**2
    wealth = sum(
        np.exp(bet * lead + (math.log1p(-bet) + bet) * spread) for bet in map(float, BETS)
    ) / len(BETS)
    ever = float((wealth >= 1 / failure).any(axis=1).mean())
    assert failure / 5 < ever <= failure
    path, end = int(wealth[:, -1].argmax()), length
    made = Moments(end, *(Fraction(float(sums[path, -1])) for sums in (totals, squares)))
    low = mixture(made, Fraction(1) / Fraction(float(wealth[path, -1])))
    assert low / ONE == pytest.approx(mean, abs=1e-6)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=60))
def test_bounds_enclose_the_sample_mean_and_turn_with_it(given_points: list[int]) -> None:
    made = moments_of([Fraction(p, 20) for p in given_points])
    total, square = sum(given_points), sum(p * p for p in given_points)
    turned = 20 * len(given_points) - total
    turned_square = sum((20 - p) ** 2 for p in given_points)
    for method in ("fixed", "anytime"):
        both = bounds(
            np.array([total, turned]),
            np.array([square, turned_square]),
            20,
            len(given_points),
            method,
            FAILURE,
            Fraction(0),
        )
        lower, upper = both.lower.tolist(), both.upper.tolist()
        assert 0 <= lower[0] <= made.total / made.number * ONE <= upper[0] <= ONE
        assert lower[1] == ONE - upper[0] and upper[1] == ONE - lower[0]


def test_little_variance_pays() -> None:
    """Scores near ½ are bounded more tightly than votes of the same mean; it is worth it."""
    number = 4000
    steady = Moments(number, Fraction(number, 2), Fraction(number, 4) + Fraction(number, 400))
    votes = int(lower_bounds(np.array([number // 2]), number, "anytime", FAILURE, Fraction(0))[0])
    assert mixture(steady, FAILURE / 2) > votes + ONE // 100
    assert maurer_pontil(steady, FAILURE / 2) > votes + ONE // 100


def test_the_published_formula_by_hand() -> None:
    made = moments_of([Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(1, 2)] * 25)
    values = np.array([0.25, 0.5, 0.75, 0.5] * 25)
    nats = math.log(2 / 0.01)
    by_hand = values.mean() - math.sqrt(2 * values.var(ddof=1) * nats / 100) - 7 * nats / (3 * 99)
    assert maurer_pontil(made, FAILURE) / ONE == pytest.approx(by_hand, abs=2**-39)


def test_slack_widens_and_zeros_prove_nothing() -> None:
    sums, squares = np.array([0, 300]), np.array([0, 300])
    plain = bounds(sums, squares, 1, 400, "anytime", FAILURE, Fraction(0))
    wide = bounds(sums, squares, 1, 400, "anytime", FAILURE, Fraction(1, 1000))
    assert plain.lower[0] == wide.lower[0] == 0
    assert plain.lower[1] - wide.lower[1] == -int(-ONE // 1000)
    assert maurer_pontil(Moments(1, Fraction(1), Fraction(1)), FAILURE) == 0


@pytest.mark.parametrize(
    ("total", "squares"), [(5, 6), (11, 11), (-1, 0), (10, 9), (4, Fraction(1))]
)
def test_sums_that_no_scores_have_are_refused(total: int, squares: Fraction) -> None:
    with pytest.raises(ValueError, match="must"):
        Moments(10, Fraction(total), Fraction(squares))
