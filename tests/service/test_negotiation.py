"""Content negotiation, by the rules of RFC 9110 section 12.5.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.edge.negotiation import EVENTS, JSON, NPY, PNG, choose
from service.problems import ProblemError

OFFERS = (JSON, PNG, NPY, EVENTS)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("image/png", PNG),
        ("IMAGE/PNG", PNG),
        ("image/*", PNG),
        ("text/event-stream", EVENTS),
        ("text/html, */*;q=0.1", JSON),
        ("application/json;q=0.2, image/png;q=0.9", PNG),
        ("application/*", JSON),
        ("application/octet-stream, application/json;q=0.5", NPY),
        # The most exact range decides, whatever a wider one says.
        ("application/*, application/json;q=0", NPY),
        ("*/*, application/json;q=0.1", PNG),
        ("image/png;q=nonsense, application/json;q=0.1", JSON),
        ("image/png ; q=0.5 , text/event-stream ; q=0.6", EVENTS),
    ],
)
def test_the_best_offer_is_chosen(accept: str | None, expected: str) -> None:
    assert choose(accept, OFFERS) == expected


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "nonsense", "image/png;q=2", "*/png"]
)
def test_what_is_not_on_offer_is_refused_by_name(accept: str) -> None:
    with pytest.raises(ProblemError) as refused:
        choose(accept, (JSON,))
    assert refused.value.kind == "not-acceptable"
    (fault,) = refused.value.faults
    assert (fault.field, fault.value) == ("Accept", accept)
    assert JSON in fault.rule


@given(st.text())
def test_no_header_breaks_it(accept: str) -> None:
    try:
        assert choose(accept, OFFERS) in OFFERS
    except ProblemError as refused:
        assert refused.kind == "not-acceptable"


def test_naming_the_type_of_problems_alone_leaves_the_answer_open() -> None:
    assert choose("application/problem+json", (NPY,)) == NPY
    assert choose(" application/problem+json ", (JSON, PNG)) == JSON
    assert choose("application/problem+json, image/png", (JSON, PNG)) == PNG
