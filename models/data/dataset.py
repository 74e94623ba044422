"""What every data set is once it has been read, and the error that says why one could not be."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INSIDE, OUTSIDE, UNKNOWN = 1, -1, 0


class BadData(ValueError):
    """Files that are not the data set they should be: which, what is wrong, what to do."""


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures uint8 (n, side, side, 3) and their labels int64 (n,).

    regions: int8 (n, side, side), what people marked as the thing that the label names: 1 inside,
    -1 outside, 0 throughout a picture that nobody marked; None where the data have no such marks.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    regions: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Split":
        """The first `count` pictures, or all if there are fewer."""
        regions = None if self.regions is None else self.regions[:count]
        return Split(self.pictures[:count], self.labels[:count], regions)


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set with its names. Raises BadData where sizes or labels contradict each other."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    def __post_init__(self) -> None:
        for part, split in (("train", self.train), ("test", self.test)):
            _check(f"{self.name} {part}", split, self.side, len(self.classes))

    @property
    def side(self) -> int:
        """Pixels along each side of every picture."""
        return int(self.train.pictures.shape[1])

    @property
    def digest(self) -> str:
        """SHA-256 over pictures, labels and regions of both splits: which data these are."""
        hashed = hashlib.sha256()
        for split in (self.train, self.test):
            for array in (split.pictures, split.labels, split.regions):
                if array is not None:
                    hashed.update(str(array.shape).encode())
                    hashed.update(np.ascontiguousarray(array).data)
        return hashed.hexdigest()


def _check(what: str, split: Split, side: int, classes: int) -> None:
    count = len(split.labels)
    if not count:
        raise BadData(f"{what} has no pictures; is the folder the right one?")
    if split.pictures.shape != (count, side, side, 3) or split.pictures.dtype != np.uint8:
        rule = f"they must be uint8 {(count, side, side, 3)}"
        raise BadData(f"{what} pictures are {split.pictures.dtype} {split.pictures.shape}; {rule}")
    low, high = int(split.labels.min()), int(split.labels.max())
    if low < 0 or high >= classes:
        raise BadData(
            f"{what} labels reach from {low} to {high}; they must lie in 0..{classes - 1}"
        )
    if split.regions is not None and split.regions.shape != (count, side, side):
        raise BadData(
            f"{what} regions are {split.regions.shape}; pictures are {count}×{side}×{side}"
        )
