"""Pictures of any size, with what is marked on them, brought to one size.

By `models.images.fit`, as the service does with a picture that it is sent, so that a network is
trained on what it will see.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import images
from models.data.dataset import BadData, Split
from models.data.files import fitted_region, picture


@dataclass(frozen=True)
class Square:
    """Pictures of size × size pixels: the centre of one whose shorter side has `resize`."""

    size: int
    resize: int


@dataclass(frozen=True, eq=False)
class Entry:
    """One picture of a data set: its file, label, and what is marked on it, if anything.

    box: left, top, right, bottom in pixels of the file, both ends included. mask: of its size.
    """

    path: Path
    label: int
    box: tuple[int, int, int, int] | None = None
    mask: NDArray[np.bool_] | None = None


def split(entries: Iterable[Entry], size: int, marked: bool) -> Split:
    """The entries as one split of size × size pictures. Raises BadData.

    marked: whether the data have marks at all; then pictures without one get regions of 0.
    """
    frame, pictures, labels, regions = Square(size, size), [], [], []
    for entry in entries:
        whole = picture(entry.path)
        pictures.append(images.fit(whole, frame))
        labels.append(entry.label)
        if marked:
            regions.append(_region(entry, whole.shape, frame))
    if not pictures:
        raise BadData("no pictures are listed; is the folder the right one?")
    made = np.stack(regions) if marked else None
    return Split(np.stack(pictures), np.array(labels, np.int64), made)


def _region(entry: Entry, shape: tuple[int, ...], frame: Square) -> NDArray[np.int8]:
    if entry.mask is None and entry.box is None:
        return np.zeros((frame.size, frame.size), np.int8)
    mask = entry.mask
    if mask is None and entry.box is not None:
        left, top, right, bottom = entry.box
        mask = np.zeros(shape[:2], bool)
        mask[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = True
    if mask is None or mask.shape != shape[:2]:
        found = None if mask is None else mask.shape
        raise BadData(f"{entry.path}: its mask is {found}; it must be {shape[:2]}, the picture")
    return fitted_region(mask, frame)
