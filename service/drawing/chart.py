"""The certified curve as SVG: how many regions stay, against the size of the change.

Each route is a staircase with a line style of its own, so that the chart reads without colour; the
best of them, which is what the certificate claims, is the broad pale band underneath.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from certify.certificate import Point
from service.drawing.markup import Markup, element

WIDE, HIGH = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 16, 56
INK, FAINT, BAND = "#1a1a22", "#6a6a76", "#f0c36d"
# Colours that stay apart for every kind of eye, and dashes that stay apart without any colour.
STYLES = (
    ("#0b5fa5", "none"),
    ("#a63603", "9 4"),
    ("#2f6b3a", "2 3"),
    ("#6a2c8f", "10 3 2 3"),
    ("#444444", "5 2 1 2 1 2"),
)
ROUTES: Mapping[str, str] = {
    "renyi": "Rényi divergence",
    "simplex": "Neyman–Pearson, one region against another",
    "per_feature": "each region by itself",
    "pairwise": "pairs of regions",
}


@dataclass(frozen=True)
class Frame:
    """Where a radius and a share of the regions lie in the chart."""

    largest: float

    def x(self, radius: float) -> float:
        """Pixels from the left."""
        return round(LEFT + radius / self.largest * (WIDE - LEFT - RIGHT), 2)

    def y(self, share: float) -> float:
        """Pixels from the top; `share` from 0 to 1."""
        return round(HIGH - BOTTOM - share * (HIGH - BOTTOM - TOP), 2)


def curve(points: Sequence[Point], k: int, answer: tuple[int, float], unit: str) -> Markup:
    """The chart of a curve. answer: kept and radius, marked if proven. unit: what radii
    are measured in."""
    names = sorted({name for point in points for name in point.routes})
    proven = [max(point.radius, *point.routes.values()) for point in points]
    frame = Frame(1.06 * max(proven) or 1.0)
    best = _stairs(points, [point.radius for point in points], k, frame)
    lines = [_path(best, BAND, "none", 9)]
    for name, (colour, dashes) in zip(names, _styles(len(names)), strict=True):
        radii = [point.routes.get(name, 0.0) for point in points]
        lines.append(_path(_stairs(points, radii, k, frame), colour, dashes, 2))
    parts = [*_axes(frame, k, unit), *lines, *_dot(frame, k, answer)]
    label = "Share of the reported regions that provably stay, against the size of the change"
    return element(
        "svg", *parts, viewBox=f"0 0 {WIDE} {HIGH}", role="img", aria_label=label, class_="chart"
    )


def key(points: Sequence[Point]) -> Markup:
    """What each line style stands for, as a list."""
    names = sorted({name for point in points for name in point.routes})
    items = [element("li", _sample(BAND, "none", 9), "what is certified: the best of all routes")]
    for name, (colour, dashes) in zip(names, _styles(len(names)), strict=True):
        idle = not any(point.routes.get(name) for point in points)
        says = ROUTES.get(name, name) + (" (proves nothing here)" if idle else "")
        items.append(element("li", _sample(colour, dashes, 2), f"{name}: {says}"))
    return element("ul", *items, class_="key")


def _styles(count: int) -> list[tuple[str, str]]:
    return [STYLES[number % len(STYLES)] for number in range(count)]


def _stairs(points: Sequence[Point], radii: Sequence[float], k: int, frame: Frame) -> str:
    """At every radius the share kept there; ends where only what cannot be lost is left."""
    path, reached = [f"M{frame.x(0.0)} {frame.y(1.0)}"], 0.0
    for point, radius in zip(points, radii, strict=True):
        path.append(f"V{frame.y(point.at_least / k)}")
        reached = max(reached, radius)
        path.append(f"H{frame.x(reached)}")
    left = (points[-1].at_least - 1) / k
    return " ".join([*path, f"V{frame.y(left)}", f"H{frame.x(frame.largest)}"])


def _path(path: str, colour: str, dashes: str, width: int) -> Markup:
    return element(
        "path", d=path, fill="none", stroke=colour, stroke_width=width, stroke_dasharray=dashes
    )


def _sample(colour: str, dashes: str, width: int) -> Markup:
    line = _path("M2 7 H46", colour, dashes, width)
    return element("svg", line, viewBox="0 0 48 14", width=48, height=14, aria_hidden="true")


def _axes(frame: Frame, k: int, unit: str) -> list[Markup]:
    parts = [_line(frame.x(0), frame.y(0), frame.x(frame.largest), frame.y(0), INK)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = frame.y(share)
        parts.append(_line(frame.x(0), y, frame.x(frame.largest), y, "#e2dfd6"))
        parts.append(_text(LEFT - 8, y + 4, f"{share:.0%}", "end"))
    step = 10.0 ** math.floor(math.log10(frame.largest / 4))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if step * m >= frame.largest / 6)
    for number in range(int(frame.largest / step) + 1):
        x = frame.x(number * step)
        parts.append(_line(x, frame.y(0), x, frame.y(0) + 5, INK))
        parts.append(_text(x, frame.y(0) + 20, f"{number * step:.6g}", "middle"))
    middle = (LEFT + WIDE - RIGHT) / 2
    parts.append(_text(middle, HIGH - 12, f"size of the change, {unit}", "middle"))
    title = element(
        "text",
        f"of the {k} reported regions stay",
        transform=f"translate(16 {(TOP + HIGH - BOTTOM) / 2}) rotate(-90)",
        text_anchor="middle",
    )
    return [*parts, title]


def _dot(frame: Frame, k: int, answer: tuple[int, float]) -> list[Markup]:
    kept, radius = answer
    if not kept or not radius or radius > frame.largest:
        return []
    x, y = frame.x(radius), frame.y(kept / k)
    ring = element("circle", cx=x, cy=y, r=6, fill="#fff", stroke=INK, stroke_width=2.5)
    return [ring, _text(x + 12, y - 8, f"{kept} of {k} within {radius!r}", "start")]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour)


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor)
