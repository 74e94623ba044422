"""The whole OpenAPI document against a live server, by property: no 5xx, nothing undocumented.

Requests come from schemathesis: valid and invalid ones, odd headers, odd paths. Some of them are
given a real picture or the id of a real job, so that they also reach what lies behind the checks.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.service.served import served

ROOT = Path(__file__).parents[2]
PHOTO = sorted((ROOT / "tests/data/digits").glob("*.png"))[0]
MOST_SAMPLES = 200
DOCUMENT = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
load_all_checks()
HELD = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    ]
)

(SCHEMA,) = CHECKS.get_by_names(["response_schema_conformance"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real server with one real worker, the tiny network and few samples."""
    data = tmp_path_factory.mktemp("data")
    with served(data, AFFIDAVIT_MAX_SAMPLES=str(MOST_SAMPLES)) as url:
        yield url


@pytest.fixture(scope="module")
def job(server: str) -> str:
    """Id of a job that is done."""
    body = {"image": base64.b64encode(PHOTO.read_bytes()).decode(), "samples": 64}
    headers = {"prefer": "wait=60", "idempotency-key": "contract"}
    answer = httpx.post(f"{server}/v1/certify", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200
    return answer.headers["location"].rsplit("/", 1)[1]


def hold(case: Any, server: str, job: str) -> None:
    """Send the request and hold the answer against the document."""
    place = case.path_parameters or {}
    real = {"id": job, "name": "digits-tiny"}
    if len(str(case.body)) % 2:
        place.update({name: real[name] for name in place})
    if isinstance(case.body, dict):
        give_picture(case)
    answer = case.call(base_url=server, timeout=60)
    streamed = answer.headers.get("content-type", [""])[0].startswith("text/event-stream")
    # In OpenAPI 3.1 a stream is a text; the check would hold each event against its schema.
    case.validate_response(answer, checks=HELD, excluded_checks=[SCHEMA] if streamed else [])


def give_picture(case: Any) -> None:
    """A real picture instead of made-up text."""
    encoded = base64.b64encode(PHOTO.read_bytes()).decode()
    if "image" in case.body:
        case.body["image"] = PHOTO.read_bytes() if "form" in (case.media_type or "") else encoded
    for instance in case.body.get("instances") or []:
        if isinstance(instance, dict):
            instance["image"] = {"b64": encoded}


def hold_many(label: str, mode: GenerationMode, number: int, server: str, job: str) -> None:
    """So many requests to one operation, the same ones every time."""

    @settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(OPERATIONS[label].as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        hold(case, server, job)

    try:
        each()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "some request must be valid"


MODES = pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
EACH = pytest.mark.parametrize("label", OPERATIONS)


@MODES
@EACH
def test_no_request_gets_a_5xx_or_an_undocumented_answer(
    label: str, mode: GenerationMode, server: str, job: str
) -> None:
    hold_many(label, mode, 6, server, job)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@MODES
@EACH
def test_thousands_of_requests_get_neither(
    label: str, mode: GenerationMode, server: str, job: str
) -> None:
    hold_many(label, mode, 100, server, job)
