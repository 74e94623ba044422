"""CIFAR-10 and CIFAR-100 in their binary version, and CIFAR-10 as sheets of a package.

The version for Python is a pickle, which runs code when opened, so it is refused by name.

Source: Krizhevsky (2009), "Learning multiple layers of features from tiny images".
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.dataset import BadData, DataSet, Split
from models.data.files import first_of, lines, picture, read

SIDE = 32
PIXELS = SIDE * SIDE
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEN = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def ten(folder: Path) -> DataSet:
    """CIFAR-10 from data_batch_1.bin … and test_batch.bin, or from sheets. Raises BadData."""
    if (folder / "train_lables.json").exists():  # spelt so in the package
        return _sheets(folder)
    home = _home(folder, "cifar-10-batches-bin", "data_batch_1.bin", "data_batch_1")
    classes = tuple(line for line in lines(home / "batches.meta.txt") if line)
    train = [_records(home / f"{name}.bin", 1) for name in BATCHES]
    return DataSet("cifar10", classes, _joined(train), _records(home / "test_batch.bin", 1))


def hundred(folder: Path) -> DataSet:
    """CIFAR-100 with its fine labels from train.bin and test.bin. Raises BadData."""
    home = _home(folder, "cifar-100-binary", "train.bin", "train")
    classes = tuple(line for line in lines(home / "fine_label_names.txt") if line)
    train, test = (_records(home / f"{part}.bin", 2) for part in ("train", "test"))
    return DataSet("cifar100", classes, train, test)


def _home(folder: Path, inner: str, wanted: str, pickled: str) -> Path:
    for home in (folder, folder / inner):
        if (home / wanted).exists():
            return home
        if (home / pickled).exists():
            raise BadData(
                f"{home / pickled} is the version for Python, a pickle, which could run code when "
                f"opened; fetch the binary version, whose files end in .bin"
            )
    return first_of(folder / wanted).parent


def _records(path: Path, labels: int) -> Split:
    """Records of so many label bytes, the last of which counts, and three planes of a picture."""
    data, size = read(path), labels + 3 * PIXELS
    if not data or len(data) % size:
        raise BadData(f"{path} has {len(data)} bytes; it must be records of {size} bytes")
    table = np.frombuffer(data, np.uint8).reshape(-1, size)
    planes = table[:, labels:].reshape(-1, 3, SIDE, SIDE)
    pictures = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return Split(pictures, table[:, labels - 1].astype(np.int64))


def _sheets(folder: Path) -> DataSet:
    """Ten thousand pictures in each PNG, one a row; labels as lists of numbers."""
    train = np.concatenate([_sheet(folder / f"{name}.png") for name in BATCHES])
    test = _sheet(folder / "test_batch.png")
    splits = [
        Split(pictures, _labels(folder / f"{part}_lables.json", len(pictures)))
        for part, pictures in (("train", train), ("test", test))
    ]
    return DataSet("cifar10", TEN, *splits)


def _sheet(path: Path) -> NDArray[np.uint8]:
    sheet = picture(path)
    if sheet.shape[1] != PIXELS:
        raise BadData(f"{path} is {sheet.shape[1]} pixels wide; it must be {PIXELS}, one picture")
    # A decoded sheet cannot be written to, which torch warns of wherever it is handed on.
    return sheet.reshape(-1, SIDE, SIDE, 3).copy()


def _labels(path: Path, count: int) -> NDArray[np.int64]:
    try:
        labels = np.array(json.loads(read(path)))
    except ValueError as error:
        raise BadData(f"{path} is not a list of labels: {error}") from error
    if labels.shape != (count,) or labels.dtype.kind != "i":
        raise BadData(f"{path} must list {count} whole numbers")
    return labels.astype(np.int64)


def _joined(splits: Sequence[Split]) -> Split:
    return Split(
        np.concatenate([split.pictures for split in splits]),
        np.concatenate([split.labels for split in splits]),
    )
