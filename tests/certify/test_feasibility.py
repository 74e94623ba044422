"""Feasibility: what it calls impossible is impossible, what it calls enough is enough."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from certify.certificate import certify
from certify.evidence import Evidence
from certify.feasibility import best_radius, samples_needed
from certify.plan import Plan, Question

MakePlan = Callable[..., Plan]
ASKED = Question(k=3, samples=1, failure_probability=0.01, confidence="anytime", norm="2")


def unanimous(samples: int, k: int, features: int) -> Evidence:
    votes = np.tile(np.arange(features) < k, (samples, 1))
    return Evidence.from_votes(0, votes, np.zeros(samples, np.int32))


@pytest.mark.parametrize("confidence", ["anytime", "fixed"])
@pytest.mark.parametrize("samples", [1, 10, 40, 500])
def test_the_best_is_what_unanimity_proves(
    confidence: str, samples: int, make_plan: MakePlan
) -> None:
    asked = replace(ASKED, samples=samples, confidence=confidence)
    found = certify(make_plan(9, votes=3), unanimous(samples, 3, 9), asked)
    assert found.curve[-1].radius == best_radius(make_plan(9, votes=3), asked)


@pytest.mark.parametrize("radius", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("confidence", ["anytime", "fixed"])
def test_the_samples_needed_are_the_fewest(
    radius: float, confidence: str, make_plan: MakePlan
) -> None:
    plan, asked = make_plan(9, votes=3), replace(ASKED, confidence=confidence)
    needed = samples_needed(plan, asked, radius)
    assert needed is not None
    enough = certify(plan, unanimous(needed, 3, 9), replace(asked, samples=needed))
    short = certify(plan, unanimous(needed - 1, 3, 9), replace(asked, samples=needed - 1))
    assert enough.curve[-1].radius > 0
    assert enough.curve[-1].radius >= radius
    assert short.curve[-1].radius < radius or short.curve[-1].radius == 0


def test_no_number_of_samples_reaches_an_absurd_radius(make_plan: MakePlan) -> None:
    assert samples_needed(make_plan(9, votes=3), ASKED, 50.0) is None


def test_fewer_votes_than_k_are_never_refused_for_a_radius(make_plan: MakePlan) -> None:
    plan = make_plan(9, votes=2)
    assert best_radius(plan, replace(ASKED, samples=1000)) == float("inf")
    assert best_radius(plan, replace(ASKED, samples=2)) == 0


def test_k_must_leave_a_feature_outside(make_plan: MakePlan) -> None:
    with pytest.raises(ValueError, match="k is 9; it must be below the 9 features"):
        best_radius(make_plan(9, votes=3), replace(ASKED, k=9))
