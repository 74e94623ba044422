"""Forms: the parts of a multipart body, and their text as the values that JSON would bring.

Nothing is guessed. The body runs from the first boundary to the final one (RFC 2046, section 5.1.1)
with nothing around them, so a form that was cut short is never taken for a shorter form; text is
UTF-8; numbers and truth values are written as in JSON (RFC 8259).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.problems import ProblemError, fault, refuse

MOST_PARTS = 64
LARGEST_TEXT = 1024
LONGEST_BOUNDARY = 70
ADVICE = "send a well-formed form with few, short fields: curl -F image=@photo.jpg -F model=…"
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TRUTH: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})
Part = tuple[str, str | bytes]


def parts(body: bytes, content_type: str) -> list[Part]:
    """Name and content of each part, in order: text, or bytes for a file. Raises ProblemError."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        rule = f"its Content-Type must name a boundary of 1 to {LONGEST_BOUNDARY} characters"
        raise _broken(rule)
    _check_ends(body, boundary)
    reader = _Reader()
    try:
        MultipartParser(boundary, reader.callbacks()).write(body)
    except FormParserError as error:
        raise _broken(f"it is no multipart form: {error}") from error
    if not reader.complete:
        raise _broken("it ends in the middle of a part")
    return reader.parts


def _check_ends(body: bytes, boundary: bytes) -> None:
    """Refuse a body that does not run from the first boundary to the final one."""
    final = b"\r\n--" + boundary + b"--"
    if not body.startswith(b"--" + boundary):
        raise _broken("it must begin with its boundary")
    _, found, after = body.partition(final)
    if not found:
        raise _broken("it was cut short: the final boundary is missing")
    if after.removeprefix(b"\r\n"):
        raise _broken(f"{len(after)} bytes follow the final boundary")


@dataclass
class _Reader:
    """Collects the parts that the parser finds."""

    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    _header: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""
    _content: bytearray = field(default_factory=bytearray)
    _name: str = ""
    _file: bool = False

    def callbacks(self) -> Any:
        """What the parser calls, by its names."""
        return {name: getattr(self, name) for name in dir(self) if name.startswith("on_")}

    def on_part_begin(self) -> None:
        self._disposition, self._content = b"", bytearray()
        if len(self.parts) == MOST_PARTS:
            raise _broken(f"it has too many parts: at most {MOST_PARTS}")

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        if b"name" not in options:
            raise _broken("each part needs a Content-Disposition with a name")
        self._name, self._file = _text(options[b"name"]), b"filename" in options

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]
        if not self._file and len(self._content) > LARGEST_TEXT:
            raise _broken(f"{self._name} is too long: at most {LARGEST_TEXT} bytes of text")

    def on_part_end(self) -> None:
        content = bytes(self._content)
        self.parts.append((self._name, content if self._file else _text(content)))

    def on_end(self) -> None:
        self.complete = True


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _broken(f"byte {error.start} of a name or a text is not UTF-8") from error


def _broken(rule: str) -> ProblemError:
    return refuse("malformed-body", fault("body", "the form", rule, ADVICE))


def typed(kind: type[BaseModel], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The text of a form as values, where `kind` wants a number or a truth value.

    What is not written as JSON writes it stays text, so that `kind` refuses it.
    """
    known = kind.model_fields
    return {
        name: _value(_types(known[name].annotation), text) if name in known else text
        for name, text in fields.items()
    }


def _value(wanted: list[Any], text: str) -> Any:
    if int in wanted and INTEGER.fullmatch(text):
        return int(text)
    if float in wanted and NUMBER.fullmatch(text):
        return float(text)
    # True and False are how Python writes them, and so its generated client.
    return TRUTH.get(text.lower(), text) if bool in wanted else text


def _types(annotation: Any) -> list[Any]:
    """The plain types in an annotation like `int | None`."""
    inner = get_args(annotation)
    return [kind for part in inner for kind in _types(part)] if inner else [annotation]
