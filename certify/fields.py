"""Records from untrusted JSON, field by field against a closed list; errors that name the rule."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

T = TypeVar("T")
LONGEST_SHOWN = 200
LARGEST_NUMBER = 1e300
LONGEST_LINE = 200

_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
}


def require(holds: bool, name: str, value: object, rule: str) -> None:
    """Raise ValueError "NAME is VALUE; it must RULE" unless `holds`."""
    if not holds:
        raise ValueError(f"{name} is {_shown(value)}; it must {rule}")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"


def require_line(text: str, name: str) -> None:
    """Raise ValueError unless `text` is one printable line of at most LONGEST_LINE characters.

    What a document says in free words is shown to people, who must not mistake it for ours.
    """
    plain = len(text) <= LONGEST_LINE and (text.isprintable() or not text)
    require(plain, name, text, f"be one printable line of at most {LONGEST_LINE} characters")


def closed(data: object, names: set[str], where: str) -> dict[str, Any]:
    """`data` as a dict with exactly these keys; ValueError names what is missing or unknown."""
    require(isinstance(data, dict), where, type(data).__name__, "be a JSON object")
    given = cast("dict[str, Any]", data)
    missing, unknown = sorted(names - given.keys()), sorted(given.keys() - names)
    require(not unknown, f"{where}: unknown fields", unknown, "be none")
    require(not missing, f"{where}: missing fields", missing, "be none")
    return given


def record(kind: type[T], data: object, where: str) -> T:
    """A frozen dataclass of int, float and str fields from a JSON object; ValueError otherwise."""
    types = {field.name: str(getattr(field.type, "__name__", field.type)) for field in fields(kind)}  # type: ignore[arg-type]
    given = closed(data, set(types), where)
    for name, value in given.items():
        allowed = _JSON_TYPES[types[name]]
        fits = isinstance(value, allowed) and not isinstance(value, bool)
        require(fits, f"{where}.{name}", value, f"be a JSON {types[name]}")
        small = isinstance(value, str) or -LARGEST_NUMBER < value < LARGEST_NUMBER
        require(small, f"{where}.{name}", value, f"lie within ±{LARGEST_NUMBER:g}")
    return kind(**{n: float(v) if types[n] == "float" else v for n, v in given.items()})


def base64_bytes(text: object, where: str) -> bytes:
    """What base64 text stands for; ValueError unless it is the one way to write it.

    RFC 4648, section 4: the standard alphabet, padded, unused bits zero.
    """
    require(isinstance(text, str), where, type(text).__name__, "be base64 text")
    try:
        data = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{where} is not base64: {error}") from error
    once = base64.b64encode(data).decode("ascii") == text
    require(once, where, "written another way", "be padded standard base64 with unused bits zero")
    return data
