"""Pictures for people: a map laid over its photo, and certified regions, each with its legend.

A page is a column of blocks of one width: heading, picture, key, facts, sentences. Nothing here
knows about certificates; callers bring the words and the numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.drawing.colours import colours, grey
from service.drawing.lettering import LEADING, Colour, width, wrap, write
from service.drawing.marks import Cells, paint

Photo = NDArray[np.uint8]

PANEL = 672
MARGIN, GAP = 32, 22
PAPER: Colour = (252, 251, 248)
INK: Colour = (26, 26, 34)
FAINT: Colour = (106, 106, 118)
TITLE, BODY, SMALL = 25, 17, 14
SMALLEST_SMOOTH = 64
BAR, BAR_ROOM = 20, 84
SWATCH, THUMBNAIL = 44, 128
CLIPPED_PERCENT = 0.5


@dataclass(frozen=True)
class Legend:
    """The words around a picture.

    title: one line, wrapped if need be. facts: names and values, such as ("noise σ", "0.25").
    sentences: paragraphs under everything else, such as the claim.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    sentences: tuple[str, ...] = ()


def overlay(photo: Photo, scores: NDArray[np.floating], legend: Legend) -> Image.Image:
    """The map over the photo in grey, with colour bar and legend; see `heat`."""
    panel = heat(photo, scores)
    words = _words(legend, panel.width - THUMBNAIL - 2 * GAP)
    return _page(legend, [panel, _beside(_thumbnail(photo), words, 2 * GAP)])


def heat(photo: Photo, scores: NDArray[np.floating]) -> Image.Image:
    """The map over the photo in grey, with its colour bar and no words.

    photo: uint8 (height, width, 3). scores: none negative, finite, (rows, columns); drawn smooth.
    The bar runs from 0 to the largest score but for the top half percent, which it then says.
    Raises ValueError for other maps.
    """
    if scores.ndim != 2 or not np.isfinite(scores).all() or (scores < 0).any():
        raise ValueError(
            f"scores of shape {scores.shape}; they must be a finite map, none negative"
        )
    top = float(np.percentile(scores, 100 - CLIPPED_PERCENT, method="higher")) or float(
        scores.max()
    )
    large = enlarge(photo)
    coarse = Image.fromarray((scores / (top or 1.0)).astype(np.float32))
    smooth = coarse.resize((large.shape[1], large.shape[0]), Image.Resampling.BICUBIC)
    bar = _bar(large.shape[0], top, bool(scores.max() > top))
    return _beside(_glow(large, np.asarray(smooth)), bar)


def regions(photo: Photo, cells: Cells, legend: Legend) -> Image.Image:
    """The photo with its cells marked, their key and the legend; see `marked`."""
    panel = marked(photo, cells)
    return _page(legend, [panel, _words(legend, panel.width)])


def marked(photo: Photo, cells: Cells) -> Image.Image:
    """The photo with certified important, undecided and certified unimportant cells marked, and
    what the marks mean.

    photo: uint8 (height, width, 3), which the grid of cells divides evenly; ValueError otherwise.
    """
    panel = Image.fromarray(paint(enlarge(photo), cells))
    return _stack([panel, _key(photo, cells, panel.width)], GAP)


def png(image: Image.Image) -> bytes:
    """The picture as a PNG file: the same bytes for the same picture."""
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def enlarge(photo: Photo) -> Photo:
    """The photo at the whole multiple of its size that is nearest to PANEL pixels wide.

    Very small photos keep their pixels visible as squares, others are smoothed.
    """
    height, wide = photo.shape[:2]
    factor = max(1, round(PANEL / wide))
    return np.array(_resize(photo, wide * factor, height * factor))


def _resize(photo: Photo, wide: int, height: int) -> Image.Image:
    smooth = min(photo.shape[:2]) >= SMALLEST_SMOOTH
    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return Image.fromarray(photo).resize((wide, height), how)


def _glow(photo: Photo, heat: NDArray[np.floating]) -> Image.Image:
    """Heat in [0, 1] as colour over the darkened grey photo; the hotter, the more opaque."""
    heat = np.clip(heat, 0.0, 1.0)[..., np.newaxis]
    opacity = 0.25 + 0.58 * heat
    mixed = opacity * colours(heat[..., 0]) + (1 - opacity) * (12 + 0.70 * grey(photo))
    return Image.fromarray(np.rint(np.clip(mixed, 0, 255)).astype(np.uint8))


def _bar(height: int, top: float, clipped: bool) -> Image.Image:
    """The colour bar with numbers, painted as over a middling grey."""
    block = _blank(BAR_ROOM, height)
    heat = np.repeat(np.linspace(1, 0, height)[:, np.newaxis], BAR, axis=1)
    middling = np.full((height, BAR, 3), 110, dtype=np.uint8)
    block.paste(_glow(middling, heat), (0, 0))
    for value in _ticks(top):
        y = round((1 - value / (top or 1.0)) * (height - 1))
        block.paste(INK, (BAR, min(y, height - 2), BAR + 6, min(y, height - 2) + 2))
        baseline = min(max(y + 0.35 * SMALL, 0.75 * SMALL), height - 1)
        prefix = "≥ " if clipped and value == top else ""
        write(block, (BAR + 11, baseline), f"{prefix}{value:.3g}", SMALL, INK)
    return block


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 upwards, and the top itself."""
    if top <= 0:
        return [0.0]
    rough = top / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough)
    return [step * i for i in range(math.ceil(top / step)) if step * i < 0.93 * top] + [top]


def _page(legend: Legend, blocks: Sequence[Image.Image]) -> Image.Image:
    wide = max(block.width for block in blocks)
    column = _stack([_paragraph(legend.title, TITLE, wide), *blocks], GAP)
    page = _blank(column.width + 2 * MARGIN, column.height + 2 * MARGIN)
    page.paste(column, (MARGIN, MARGIN))
    return page


def _words(legend: Legend, wide: int) -> Image.Image:
    """Facts and sentences."""
    facts = [_facts(legend.facts, wide)] if legend.facts else []
    return _stack(facts + [_paragraph(text, BODY, wide) for text in legend.sentences], GAP - 6)


def _thumbnail(photo: Photo) -> Image.Image:
    """The photo as it is."""
    return _resize(photo, THUMBNAIL, round(THUMBNAIL * photo.shape[0] / photo.shape[1]))


def _paragraph(text: str, size: int, wide: int) -> Image.Image:
    lines = wrap(text, size, wide)
    block = _blank(wide, max(1, round(LEADING * size * len(lines) - 0.3 * size)))
    for number, line in enumerate(lines):
        write(block, (0, round((0.8 + LEADING * number) * size)), line, size, INK)
    return block


def _facts(facts: Sequence[tuple[str, str]], wide: int) -> Image.Image:
    """Names in small print over their values, in as many rows as it takes."""
    rows: list[list[tuple[str, str, float]]] = [[]]
    for name, value in facts:
        need = max(width(name, SMALL), width(value, BODY)) + 30
        if rows[-1] and sum(fact[2] for fact in rows[-1]) + need - 30 > wide:
            rows.append([])
        rows[-1].append((name, value, need))
    pitch = SMALL + BODY + 24
    block = _blank(wide, pitch * len(rows) - 12)
    for number, row in enumerate(rows):
        x = 0.0
        for name, value, need in row:
            write(block, (x, number * pitch + SMALL), name, SMALL, FAINT)
            write(block, (x, number * pitch + SMALL + BODY + 6), value, BODY, INK)
            x += need
    return block


def _key(photo: Photo, cells: Cells, wide: int) -> Image.Image:
    """One swatch for each kind of cell, by the painter of the picture itself, and how many."""
    doubtful = cells.reported & (cells.labels == 0)
    kinds = (
        ("certified important", 1, False, int((cells.labels > 0).sum())),
        ("undecided, but reported", 0, True, int(doubtful.sum())),
        ("undecided", 0, False, int((cells.labels == 0).sum() - doubtful.sum())),
        ("certified unimportant", -1, False, int((cells.labels < 0).sum())),
    )
    column = wide // 2
    block = _blank(wide, 2 * SWATCH + 14)
    for number, (name, label, reported, count) in enumerate(kinds):
        x, y = number % 2 * column, number // 2 * (SWATCH + 14)
        block.paste(_swatch(photo, label, reported), (x, y))
        plural = "region" if count == 1 else "regions"
        write(block, (x + SWATCH + 14, y + 19), name, BODY, INK)
        write(block, (x + SWATCH + 14, y + 38), f"{count} {plural}", SMALL, FAINT)
    return block


def _swatch(photo: Photo, label: int, reported: bool) -> Image.Image:
    """One cell of this kind, on the middle of the photo."""
    height, wide = photo.shape[:2]
    side = max(1, min(height, wide) // 4)
    top, left = (height - side) // 2, (wide - side) // 2
    middle = Image.fromarray(photo[top : top + side, left : left + side])
    patch = np.array(middle.resize((SWATCH, SWATCH), Image.Resampling.BICUBIC))
    cell = Cells(np.full((1, 1), label, dtype=np.int8), np.full((1, 1), reported))
    return Image.fromarray(paint(patch, cell))


def _beside(left: Image.Image, right: Image.Image, gap: int = 14) -> Image.Image:
    row = _blank(left.width + gap + right.width, max(left.height, right.height))
    row.paste(left, (0, 0))
    row.paste(right, (left.width + gap, 0))
    return row


def _stack(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    wide = max((block.width for block in blocks), default=1)
    column = _blank(wide, max(1, sum(block.height + gap for block in blocks) - gap))
    y = 0
    for block in blocks:
        column.paste(block, (0, y))
        y += block.height + gap
    return column


def _blank(wide: int, height: int) -> Image.Image:
    return Image.new("RGB", (wide, height), PAPER)
