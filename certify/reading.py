"""Reading a certificate document, bare or in its envelope, taking nothing on trust.

Every field is on a closed list, unknown fields and versions are refused, sizes are bounded, names
are looked up and never run.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rfc8785
from numpy.typing import NDArray

from certify.confidence import Split
from certify.document import TYPE, VERSION, Asked, Subject
from certify.evidence import VOTES_FEATURES, Evidence
from certify.fields import base64_bytes, closed, record, require, require_line
from certify.plan import Plan, Question, Recipe
from certify.signature import Envelope, envelope, is_envelope

LARGEST_BYTES = 256 << 20
LARGEST_FEATURES = 1 << 24
_TOP = {
    *("type", "version", "identifier", "issued", "software", "subject", "asked"),
    *("plan", "question", "split", "evidence", "certificate"),
}
_STATED = {"reported", "curve", "prediction", "feature_radii"}
_EVIDENCE = {"sha256", "features", "ranges", "counts", "predictions", "votes", "squares"}


@dataclass(frozen=True)
class Document:
    """A certificate document, parsed: every part but the certificate, which follows from them.

    `stated` is the certificate as the document states it; `certify.verify` recomputes it.
    """

    identifier: str
    issued: str
    software: Mapping[str, str]
    subject: Subject
    asked: Asked
    plan: Plan
    question: Question
    split: Split
    evidence: Evidence
    evidence_digest: str
    stated: Mapping[str, Any]


def loads(data: bytes) -> Document:
    """The document, bare or in an envelope whose signature is not looked at.

    Read field by field. Raises ValueError that names what breaks which rule.
    """
    outer = parse(data)
    return document(contents(envelope(outer)) if is_envelope(outer) else outer)


def parse(data: bytes) -> object:
    """Bounded JSON in which no field comes twice. Raises ValueError."""
    require(len(data) <= LARGEST_BYTES, "document size", len(data), f"be at most {LARGEST_BYTES}")
    try:
        return json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the document is not JSON: {error}") from error


def contents(sealed: Envelope) -> object:
    """The JSON in an envelope. Raises ValueError unless it is in canonical form, RFC 8785."""
    inner = parse(sealed.payload)
    try:
        canonical = rfc8785.dumps(inner) == sealed.payload  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, RecursionError):
        canonical = False
    require(canonical, "envelope.payload", "written another way", "be canonical JSON, RFC 8785")
    return inner


def document(data: object) -> Document:
    """The document that this JSON is. Raises ValueError that names what breaks which rule."""
    parts = closed(data, _TOP, "document")
    require(parts["type"] == TYPE, "type", parts["type"], f"be {TYPE}")
    known = type(parts["version"]) is int and parts["version"] == VERSION
    require(known, "version", parts["version"], f"be {VERSION}; a newer verifier may know more")
    for name in ("identifier", "issued"):
        require(isinstance(parts[name], str), name, parts[name], "be text")
        require_line(parts[name], name)
    plan = _plan(parts["plan"])
    return Document(
        identifier=parts["identifier"],
        issued=parts["issued"],
        software=_texts(parts["software"], "software"),
        subject=record(Subject, parts["subject"], "subject"),
        asked=record(Asked, parts["asked"], "asked"),
        plan=plan,
        question=record(Question, parts["question"], "question"),
        split=record(Split, parts["split"], "split"),
        evidence=_evidence(parts["evidence"]),
        evidence_digest=str(parts["evidence"]["sha256"]),
        stated=closed(parts["certificate"], _STATED, "certificate"),
    )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    once = dict(pairs)
    if len(once) != len(pairs):
        numbers = Counter(name for name, _ in pairs)
        twice = sorted(name for name, number in numbers.items() if number > 1)
        require(not twice, "fields given twice", twice, "be none")
    return once


def _no_constant(name: str) -> object:
    raise ValueError(f"the document holds {name}, which is not JSON")


def _texts(data: object, where: str) -> Mapping[str, str]:
    short = isinstance(data, dict) and len(data) <= 32
    require(short, where, data, "be a JSON object of at most 32 texts")
    entries: dict[str, str] = data  # type: ignore[assignment]
    texts = all(isinstance(value, str) for value in entries.values())
    require(texts, where, entries, "hold texts only")
    for name, value in entries.items():
        require_line(name, where)
        require_line(value, f"{where}.{name}")
    return entries


def _plan(data: object) -> Plan:
    names = {"model", "weights", "image", "height", "width", "channels", "target", "recipe", "key"}
    given = closed(data, names, "plan")
    recipe = record(Recipe, given["recipe"], "plan.recipe")
    flat = {name: value for name, value in given.items() if name != "recipe"}
    for name in ("height", "width", "channels", "target"):
        whole = isinstance(flat[name], int) and not isinstance(flat[name], bool)
        require(whole, f"plan.{name}", flat[name], "be a JSON int")
    for name in ("model", "weights", "image", "key"):
        require(isinstance(flat[name], str), f"plan.{name}", flat[name], "be a JSON str")
        require_line(flat[name], f"plan.{name}")
    return Plan(recipe=recipe, **flat)


def _evidence(data: object) -> Evidence:
    given = closed(data, _EVIDENCE, "evidence")
    features = _whole([given["features"]], "evidence.features")[0]
    fits = 1 <= features <= LARGEST_FEATURES
    require(fits, "evidence.features", features, f"lie in 1..{LARGEST_FEATURES}")
    ranges = tuple(_pair(pair) for pair in _list(given["ranges"], "evidence.ranges"))
    samples = sum(stop - start for start, stop in ranges)
    predictions = np.frombuffer(
        base64_bytes(given["predictions"], "evidence.predictions"), dtype="<i4"
    )
    squares = None
    if given["squares"] is not None:
        listed = _whole(_list(given["squares"], "evidence.squares"), "evidence.squares")
        squares = np.array(listed, dtype=np.int64)
    kept = features <= VOTES_FEATURES and squares is None
    votes = _votes(given["votes"], samples, features, kept)
    counts = _whole(_list(given["counts"], "evidence.counts"), "evidence.counts")
    counted = np.array(counts, dtype=np.int64)
    return Evidence(ranges, features, votes, counted, predictions, squares)


def _votes(data: object, samples: int, features: int, kept: bool) -> NDArray[np.uint8] | None:
    """Single votes, where they are kept; nothing may be in their place where they are not."""
    if not kept:
        rule = f"be null above {VOTES_FEATURES} features, and where there are squares"
        require(data is None, "evidence.votes", data, rule)
        return None
    packed = np.frombuffer(base64_bytes(data, "evidence.votes"), dtype=np.uint8)
    width = -(-features // 8)
    fits = packed.size == samples * width
    require(fits, "size of evidence.votes", packed.size, f"be {samples}·{width} bytes")
    return packed.reshape(samples, width)


def _pair(data: object) -> tuple[int, int]:
    pair = _whole(_list(data, "evidence.ranges"), "evidence.ranges")
    require(len(pair) == 2, "evidence.ranges", data, "be pairs [start, stop]")
    return pair[0], pair[1]


def _list(data: object, where: str) -> list[object]:
    require(isinstance(data, list), where, type(data).__name__, "be a JSON array")
    return data  # type: ignore[return-value]


def _whole(data: list[object], where: str) -> list[int]:
    whole = all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 53 for v in data)
    require(whole, where, data[:3], "hold whole numbers from 0 to 2^53 − 1")
    return data  # type: ignore[return-value]
