"""The certificate document: what was done, the evidence, and what follows, as canonical JSON.

RFC 8785, so that one document has one byte string and one digest. The format is described in
docs/certificate.md; `certify.reading` reads it back. Fields are never removed and never change
meaning.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

from certify.certificate import Certificate, budget_of
from certify.evidence import Evidence
from certify.fields import require, require_line
from certify.plan import Plan, Question

TYPE = "affidavit/certificate"
VERSION = 1
KEY_SOURCES = ("service", "request")
STOPS = ("never", "proven")


@dataclass(frozen=True)
class Subject:
    """What a reader needs to recognise the picture; no claim rests on it.

    file: SHA-256 of the file as sent. decoder: library and version that made the array. label:
    the target class in words. key_source: "service" if the key was fresh, "request" if whoever
    asked chose it, which voids the confidence if they also chose the picture.
    """

    file: str
    decoder: str
    label: str
    key_source: str

    def __post_init__(self) -> None:
        for name in ("file", "decoder", "label"):
            require_line(getattr(self, name), name)
        known = self.key_source in KEY_SOURCES
        require(known, "key_source", self.key_source, f"be one of {', '.join(KEY_SOURCES)}")


@dataclass(frozen=True)
class Asked:
    """What the request wanted to know: an overlap, a radius, both, or neither (0) for the whole
    curve.

    stop: "never" draws all samples; "proven" ends once overlap and radius, both given, are proven
    or out of reach (`certify.stopping`).
    """

    overlap: float
    radius: float
    stop: str = "never"

    def __post_init__(self) -> None:
        require(self.stop in STOPS, "stop", self.stop, f"be one of {', '.join(STOPS)}")
        claim = bool(self.overlap and self.radius) or self.stop == "never"
        require(claim, "stop", self.stop, "be never unless overlap and radius are asked")
        require(0 <= self.overlap <= 1, "overlap", self.overlap, "lie in 0..1")
        require(0 <= self.radius <= 1e6, "radius", self.radius, "be 0 or positive")


def compose(
    plan: Plan,
    question: Question,
    evidence: Evidence,
    certificate: Certificate,
    *,
    subject: Subject,
    asked: Asked,
    software: Mapping[str, str],
    issued: str,
    identifier: str,
) -> dict[str, Any]:
    """The document as a JSON object. `issued` is a time in UTC, `identifier` any name for it."""
    return {
        "type": TYPE,
        "version": VERSION,
        "identifier": identifier,
        "issued": issued,
        "software": dict(software),
        "subject": asdict(subject),
        "asked": asdict(asked),
        "plan": asdict(plan),
        "question": asdict(question),
        "split": asdict(budget_of(plan, question, evidence.samples).split),
        "evidence": _evidence_json(evidence),
        "certificate": statement(certificate),
    }


def statement(certificate: Certificate) -> dict[str, Any]:
    """The certificate's part of the document."""
    return {
        "reported": list(certificate.reported),
        "curve": [{**asdict(point), "routes": dict(point.routes)} for point in certificate.curve],
        "prediction": asdict(certificate.prediction),
        "feature_radii": certificate.feature_radii.tolist(),
    }


def dumps(document: Any) -> bytes:
    """The one byte string of a document, or of a part of one, RFC 8785."""
    return rfc8785.dumps(document)


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document's canonical bytes."""
    return hashlib.sha256(dumps(document)).hexdigest()


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    votes = evidence.votes
    return {
        "sha256": evidence.digest(),
        "features": evidence.features,
        "ranges": [list(pair) for pair in evidence.ranges],
        "counts": evidence.counts.tolist(),
        "predictions": _encode(evidence.predictions.astype("<i4").tobytes()),
        "votes": None if votes is None else _encode(votes.tobytes()),
        "squares": None if evidence.squares is None else evidence.squares.tolist(),
    }


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
