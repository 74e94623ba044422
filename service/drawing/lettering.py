"""Text on pictures: Pillow's own font, and strokes of ours for the signs that it lacks.

Positions are in pixels; a line of text is placed by its left end and its baseline.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Stroke = tuple[tuple[float, float], ...]

# Stems of the font are this wide, and lines of text this far apart, in sizes.
STEM = 0.078
LEADING = 1.42
FINENESS = 8
# What Pillow's font has besides ASCII; it shows a box for anything else.
BEYOND_ASCII = "©«°±´·»‘’“”…‹›⁄™"


@dataclass(frozen=True)
class Sign:
    """A sign as strokes, in units of the size, y upwards from the baseline."""

    advance: float
    strokes: tuple[Stroke, ...]
    stem: float = STEM


def _curve(*knots: tuple[float, float]) -> Stroke:
    """A smooth line through the knots (Catmull-Rom)."""
    ends = (knots[0], *knots, knots[-1])
    points = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(12):
            points.append(
                tuple(_between(*four, step / 12) for four in zip(a, b, c, d, strict=True))
            )
    return (*((x, y) for x, y in points), knots[-1])


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    cubic = (3 * (b - c) + d - a) * t**3 + (2 * a - 5 * b + 4 * c - d) * t**2 + (c - a) * t
    return b + cubic / 2


_SIGMA_BOWL = _curve(
    (0.30, 0.49),
    (0.14, 0.43),
    (0.075, 0.25),
    (0.14, 0.09),
    (0.275, 0.04),
    (0.41, 0.09),
    (0.475, 0.25),
    (0.42, 0.41),
    (0.30, 0.49),
)
_ELL = _curve(
    (0.03, 0.19),
    (0.17, 0.35),
    (0.305, 0.56),
    (0.30, 0.68),
    (0.22, 0.70),
    (0.145, 0.54),
    (0.125, 0.17),
    (0.18, 0.035),
    (0.27, 0.04),
    (0.35, 0.14),
)
SIGNS: Mapping[str, Sign] = {
    "σ": Sign(0.60, (_SIGMA_BOWL, ((0.29, 0.49), (0.56, 0.49)))),
    "ℓ": Sign(0.39, (_ELL,), 0.85 * STEM),
    "≥": Sign(0.60, (((0.08, 0.60), (0.52, 0.40), (0.08, 0.20)), ((0.08, 0.06), (0.52, 0.06)))),
    "≤": Sign(0.60, (((0.52, 0.60), (0.08, 0.40), (0.52, 0.20)), ((0.08, 0.06), (0.52, 0.06)))),
    "−": Sign(0.60, (((0.08, 0.32), (0.52, 0.32)),)),
    "–": Sign(0.52, (((0.03, 0.27), (0.49, 0.27)),)),
    "×": Sign(0.60, (((0.12, 0.13), (0.48, 0.51)), ((0.48, 0.13), (0.12, 0.51)))),
}


def legible(text: str) -> str:
    """The text in signs that can be written: accents dropped, what then is still unknown as "?"."""
    return "".join(_nearest(sign) for sign in text)


def _nearest(sign: str) -> str:
    if sign.isascii() or sign in SIGNS or sign in BEYOND_ASCII:
        return sign
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain or "?"


def width(text: str, size: int) -> float:
    """Length of a line of text."""
    return sum(_length(run, size) for run in _runs(text))


def write(page: Image.Image, place: tuple[float, float], text: str, size: int, ink: Colour) -> None:
    """Write one line from `place`: left end, baseline."""
    x, y = place
    pen = ImageDraw.Draw(page)
    for run in _runs(text):
        if run in SIGNS:
            page.paste(ink, (round(x), round(y) - size), _sign(run, size))
        else:
            pen.text((x, y), run, font=_font(size), fill=ink, anchor="ls")
        x += _length(run, size)


def wrap(text: str, size: int, room: float) -> list[str]:
    """The text in lines no longer than `room`, cut between words; a longer word keeps its line."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _runs(text: str) -> Iterator[str]:
    """The text in pieces: single signs of ours, and what lies between them."""
    for ours, run in groupby(legible(text), key=SIGNS.__contains__):
        letters = tuple(run)
        yield from letters if ours else ("".join(letters),)


def _length(run: str, size: int) -> float:
    return SIGNS[run].advance * size if run in SIGNS else _font(size).getlength(run)


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow is built without FreeType; install a complete one")
    return font


@lru_cache(maxsize=64)
def _sign(name: str, size: int) -> Image.Image:
    """Mask of a sign, its baseline `size` below the top."""
    sign, fine = SIGNS[name], FINENESS * size
    mask = Image.new("L", (int(sign.advance * fine) + FINENESS, fine + fine // 4))
    pen, thick = ImageDraw.Draw(mask), sign.stem * fine
    for stroke in sign.strokes:
        points = [(x * fine, fine - y * fine) for x, y in stroke]
        pen.line(points, fill=255, width=round(thick), joint="curve")
        for x, y in (points[0], points[-1]):
            pen.circle((x, y), thick / 2, fill=255)
    return mask.resize((mask.width // FINENESS, mask.height // FINENESS), Image.Resampling.BOX)
