"""Certificates in every norm and law, attacked on the identity map, whose truth is known.

There a pixel outranks another exactly if it is brighter, so the least change that breaks a claim is
a small optimisation that we solve in the question's norm.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from certify.certificate import certify
from certify.choice import with_law
from certify.document import dumps
from certify.evidence import Evidence
from certify.noise import Gaussian, GeneralizedNormal, Laplace, Law
from certify.plan import Plan, Question
from certify.verify import verify
from tests.composed import composed

MakePlan = Callable[..., Plan]
MakeEvidence = Callable[..., Evidence]
LAWS = [Gaussian(0.25), Laplace(0.25), GeneralizedNormal(0.25, 4), GeneralizedNormal(0.25, 8)]
every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.name}-{law.shape}")


def size(change: NDArray[np.float64], norm: str) -> NDArray[np.float64]:
    power = np.inf if norm == "inf" else float(norm)
    return np.asarray(np.linalg.norm(change, power, axis=-1))


def breaking_radius(picture: NDArray[np.int64], k: int, swaps: int, norm: str) -> float:
    """The least change that brings `swaps` of the k brightest to or below as many others."""
    ranked = -np.sort(-picture.astype(float)) / 255
    inside, outside = ranked[k - swaps : k], ranked[k : k + swaps]
    levels = np.linspace(outside.min(), inside.max(), 20_001)[:, None]
    moves = [np.maximum(inside - levels, 0), np.maximum(levels - outside, 0)]
    return float(size(np.hstack(moves), norm).min())


@every_law
@pytest.mark.parametrize("norm", ["1", "1.5", "2", "3", "inf"])
def test_no_claim_reaches_the_breaking_radius(
    law: Law, norm: str, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    plan = with_law(make_plan(6, votes=3), law)
    picture = np.array([220, 40, 190, 30, 170, 60])
    asked = replace(question, k=3, samples=1500, norm=norm)
    found = certify(plan, make_evidence(plan, picture, 1500), asked)
    assert set(found.reported) == {0, 2, 4}
    for swaps, point in enumerate(found.curve, start=1):
        truth = breaking_radius(picture, 3, swaps, norm)
        assert point.radius < truth
        assert all(radius < truth for radius in point.routes.values())
    assert found.curve[-1].radius > 0.02
    assert found.curve[0].route in ("per_feature", "simplex", "renyi", "pairwise")


@every_law
@pytest.mark.parametrize("norm", ["1", "2", "inf"])
def test_no_attack_inside_the_radius_changes_the_truth(
    law: Law, norm: str, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    """Ten thousand changes of the certified size, aimed at the cut: none breaks the claim."""
    plan = with_law(make_plan(6, votes=3), law)
    picture = np.array([200, 60, 180, 50, 190, 40])
    asked = replace(question, k=3, samples=800, norm=norm)
    found = certify(plan, make_evidence(plan, picture, 800), asked)
    rng = np.random.Generator(np.random.Philox(key=11))
    aim = np.where(np.isin(np.arange(6), found.reported), -1.0, 1.0)
    changes = aim * rng.exponential(size=(10_000, 6)) ** rng.uniform(0.2, 3, (10_000, 1))
    for point in found.curve:
        moved = picture / 255 + changes * point.radius / size(changes, norm)[:, None]
        top = np.argsort(-moved, axis=1, kind="stable")[:, :3]
        kept = np.isin(top, found.reported).sum(axis=1)
        assert kept.min() >= point.at_least


@every_law
def test_a_larger_norm_never_proves_a_larger_radius(
    law: Law, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    """‖t‖ falls with d, so the ball of a larger d is larger."""
    plan = with_law(make_plan(6, votes=3), law)
    evidence = make_evidence(plan, np.array([200, 60, 180, 50, 190, 40]), 800)
    asked = replace(question, k=3, samples=800)
    norms = ("1", "2", "4", "inf")
    curves = [certify(plan, evidence, replace(asked, norm=norm)).curve for norm in norms]
    for points in zip(*curves, strict=True):
        radii = [point.radius for point in points]
        assert radii == sorted(radii, reverse=True)
    labels = [certify(plan, evidence, replace(asked, norm=n)).feature_radii for n in norms]
    assert all((abs(a) >= abs(b)).all() for a, b in pairwise(labels))


def test_gaussian_pays_the_exact_factor(
    make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    plan = make_plan(6, votes=3)
    evidence = make_evidence(plan, np.array([200, 60, 180, 50, 190, 40]), 800)
    asked = replace(question, k=3, samples=800)
    two = certify(plan, evidence, asked)
    for norm, factor in (("1", 1.0), ("4", 6**0.25), ("inf", 6**0.5)):
        other = certify(plan, evidence, replace(asked, norm=norm))
        for a, b in zip(two.curve, other.curve, strict=True):
            assert b.radius == pytest.approx(a.radius / factor, abs=2e-7)


def test_the_simplex_route_stays_away_from_other_laws(
    make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    plan = with_law(make_plan(6, votes=3), Laplace(0.25))
    evidence = make_evidence(plan, np.array([200, 60, 180, 50, 190, 40]), 400)
    found = certify(plan, evidence, replace(question, k=3, samples=400, norm="1"))
    assert set(found.curve[0].routes) == {"per_feature", "renyi", "pairwise"}


@every_law
@pytest.mark.parametrize("norm", ["1", "2.5", "inf"])
def test_a_document_in_any_law_and_norm_is_verified(
    law: Law, norm: str, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    plan = with_law(make_plan(6, votes=3), law)
    evidence = make_evidence(plan, np.array([200, 60, 180, 50, 190, 40]), 300)
    asked = replace(question, k=3, samples=300, norm=norm)
    report = verify(dumps(composed(plan, asked, evidence)))
    assert report.holds
    assert f"ℓ{'∞' if norm == 'inf' else norm}" in " ".join(report.words)
