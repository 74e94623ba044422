"""The OpenAPI 3.1 document, made so that client generators understand it.

Bodies are parsed by hand, so they are declared by hand: every schema is a named component, errors
are the one `Problem`, binary answers have a binary schema, event streams are plain strings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service import kserve_schemas, problems, results, schemas
from service.edge.gate import OPEN
from service.edge.negotiation import EVENTS, JSON, NPY, PNG
from service.jobs.resources import Job, JobList

REFERENCE = "#/components/schemas/"
COMPONENTS: Sequence[type[BaseModel]] = (
    problems.Problem,
    schemas.ExplainRequest,
    schemas.ExplainUpload,
    results.ExplainAnswer,
    schemas.CertifyRequest,
    schemas.CertifyUpload,
    results.CertifyAnswer,
    schemas.EstimateRequest,
    schemas.EstimateUpload,
    results.EstimateAnswer,
    results.Progress,
    Job,
    JobList,
    results.ModelList,
    results.ModelCard,
    results.VerifyAnswer,
    results.Alive,
    results.Ready,
    *kserve_schemas.COMPONENTS,
)
POSTED = (
    "malformed-body",
    "empty-body",
    "too-slow",
    "not-acceptable",
    "body-too-large",
    "unsupported-content-type",
    "invalid-parameters",
)
JUDGED = (*POSTED, "unknown-model", "bad-image")
SAMPLED = (
    *JUDGED,
    "queue-full",
    "quota-exceeded",
    "model-unavailable",
    "workers-unavailable",
    "out-of-memory",
)
AT_THE_GATE = ("unauthorized", "too-many-requests")
WAITING = {
    "Prefer": {
        "schema": {"type": "string", "example": "respond-async, wait=10"},
        "description": "RFC 7240. respond-async: make it a job that outlives this request. "
        "wait=N: wait so many seconds; what takes longer is then a job",
    },
    "Idempotency-Key": {
        "schema": {"type": "string", "maxLength": 255},
        "description": "makes it a job; the same request with the same key is the same job",
    },
}
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "the caller's key, where the operator has given out keys",
}
REQUEST_ID = {
    "X-Request-Id": {
        "schema": {"type": "string", "maxLength": 64},
        "description": "names the request in logs, if plain: letters, digits, and . _ -",
    }
}
BINARY = {"type": "string", "format": "binary"}
STREAM = {
    "type": "string",
    "description": "server-sent events: `progress` (component Progress) as samples are drawn, then "
    "`result` (component CertifyAnswer) or `problem` (component Problem)",
}
CONTENT: Mapping[str, Mapping[str, Any]] = {PNG: BINARY, NPY: BINARY, EVENTS: STREAM}


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A $ref to the component of this model."""
    return {"$ref": REFERENCE + model.__name__}


def body(kinds: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """The requestBody of a route whose body is one of these, by content type."""
    content = {kind: {"schema": reference(model)} for kind, model in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


def answers(
    model: type[BaseModel], says: str, also: Sequence[str] = (), refusals: Sequence[str] = ()
) -> dict[int | str, dict[str, Any]]:
    """The responses of a route: `model` as JSON, other content types, and problem types."""
    content = {JSON: {"schema": reference(model)}}
    content |= {kind: {"schema": dict(CONTENT[kind])} for kind in also}
    return _refused({200: {"description": says, "content": content}}, refusals)


def streamed(says: str, refusals: Sequence[str] = ()) -> dict[int | str, dict[str, Any]]:
    """The responses of a route that answers server-sent events."""
    content = {EVENTS: {"schema": {"type": "string", "description": says}}}
    told = {"description": says, "content": content}
    return _refused({200: told, 204: {"description": "Nothing more"}}, refusals)


def file(kind: str, says: str, refusals: Sequence[str] = ()) -> dict[int | str, dict[str, Any]]:
    """The responses of a route that answers one binary content type."""
    content = {kind: {"schema": dict(BINARY)}}
    return _refused({200: {"description": says, "content": content}}, refusals)


def text(kind: str, says: str) -> dict[int | str, dict[str, Any]]:
    """The responses of a route that answers plain text."""
    content = {kind.partition(";")[0]: {"schema": {"type": "string"}}}
    return _refused({200: {"description": says, "content": content}}, ())


def later(made: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """`made`, and that the answer may come later: 202, and where the job is."""
    where = {"description": "where the job is", "schema": {"type": "string"}}
    applied = {"description": "which preferences were heeded", "schema": {"type": "string"}}
    job = {
        "description": "It takes longer: a job",
        "headers": {"Location": where, "Preference-Applied": applied},
        "content": {JSON: {"schema": reference(Job)}},
    }
    return {**made, 202: job}


def parameters(place: str, known: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Optional parameters of a route, in its query or header."""
    return [{"name": name, "in": place, "required": False, **says} for name, says in known.items()]


def _refused(
    made: dict[int | str, dict[str, Any]], refusals: Sequence[str]
) -> dict[int | str, dict[str, Any]]:
    """`made`, with the problems that there are besides."""
    for kind in (*refusals, "internal-error"):
        status = problems.KINDS[kind].status
        made.setdefault(status, _problem())
        made[status]["description"] = "; ".join(
            problems.KINDS[other].title
            for other in (*refusals, "internal-error")
            if problems.KINDS[other].status == status
        )
    return made


def _problem() -> dict[str, Any]:
    return {"content": {problems.MEDIA_TYPE: {"schema": reference(problems.Problem)}}}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`, built once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        made["servers"] = [{"url": "/"}]
        made.setdefault("components", {})["schemas"] = _schemas()
        made["components"]["securitySchemes"] = {"key": KEY}
        # With a key where the operator wants one, else without.
        made["security"] = [{"key": []}, {}]
        for address, path in made["paths"].items():
            for operation in path.values():
                _tidy(operation)
                if address not in OPEN:
                    _gated(operation["responses"])
                _name(operation)
        app.openapi_schema = made
    return app.openapi_schema


def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(model, "validation") for model in COMPONENTS], ref_template=REFERENCE + "{model}"
    )
    found: dict[str, Any] = definitions["$defs"]
    return dict(sorted(found.items()))


def _gated(responses: dict[str, Any]) -> None:
    """What the gate may answer in place of any route behind it."""
    for kind in AT_THE_GATE:
        found = problems.KINDS[kind]
        response = responses.setdefault(str(found.status), {"description": "", **_problem()})
        told = (response["description"], found.title)
        response["description"] = "; ".join(filter(None, told))


def _tidy(operation: dict[str, Any]) -> None:
    """Take out what FastAPI adds by itself: its own validation error."""
    automatic = REFERENCE + "HTTPValidationError"
    responses = operation["responses"]
    for status, response in list(responses.items()):
        schema = response.get("content", {}).get(JSON, {}).get("schema", {})
        if schema.get("$ref") == automatic:
            del responses[status]


def _name(operation: dict[str, Any]) -> None:
    """Say that requests may be named. Python's generator also needs it: where a body is of one of
    several types and nothing else may be left out, it forgets an import."""
    if "requestBody" in operation:
        given = operation.setdefault("parameters", [])
        operation["parameters"] = [*given, *parameters("header", REQUEST_ID)]
