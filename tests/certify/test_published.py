"""Formulas of competitors, so that comparisons are fair: against hand computation or their code."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from certify.published import anani_labels, levine_radii, liu_divergence


def test_levine_is_the_inequality_of_their_code() -> None:
    """Φ(Φ⁻¹(m_i − err) − 2ρ/σ) − err > m_j, at the radius and just beyond."""
    counts = np.array([7800, 7000, 6100, 5000, 1500, 1200, 900, 500, 0, 0])
    samples, k, failure, scale = 8192, 4, 0.05, 0.2
    error = np.sqrt(np.log(2 * 10 / failure) / (2 * samples))
    radii = levine_radii(scale, counts, samples, k, failure)
    # From the cut outwards: rank 4 against rank 5 is the closest pair here.
    closest = (counts[3] / samples, counts[4] / samples)
    for nudge, holds in ((0.999, True), (1.001, False)):
        moved = ndtr(ndtri(closest[0] - error) - 2 * nudge * radii[0] / scale)
        assert (moved - error > closest[1]) is np.bool_(holds)
    assert radii == sorted(radii)


def test_levine_error_is_the_published_one() -> None:
    """q = 8192, n = 3·224² entries, confidence 0.95: err = 0.0309 (their ImageNet run)."""
    n, q = 150_528, 8192
    assert np.sqrt(np.log(2 * n / 0.05) / (2 * q)) == pytest.approx(0.0309, abs=5e-5)
    counts = np.zeros(n, dtype=np.int64)
    counts[0] = q
    best = levine_radii(1.0, counts, q, 1, 0.05)[0]
    assert best == pytest.approx(0.5 * (ndtri(1 - 0.0309) - ndtri(0.0309)), abs=2e-3)


def test_levine_without_a_gap_proves_nothing() -> None:
    assert levine_radii(1.0, np.array([50, 50, 50, 50]), 100, 2, 0.05) == [0.0, 0.0]


def test_anani_needs_88_of_90_at_imagenet_size() -> None:
    """N = 50 176, α = 0.001, τ = 0.75: 88 of 90 agreeing votes certify, 87 do not."""
    features = 50_176
    votes = np.ones((100, features), bool)
    votes[10:12, 0] = False
    votes[10:13, 1] = False
    votes[:, 2] = False
    votes[::2, 3] = False
    found = anani_labels(votes, 0.75, 0.001)
    assert found[:4].tolist() == [1, 0, -1, 0]
    assert (found[4:] == 1).all()


def test_liu_with_features_that_nobody_voted_for() -> None:
    """The level is 0, so that only what lies outside S is left: −ln 0.4, or nothing at all."""
    masses = [0.4, 0.3, 0.2, 0.1, 0.0]
    assert liu_divergence(1.5, masses, k=3, swaps=2) == pytest.approx(-np.log(0.4))
    assert liu_divergence(1.5, [0.5, 0.25, 0.25, 0.0], k=2, swaps=2) == np.inf
