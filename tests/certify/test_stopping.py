"""Stopping: fixed places to look, and nothing is called hopeless that some outcome could prove."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.certificate import Certificate, certify
from certify.confidence import METHODS, ONE, lower_bounds
from certify.document import Asked
from certify.evidence import VOTES_FEATURES, Evidence
from certify.noise import Gaussian, GeneralizedNormal, Laplace, Law
from certify.pairwise import pair_radii
from certify.plan import Plan, Question, Recipe
from certify.stopping import (
    Ending,
    checkpoints,
    ending,
    favourable,
    increments_rise,
    proves,
    wanted,
)

MakePlan = Callable[..., Plan]
# A failure probability at which so few samples prove something.
LOOSE = Question(k=2, samples=12, failure_probability=0.9, confidence="anytime", norm="2")
BUDGET = Question(k=3, samples=1000, failure_probability=0.01, confidence="anytime", norm="2")


def votes_for(rows: list[tuple[int, ...]], features: int) -> Evidence:
    votes = np.zeros((len(rows), features), bool)
    for row, chosen in enumerate(rows):
        votes[row, list(chosen)] = True
    return Evidence.from_votes(0, votes, np.zeros(len(rows), np.int32))


def drawn(samples: int, noise: float, features: int = 9, k: int = 3) -> Evidence:
    """Samples that mostly vote for the first k; the more noise the less."""
    generator = np.random.Generator(np.random.Philox(key=7))
    scores = -np.arange(features) + noise * generator.standard_normal((samples, features))
    order = np.argsort(-scores, axis=1)[:, :k]
    return votes_for([tuple(row) for row in order.tolist()], features)


@pytest.mark.parametrize("samples", [1, 63, 64, 65, 512, 577, 1000, 100_000])
def test_places_to_look_ascend_to_the_budget(samples: int) -> None:
    found = checkpoints(samples)
    assert found[-1] == samples
    assert all(a < b for a, b in pairwise(found))
    assert all(at % 64 == 0 for at in found[:-1])
    # Waiting for the next place costs at most 64 samples or an eighth of what is drawn.
    assert all(b - a <= max(64, a / 8) for a, b in pairwise((0, *found)))


def test_places_to_look_do_not_depend_on_the_budget() -> None:
    assert checkpoints(5000)[:20] == checkpoints(100_000)[:20]
    assert len(checkpoints(100_000)) < 60


def test_there_are_no_places_without_samples() -> None:
    with pytest.raises(ValueError, match="samples is 0; it must be at least 1"):
        checkpoints(0)


@pytest.mark.parametrize("failure", [0.5, 0.05, 1e-6])
def test_a_vote_in_favour_never_loosens_a_bound(failure: float) -> None:
    """The lemma behind futility: L(S, n) ≤ L(S + 1, n + 1), so the whole budget is the best."""
    guess = METHODS["anytime"].guess
    lower = {
        n: np.concatenate([[0.0], guess(np.arange(1.0, n + 1), n, failure)]) for n in range(1, 120)
    }
    for n in range(1, 119):
        assert (lower[n] <= lower[n + 1][1:] + 1e-12).all()


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 97, 1000, 10_000, 100_000])
@pytest.mark.parametrize("failure", [0.9, 0.05, 1e-6, 1e-12])
def test_one_vote_more_is_worth_no_less_than_the_one_before(samples: int, failure: float) -> None:
    """What the lemma about lined-up votes asks of the bound."""
    assert increments_rise(samples, failure)


@pytest.mark.parametrize("law", [Gaussian(0.25), Laplace(0.25), GeneralizedNormal(0.25, 6)])
@pytest.mark.parametrize("failure", [0.5, 1e-3])
def test_lined_up_votes_suit_a_pair_best(law: Law, failure: float) -> None:
    """The lemma's conclusion, for every difference and every number of votes against it."""
    samples = 40
    lower = lower_bounds(
        np.arange(samples + 1), samples, "anytime", Fraction(failure), Fraction(1, 10**9)
    )
    for difference in range(1, samples + 1):
        against = np.arange((samples - difference) // 2 + 1)
        radii = pair_radii(lower[against + difference], ONE - lower[samples - against], law)
        assert (radii <= radii[0] + 1).all()


def test_nothing_is_called_futile_where_the_lemma_does_not_hold(
    make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, evidence = make_plan(9, votes=3), drawn(100, 1.0)
    assert favourable(plan, evidence, BUDGET) is not None
    monkeypatch.setattr("certify.stopping.increments_rise", lambda samples, failure: False)
    assert favourable(plan, evidence, BUDGET) is None


@pytest.fixture(scope="module")
def planned() -> MakePlan:
    """Plans by features and votes, for tests of many examples."""

    def made(features: int, votes: int) -> Plan:
        recipe = Recipe("gaussian", 2, 0.25, "gradient", 1, votes, 8, "float32")
        digest = "0" * 64
        return Plan("none", digest, digest, 1, features, 1, 0, recipe, "0" * 32)

    return made


OUTCOMES = list(combinations(range(4), 2))


@settings(max_examples=6)
@given(rows=st.lists(st.sampled_from(OUTCOMES), min_size=9, max_size=10))
def test_no_outcome_of_what_is_left_proves_more_than_the_favourable_one(
    rows: list[tuple[int, ...]], planned: MakePlan
) -> None:
    """Every way in which two samples can vote, and every number of them drawn."""
    plan, left = planned(4, votes=2), 2
    budget = replace(LOOSE, samples=len(rows) + left)
    best = favourable(plan, votes_for(rows, 4), budget)
    assert best is not None
    for more in range(left + 1):
        for rest in product(OUTCOMES, repeat=more):
            found = certify(plan, votes_for([*rows, *rest], 4), budget)
            for point in found.curve:
                assert point.radius <= best.radius_for(point.at_least) + 1e-7


@settings(max_examples=30)
@given(
    drawn_rows=st.integers(5, 60),
    left=st.integers(1, 200),
    noise=st.floats(0.5, 4),
    seed=st.integers(0, 2**32),
)
def test_random_completions_never_beat_the_favourable_one(
    drawn_rows: int, left: int, noise: float, seed: int, planned: MakePlan
) -> None:
    generator = np.random.Generator(np.random.Philox(key=seed))
    slope = generator.uniform(0, 2) * np.arange(7)
    scores = noise * generator.standard_normal((drawn_rows + left, 7))
    scores[:drawn_rows] -= slope
    # What is left may agree with what was drawn, or be a landslide for others.
    scores[drawn_rows:] -= 5 * generator.permutation(7) * generator.choice([0, 1])
    rows = [tuple(row) for row in np.argsort(-scores, axis=1)[:, :3].tolist()]
    plan = planned(7, votes=3)
    budget = replace(BUDGET, samples=len(rows), failure_probability=0.2)
    best = favourable(plan, votes_for(rows[:drawn_rows], 7), budget)
    found = certify(plan, votes_for(rows, 7), budget)
    assert best is not None
    assert all(p.radius <= best.radius_for(p.at_least) + 1e-7 for p in found.curve)
    assert found.prediction.radius <= best.prediction.radius


def test_the_favourable_outcome_can_happen(make_plan: MakePlan) -> None:
    """With as many votes as features reported the bound is attained: unanimity so far and on."""
    plan, unanimous = make_plan(9, votes=3), votes_for([(0, 1, 2)] * 200, 9)
    best = favourable(plan, votes_for([(0, 1, 2)] * 50, 9), replace(BUDGET, samples=200))
    assert best is not None
    same = certify(plan, unanimous, replace(BUDGET, samples=200))
    assert best.curve == same.curve and best.prediction == same.prediction


def test_fewer_votes_than_k_are_never_called_hopeless(make_plan: MakePlan) -> None:
    plan = make_plan(9, votes=2)
    asked = Asked(1.0, 50.0, "proven")
    evidence = drawn(100, 3.0, k=2)
    assert favourable(plan, evidence, BUDGET) is None
    assert ending(plan, evidence, BUDGET, asked, certify(plan, evidence, BUDGET)) is None


def test_counts_alone_suffice(make_plan: MakePlan) -> None:
    features = VOTES_FEATURES + 2
    plan = replace(make_plan(features // 2, votes=3), height=2)
    best = favourable(plan, votes_for([(0, 1, 2)] * 50, features), replace(BUDGET, samples=400))
    assert best is not None and best.reported == (0, 1, 2)
    assert best.curve[-1].radius > 0


def judged(plan: Plan, evidence: Evidence, question: Question, asked: Asked) -> Ending | None:
    return ending(plan, evidence, question, asked, certify(plan, evidence, question))


def test_a_claim_ends_sampling_when_it_is_proven_and_not_before(make_plan: MakePlan) -> None:
    plan, asked = make_plan(9, votes=3), Asked(1.0, 0.24, "proven")
    ended = [judged(plan, drawn(n, 0.5), BUDGET, asked) for n in (64, 128, 192, 256, 320)]
    assert ended == [None, None, *[Ending("proven")] * 3]
    radii = [certify(plan, drawn(n, 0.5), BUDGET).radius_for(3) for n in (128, 192)]
    assert radii[0] < 0.24 <= radii[1]


def test_a_claim_out_of_reach_ends_sampling_and_says_what_was_in_reach(
    make_plan: MakePlan,
) -> None:
    plan, asked, evidence = make_plan(9, votes=3), Asked(1.0, 0.4, "proven"), drawn(640, 3.0)
    found, best = judged(plan, evidence, BUDGET, asked), favourable(plan, evidence, BUDGET)
    assert found is not None and best is not None
    assert found.reason == "futile"
    assert found.could_keep == best.at_least_within(0.4) < 3
    assert 0 < found.could_radius == best.radius_for(3) < 0.4
    # A little less than what is in reach is not given up.
    within = Asked(1.0, found.could_radius * 0.9999, "proven")
    assert judged(plan, evidence, BUDGET, within) is None


def test_a_spent_budget_ends_sampling(make_plan: MakePlan) -> None:
    plan, evidence = make_plan(9, votes=3), drawn(100, 1.0)
    found = judged(plan, evidence, replace(BUDGET, samples=100), Asked(1.0, 0.5, "proven"))
    assert found == Ending("spent")


def test_whoever_does_not_ask_to_stop_gets_every_sample(make_plan: MakePlan) -> None:
    plan, evidence = make_plan(9, votes=3), drawn(640, 0.2)
    assert judged(plan, evidence, BUDGET, Asked(1.0, 0.01)) is None
    assert judged(plan, evidence, BUDGET, Asked(1.0, 10.0)) is None


def test_a_claim_needs_overlap_and_radius() -> None:
    for overlap, radius in ((0.5, 0.0), (0.0, 0.1), (0.0, 0.0)):
        with pytest.raises(ValueError, match="stop is 'proven'; it must be never unless"):
            Asked(overlap, radius, "proven")
    with pytest.raises(ValueError, match="stop is 'soon'; it must be one of never, proven"):
        Asked(0.5, 0.1, "soon")


def test_what_was_asked_is_what_is_judged(make_plan: MakePlan) -> None:
    plan, evidence = make_plan(9, votes=3), drawn(400, 0.5)
    found: Certificate = certify(plan, evidence, BUDGET)
    full = found.radius_for(3)
    assert [wanted(Asked(overlap, 0.1), found) for overlap in (1.0, 0.6, 0.5, 0.01)] == [3, 2, 2, 1]
    assert proves(Asked(1.0, full), found) and not proves(Asked(1.0, full + 1e-6), found)
    assert proves(Asked(0.3, full + 1e-6), found)
    assert not proves(Asked(0.0, found.curve[-1].radius + 1e-6), found)
