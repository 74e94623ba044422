"""MNIST and Fashion-MNIST in the IDX format, packed or not.

Source: LeCun, Cortes & Burges (1998); Xiao, Rasul & Vollgraf (2017), arXiv:1708.07747.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.dataset import BadData, DataSet, Split
from models.data.files import first_of, grey, read

BYTES = 0x08  # the type of values; the number of dimensions is the byte after it
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def fashion(folder: Path) -> DataSet:
    """Fashion-MNIST, 28×28. Raises BadData."""
    return _load("fashion-mnist", CLOTHES, folder)


def mnist(folder: Path) -> DataSet:
    """MNIST, 28×28. Raises BadData."""
    return _load("mnist", tuple("0123456789"), folder)


def _load(name: str, classes: tuple[str, ...], folder: Path) -> DataSet:
    return DataSet(name, classes, _split(folder, "train"), _split(folder, "t10k"))


def _split(folder: Path, part: str) -> Split:
    pictures = array(_file(folder, f"{part}-images-idx3-ubyte"), 3)
    labels = array(_file(folder, f"{part}-labels-idx1-ubyte"), 1)
    if len(pictures) != len(labels):
        raise BadData(f"{folder}: {part} has {len(pictures)} pictures and {len(labels)} labels")
    return Split(grey(pictures), labels.astype(np.int64))


def _file(folder: Path, name: str) -> Path:
    return first_of(folder / f"{name}.gz", folder / name)


def array(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file with so many dimensions. Raises BadData."""
    data, header = read(path), 4 + 4 * dimensions
    if data[:4] != bytes([0, 0, BYTES, dimensions]):
        rule = f"it must begin 00 00 08 {dimensions:02x}, bytes in {dimensions} dimensions"
        raise BadData(f"{path} begins {data[:4].hex(' ')}; {rule}")
    shape = tuple(np.frombuffer(data[4:header], ">u4").tolist())
    if len(shape) != dimensions or len(data) - header != int(np.prod(shape, dtype=np.int64)):
        raise BadData(f"{path} announces {shape} and has {len(data) - header} bytes")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
