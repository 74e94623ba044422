"""Which content type to answer with, from the Accept header (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.problems import MEDIA_TYPE, fault, refuse

JSON = "application/json"
PNG = "image/png"
NPY = "application/octet-stream"
EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Range:
    """One media range of an Accept header, with its quality in [0, 1]."""

    kind: str
    subtype: str
    quality: float

    def rank(self, offer: str) -> int:
        """How exactly this range names `offer`: 3 exact, 2 type/*, 1 */*, 0 not at all."""
        kind, subtype = offer.split("/")
        if (self.kind, self.subtype) == (kind, subtype):
            return 3
        if (self.kind, self.subtype) == (kind, "*"):
            return 2
        return int((self.kind, self.subtype) == ("*", "*"))


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """The offer that the caller likes best; the earlier offer wins a tie.

    No Accept header accepts everything. One that names nothing but how problems are written says
    nothing about the answer; generated clients send it. Raises ProblemError not-acceptable if
    nothing fits.
    """
    silent = accept is None or accept.strip() in ("", MEDIA_TYPE)
    ranges = [Range("*", "*", 1.0)] if silent else _parse(accept or "")
    best = max(offers, key=lambda offer: _quality(offer, ranges))
    if _quality(best, ranges) > 0:
        return best
    raise refuse(
        "not-acceptable",
        fault("Accept", accept, f"this address answers {', '.join(offers)}", f"accept {offers[0]}"),
    )


def _quality(offer: str, ranges: Sequence[Range]) -> float:
    """Quality of the range that names the offer most exactly."""
    ranked = [(r.rank(offer), r.quality) for r in ranges]
    return max((pair for pair in ranked if pair[0]), default=(0, 0.0))[1]


def _parse(accept: str) -> list[Range]:
    """The media ranges of an Accept header; what is no media range accepts nothing."""
    parsed = (_range(part) for part in accept.lower().split(","))
    return [found for found in parsed if found is not None]


def _range(part: str) -> Range | None:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    kind, slash, subtype = name.partition("/")
    if not (kind and slash and subtype):
        return None
    stated = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
    return Range(kind, subtype, _weight(stated[0]) if stated else 1.0)


def _weight(text: str) -> float:
    """A quality value; what is not a number from 0 to 1 counts as 0."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 <= number <= 1 else 0.0
