"""Words: sentences hold the numbers proven; an abstention never sounds like a claim."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.certificate import certify
from certify.document import Asked, dumps
from certify.evidence import Evidence
from certify.reading import Document, loads
from certify.stopping import Ending
from certify.wording import (
    answer,
    claim,
    confidence,
    ended,
    exactly,
    joint,
    size_in_grey_levels,
    summary,
    together,
)


@pytest.fixture(scope="module")
def read(document: dict[str, Any]) -> Document:
    return loads(dumps(document))


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (0.001, "99.9 %"),
        (0.05, "95 %"),
        (1e-6, "99.9999 %"),
        (1e-12, "1 − 1e-12"),
        (0.123456789012345, "87.6543210987655 %"),
        (1e-300, "1 − 1e-300"),
    ],
)
def test_confidence_is_a_percentage_without_binary_dust(failure: float, words: str) -> None:
    assert confidence(failure) == words


def test_an_asked_radius_answers_with_a_number(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    best = found.curve[-1].radius
    assert answer(Asked(0.0, best / 2), found)[1] == best / 2
    assert answer(Asked(0.0, best + 1e-6), found) == (0, best + 1e-6)


def test_an_asked_overlap_answers_with_a_radius(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    assert answer(Asked(1.0, 0.0), found) == (3, found.radius_for(3))
    assert answer(Asked(0.6, 0.0), found) == (2, found.radius_for(2))
    assert answer(Asked(0.0, 0.0), found) == (2, found.radius_for(2))


def test_the_claim_in_words() -> None:
    assert claim(31, 0.05, 39, 0.001) == (
        "At least 31 of the 39 most important regions stay the most important under any change of "
        "ℓ2 size 0.05; confidence 99.9 %."
    )


@pytest.mark.parametrize(("kept", "radius"), [(0, 0.05), (20, 0.0)])
def test_an_abstention_is_no_claim(kept: int, radius: float) -> None:
    words = claim(kept, radius, 39, 0.001)
    assert words.startswith("Nothing is proven")
    assert "confidence" not in words


def test_nothing_proven_says_what_would_help(read: Document) -> None:
    nothing = certify(read.plan, Evidence.empty(6), read.question)
    asked = Asked(0.5, 0.0)
    lines = summary(read.plan, read.question, asked, nothing, "x")
    assert lines[1] == "More samples, larger noise or larger cells may prove something."
    assert lines[2].startswith("Class 0 (x) is not certified")


def test_a_radius_too_large_says_how_far_proof_goes(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    lines = summary(read.plan, read.question, Asked(0.0, 5.0), found, "x")
    assert lines[0].startswith("Nothing is proven about how many")
    assert lines[1] == f"Nothing is proven beyond ℓ2 size {found.curve[-1].radius!r}."


def test_a_size_in_grey_levels(read: Document) -> None:
    plan = replace(read.plan, height=224, width=224, channels=3)
    words = size_in_grey_levels(0.1, plan)
    assert "25.5 grey levels in one value" in words
    assert "0.066 in all 150528 at once" in words


def test_class_and_regions_in_one_claim_reach_as_far_as_both(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    best, class_radius = found.radius_for(3), found.prediction.radius
    assert 0 < best < class_radius
    assert together(Asked(1.0, 0.0), found) == (3, best)
    sooner = replace(found, prediction=replace(found.prediction, radius=best / 2))
    assert together(Asked(1.0, 0.0), sooner) == (3, best / 2)
    # Where the class gives out first, more regions may be left than were asked for.
    assert together(Asked(0.0, found.radius_for(1)), sooner) == (3, best / 2)


def test_class_and_regions_are_claimed_together_only_if_both_are_proven(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    classless = replace(found, prediction=replace(found.prediction, radius=0.0, reason="split"))
    for asked in (Asked(0.0, 5.0), Asked(0.5, 5.0)):
        assert together(asked, found) is None
    for asked in (Asked(0.0, 0.0), Asked(0.5, 0.0), Asked(0.0, 0.1), Asked(0.5, 0.1)):
        assert together(asked, classless) is None
        lines = summary(read.plan, read.question, asked, classless, "six pixels")
        assert not any("for both together" in line for line in lines)


def test_the_summary_begins_with_class_and_regions(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    lines = summary(read.plan, read.question, Asked(0.0, 0.1), found, "six pixels")
    assert lines[0] == joint(3, 0.1, 3, "class 0 (six pixels)", 0.001)
    assert lines[0] == (
        "Under this noise the network keeps saying class 0 (six pixels) and at least 3 of the 3 "
        "most important regions stay the most important, both under any change of ℓ2 size 0.1; "
        "confidence 99.9 % for both together."
    )
    assert lines[1] == claim(3, 0.1, 3, 0.001)


def test_overlap_and_radius_together_are_proven_or_not(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    far = found.radius_for(3) + 1e-6
    assert answer(Asked(1.0, 0.1), found) == (3, 0.1)
    assert answer(Asked(1.0, far), found) == (found.at_least_within(far), far)
    lines = summary(read.plan, read.question, Asked(1.0, far), found, "x")
    assert any(
        line == f"Asked for at least 3 of 3 within ℓ2 size {far!r}: not proven; 3 stay within "
        f"{found.radius_for(3)!r}."
        for line in lines
    )
    proven = summary(read.plan, read.question, Asked(1.0, 0.1), found, "x")
    assert not any("not proven" in line for line in proven)


def test_the_end_of_sampling_is_said_with_its_numbers(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    budget = replace(read.question, samples=2000)
    assert ended(budget, found, Ending("proven")) == (
        "Sampling stopped after 500 of at most 2000 samples: the claim is proven."
    )
    assert ended(read.question, found, Ending("spent")) == (
        "All 500 samples were drawn; the claim is not proven."
    )
    assert ended(budget, found, Ending("futile", 2, 0.25)) == (
        "Sampling stopped after 500 samples: the most favourable votes in the remaining 1500 would "
        "not prove the claim; they would prove 2 of 3 there, the number asked for within 0.25."
    )
    assert "nothing there." in ended(budget, found, Ending("futile"))


def test_a_precision_other_than_float32_is_said(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    low = replace(read.plan, recipe=replace(read.plan.recipe, precision="bfloat16"))
    said = summary(low, read.question, Asked(0.0, 0.1), found, "x")
    assert any("The network computed in bfloat16" in line for line in said)
    plain = summary(read.plan, read.question, Asked(0.0, 0.1), found, "x")
    assert not any("computed in" in line for line in plain)


def test_strict_sampling_is_said(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    alone = replace(read.plan, recipe=replace(read.plan.recipe, lanes=1))
    strict = "Strict: the network saw each noisy picture alone."
    assert strict in summary(alone, read.question, Asked(0.0, 0.1), found, "x")
    assert strict not in summary(read.plan, read.question, Asked(0.0, 0.1), found, "x")


@given(units=st.integers(1, 10**9))
def test_no_radius_is_rounded_in_words(units: int) -> None:
    """0.1431566 was once said to be 0.143157: more than proven."""
    radius = float(Fraction(units, 10**7))
    assert Fraction(exactly(radius)) == Fraction(units, 10**7)
    assert f"ℓ2 size {exactly(radius)};" in claim(1, radius, 2, 0.001)


@given(failure=st.floats(1e-300, 0.999, exclude_min=True))
def test_confidence_never_claims_more_than_it_has(failure: float) -> None:
    words = confidence(failure)
    assert words != "100 %"
    if words.endswith("%"):
        assert Fraction(words[:-2]) / 100 == 1 - Fraction(repr(failure))
    else:
        assert words == f"1 − {failure!r}"
