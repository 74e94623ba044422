"""Labels at one radius: the chance of a wrong one, from all outcomes, and what is gained."""

from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import comb

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from certify.ball import NormBall
from certify.confidence import bounds
from certify.labels import labels_within, mean_needed
from certify.noise import Gaussian, GeneralizedNormal, Laplace, Law
from certify.per_feature import label_radii

LAW = Gaussian(0.25)
# Φ(R/scale) is 0.6, 0.75 and 0.9 at these, to four places.
RADII = {0.6: Fraction("0.06334"), 0.75: Fraction("0.16863"), 0.9: Fraction("0.32039")}


def chances(n: int, h: float) -> NDArray[np.float64]:
    return np.array([comb(n, k) * h**k * (1 - h) ** (n - k) for k in range(n + 1)])


def wrong(labels: NDArray[np.int8], h: tuple[float, ...], threshold: float) -> bool:
    """Whether a label is one that the change of the radius can make false."""
    return any(
        (label == 1 and mean <= threshold) or (label == -1 and mean >= 1 - threshold)
        for label, mean in zip(labels.tolist(), h, strict=True)
    )


@pytest.mark.parametrize(("n", "theta", "failure"), [(36, 0.9, 0.2), (40, 0.75, 0.1)])
def test_the_chance_of_a_wrong_label_is_below_the_failure_probability(
    n: int, theta: float, failure: float
) -> None:
    """Two features, independent or alike, on and around the threshold; most of it is spent."""
    exact, level = float(mean_needed(RADII[theta], LAW)), Fraction(str(failure))
    table = {}
    for one, other in combinations_with_replacement(range(n + 1), 2):
        table[one, other] = labels_within(RADII[theta], np.array([one, other]), n, LAW, level)
        table[other, one] = table[one, other][::-1]
    means = (exact, 1 - exact, 0.5, exact + 0.03, 0.99)
    worst = 0.0
    for one, other in product(means, repeat=2):
        both = np.outer(chances(n, one), chances(n, other))
        missed = sum(both[c] for c, got in table.items() if wrong(got, (one, other), exact))
        assert missed <= failure
        worst = max(worst, missed)
    for h in means:
        alike = chances(n, h)
        missed = sum(alike[k] for k in range(n + 1) if wrong(table[k, k], (h, h), exact))
        assert missed <= failure
    assert worst > failure / 3


@pytest.mark.parametrize("n", [9, 40])
@pytest.mark.parametrize("theta", [0.55, 0.6, 0.75, 0.9])
def test_one_features_worst_case_is_at_the_threshold(n: int, theta: float) -> None:
    """For every number a that the theorem admits, over a fine grid of h."""
    grid = np.linspace(0, 1, 401)
    ways = np.array([chances(n, h) for h in grid])
    for a in range(int(theta * (n - 1)) + 2, n + 1):
        tail = ways[:, a:].sum(axis=1)
        missed = np.where(grid <= theta, tail, 0) + np.where(grid >= 1 - theta, tail[::-1], 0)
        expected = chances(n, theta)[a:].sum() + chances(n, 1 - theta)[a:].sum()
        assert missed.max() <= expected * (1 + 1e-9)


@settings(max_examples=12)
@given(
    st.lists(st.integers(0, 400), min_size=2, max_size=30),
    st.sampled_from(sorted(RADII)),
    st.sampled_from([LAW, Laplace(0.25), GeneralizedNormal(0.25, 4)]),
)
def test_nothing_is_lost_against_two_sided_bounds_at_every_radius(
    votes: list[int], theta: float, law: Law
) -> None:
    """Once there are enough samples that no wrong side need be feared."""
    counts, failure, norm = np.array(votes), Fraction(1, 1000), NormBall("1", 12)
    both = bounds(counts, 400, "fixed", failure / len(votes), Fraction(0))
    radii = np.array(label_radii(both.lower.tolist(), both.upper.tolist(), law, norm)) / 1e7
    radius = RADII[theta]
    labels = labels_within(radius, counts, 400, law, failure, norm)
    everywhere = np.where(np.abs(radii) > float(radius), np.sign(radii), 0)
    assert np.all((everywhere == 0) | (everywhere == labels))


def test_labels_go_by_steps_and_more_failure_or_less_radius_labels_more() -> None:
    counts, radius = np.array([999, 990, 815, 795, 500, 194, 3]), RADII[0.75]
    found = labels_within(radius, counts, 1000, LAW, Fraction(1, 1000))
    assert found.tolist() == [1, 1, 1, 1, 0, -1, -1]
    # Without the steps, all against the first level, 795 of 1000 would not do.
    alone = labels_within(radius, counts[[3, 4, 4, 4, 4, 4, 4]], 1000, LAW, Fraction(1, 1000))
    assert not alone.any()
    few = labels_within(radius, counts, 1000, LAW, Fraction(1, 10**9))
    wide = labels_within(RADII[0.9], counts, 1000, LAW, Fraction(1, 1000))
    assert np.abs(few).sum() < np.abs(found).sum() > np.abs(wide).sum()


def test_slack_is_added_and_what_cannot_be_is_not_labelled() -> None:
    counts, radius = np.array([999, 1000, 0, 500]), RADII[0.9]
    exact = labels_within(radius, counts, 1000, LAW, Fraction(1, 1000))
    slack = [
        labels_within(radius, counts, 1000, LAW, Fraction(1, 1000), slack=Fraction(s, 1000))
        for s in (80, 95, 200)
    ]
    assert exact.tolist() == [1, 1, -1, 0]
    assert slack[0].tolist() == [1, 1, -1, 0] and not slack[1].any() and not slack[2].any()
    assert not labels_within(Fraction(50), counts, 1000, LAW, Fraction(1, 2)).any()
    assert not labels_within(radius, np.array([1, 0]), 1, LAW, Fraction(1, 2)).any()


def test_the_mean_needed_is_the_law_at_the_radius() -> None:
    assert mean_needed(RADII[0.75], LAW).contains(arb("0.75")) is False
    assert float(mean_needed(RADII[0.75], LAW)) == pytest.approx(0.75, abs=1e-4)
    laplace = float(mean_needed(Fraction(1, 10), Laplace(0.25), NormBall("1", 4)))
    assert laplace == pytest.approx(1 - 0.5 * np.exp(-0.1 * np.sqrt(2) / 0.25), rel=1e-12)
    wider = float(mean_needed(Fraction(1, 10), Laplace(0.25), NormBall("2", 4)))
    assert wider == pytest.approx(1 - 0.5 * np.exp(-0.2 * np.sqrt(2) / 0.25), rel=1e-12)


def test_what_makes_no_sense_is_named() -> None:
    with pytest.raises(ValueError, match=r"radius is 0\.0; it must be positive"):
        labels_within(Fraction(0), np.array([1]), 2, LAW, Fraction(1, 10))
    with pytest.raises(ValueError, match="counts"):
        labels_within(Fraction(1), np.array([3]), 2, LAW, Fraction(1, 10))
