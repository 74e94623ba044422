"""The OpenAPI document: what breaks generated clients is not in it, what they need is."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from service.problems import KINDS

OPERATIONS = {
    "explain": "post /v1/explain",
    "certify": "post /v1/certify",
    "estimate": "post /v1/certify/estimate",
    "list_jobs": "get /v1/jobs",
    "show_job": "get /v1/jobs/{id}",
    "cancel_job": "delete /v1/jobs/{id}",
    "watch_job": "get /v1/jobs/{id}/events",
    "show_certificate": "get /v1/jobs/{id}/certificate",
    "list_models": "get /v1/models",
    "show_model": "get /v1/models/{name}",
    "verify": "post /v1/verify",
    "health": "get /healthz",
    "ready": "get /readyz",
    "show_metrics": "get /metrics",
    "show_regions": "get /v1/jobs/{id}/regions.png",
    "show_radii": "get /v1/jobs/{id}/radii.npy",
    "explain_instances": "post /v1/models/{name}:explain",
    "server_live": "get /v2/health/live",
    "server_ready": "get /v2/health/ready",
    "server_metadata": "get /v2",
    "model_metadata": "get /v2/models/{name}",
    "model_ready": "get /v2/models/{name}/ready",
}


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def strings(node: Any, key: str) -> Iterator[Any]:
    """Every value of `key`, anywhere below `node`."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from strings(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, key)


def test_operation_ids_are_stable_and_each_method_of_an_address_has_its_own(
    document: dict[str, Any],
) -> None:
    assert {op["operationId"]: where for where, op in operations(document)} == OPERATIONS
    assert len(list(operations(document))) == len(OPERATIONS)


def test_every_reference_leads_to_a_component_and_every_component_is_led_to(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    wanted = {
        reference.removeprefix("#/components/schemas/") for reference in strings(document, "$ref")
    }
    assert wanted <= set(schemas)
    assert set(schemas) == wanted
    assert [s.get("title") for s in schemas.values()] == list(schemas)


def test_errors_are_the_one_problem_component(document: dict[str, Any]) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for where, operation in operations(document):
        for status, response in operation["responses"].items():
            if status not in ("200", "202", "204"):
                assert response["content"] == {"application/problem+json": problem}, where
        assert {int(s) for s in operation["responses"]} - {200, 202, 204} <= {
            k.status for k in KINDS.values()
        }
    assert "ValidationError" not in str(document)


def test_nothing_from_later_versions_and_nothing_that_generators_stumble_over(
    document: dict[str, Any],
) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    for key in ("itemSchema", "prefixItems", "contentMediaType"):
        assert not list(strings(document, key))


@pytest.mark.parametrize(("name", "stem"), [("explain", "Explain"), ("certify", "Certify")])
def test_both_bodies_are_declared_and_differ_in_the_picture_only(
    document: dict[str, Any], name: str, stem: str
) -> None:
    content = dict(operations(document))[OPERATIONS[name]]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    schemas = document["components"]["schemas"]
    by_json, by_form = (schemas[f"{stem}{kind}"]["properties"] for kind in ("Request", "Upload"))
    assert by_json.pop("image")["contentEncoding"] == "base64"
    assert by_form.pop("image")["format"] == "binary"
    assert by_json == by_form
    assert all(field.get("description") for field in by_json.values())
    assert "image" in schemas[f"{stem}Request"]["required"]


def test_other_content_types_have_plain_schemas(document: dict[str, Any]) -> None:
    content = dict(operations(document))[OPERATIONS["certify"]]["responses"]["200"]["content"]
    assert set(content) == {
        "application/json",
        "image/png",
        "application/octet-stream",
        "text/event-stream",
    }
    for kind in ("image/png", "application/octet-stream"):
        assert content[kind]["schema"] == {"type": "string", "format": "binary"}
    assert content["text/event-stream"]["schema"]["type"] == "string"


def test_what_is_answered_is_declared(
    client: Any, picture: bytes, document: dict[str, Any]
) -> None:
    declared = {where: set(op["responses"]) for where, op in operations(document)}
    answers = [
        ("post /v1/certify", client.certify(picture, samples=64)),
        ("post /v1/certify", client.certify(picture, k=0)),
        ("post /v1/certify", client.certify(b"?")),
        ("post /v1/certify", client.certify(picture, model="?")),
        ("post /v1/certify", client.certify(picture, "text/html")),
        ("post /v1/certify/estimate", client.estimate()),
        ("post /v1/certify/estimate", client.estimate(k=0)),
        ("post /v1/certify/estimate", client.post("/v1/certify/estimate")),
        ("post /v1/explain", client.explain(picture, method="gradient")),
        ("post /v1/explain", client.post("/v1/explain")),
        ("post /v1/verify", client.post("/v1/verify")),
        ("get /v1/models/{name}", client.get("/v1/models/x")),
        ("get /readyz", client.get("/readyz")),
    ]
    for where, response in answers:
        assert str(response.status_code) in declared[where], where
