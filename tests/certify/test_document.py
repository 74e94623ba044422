"""Documents: one byte string, nothing taken on trust, no change unnoticed."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.document import TYPE, VERSION, Subject, digest, dumps
from certify.evidence import Evidence
from certify.reading import loads

JSON = dict[str, Any]


def edited(document: JSON, path: str, value: object) -> bytes:
    """The document's bytes with one place changed."""
    copy = json.loads(dumps(document))
    *parents, last = [int(name) if name.isdigit() else name for name in path.split(".")]
    place = copy
    for name in parents:
        place = place[name]
    place[last] = value
    return json.dumps(copy).encode()


def test_reading_gives_back_what_was_written(document: JSON) -> None:
    read = loads(dumps(document))
    assert read.plan.features == 6
    assert read.evidence.digest() == read.evidence_digest == document["evidence"]["sha256"]
    assert read.stated == json.loads(dumps(document))["certificate"]
    assert (read.identifier, read.asked.radius, read.split.features) == ("test", 0.1, 0.7)


def test_canonical_bytes_are_one_whatever_the_order_of_fields(document: JSON) -> None:
    backwards = dict(reversed(document.items()))
    assert dumps(backwards) == dumps(document)
    assert digest(backwards) == digest(document)
    assert json.loads(dumps(document))["type"] == TYPE


def test_canonical_form_is_rfc_8785() -> None:
    """The number and ordering samples of RFC 8785, sections 3.2.2 and 3.2.3."""
    sample = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "literals": [None, True, False],
    }
    expected = b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}'
    assert dumps(sample) == expected


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("type", "other", "type is 'other'"),
        ("version", VERSION + 1, "version is 2"),
        ("version", True, "version is True"),
        ("identifier", 7, "identifier is 7"),
        ("surprise", 1, r"unknown fields is \['surprise'\]"),
        ("plan.surprise", 1, r"plan: unknown fields"),
        ("plan.recipe.law", "cauchy", "law is 'cauchy'; it must be one of gaussian"),
        ("plan.recipe.scale", 1e999, "scale is inf"),
        ("plan.recipe.votes", 6, "votes is 6; it must be fewer than the 6 features"),
        ("plan.recipe.cell", 4, "cell is 4; it must divide the height"),
        ("plan.height", 1.5, r"plan.height is 1.5; it must be a JSON int"),
        ("plan.target", -1, "target is -1"),
        ("plan.key", "XY", "key is 'XY'; it must be 32 lower-case hexadecimal digits"),
        ("question.k", True, r"question.k is True; it must be a JSON int"),
        ("question.failure_probability", 1.0, "failure_probability is 1.0; it must lie strictly"),
        ("question.failure_probability", 0.0, "failure_probability is 0.0; it must lie strictly"),
        ("question.confidence", "hope", "confidence is 'hope'"),
        ("split.features", 0.95, "sum of shares is"),
        ("asked.overlap", 2.0, "overlap is 2.0"),
        ("subject.key_source", "luck", "key_source is 'luck'"),
        ("software", {"torch": 2}, "hold texts only"),
        ("evidence.features", 0, r"evidence.features is 0"),
        ("evidence.features", 7, "must"),
        ("evidence.ranges", [[0, 500], [400, 600]], "must"),
        ("evidence.ranges", [[500, 0]], "must"),
        ("evidence.ranges", [[0]], "pairs"),
        ("evidence.counts", [1, 2], "shape of counts"),
        ("evidence.counts", [-1] * 6, "whole numbers"),
        ("evidence.votes", None, "base64 text"),
        ("evidence.votes", "!!!", "not base64"),
        ("evidence.votes", base64.b64encode(b"12").decode(), r"size of evidence.votes is 2"),
        ("evidence.predictions", base64.b64encode(b"1234").decode(), "shape of predictions"),
    ],
)
def test_each_rule_is_named_when_broken(
    document: JSON, path: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        loads(edited(document, path, value).replace(b"Infinity", b"1e999"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value"),
        (b"[]", "document is 'list'; it must be a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"type": 1, "type": 2}', r"fields given twice is \['type'\]"),
        (b'{"type": NaN}', "NaN, which is not JSON"),
        (b"{}", "missing fields"),
    ],
)
def test_bytes_that_are_no_document(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loads(data)


@given(data=st.binary(max_size=300))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(ValueError):
        loads(data)


@settings(max_examples=300)
@given(place=st.integers(0, 10**9), byte=st.integers(0, 255))
def test_a_changed_byte_raises_nothing_else(document: JSON, place: int, byte: int) -> None:
    data = bytearray(dumps(document))
    data[place % len(data)] = byte
    try:
        loads(bytes(data))
    except ValueError as error:
        assert str(error)


def test_evidence_without_single_votes_reads_back() -> None:
    from certify.document import _evidence_json
    from certify.reading import _evidence

    votes = np.zeros((2, 5000), bool)
    votes[:, :3] = True
    evidence = Evidence.from_votes(0, votes, np.array([1, 2], np.int32))
    assert _evidence(_evidence_json(evidence)).digest() == evidence.digest()


def test_a_subject_says_who_chose_the_key() -> None:
    with pytest.raises(ValueError, match="key_source is 'me'; it must be one of service, request"):
        Subject("f", "d", "l", "me")
