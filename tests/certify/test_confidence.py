"""Bounds tested by their promise: coverage enumerated, sequences simulated, golden values."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from certify.confidence import METHODS, ONE, Bounds, Budget, Split, bounds

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "certificates.json").read_text())
NO_SLACK = Fraction(0)


def all_bounds(trials: int, confidence: str, failure: Fraction) -> Bounds:
    return bounds(np.arange(trials + 1), trials, confidence, failure, NO_SLACK)


@pytest.mark.parametrize("case", GOLDEN["clopper_pearson"])
def test_clopper_pearson_golden(case: dict[str, float | str]) -> None:
    failure = 2 * Fraction(str(case["one_sided_failure"]))
    found = bounds(
        np.array([int(case["successes"])]), int(case["trials"]), "fixed", failure, NO_SLACK
    )
    assert found.lower[0] / ONE == pytest.approx(float(case["lower"]), abs=2e-12)
    assert found.upper[0] / ONE == pytest.approx(float(case["upper"]), abs=2e-12)
    # Outward: the lower bound is never above the golden one, the upper never below.
    assert found.lower[0] / ONE <= float(case["lower"]) + 5e-13
    assert found.upper[0] / ONE >= float(case["upper"]) - 5e-13


@pytest.mark.parametrize("confidence", sorted(METHODS))
@pytest.mark.parametrize("trials", [1, 7, 60, 200])
def test_coverage_enumerated(confidence: str, trials: int) -> None:
    """For every p on a fine grid, the exact chance that the interval misses p is within failure."""
    failure = Fraction(1, 100)
    found = all_bounds(trials, confidence, failure)
    for p in np.linspace(0.0005, 0.9995, 999):
        missed = (found.lower / ONE > p) | (found.upper / ONE < p)
        chance = stats.binom.pmf(np.arange(trials + 1), trials, p)[missed].sum()
        assert chance <= float(failure)


def test_clopper_pearson_is_nearly_exact_somewhere() -> None:
    """Not merely valid: for some p the miss comes close to what is allowed."""
    found = all_bounds(200, "fixed", Fraction(1, 100))
    worst = max(
        stats.binom.pmf(np.arange(201), 200, p)[
            (found.lower / ONE > p) | (found.upper / ONE < p)
        ].sum()
        for p in np.linspace(0.0005, 0.9995, 999)
    )
    assert worst > 0.008


def test_the_sequence_keeps_its_promise_at_every_time_at_once() -> None:
    """3000 runs of 400 steps at failure 0.1: no more of them ever miss p than promised."""
    rng = np.random.Generator(np.random.Philox(key=11))
    failure, runs, steps = 0.1, 3000, 400
    for p in (0.03, 0.5):
        sums = np.cumsum(rng.random((runs, steps)) < p, axis=1)
        missed = np.zeros(runs, bool)
        for n in range(steps):
            seen, which = np.unique(sums[:, n], return_inverse=True)
            found = bounds(seen, n + 1, "anytime", Fraction(1, 10), NO_SLACK)
            missed |= ((found.lower / ONE > p) | (found.upper / ONE < p))[which]
        assert missed.sum() <= stats.binom.ppf(1 - 1e-6, runs, failure)
        assert missed.sum() > 0


def test_the_fixed_bound_breaks_the_promise_when_watched() -> None:
    """Why anytime exists: stopping at the worst moment voids Clopper–Pearson."""
    rng = np.random.Generator(np.random.Philox(key=12))
    sums = np.cumsum(rng.random((1000, 150)) < 0.5, axis=1)
    missed = np.zeros(1000, bool)
    for n in range(150):
        seen, which = np.unique(sums[:, n], return_inverse=True)
        found = bounds(seen, n + 1, "fixed", Fraction(1, 10), NO_SLACK)
        missed |= ((found.lower / ONE > 0.5) | (found.upper / ONE < 0.5))[which]
    assert missed.mean() > 0.2


@settings(max_examples=60)
@given(
    confidence=st.sampled_from(sorted(METHODS)),
    trials=st.integers(1, 5000),
    share=st.floats(0, 1),
    exponent=st.integers(1, 12),
)
def test_the_bound_is_the_last_grid_point_proven(
    confidence: str, trials: int, share: float, exponent: int
) -> None:
    """Whatever the float guess was: one unit more is not proven."""
    successes, failure = round(share * trials), Fraction(1, 10**exponent)
    found = bounds(np.array([successes]), trials, confidence, failure, NO_SLACK)
    unit = int(found.lower[0])
    assert Fraction(unit, ONE) <= Fraction(successes, trials) <= Fraction(int(found.upper[0]), ONE)
    if successes:
        near = np.array([0.25])
        (test,) = METHODS[confidence].tests(np.array([successes]), trials, failure, near)
        assert unit == 0 or test(arb(unit) / ONE)
        assert not test(arb(unit + 1) / ONE)


@pytest.mark.parametrize("confidence", sorted(METHODS))
def test_more_successes_never_lower_a_bound(confidence: str) -> None:
    found = all_bounds(500, confidence, Fraction(1, 10**6))
    assert (np.diff(found.lower) >= 0).all()
    assert (np.diff(found.upper) >= 0).all()


def test_slack_widens_both_ends_by_at_least_itself() -> None:
    slack = Fraction(1, 3 * 10**9)
    plain = bounds(np.array([0, 50, 100]), 100, "anytime", Fraction(1, 100), NO_SLACK)
    wide = bounds(np.array([0, 50, 100]), 100, "anytime", Fraction(1, 100), slack)
    assert Fraction(int(plain.lower[1] - wide.lower[1]), ONE) >= slack
    assert Fraction(int(wide.upper[1] - plain.upper[1]), ONE) >= slack
    assert (wide.lower[0], wide.upper[2]) == (0, ONE)


def test_no_trials_prove_nothing() -> None:
    found = bounds(np.zeros(3, np.int64), 0, "anytime", Fraction(1, 100), NO_SLACK)
    assert found.lower.tolist() == [0, 0, 0]
    assert found.upper.tolist() == [ONE, ONE, ONE]


@pytest.mark.parametrize("successes", [-1, 11])
def test_impossible_counts_are_refused(successes: int) -> None:
    with pytest.raises(ValueError, match=r"successes .* lie in 0\.\.10"):
        bounds(np.array([successes]), 10, "fixed", Fraction(1, 100), NO_SLACK)


@pytest.mark.parametrize("shares", [(0.9, 0.1, 0.1), (0.0, 0.5, 0.5), (0.5, -0.1, 0.1)])
def test_a_split_never_spends_more_than_there_is(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="share"):
        Split(*shares)


def test_a_budget_is_a_union_over_everything_it_bounds() -> None:
    """Features share by their number, pairs by all ordered pairs, whichever are looked at."""
    budget = Budget(200, "fixed", Fraction(1, 10), Split(0.5, 0.25, 0.25), NO_SLACK)
    counts = np.array([40, 100, 160])
    for found, each in (
        (budget.features(counts).lower, Fraction(5, 100) / 3),
        (budget.pairs_lower(counts, features=9), Fraction(25, 1000) / 72),
    ):
        np.testing.assert_array_equal(found, bounds(counts, 200, "fixed", each, NO_SLACK).lower)
    alone = bounds(np.array([150]), 200, "fixed", Fraction(25, 1000), NO_SLACK)
    assert budget.prediction(150).lower[0] == alone.lower[0]
