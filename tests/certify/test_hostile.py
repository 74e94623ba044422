"""Random hostile inputs against a judge that looks for a counterexample to every claim issued.

The judge (`tests.certify.judge`) knows nothing of the routes: it chooses, among all populations
that lie within the confidence bounds, the one whose map breaks the claim after a change.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from certify.ball import NormBall
from certify.certificate import Certificate, certify, feature_bounds
from certify.claims import Boundary, boundary
from certify.confidence import ONE
from certify.noise import Gaussian, GeneralizedNormal, Laplace, Law
from certify.pairwise import count, curve_of, pair_radii
from certify.simplex import radius as simplex_radius
from tests.certify.hostile_problems import Luck, Problem, problem
from tests.certify.judge import (
    TOLERANCE,
    Cells,
    Floats,
    changes,
    margin,
    one_entry,
    outcomes,
)

FEW, MANY, BATCH = 160, 10_000, 120


def feature_limits(given: Problem, said: Floats) -> tuple[Boundary, list[tuple[Floats, float]]]:
    """What the feature bounds say of any population, and their boundary."""
    evidence = given.evidence
    both = feature_bounds(given.plan, evidence.counts, evidence.squares, given.budget)
    lower = [(said[:, i], low / ONE) for i, low in enumerate(both.lower.tolist())]
    upper = [(-said[:, i], -high / ONE) for i, high in enumerate(both.upper.tolist())]
    return boundary(evidence.counts, both, given.question.k), lower + upper


def pair_limits(given: Problem, said: Floats, reported: tuple[int, ...]) -> list[Any]:
    """What the bounds on pairs say: i without j at least, j without i at most."""
    pairs, features = count(given.evidence, reported), given.plan.features
    assert pairs is not None
    lower = given.budget.pairs_lower(pairs.inside_only, features) / ONE
    upper = (
        1 - given.budget.pairs_lower(given.evidence.samples - pairs.outside_only, features) / ONE
    )
    others = np.setdiff1d(np.arange(features), reported).tolist()
    limits = []
    for (row, i), (column, j) in product(enumerate(reported), enumerate(others)):
        limits.append((said[:, i] * (1 - said[:, j]), float(lower[row, column])))
        limits.append((-said[:, j] * (1 - said[:, i]), -float(upper[row, column])))
    return limits


def weakest(given: Problem, swaps: int) -> list[tuple[int, int]]:
    """The pairs of the swaps that counts make easiest."""
    counts, k = given.evidence.counts, given.question.k
    order = np.argsort(-counts, kind="stable").tolist()
    return list(product(order[k - swaps : k], order[k : k + swaps]))


def counterexamples(
    given: Problem, found: Certificate, factor: float = 1.0
) -> Iterator[tuple[str, float]]:
    """For each claim looked at, of routes from feature bounds and of the pairwise, who made it and
    the least margin found at its radius times a factor."""
    said, luck = outcomes(given.plan), Luck(given.plan.features + 1000 * given.question.samples)
    cut, limits = feature_limits(given, said)
    kinds = [(limits, ("per_feature", "simplex", "renyi"), [*cut.inside, *cut.outside])]
    if "pairwise" in found.curve[0].routes:
        pairs = pair_limits(given, said, cut.reported)
        kinds.append((pairs, ("pairwise",), [abs(least) * ONE for _, least in pairs]))
    for within, routes, bounds in kinds:
        radii = [max(p.routes.get(route, 0.0) for route in routes) for p in found.curve]
        proven = [swaps for swaps, radius in enumerate(radii, start=1) if radius > 0]
        for swaps in {proven[0], luck.among(proven)} if proven else ():
            edges = [float(bound) / ONE for bound in bounds]
            radius, norm = factor * radii[swaps - 1], given.question.norm
            margins = [
                margin(cells, said, within, weakest(given, swaps))
                for cells in changes(given.plan, norm, radius, edges)
            ]
            point = found.curve[swaps - 1]
            yield max(routes, key=lambda route: point.routes.get(route, 0.0)), min(margins)


def judge_majorities(given: Problem, found: Certificate) -> None:
    """No label of a feature, and not the class, loses its majority within its radius."""
    evidence = given.evidence
    both = feature_bounds(given.plan, evidence.counts, evidence.squares, given.budget)
    proven = [
        (low / ONE if radius > 0 else 1 - high / ONE, abs(radius))
        for low, high, radius in zip(both.lower, both.upper, found.feature_radii, strict=True)
    ]
    for mean, radius in {*proven, (found.prediction.lower, found.prediction.radius)}:
        if radius > 0:
            for cells in changes(given.plan, given.question.norm, radius, [mean]):
                order = np.argsort(np.log(cells.there + 1e-300) - np.log(cells.here + 1e-300))
                here, there = cells.here[order], cells.there[order]
                taken = np.clip(mean - (np.cumsum(here) - here), 0, here)
                share = np.divide(taken, here, out=np.zeros_like(here), where=here > 0)
                assert (share * there).sum() > 0.5 - TOLERANCE


def sane(given: Problem, found: Certificate) -> None:
    """A curve of finite numbers that never falls, and no proof where counts alone refute it."""
    for route in found.curve[0].routes:
        radii = [point.routes[route] for point in found.curve]
        assert np.isfinite(radii).all() and min(radii) >= 0
        assert radii == sorted(radii)
    best = [point.radius for point in found.curve]
    assert best == [max(point.routes.values()) for point in found.curve]
    assert np.isfinite(found.feature_radii).all() and 0 <= found.prediction.lower <= 1
    counts = -np.sort(-given.evidence.counts)
    for swaps, radius in enumerate(best, start=1):
        k = given.question.k
        if counts[k - swaps] <= counts[k + swaps - 1]:
            assert radius == 0
    if given.pattern == "level" and given.evidence.samples % given.plan.features == 0:
        assert not any(best)


def examine(case: int) -> Certificate:
    given = problem(case)
    found = certify(given.plan, given.evidence, given.question)
    sane(given, found)
    for route, least in counterexamples(given, found):
        assert least > -TOLERANCE, f"case {case}, {route}: broken by {-least}"
    judge_majorities(given, found)
    return found


@pytest.mark.parametrize("start", range(0, FEW, 80))
def test_no_claim_about_a_hostile_input_is_wrong(start: int) -> None:
    for case in range(start, start + 80):
        examine(case)


def test_the_judge_would_notice_a_hundredth_too_much() -> None:
    """Where theory says that nothing better can be proven: ℓ1, and any norm for Gaussian noise."""
    noticed: dict[str, list[bool]] = {"per_feature": [], "pairwise": []}
    for case in range(90):
        given = problem(case)
        if given.plan.recipe.law == "gaussian" or given.question.norm == "1":
            found = certify(given.plan, given.evidence, given.question)
            for route, least in counterexamples(given, found, factor=1.01):
                noticed[route].append(least < -TOLERANCE)
    assert all(len(seen) >= 8 and np.mean(seen) > 0.8 for seen in noticed.values())


def cells_of(law: Law, radius: float, *edges: float) -> Cells:
    return one_entry(law, radius, list(edges))


@pytest.mark.parametrize("law", [Gaussian(0.25), Laplace(0.25), GeneralizedNormal(0.25, 6)])
@pytest.mark.parametrize(("low", "high"), [(0.6, 0.2), (0.5, 0.49), (0.97, 1e-4)])
def test_a_pair_is_the_linear_programs_optimum(law: Law, low: float, high: float) -> None:
    """Of votes for one of three, given no more than bounds on the pair: no better, no worse."""
    bounds = [np.array([[int(p * ONE)]]) for p in (low, high)]
    radius = curve_of(pair_radii(bounds[0], bounds[1], law, NormBall("1", 4)))[0] / 1e7
    said = np.eye(3)
    limits = [
        (said[:, 0] * (1 - said[:, 1]), int(low * ONE) / ONE),
        (-said[:, 1] * (1 - said[:, 0]), -int(high * ONE) / ONE),
    ]
    inside, outside = (
        margin(cells_of(law, factor * radius, low, high), said, limits, [(0, 1)])
        for factor in (1 - 1e-3, 1 + 1e-3)
    )
    assert inside > TOLERANCE > -TOLERANCE > outside


@pytest.mark.parametrize("seed", range(10))
def test_the_simplex_route_is_the_linear_programs_optimum(seed: int) -> None:
    """One vote a sample: over all populations of these masses and all thresholds."""
    luck, law = Luck(10**6 + seed), Gaussian(1.0)
    features = 3 + seed % 3
    weights = np.exp(1.5 * luck.normal(features))
    heights = (-np.sort(-weights / weights.sum()) * ONE).astype(np.int64)
    k = 1 + seed % (features - 1)
    swaps = min(k, features - k)
    cut = Boundary(tuple(range(k)), np.sort(heights[:k]), heights[k:])
    found = simplex_radius(cut, swaps, 1, law) / 1e7
    said, masses = np.eye(features), heights / ONE
    limits = [(said[:, i], masses[i] - 1e-7) for i in range(features)]
    sums = [masses[a:b].sum() for a in range(features) for b in range(a + 1, features + 1)]
    pairs = list(product(range(k - swaps, k), range(k, k + swaps)))

    def kept(shift: float) -> bool:
        return margin(cells_of(law, shift, *sums), said, limits, pairs) > 0

    # A mass of 1e-4 that may be 1e-7 less moves the optimum by up to some 1e-4 of it.
    assert kept(found / (1 + 1e-3))
    assert not kept((found + 1e-3) / (1 - 0.02))


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("start", range(FEW, MANY, BATCH))
def test_no_claim_about_ten_thousand_hostile_inputs_is_wrong(start: int) -> None:
    for case in range(start, min(start + BATCH, MANY)):
        examine(case)
