"""Everything that can go wrong for a caller, as RFC 9457 problem documents.

KINDS is the closed list of problem types: slug, status, title. A type never changes its meaning.
Each entry of `errors` names the field, the value that came, the rule it breaks and what to do.
docs/operating.md has one row for each; a test compares the two.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:affidavit:problem:"
LONGEST_VALUE = 80


@dataclass(frozen=True)
class Kind:
    """One problem type: its HTTP status and a title that is the same each time it occurs."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "malformed-body": Kind(400, "The request body cannot be read"),
        "empty-body": Kind(400, "The request body is empty"),
        "unauthorized": Kind(401, "A key is needed, and this is none"),
        "not-found": Kind(404, "There is nothing at this address"),
        "unknown-model": Kind(404, "No such model"),
        "unknown-job": Kind(404, "No such job"),
        "method-not-allowed": Kind(405, "This address does not take that method"),
        "not-acceptable": Kind(406, "None of the accepted content types is on offer"),
        "too-slow": Kind(408, "The request took too long to arrive"),
        "job-not-done": Kind(409, "The job has no certificate"),
        "job-outdated": Kind(409, "The job was accepted by another version of the service"),
        "body-too-large": Kind(413, "The request body is too large"),
        "unsupported-content-type": Kind(415, "The content type of the body is not supported"),
        "invalid-parameters": Kind(422, "A parameter breaks its rule"),
        "bad-image": Kind(422, "The picture cannot be used"),
        "too-few-samples": Kind(422, "No outcome of so few samples could prove what is asked"),
        "idempotency-mismatch": Kind(422, "Another request had this Idempotency-Key"),
        "queue-full": Kind(429, "Enough samples are waited for already"),
        "quota-exceeded": Kind(429, "The key has no samples left"),
        "too-many-requests": Kind(429, "Enough requests are being answered already"),
        "internal-error": Kind(500, "The service failed; this is our fault"),
        "workers-unavailable": Kind(503, "No worker can take the request right now"),
        "out-of-memory": Kind(503, "The device has too little memory for one batch of this"),
        "model-unavailable": Kind(503, "The weights of this model are not on this server"),
        "verifier-busy": Kind(503, "Enough documents are being verified already"),
        "took-too-long": Kind(504, "The answer took longer than a request may wait"),
    }
)


class Fault(BaseModel):
    """One thing that is wrong: which field, the value that came, the rule, and what to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(description="name of the field, header or part")
    value: str = Field(description="the value that came, shortened and made printable")
    rule: str = Field(description="the rule that it breaks")
    advice: str = Field(description="what to do about it")


class Problem(BaseModel):
    """Every error answer of this service, as application/problem+json (RFC 9457)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(description="stable name of the problem, urn:affidavit:problem:…")
    title: str = Field(description="the type in words, the same every time")
    status: int = Field(description="HTTP status", ge=400, le=599)
    detail: str = Field(description="what happened this time, in one sentence")
    errors: list[Fault] = Field(description="each fault by field; empty if no field is to blame")


@dataclass
class ProblemError(Exception):
    """A problem on its way to the caller; `kind` is a key of KINDS."""

    kind: str
    detail: str
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    @property
    def status(self) -> int:
        """HTTP status of this kind of problem."""
        return KINDS[self.kind].status

    def problem(self) -> Problem:
        """The document to send."""
        return Problem(
            type=PREFIX + self.kind,
            title=KINDS[self.kind].title,
            status=self.status,
            detail=self.detail,
            errors=list(self.faults),
        )

    def response(self) -> Response:
        """The HTTP answer."""
        body = self.problem().model_dump_json()
        return Response(body, self.status, dict(self.headers), media_type=MEDIA_TYPE)


def shown(value: object) -> str:
    """`value` for an error message: printable, one line, at most LONGEST_VALUE characters."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = value if isinstance(value, str) else _plain(value)
    safe = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: LONGEST_VALUE + 1]
    )
    return safe if len(safe) <= LONGEST_VALUE else safe[: LONGEST_VALUE - 1] + "…"


def _plain(value: object) -> str:
    if isinstance(value, dict | list) and len(value) > LONGEST_VALUE:
        return f"{type(value).__name__} of {len(value)} items"
    try:
        return json.dumps(value, default=repr, ensure_ascii=False)
    except (RecursionError, ValueError):
        return f"a value of type {type(value).__name__}"


def fault(name: str, value: object, rule: str, advice: str) -> Fault:
    """One fault, its name and value made safe to show."""
    return Fault(field=shown(name), value=shown(value), rule=rule, advice=advice)


def refuse(kind: str, *faults: Fault) -> ProblemError:
    """A problem whose detail says the first fault in a sentence and counts the others."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ProblemError(
        kind, f"{first.field} is {first.value or 'empty'}: {first.rule}{more}", faults
    )
