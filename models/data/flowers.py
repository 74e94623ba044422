"""The 17 flowers of Oxford with their masks, in the official files.

Eighty pictures of each flower, in order. Masks are the trimaps, whose red (128, 0, 0) is the
flower; not every picture has one. We had no copy at hand: colours and names are from memory.

Source: Nilsback & Zisserman (2006), doi:10.1109/CVPR.2006.42.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from models.data.dataset import BadData, DataSet
from models.data.files import first_of, picture
from models.data.fitting import Entry, split

EACH, SIDE = 80, 128
CLASSES = (
    "daffodil",
    "snowdrop",
    "lily of the valley",
    "bluebell",
    "crocus",
    "iris",
    "tigerlily",
    "tulip",
    "fritillary",
    "sunflower",
    "daisy",
    "colts' foot",
    "dandelion",
    "cowslip",
    "buttercup",
    "windflower",
    "pansy",
)


def load(folder: Path, size: int = SIDE) -> DataSet:
    """Flower-17 from jpg/image_NNNN.jpg, trimaps/image_NNNN.png and datasplits.mat, split 1.

    Training is the official training and validation set together. Raises BadData.
    """
    splits = _splits(folder / "datasplits.mat")
    train = np.concatenate([splits["trn1"], splits["val1"]])
    return DataSet(
        "flower17",
        CLASSES,
        split(_entries(folder, train), size, True),
        split(_entries(folder, splits["tst1"]), size, True),
    )


def _splits(path: Path) -> dict[str, NDArray[np.int64]]:
    try:
        found = loadmat(first_of(path))
        return {name: found[name].ravel().astype(np.int64) for name in ("trn1", "val1", "tst1")}
    except BadData:
        raise
    except Exception as error:  # the reader of damaged files raises almost anything
        raise BadData(f"{path} must be a MATLAB file with trn1, val1 and tst1: {error}") from error


def _entries(folder: Path, numbers: NDArray[np.int64]) -> Iterator[Entry]:
    for number in sorted(numbers.tolist()):
        if not 1 <= number <= EACH * len(CLASSES):
            raise BadData(f"datasplits.mat names picture {number} of {EACH * len(CLASSES)}")
        trimap = folder / "trimaps" / f"image_{number:04}.png"
        mask = _flower(picture(trimap)) if trimap.exists() else None
        path = folder / "jpg" / f"image_{number:04}.jpg"
        yield Entry(path, (number - 1) // EACH, mask=mask)


def _flower(trimap: NDArray[np.uint8]) -> NDArray[np.bool_]:
    red, green, blue = trimap[..., 0], trimap[..., 1], trimap[..., 2]
    return (red >= 64) & (green < 64) & (blue < 64)
