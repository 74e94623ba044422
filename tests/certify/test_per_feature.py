"""The per-feature route: closed forms, and Neyman–Pearson as an independent witness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from certify.claims import Boundary
from certify.confidence import ONE
from certify.noise import Gaussian
from certify.per_feature import class_radius, label_radii, radii

LAW = Gaussian(0.5)
unit = st.integers(0, ONE)


def pair(inside: int, outside: int) -> Boundary:
    return Boundary((0,), np.array([inside]), np.array([outside]))


@given(inside=unit, outside=unit)
def test_one_pair_is_the_closed_form_rounded_down(inside: int, outside: int) -> None:
    found = radii(pair(inside, outside), LAW)[0]
    if inside <= outside or inside == ONE or outside == 0:
        assert found == 0
    else:
        exact = 0.25 * (norm.ppf(inside / ONE) - norm.ppf(outside / ONE)) * 1e7
        assert exact - 1.001 <= found <= exact + 1e-3 * max(1.0, exact * 1e-6)


def test_two_complementary_features_are_cohen() -> None:
    """k = 1 of 2, h and 1 − h: scale·Φ⁻¹(h); 0.98 gives 2.05 scales (README of Cohen et al.)."""
    h = int(0.98 * ONE)
    found = radii(pair(h, ONE - h), Gaussian(1.0))[0] / 1e7
    assert found == pytest.approx(2.05, abs=0.005)


def test_the_sorted_test_is_the_swapwise_worst() -> None:
    """For each swaps the proven radius equals the least over all choices of A and B."""
    rng = np.random.Generator(np.random.Philox(key=3))
    inside = np.sort((rng.uniform(0.3, 0.9, 4) * ONE).astype(np.int64))
    outside = -np.sort(-(rng.uniform(0.05, 0.5, 5) * ONE).astype(np.int64))
    found = radii(Boundary((0, 1, 2, 3), inside, outside), LAW)
    for swaps in range(1, 5):
        # A swap of A and B is refuted where some pair is: max over A of l against min over B of u.
        gap = norm.ppf(inside[swaps - 1] / ONE) - norm.ppf(outside[swaps - 1] / ONE)
        assert found[swaps - 1] == pytest.approx(max(0.25 * gap, 0) * 1e7, abs=2)


@given(h=st.floats(0.501, 0.999999), r=st.floats(0, 1))
def test_the_shift_is_attained_by_a_half_space(h: float, r: float) -> None:
    """Neyman–Pearson: f = 1{z ≤ Φ⁻¹(h)} has mean h at 0 and Φ(Φ⁻¹(h) − r) after the worst shift, so
    the label radius cannot be larger: at r = Φ⁻¹(h) the majority is gone."""
    found = label_radii([int(h * ONE)], [ONE], Gaussian(1.0))[0] / 1e7
    assert norm.cdf(norm.ppf(h) - found) >= 0.5 - 1e-9
    assert norm.cdf(norm.ppf(h) - (found + 1e-6)) <= 0.5 + 1e-6


def test_label_radii_are_odd() -> None:
    """A feature voted with h has the label radius of one voted with 1 − h, negated."""
    heights = [int(h * ONE) for h in (0.6, 0.9, 0.999)]
    up = label_radii(heights, [ONE] * 3, LAW)
    down = label_radii([0] * 3, [ONE - h for h in heights], LAW)
    assert up == [-radius for radius in down]
    assert label_radii([ONE // 4], [3 * ONE // 4], LAW) == [0]


def test_a_class_without_majority_has_radius_zero() -> None:
    assert class_radius(ONE // 2, LAW) == 0
    assert class_radius(ONE // 3, LAW) == 0
    assert class_radius(0, LAW) == 0
    assert class_radius(int(norm.cdf(1) * ONE), LAW) == pytest.approx(0.5e7, abs=2)
