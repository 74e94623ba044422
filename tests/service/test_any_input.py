"""Whatever is sent: no body, however strange, breaks the server."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.schemas import CertifyParameters
from tests.service.bad_input import IMAGE

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from([*CertifyParameters.model_fields, "method", "image", "x"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["/v1/explain", "/v1/certify", "/v1/verify"]),
    fields=st.dictionaries(NAMES, JSON_VALUES, max_size=5),
    sound=st.booleans(),
)
def test_no_json_body_ever_breaks_the_server(
    client: Any, path: str, fields: dict[str, Any], sound: bool
) -> None:
    base = {"model": "digits-tiny", "image": IMAGE, "samples": 64} if sound else {}
    response = client.post(
        path,
        content=json.dumps(base | fields),
        headers={"content-type": "application/json"},
    )
    assert response.status_code < 500, (fields, response.text)
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=b"]),
)
def test_no_bytes_ever_break_the_server(client: Any, body: bytes, kind: str) -> None:
    if kind.endswith("=b"):
        body = b"--b\r\n" + body + b"\r\n--b--"
    response = client.post("/v1/certify", content=body, headers={"content-type": kind})
    assert 400 <= response.status_code < 500
