"""The pairwise route: exact for a pair, sound for sets by brute force, never behind per-feature."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from certify import pairwise, per_feature
from certify.certificate import certify
from certify.claims import Boundary
from certify.confidence import ONE, Budget, Split
from certify.evidence import Evidence
from certify.noise import Gaussian
from certify.pairwise import Pairs, count, curve_of, survives

LAW = Gaussian(1.0)


def random_votes(seed: int, samples: int, features: int, votes: int) -> Evidence:
    rng = np.random.Generator(np.random.Philox(key=seed))
    shared = rng.normal(size=(samples, 1)) * np.linspace(1, -1, features)
    scores = rng.normal(size=(samples, features)) * 0.7 + shared + np.linspace(1.5, -1.5, features)
    chosen = np.zeros((samples, features), bool)
    np.put_along_axis(chosen, np.argsort(-scores, axis=1)[:, :votes], True, axis=1)
    return Evidence.from_votes(0, chosen, np.zeros(samples, np.int32))


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_votes(seed: int) -> None:
    evidence = random_votes(seed, 90, 7, 3)
    assert evidence.votes is not None
    votes = np.unpackbits(evidence.votes, axis=1, count=7).astype(bool)
    found = count(evidence, (4, 0, 6))
    assert found is not None
    for row, i in enumerate((4, 0, 6)):
        for column, j in enumerate((1, 2, 3, 5)):
            assert found.inside_only[row, column] == np.sum(votes[:, i] & ~votes[:, j])
            assert found.outside_only[row, column] == np.sum(~votes[:, i] & votes[:, j])


def test_without_single_votes_there_are_no_pairs() -> None:
    votes = np.zeros((3, 5000), bool)
    assert count(Evidence.from_votes(0, votes, np.zeros(3, np.int32)), (1, 2)) is None


def violation(is_open: Any, swaps: int) -> bool:
    """Whether some A and B of that size have all pairs open, by trying them all."""
    rows, columns = is_open.shape
    return any(
        is_open[np.ix_(a, b)].all()
        for a in combinations(range(rows), swaps)
        for b in combinations(range(columns), swaps)
    )


@settings(max_examples=150)
@given(seed=st.integers(0, 10**6), swaps=st.integers(1, 4), share=st.floats(0.2, 0.95))
def test_peeling_never_refutes_a_violation_that_exists(seed: int, swaps: int, share: float) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    is_open = rng.random((5, 6)) < share
    if violation(is_open, swaps):
        assert survives(is_open, swaps)


def test_peeling_refutes_something() -> None:
    rng = np.random.Generator(np.random.Philox(key=1))
    refuted = [not survives(rng.random((5, 6)) < 0.5, 3) for _ in range(100)]
    assert 40 < sum(refuted) < 100
    assert not survives(np.zeros((3, 3), bool), 1)
    assert survives(np.ones((3, 4), bool), 3)
    assert not survives(np.ones((3, 4), bool), 4)


@settings(max_examples=80)
@given(seed=st.integers(0, 10**6))
def test_the_curve_is_the_first_radius_at_which_peeling_fails(seed: int) -> None:
    """By definition: at R the open pairs are those of radius below R."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    radii = rng.integers(0, 12, (4, 6))
    found = curve_of(radii)
    assert found == sorted(found)
    for swaps, proven in enumerate(found, start=1):
        assert not survives(radii < proven, swaps)
        assert survives(radii < proven + 1, swaps)
        assert not violation(radii < proven, swaps)


def exact_budget(samples: int) -> Budget:
    """So generous a failure probability that bounds are near the frequencies."""
    split = Split(features=0.45, pairs=0.45, prediction=0.1)
    return Budget(samples, "fixed", Fraction(999, 1000), split, Fraction(0))


def test_one_pair_is_the_closed_form() -> None:
    n = 10**6
    pairs = Pairs(np.array([[700_000]]), np.array([[100_000]]))
    found = pairwise.radii(pairs, 2, exact_budget(n), LAW)[0] / 1e7
    exact = 0.5 * (ndtri(0.7) - ndtri(0.1))
    assert exact - 0.01 < found < exact


@pytest.mark.parametrize(("inside", "outside"), [(0, 0), (0, 1000), (500, 500), (1000, 1000)])
def test_hopeless_pairs_prove_nothing(inside: int, outside: int) -> None:
    pairs = Pairs(np.array([[inside]]), np.array([[outside]]))
    assert pairwise.radii(pairs, 2, exact_budget(1000), LAW) == [0]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), features=st.integers(3, 9))
def test_at_population_values_never_behind_per_feature(seed: int, features: int) -> None:
    """Φ(Φ⁻¹(p) − r) is convex in p where it matters, and shared votes cancel (docs/theory.md)."""
    votes = 1 + seed % (features - 1)
    evidence = random_votes(seed, 300, features, votes)
    order = np.argsort(-evidence.counts, kind="stable")
    reported = tuple(order[:votes].tolist())
    found = count(evidence, reported)
    assert found is not None
    heights = (np.clip(evidence.counts / 300, 1e-4, 1 - 1e-4) * ONE).astype(np.int64)
    cut = Boundary(reported, np.sort(heights[order[:votes]]), -np.sort(-heights[order[votes:]]))
    lower = (np.clip(found.inside_only / 300, 1e-4, 1 - 1e-4) * ONE).astype(np.int64)
    upper = (np.clip(found.outside_only / 300, 1e-4, 1 - 1e-4) * ONE).astype(np.int64)
    each = pairwise.pair_radii(lower, upper, LAW)
    if (evidence.counts[list(reported)] < 299).all() and (evidence.counts[order[votes:]] > 0).all():
        weaker, stronger = per_feature.radii(cut, LAW), curve_of(each)
        assert all(a <= b + 3 for a, b in zip(weaker, stronger, strict=True))


def test_pairs_win_where_votes_are_shared(make_plan: Callable[..., Any], question: Any) -> None:
    """0 and 1 are voted together or not at all, 0 a little more often: the difference is small but
    nearly certain, while each alone is a coin. Other votes are spread thinly."""
    rng = np.random.Generator(np.random.Philox(key=4))
    votes = np.zeros((6000, 24), bool)
    for row, luck in zip(votes, rng.random(6000), strict=True):
        spread = rng.choice(np.arange(2, 24), 2, replace=False)
        row[[0, 1] if luck < 0.47 else [0, spread[0]] if luck < 0.52 else spread] = True
    evidence = Evidence.from_votes(0, votes, np.zeros(6000, np.int32))
    found = certify(make_plan(24, votes=2), evidence, replace(question, k=1, samples=6000))
    assert found.reported == (0,)
    assert found.curve[0].route == "pairwise"
    assert found.curve[0].radius > 4 * found.curve[0].routes["per_feature"]


@pytest.mark.parametrize("seed", range(6))
def test_on_the_identity_map_no_pair_reaches_the_breaking_change(
    seed: int, make_plan: Callable[..., Any], make_evidence: Callable[..., Any], question: Any
) -> None:
    """Pixels i and j are level after a change of half their gap each: (x_i − x_j)/√2 in ℓ2."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    picture = np.sort(rng.integers(0, 256, 6))[::-1].copy()
    plan = make_plan(6, votes=2, scale=0.2)
    evidence = make_evidence(plan, picture, 3000)
    found = certify(plan, evidence, replace(question, k=2, samples=3000))
    if set(found.reported) == {0, 1}:
        gap = (picture[1] - picture[2]) / 255 / np.sqrt(2)
        assert found.curve[0].routes["pairwise"] <= gap
