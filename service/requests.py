"""From the bytes of a request to named fields and one picture, nothing trusted on the way.

Two content types are taken: application/json with the picture as base64, and multipart/form-data
with the picture as a file. Both end as the same `Parcel`. The body is read as a stream and refused
as soon as it is too large.
"""

import asyncio
import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.edge import forms
from service.problems import Fault, ProblemError, fault, refuse

JSON = "application/json"
FORM = "multipart/form-data"
MOST_FIELDS = 64
SMALL = 1 << 18
IMAGE = "image"
HOW = "JSON: image is base64 text; form: curl -F image=@photo.jpg -F model=…"


@dataclass(frozen=True)
class Parcel:
    """What came: parameters by name, the bytes of the picture, and whether values are all text."""

    fields: dict[str, Any]
    picture: bytes
    textual: bool


async def read(request: Request, limit: int, *, picture_needed: bool = True) -> Parcel:
    """The parcel of a request whose body has at most `limit` bytes; raises ProblemError.

    Where no picture is needed and none came, its bytes are none.
    """
    kind = content_type(request, (JSON, FORM))
    body = await read_body(request, limit)
    stated = request.headers["content-type"]

    def parcel() -> Parcel:
        if kind == JSON:
            return _from_json(body, picture_needed)
        return _from_form(body, stated, picture_needed)

    # Parsing a large body takes seconds, and others are to be answered meanwhile; a small one is
    # parsed before a thread has begun.
    return parcel() if len(body) <= SMALL else await asyncio.to_thread(parcel)


def content_type(request: Request, allowed: Iterable[str]) -> str:
    """The media type of the body, one of `allowed`; UTF-8, no query string, no content encoding."""
    stated = request.headers.get("content-type", "")
    kind = stated.split(";")[0].strip().lower()
    charset = parse_options_header(stated)[1].get(b"charset", b"utf-8").decode("latin-1")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise refuse(
            "unsupported-content-type",
            fault("Content-Encoding", encoding, "bodies come as they are", "send it uncompressed"),
        )
    if kind not in allowed:
        rule = f"this address takes {' or '.join(allowed)}"
        raise refuse("unsupported-content-type", fault("Content-Type", stated, rule, HOW))
    if charset.lower() not in ("utf-8", "utf8"):
        rule = "text comes as UTF-8"
        raise refuse("unsupported-content-type", fault("charset", charset, rule, "send utf-8"))
    if request.url.query:
        rule = "this address takes no query string"
        raise refuse("invalid-parameters", fault("query", request.url.query, rule, "use the body"))
    return kind


async def read_body(request: Request, limit: int) -> bytes:
    """The body, of 1 to `limit` bytes; a larger one is refused before it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise _too_large(f"{declared} bytes", limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise _too_large(f"more than {limit} bytes", limit)
    except ClientDisconnect as gone:
        raise ProblemError("malformed-body", "the caller hung up before the body ended") from gone
    if not body:
        raise refuse("empty-body", fault("body", "", "a body is needed", HOW))
    return bytes(body)


def _too_large(size: str, limit: int) -> ProblemError:
    advice = "send a smaller picture, or ask the operator to raise AFFIDAVIT_MAX_BODY_BYTES"
    return refuse("body-too-large", fault("body", size, f"at most {limit} bytes", advice))


def parse_json(body: bytes) -> Any:
    """The value of a UTF-8 JSON text without duplicate names or NaN; raises ProblemError."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _malformed("the text", f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"line {error.lineno}, column {error.colno}", error.msg) from error
    except RecursionError as error:
        raise _malformed("the text", "it is nested too deeply") from error
    except ValueError as error:
        raise _malformed("a number", "it has too many digits") from error


def _malformed(where: str, rule: str) -> ProblemError:
    return refuse("malformed-body", fault("body", where, rule, "send one valid JSON object"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    name, times = Counter(name for name, _ in pairs).most_common(1)[0]
    raise refuse("malformed-body", _twice(name, times))


def _twice(name: str, times: int) -> Fault:
    rule = "one picture per request" if name == IMAGE else "each name once"
    return fault(name, f"{times} values", rule, f"send {name} once")


def _refuse_constant(literal: str) -> Any:
    raise refuse(
        "malformed-body",
        fault("body", literal, "JSON knows only finite numbers", "send a finite number"),
    )


def _from_json(body: bytes, picture_needed: bool) -> Parcel:
    fields = parse_json(body)
    if not isinstance(fields, dict):
        raise _malformed(type(fields).__name__, "it must be an object")
    if len(fields) > MOST_FIELDS:
        raise _malformed(f"{len(fields)} fields", f"a request has at most {MOST_FIELDS}")
    absent = IMAGE not in fields and not picture_needed
    return Parcel(fields, b"" if absent else picture_of(fields.pop(IMAGE, None)), textual=False)


def picture_of(text: Any) -> bytes:
    """The picture in base64; raises ProblemError."""
    if isinstance(text, list):
        raise refuse("bad-image", _twice(IMAGE, len(text)))
    if not isinstance(text, str) or not text:
        raise refuse("bad-image", fault(IMAGE, text or "nothing", "a picture is needed", HOW))
    try:
        # Tools that write base64 break lines; nothing else may be skipped.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        advice = "send the plain base64 of the file, without a data: prefix"
        raise refuse("bad-image", fault(IMAGE, text, "it must be base64", advice)) from error


def _from_form(body: bytes, content_type: str, picture_needed: bool) -> Parcel:
    parts = forms.parts(body, content_type)
    times = Counter(name for name, _ in parts)
    twice = [_twice(name, count) for name, count in times.items() if count > 1]
    if twice:
        raise refuse("malformed-body", *twice)
    fields = dict(parts)
    picture = fields.pop(IMAGE, None if picture_needed else b"")
    absent = IMAGE not in times and not picture_needed
    if not isinstance(picture, bytes) or not (picture or absent):
        value = "nothing" if picture is None else picture
        raise refuse("bad-image", fault(IMAGE, value, "a picture file is needed", HOW))
    files = [
        fault(n, v, "only image is a file", "send it as text")
        for n, v in fields.items()
        if isinstance(v, bytes)
    ]
    if files:
        raise refuse("invalid-parameters", *files)
    return Parcel(fields, picture, textual=True)
