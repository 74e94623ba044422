"""The three kinds of cells and how each is painted, told apart by texture and lightness first.

Certified important: the photo in colour inside a thick solid outline. Undecided: pale grey under
diagonal hatching. Certified unimportant: dark grey, no marks. Reported but undecided: a thin dashed
outline besides. Outlines run around whole regions, on the inside, light on dark, so that they stay
visible on any photo.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.drawing.colours import grey

Mask = NDArray[np.bool_]
LIGHT, DARK = (255, 255, 255), (12, 12, 20)
PALE, DIM = 0.45, 0.26
HATCH_PERIOD, HATCH_LINE = 11, 2
DASH = 7
SOLID_BANDS = (1, 5, 6)
DASHED_BANDS = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class Cells:
    """Labels int8 (rows, columns): +1 certified important, −1 certified unimportant, 0 undecided;
    and which cells are reported, bool (rows, columns)."""

    labels: NDArray[np.int8]
    reported: Mask

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape != self.reported.shape:
            shapes = f"{self.labels.shape} and {self.reported.shape}"
            raise ValueError(f"labels and reported have shapes {shapes}; both must be the grid's")


def paint(photo: NDArray[np.uint8], cells: Cells) -> NDArray[np.uint8]:
    """The photo (height, width, 3) with its cells marked.

    Raises ValueError unless the grid divides the photo into equal cells.
    """
    important = _spread(cells.labels > 0, photo)
    undecided = _spread(cells.labels == 0, photo)
    doubtful = _spread(cells.reported & (cells.labels == 0), photo)
    light = grey(photo)
    pale, dim = 255 * (1 - PALE) * 0.8 + PALE * light, DIM * light
    page = np.where(undecided[..., None], pale, dim)
    page = np.where(important[..., None], photo, page)
    page[undecided & _hatching(photo)] = DARK
    _outline(page, doubtful, DASHED_BANDS, _dashes(photo))
    _outline(page, important, SOLID_BANDS, np.ones(important.shape, dtype=bool))
    return np.rint(page).astype(np.uint8)


def _spread(cells: Mask, photo: NDArray[np.uint8]) -> Mask:
    """The cells' mask at the photo's size."""
    (rows, columns), (height, width) = cells.shape, photo.shape[:2]
    if height % rows or width % columns:
        raise ValueError(
            f"a grid of {rows}×{columns} cells does not divide {height}×{width} pixels"
        )
    return np.repeat(np.repeat(cells, height // rows, axis=0), width // columns, axis=1)


def _diagonal(photo: NDArray[np.uint8]) -> NDArray[np.intp]:
    rows, columns = np.indices(photo.shape[:2])
    return np.asarray(rows + columns)


def _hatching(photo: NDArray[np.uint8]) -> Mask:
    return np.asarray(_diagonal(photo) % HATCH_PERIOD < HATCH_LINE)


def _dashes(photo: NDArray[np.uint8]) -> Mask:
    return np.asarray(_diagonal(photo) // DASH % 2 == 0)


def _outline(
    page: NDArray[np.float64], region: Mask, bands: tuple[int, int, int], where: Mask
) -> None:
    """Draw around the region, inside it: a dark line as deep as the third depth, and a light one on
    it, between the first depth and the second, where `where` is set."""
    first, second, third = (_shrink(region, depth) for depth in bands)
    page[region & ~third] = DARK
    page[first & ~second & where] = LIGHT


def _shrink(region: Mask, depth: int) -> Mask:
    """The region without what lies within `depth` pixels of its edge, or of the picture's."""
    for _ in range(depth):
        padded = np.pad(region, 1)
        rows = padded[:-2] & padded[1:-1] & padded[2:]
        region = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return region
