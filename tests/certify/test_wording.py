"""Words: sentences hold the numbers proven; an abstention never sounds like a claim."""

from dataclasses import replace
from typing import Any

import pytest

from certify.certificate import certify
from certify.document import Asked, dumps
from certify.evidence import Evidence
from certify.reading import Document, loads
from certify.wording import answer, claim, confidence, size_in_grey_levels, summary


@pytest.fixture(scope="module")
def read(document: dict[str, Any]) -> Document:
    return loads(dumps(document))


@pytest.mark.parametrize(
    ("failure", "words"), [(0.001, "99.9 %"), (0.05, "95 %"), (1e-6, "99.9999 %")]
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
    assert lines[2].startswith("The class x is not certified")


def test_a_radius_too_large_says_how_far_proof_goes(read: Document) -> None:
    found = certify(read.plan, read.evidence, read.question)
    lines = summary(read.plan, read.question, Asked(0.0, 5.0), found, "x")
    assert lines[1] == f"Nothing is proven beyond ℓ2 size {found.curve[-1].radius:g}."


def test_a_size_in_grey_levels(read: Document) -> None:
    plan = replace(read.plan, height=224, width=224, channels=3)
    words = size_in_grey_levels(0.1, plan)
    assert "25.5 grey levels in one value" in words
    assert "0.066 in all 150528 at once" in words
