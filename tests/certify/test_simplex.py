"""The simplex route against golden values, a dense scan of thresholds, and its two neighbours."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri

from certify import per_feature, renyi, simplex
from certify.claims import Boundary
from certify.confidence import ONE
from certify.noise import Gaussian

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "certificates.json").read_text())
UNIT_LAW = Gaussian(1.0)


def population(masses: NDArray[np.float64], k: int, votes: int) -> Boundary:
    """Bounds that are exact: h = votes·m, sorted and cut after k."""
    heights = -np.sort(-np.asarray(masses) * votes * ONE).astype(np.int64)
    return Boundary(tuple(range(k)), np.sort(heights[:k]), heights[k:])


@pytest.mark.parametrize("case", GOLDEN["gaussian_simplex"])
def test_golden_at_or_just_below_the_scan(case: dict[str, Any]) -> None:
    cut = population(np.array(case["weights"]), case["k"], 1)
    found = simplex.radius(cut, case["swaps"], 1, UNIT_LAW) / 1e7
    assert found <= case["radius_over_scale_upper"] + 1e-6
    assert found == pytest.approx(case["radius_over_scale_upper"], rel=5e-4)
    assert found > case["renyi_radius_over_scale"]


def scanned(masses: NDArray[np.float64], k: int, swaps: int) -> float:
    """min over thresholds of max over prefixes of Φ⁻¹(Q) − Φ⁻¹(P), Q the clamp: section 4.3."""
    ranked = -np.sort(-masses)
    least = np.inf
    for t in np.geomspace(ranked[min(k + swaps, len(ranked)) - 1] / 4, ranked[0] * 4, 3001):
        clamp = ranked.copy()
        clamp[k - swaps : k] = np.minimum(clamp[k - swaps : k], t)
        clamp[k : k + swaps] = np.maximum(clamp[k : k + swaps], t)
        clamp /= clamp.sum()
        order = np.argsort(-clamp / ranked)
        q, p = np.cumsum(clamp[order])[:-1], np.cumsum(ranked[order])[:-1]
        least = min(least, np.max(ndtri(np.clip(q, 0, 1)) - ndtri(np.clip(p, 0, 1))))
    return float(least)


@pytest.mark.parametrize("seed", range(12))
def test_no_pair_of_tests_misses_what_a_scan_of_thresholds_finds(seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    masses = rng.dirichlet(np.full(9, 0.7)) * 0.9 + 0.1 / 9
    for k, swaps in ((2, 1), (4, 3), (4, 4)):
        found = simplex.radius(population(masses, k, 1), swaps, 1, UNIT_LAW) / 1e7
        exact = scanned(masses, k, swaps)
        assert found <= exact + 1e-6
        assert found == pytest.approx(exact, rel=2e-3, abs=2e-3)


def vote_heights(seed: int, features: int, votes: int) -> NDArray[np.float64]:
    """Population heights of random votes: each within [0, 1], `votes` in all."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    scores = rng.normal(size=(400, features)) + rng.normal(size=features) * 1.5
    chosen = np.argsort(-scores, axis=1)[:, :votes]
    return np.bincount(chosen.ravel(), minlength=features) / 400


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), features=st.integers(4, 12))
def test_renyi_below_simplex_below_per_feature_for_votes(seed: int, features: int) -> None:
    """The trade-off implies every order; and a vote of its own implies a share of all votes."""
    k = 1 + seed % (features - 2)
    heights = np.clip(vote_heights(seed, features, k), 1e-3, 1 - 1e-3)
    cut = population(heights / k, k, k)
    weakest = renyi.radii(cut, k, UNIT_LAW)
    middle = simplex.radii(cut, k, UNIT_LAW)
    strongest = per_feature.radii(cut, UNIT_LAW)
    for low, mid, high in zip(weakest, middle, strongest, strict=True):
        assert low <= mid + 1
        assert mid <= high + 1


@pytest.mark.parametrize("inside", [0.0, 2.0**-40, 0.3, 1 - 2.0**-40, 1.0])
@pytest.mark.parametrize("outside", [0.0, 2.0**-40, 0.3, 1.0])
def test_hostile_bounds_prove_nothing_false(inside: float, outside: float) -> None:
    cut = Boundary((0,), np.array([int(inside * ONE)]), np.array([int(outside * ONE)]))
    found = simplex.radii(cut, 1, UNIT_LAW)[0] / 1e7
    limit = 0.5 * (ndtri(inside) - ndtri(outside)) if inside > outside else 0.0
    assert 0 <= found <= max(limit, 0)


def test_bounds_that_cross_prove_nothing(make_plan: Callable[..., Any]) -> None:
    wide = Boundary((0, 1), np.array([ONE // 4, ONE // 3]), np.array([ONE // 2, ONE // 2]))
    assert simplex.radii(wide, 2, make_plan(4, votes=2).recipe.noise) == [0, 0]


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_wider_bounds_prove_less(seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    inside, outside = rng.uniform(0.3, 0.9, 4), rng.uniform(0.01, 0.4, 5)
    narrow, wide = (
        Boundary(
            (0, 1, 2, 3),
            np.sort(((inside - loss) * ONE).astype(np.int64)),
            -np.sort(-((outside + loss) * ONE).astype(np.int64)),
        )
        for loss in (0.0, 0.05)
    )
    more, less = (simplex.radii(cut, 4, UNIT_LAW) for cut in (narrow, wide))
    assert all(a >= b for a, b in zip(more, less, strict=True))
    assert Fraction(sum(more)) > sum(less)
