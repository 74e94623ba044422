"""Binomial tails against exact sums of rationals, and at numbers no sum reaches the series."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from certify.binomial import between, tail_at_most, tails_at_most
from certify.exact import ball
from certify.ratios import MOST_TRIALS, ratios


def exact_tail(successes: int, trials: int, p: Fraction) -> Fraction:
    return sum(
        (comb(trials, s) * p**s * (1 - p) ** (trials - s) for s in range(successes, trials + 1)),
        Fraction(0),
    )


@given(
    trials=st.integers(1, 60),
    share=st.floats(0, 1),
    thousandths=st.integers(1, 999),
    depth=st.integers(1, 40),
)
def test_the_cut_off_fraction_encloses_the_exact_ratio(
    trials: int, share: float, thousandths: int, depth: int
) -> None:
    """Above the mean or below it, at any depth."""
    successes, p = max(1, round(share * trials)), Fraction(thousandths, 1000)
    first = comb(trials, successes) * p**successes * (1 - p) ** (trials - successes)
    exact = ball(exact_tail(successes, trials, p) / first)
    depth = min(depth, trials - successes + 1)
    low, high = between(successes, trials, ball(p / (1 - p)), depth)
    assert not low > exact
    assert not high < exact
    if depth == trials - successes + 1:
        assert low.overlaps(exact) and high.overlaps(exact)


@settings(max_examples=20)
@given(trials=st.integers(1, 40), units=st.integers(1, (1 << 40) - 1))
def test_the_fraction_in_floats_encloses_the_exact_ratio(trials: int, units: int) -> None:
    """For all counts at once, above the mean and below it; the narrower, the farther above."""
    p, counts = Fraction(units, 1 << 40), np.arange(1, trials + 1)
    lows, highs = ratios(counts.astype(float), trials, np.full(trials, float(p)))
    for count, low, high in zip(counts.tolist(), lows.tolist(), highs.tolist(), strict=True):
        first = comb(trials, count) * p**count * (1 - p) ** (trials - count)
        exact = exact_tail(count, trials, p) / first
        assert Fraction(low) <= exact and (high == np.inf or exact <= Fraction(high))
        if count - trials * p > 5 * (trials * p * (1 - p)) ** 0.5:
            assert high <= low * (1 + 1e-10)


@pytest.mark.parametrize("trials", [1, 40, 10**4, 10**7, MOST_TRIALS, MOST_TRIALS + 1])
@pytest.mark.parametrize("share", [0.0003, 0.5, 1.0])
def test_tails_of_many_counts_are_decided_as_those_of_one(trials: int, share: float) -> None:
    """Near where they are prepared for and far from it, on both sides of the level."""
    counts, failure = np.array([max(round(share * trials), 1)] * 3), 1e-6
    lower = special.betaincinv(counts, trials - counts + 1, failure)
    units = np.floor(lower * 2**40) + np.array([-2, 0, 2**20])
    near = np.clip(units, 1, 2**40 - 1) / 2**40
    level = arb(failure)
    for count, test in zip(
        counts.tolist(), tails_at_most(counts, trials, level, near), strict=True
    ):
        alone = tail_at_most(count, trials, level)
        for p in (*near.tolist(), near[1] + 2.0**-40, near[1] / 2):
            assert test(arb(p)) == alone(arb(p))


@given(trials=st.integers(1, 80), share=st.floats(0, 1), thousandths=st.integers(1, 999))
def test_a_tail_is_compared_exactly(trials: int, share: float, thousandths: int) -> None:
    """On both sides of the exact tail, by one part in 10^30; levels near 1 included."""
    successes, p = max(1, round(share * trials)), Fraction(thousandths, 1000)
    tail = exact_tail(successes, trials, p)
    for sign in (1, -1):
        level = ball(tail * (1 + Fraction(sign, 10**30)))
        assert tail_at_most(successes, trials, level)(ball(p)) == (sign > 0)


@pytest.mark.parametrize("trials", [10**5, 10**8, 10**12])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_far_from_the_mean_the_depth_hardly_grows_with_the_trials(
    trials: int, share: float
) -> None:
    """What keeps the cost of a document's bounds in bounds, whatever numbers it states."""
    successes = round(share * trials)
    p = arb(float(special.betaincinv(successes, trials - successes + 1, 1e-7)))
    low, high = between(successes, trials, p / (1 - p), 64)
    assert high < low * (1 + arb(10) ** -12)
    series = (-p / (1 - p)).hypgeom_2f1(1, successes - trials, successes + 1)
    assert not low > series and not high < series


@pytest.mark.parametrize("level", ["0.3", "0.45"])
def test_near_the_mean_the_series_decides(level: str) -> None:
    trials, successes = 10**8, 5 * 10**7
    p = float(special.betaincinv(successes, trials - successes + 1, float(level)))
    decides = tail_at_most(successes, trials, arb(level))
    assert decides(arb(p - 1e-9)) and not decides(arb(p + 1e-9))


def test_one_trial_and_the_last_success() -> None:
    half = ball(Fraction(1, 2))
    assert tail_at_most(1, 1, arb("0.51"))(half) and not tail_at_most(1, 1, arb("0.49"))(half)
    assert tail_at_most(3, 3, arb("0.126"))(half) and not tail_at_most(3, 3, arb("0.124"))(half)
