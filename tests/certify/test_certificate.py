"""Certificates against a map whose truth is known, and what every certificate must satisfy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from certify.certificate import Certificate, certify
from certify.evidence import Evidence
from certify.plan import Plan, Question, Recipe

MakePlan = Callable[..., Plan]
MakeEvidence = Callable[..., Evidence]


def plain_plan(pixels: int, votes: int) -> Plan:
    recipe = Recipe("gaussian", 2, 0.25, "gradient", 1, votes, 8, "float32")
    return Plan("m", "0" * 64, "1" * 64, 1, pixels, 1, 0, recipe, "0" * 32)


def breaking_radius(picture: NDArray[np.int64], k: int, swaps: int) -> float:
    """The least ℓ2 change that brings `swaps` of the k brightest to or below as many others.

    Moves A, the least bright inside, and B, the brightest outside, to one level t each from its own
    side: the minimum over t of √(Σ(x_A − t)₊² + Σ(t − x_B)₊²).
    """
    ranked = -np.sort(-picture.astype(float)) / 255
    inside, outside = ranked[k - swaps : k], ranked[k : k + swaps]
    levels = np.linspace(outside.min(), inside.max(), 20001)[:, None]
    cost = (np.maximum(inside - levels, 0) ** 2).sum(axis=1)
    cost += (np.maximum(levels - outside, 0) ** 2).sum(axis=1)
    return float(np.sqrt(cost.min()))


@pytest.mark.parametrize("gap", [10, 40, 90])
def test_two_pixels_are_certified_and_nearly_tight(
    gap: int, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    plan, picture = make_plan(2, votes=1), np.array([80, 80 + gap])
    found = certify(plan, make_evidence(plan, picture, 4000), question)
    truth = gap / 255 / np.sqrt(2)
    assert found.reported == (1,)
    assert breaking_radius(picture, 1, 1) == pytest.approx(truth, rel=1e-6)
    assert found.curve[0].radius <= truth
    # Confidence costs about four standard errors of the frequency, through the normal quantile.
    assert found.curve[0].radius >= truth - 6 * plan.recipe.scale / np.sqrt(4000) / norm.pdf(
        norm.ppf(norm.cdf(truth / plan.recipe.scale))
    )


@pytest.mark.parametrize("seed", range(8))
def test_no_claim_about_many_pixels_reaches_the_breaking_radius(
    seed: int, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    picture = rng.integers(0, 256, 16)
    plan = make_plan(16, votes=5, scale=0.2)
    found = certify(plan, make_evidence(plan, picture, 3000), replace(question, k=5, samples=3000))
    truth = set(np.argsort(-picture, kind="stable")[:5].tolist())
    if set(found.reported) == truth:
        for swaps, point in enumerate(found.curve, start=1):
            assert point.radius <= breaking_radius(picture, 5, swaps)
            assert max(point.routes.values()) == point.radius
    assert found.curve[-1].radius > 0


def test_the_worst_change_just_beyond_a_tight_claim_breaks_it(
    make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    """The certificate is not vacuous: 1.3 times its radius swaps the two pixels."""
    plan, picture = make_plan(2, votes=1), np.array([200, 100])
    found = certify(plan, make_evidence(plan, picture, 4000), question)
    step = round(1.3 * found.curve[0].radius * 255 / np.sqrt(2))
    attacked = make_evidence(plan, picture + np.array([-step, step]), 4000)
    assert attacked.counts[1] > attacked.counts[0]
    inside = int(found.curve[0].radius * 255 / np.sqrt(2))
    spared = make_evidence(plan, picture + np.array([-inside, inside]), 4000)
    assert spared.counts[0] > spared.counts[1]


@pytest.mark.parametrize("gap", [-70, -20, 20, 70])
def test_feature_radii_are_signed_sound_and_nearly_tight(
    gap: int, make_plan: MakePlan, make_evidence: MakeEvidence, question: Question
) -> None:
    """Of two pixels the brighter one is voted for by most noise, up to a change of gap/√2."""
    plan = make_plan(2, votes=1)
    found = certify(plan, make_evidence(plan, np.array([100, 100 + gap]), 4000), question)
    truth = abs(gap) / 255 / np.sqrt(2)
    assert np.sign(found.feature_radii).tolist() == [-np.sign(gap), np.sign(gap)]
    assert (np.abs(found.feature_radii) <= truth).all()
    assert (np.abs(found.feature_radii) >= truth - 0.04).all()
    assert found.labels(truth).tolist() == [0, 0]
    assert found.labels(truth - 0.04).tolist() == [-np.sign(gap), np.sign(gap)]


def random_evidence(seed: int, samples: int, features: int, votes: int) -> Evidence:
    rng = np.random.Generator(np.random.Philox(key=seed))
    scores = rng.normal(size=(samples, features)) + np.linspace(2, -2, features)
    chosen = np.zeros((samples, features), bool)
    np.put_along_axis(chosen, np.argsort(-scores, axis=1)[:, :votes], True, axis=1)
    return Evidence.from_votes(0, chosen, np.zeros(samples, np.int32))


def certify_votes(
    make_plan: MakePlan, evidence: Evidence, votes: int, **asked: object
) -> Certificate:
    question = Question(
        k=votes, samples=10**6, failure_probability=0.01, confidence="anytime", norm="2"
    )
    plan = make_plan(evidence.features, votes=votes)
    return certify(plan, evidence, replace(question, **asked))  # type: ignore[arg-type]


@given(seed=st.integers(0, 10**6), samples=st.integers(1, 300), features=st.integers(2, 12))
@settings(max_examples=60)
def test_every_curve_is_a_curve(seed: int, samples: int, features: int) -> None:
    votes = 1 + seed % (features - 1)
    evidence = random_evidence(seed, samples, features, votes)
    found = certify_votes(plain_plan, evidence, votes)
    radii = [point.radius for point in found.curve]
    kept = [point.at_least for point in found.curve]
    assert radii == sorted(radii)
    assert all(np.isfinite(radii)) and radii[0] >= 0
    assert kept == list(range(votes, votes - min(votes, features - votes), -1))
    assert len(set(found.reported)) == votes
    for point in found.curve:
        assert found.at_least_within(point.radius or 1e-12) >= (
            point.at_least if point.radius else 0
        )


@pytest.mark.parametrize("seed", range(5))
def test_relabelling_features_relabels_the_certificate(seed: int, make_plan: MakePlan) -> None:
    evidence = random_evidence(seed, 400, 9, 3)
    assert evidence.votes is not None
    votes = np.unpackbits(evidence.votes, axis=1, count=9).astype(bool)
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(9)
    shuffled = Evidence.from_votes(0, votes[:, order], evidence.predictions)
    one = certify_votes(make_plan, evidence, 3)
    other = certify_votes(make_plan, shuffled, 3)
    assert [p.radius for p in one.curve] == [p.radius for p in other.curve]
    np.testing.assert_array_equal(one.feature_radii[order], other.feature_radii)


def test_more_of_the_same_samples_prove_more(make_plan: MakePlan) -> None:
    few = random_evidence(1, 200, 9, 3)
    assert few.votes is not None
    votes = np.unpackbits(few.votes, axis=1, count=9).astype(bool)
    many = Evidence.from_votes(0, np.tile(votes, (8, 1)), np.zeros(1600, np.int32))
    less, more = certify_votes(make_plan, few, 3), certify_votes(make_plan, many, 3)
    assert all(a.radius <= b.radius for a, b in zip(less.curve, more.curve, strict=True))
    assert sum(p.radius for p in more.curve) > sum(p.radius for p in less.curve)


def test_a_smaller_failure_probability_proves_less(make_plan: MakePlan) -> None:
    evidence = random_evidence(2, 500, 9, 3)
    sure = certify_votes(make_plan, evidence, 3, failure_probability=1e-9)
    bold = certify_votes(make_plan, evidence, 3, failure_probability=0.1)
    assert all(a.radius <= b.radius for a, b in zip(sure.curve, bold.curve, strict=True))


def test_the_prediction_is_cohens(make_plan: MakePlan) -> None:
    """All of n agree: lower bound (share/2)^(1/n), radius scale·Φ⁻¹ of it."""
    evidence = random_evidence(3, 1000, 9, 3)
    found = certify_votes(make_plan, evidence, 3, confidence="fixed", samples=1000).prediction
    lower = (0.01 * 0.1 / 2) ** (1 / 1000)
    assert (found.agreeing, found.samples, found.reason) == (1000, 1000, None)
    assert found.lower == pytest.approx(lower, abs=1e-11)
    assert found.radius == pytest.approx(0.25 * norm.ppf(lower), abs=1e-6)
    assert found.radius <= 0.25 * norm.ppf(lower)


def test_an_unproven_prediction_abstains_with_a_reason(make_plan: MakePlan) -> None:
    evidence = random_evidence(3, 100, 9, 3)
    predictions = np.arange(100, dtype=np.int32) % 2
    split = Evidence(evidence.ranges, 9, evidence.votes, evidence.counts, predictions)
    found = certify_votes(make_plan, split, 3).prediction
    assert found.radius == 0
    assert found.reason == ("50 of 100 noisy pictures were given class 0; a majority is not proven")


def test_no_samples_prove_nothing(make_plan: MakePlan) -> None:
    found = certify_votes(make_plan, Evidence.empty(9), 3)
    assert {point.radius for point in found.curve} == {0}
    assert not found.feature_radii.any()
    assert found.prediction.radius == 0


def test_only_all_samples_from_the_first_on_count(make_plan: MakePlan) -> None:
    """Whoever may leave out samples may leave out those that disagree."""
    picked = Evidence.from_votes(5, np.eye(3, dtype=bool), np.zeros(3, np.int32))
    with pytest.raises(ValueError, match=r"ranges of the evidence .* be all samples from 0 on"):
        certify_votes(make_plan, picked, 1)


@pytest.mark.parametrize(("confidence", "asked"), [("fixed", 99), ("fixed", 101), ("anytime", 99)])
def test_samples_must_fit_the_question(confidence: str, asked: int, make_plan: MakePlan) -> None:
    evidence = random_evidence(4, 100, 9, 3)
    with pytest.raises(ValueError, match=r"samples is 100; it must be"):
        certify_votes(make_plan, evidence, 3, confidence=confidence, samples=asked)


def test_off_the_curve_there_is_no_radius(make_plan: MakePlan) -> None:
    found = certify_votes(make_plan, random_evidence(4, 100, 9, 3), 3)
    assert found.radius_for(1) == found.curve[-1].radius
    with pytest.raises(ValueError, match=r"at_least is 4; it must lie in 1\.\.3"):
        found.radius_for(4)
