"""Score vectors: what each rank gets, and certificates from points instead of votes."""

import math
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from certify.certificate import certify
from certify.document import dumps
from certify.evidence import Evidence
from certify.noise import draw, table
from certify.plan import Plan, Question, Recipe
from certify.scores import SCORES, points, weight
from certify.stopping import favourable
from certify.verify import verify
from tests.composed import composed

PICTURE = np.array([200, 60, 180, 50, 190, 40])
QUESTION = Question(k=3, samples=2000, failure_probability=0.001, confidence="anytime", norm="2")


def points_plan(score: str, votes: int, pixels: int = 6, scale: float = 0.25) -> Plan:
    recipe = Recipe("gaussian", 2, scale, "gradient", 1, votes, 8, "float32", score)
    return Plan("identity", "0" * 64, "1" * 64, 1, pixels, 1, 0, recipe, f"{7:032x}")


def points_evidence(plan: Plan, picture: NDArray[np.int64], samples: int) -> Evidence:
    """The identity map: a pixel's rank is the noisy pixel's."""
    law, key = table(plan.recipe.noise), int(plan.key, 16)
    noise = np.stack([draw(law, key, s, plan.entries) for s in range(samples)])
    order = np.argsort(-(picture + noise), axis=1, kind="stable")
    given = np.zeros(order.shape, np.int64)
    np.put_along_axis(given, order, np.broadcast_to(plan.points, order.shape), axis=1)
    return Evidence.from_points(0, given, np.zeros(samples, np.int32))


@given(score=st.sampled_from(sorted(SCORES)), features=st.integers(2, 300), data=st.data())
def test_points_never_rise_and_begin_above_zero(
    score: str, features: int, data: st.DataObject
) -> None:
    votes = data.draw(st.integers(1, features - 1))
    found = points(score, votes, features)
    assert found.shape == (features,) and found[0] > 0 and found[-1] >= 0
    assert np.all(np.diff(found) <= 0)
    assert weight(score, votes, features) == Fraction(int(found.sum()), int(found[0]))


def test_points_by_hand() -> None:
    assert points("vote", 2, 4).tolist() == [1, 1, 0, 0]
    assert points("linear", 3, 5).tolist() == [3, 2, 1, 0, 0]
    assert points("linear", 4, 5).tolist() == [4, 3, 2, 1, 0]
    expected = [math.floor(1000 / (1 + math.exp(8 * (j - 4) / 4)) + 0.5) for j in range(1, 11)]
    assert points("sigmoid", 4, 10).tolist() == expected and expected[3] == 500


@pytest.mark.parametrize(("score", "votes"), [("borda", 1), ("vote", 0), ("linear", 4)])
def test_impossible_scores_are_refused(score: str, votes: int) -> None:
    with pytest.raises(ValueError, match="must"):
        points(score, votes, 4)


@pytest.mark.parametrize("score", ["linear", "sigmoid"])
def test_points_of_the_identity_map_certify_soundly(score: str) -> None:
    plan = points_plan(score, 5 if score == "linear" else 3)
    found = certify(plan, points_evidence(plan, PICTURE, 2000), QUESTION)
    assert set(found.reported) == {0, 2, 4}
    # One pixel brighter exactly if its points are more: the dimmest of the bright and the brightest
    # of the dim meet when both move half their distance.
    first_break = (180 - 60) / 255 / math.sqrt(2)
    assert 0 < found.radius_for(3) < first_break
    assert found.radius_for(1) > found.radius_for(3)
    assert not found.feature_radii.any() and set(found.curve[0].routes) == {
        "per_feature",
        "simplex",
        "renyi",
    }


def test_votes_as_points_prove_no_more_than_votes() -> None:
    """Linear points of one rank are votes; bounds that do not know them to be 0 or 1 are wider."""
    vote, linear = points_plan("vote", 1, 2), points_plan("linear", 1, 2)
    picture, asked = np.array([200, 60]), replace(QUESTION, k=1)
    given = points_evidence(linear, picture, 2000)
    as_points = certify(linear, given, asked)
    law, key = table(vote.recipe.noise), int(vote.key, 16)
    noise = np.stack([draw(law, key, s, 2) for s in range(2000)])
    first = np.argsort(-(picture + noise), axis=1, kind="stable")[:, :1]
    votes = np.zeros((2000, 2), bool)
    np.put_along_axis(votes, first, True, axis=1)
    counted = Evidence.from_votes(0, votes, given.predictions)
    assert given.counts.tolist() == counted.counts.tolist()
    as_votes = certify(vote, counted, asked)
    assert 0 < as_points.radius_for(1) < as_votes.radius_for(1)


def test_evidence_of_points_merges_in_any_order_and_not_with_votes() -> None:
    plan = points_plan("linear", 4)
    whole = points_evidence(plan, PICTURE, 60)
    rows = [points_evidence(plan, PICTURE, n) for n in (20, 60)]
    assert rows[1].digest() == whole.digest() != rows[0].digest()
    law, key = table(plan.recipe.noise), int(plan.key, 16)
    noise = np.stack([draw(law, key, s, 6) for s in range(20, 60)])
    ranks = np.argsort(np.argsort(-(PICTURE + noise), axis=1, kind="stable"), axis=1)
    rest = Evidence.from_points(20, plan.points[ranks], np.zeros(40, np.int32))
    assert rest.merge(rows[0]).digest() == rows[0].merge(rest).digest() == whole.digest()
    with pytest.raises(ValueError, match="votes and of points"):
        whole.merge(Evidence.empty(6))
    with pytest.raises(ValueError, match="fit the recipe's score"):
        certify(points_plan("vote", 3), whole, QUESTION)


def document(plan: Plan, evidence: Evidence) -> dict[str, object]:
    return composed(plan, QUESTION, evidence, radius=0.05)


def test_a_document_of_points_verifies_and_says_so() -> None:
    plan = points_plan("sigmoid", 3)
    made = document(plan, points_evidence(plan, PICTURE, 500))
    report = verify(dumps(made))
    assert report.holds, report.checks
    assert any("sigmoid points for their rank" in line for line in report.words)
    assert not any("undecided" in line for line in report.words)


@pytest.mark.parametrize("part", ["counts", "squares"])
def test_points_that_no_samples_can_have_given_do_not_hold(part: str) -> None:
    plan = points_plan("linear", 5)
    evidence = points_evidence(plan, PICTURE, 500)
    forged = replace(evidence, **{part: getattr(evidence, part) + np.array([9, 0, 0, 0, 0, 0])})
    made = document(plan, evidence)
    made["evidence"] = {
        **made["evidence"],  # type: ignore[dict-item]
        part: getattr(forged, part).tolist(),
        "sha256": forged.digest(),
    }
    report = verify(dumps(made))
    assert not report.holds
    assert [check.name for check in report.checks if not check.holds] == ["points"]


def test_futility_is_never_claimed_for_points() -> None:
    plan = points_plan("linear", 5)
    assert favourable(plan, points_evidence(plan, PICTURE, 50), QUESTION) is None


def test_the_score_is_part_of_the_record() -> None:
    assert asdict(points_plan("linear", 5).recipe)["score"] == "linear"
    with pytest.raises(ValueError, match="score is 'borda'"):
        points_plan("borda", 5)
