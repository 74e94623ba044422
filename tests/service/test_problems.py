"""Problems: the closed list, what is shown of a value, what an unforeseen failure gives away."""

import json
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.images import BadImage
from service.failures import as_problem
from service.pool.pools import ModelUnavailable, WorkerLost, WorkFailed, WorkRefused
from service.problems import KINDS, LONGEST_VALUE, ProblemError, fault, refuse, shown

MANUAL = Path(__file__).parents[2] / "docs" / "operating.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \|", re.MULTILINE)


def test_the_manual_has_one_row_for_each_problem_type() -> None:
    listed = {name: int(status) for name, status in ROW.findall(MANUAL.read_text())}
    assert listed == {name: kind.status for name, kind in KINDS.items()}


def test_a_problem_on_the_wire_is_rfc_9457() -> None:
    error = refuse(
        "invalid-parameters",
        fault("k", 0, "it must be at least 1", "raise k"),
        fault("cell", 7, "it must divide 224", "choose 8"),
    )
    response = error.response()
    assert response.status_code == 422
    assert response.media_type == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "urn:affidavit:problem:invalid-parameters",
        "title": KINDS["invalid-parameters"].title,
        "status": 422,
        "detail": "k is 0: it must be at least 1 (and 1 more)",
        "errors": [
            {"field": "k", "value": "0", "rule": "it must be at least 1", "advice": "raise k"},
            {"field": "cell", "value": "7", "rule": "it must divide 224", "advice": "choose 8"},
        ],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("a\nb\x00\x1b[31m", "a\ufffdb\ufffd\ufffd[31m"),
        ("\ud800", "\ufffd"),
        (b"\x00" * 9, "9 bytes"),
        (float("nan"), "NaN"),
        ([0] * 100, "list of 100 items"),
        pytest.param(10**5000, "a value of type int", id="huge"),
        ("x" * 500, "x" * (LONGEST_VALUE - 1) + "…"),
    ],
)
def test_what_is_shown_of_a_value_is_short_and_printable(value: object, expected: str) -> None:
    assert shown(value) == expected


@given(st.recursive(st.text() | st.floats() | st.integers() | st.none(), st.lists))
def test_anything_can_be_shown(value: object) -> None:
    text = shown(value)
    assert len(text) <= LONGEST_VALUE
    assert text == "" or (text.encode() and text.isprintable())


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (WorkerLost("worker-0.1 was ended by SIGKILL"), "workers-unavailable", "SIGKILL"),
        (WorkRefused("plan anew"), "invalid-parameters", "plan anew"),
        (BadImage("depth", "16 bits", "8 bits only", "convert it"), "bad-image", "16 bits"),
        (ModelUnavailable("no file in /secret/path"), "model-unavailable", "lacks"),
        (WorkFailed("/secret/path"), "internal-error", "a worker failed"),
        (ZeroDivisionError("secret"), "internal-error", "the service failed"),
    ],
)
def test_each_failure_becomes_its_problem(
    error: Exception, kind: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        told = as_problem(error, 5)
    assert told.kind == kind
    assert says in told.detail
    assert "secret" not in told.problem().model_dump_json()


def test_a_lost_worker_says_when_to_come_back() -> None:
    assert as_problem(WorkerLost("gone"), 7).response().headers["retry-after"] == "7"


def test_an_unforeseen_failure_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    as_problem(ZeroDivisionError("the reason"), 5)
    assert "the reason" in caplog.text


def test_a_problem_reads_as_its_detail() -> None:
    assert str(ProblemError("not-found", "nothing here")) == "nothing here"
