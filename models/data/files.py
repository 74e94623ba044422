"""Reading the files of data sets: whole, bounded, and never by running what is in them."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import images
from models.data.dataset import INSIDE, OUTSIDE, BadData
from models.images import BadImage, Frame

LARGEST_FILE = 1 << 31  # bytes, unpacked
LARGEST_PICTURE = 1 << 24  # pixels
# Comments may stand between the numbers of the header.
GAP = rb"(?:\s|#[^\n]*\n)+"
NUMBERS = (rb"P6", rb"(?P<width>\d{1,5})", rb"(?P<height>\d{1,5})", rb"255\s")
PPM = re.compile(GAP.join(NUMBERS))


def read(path: Path) -> bytes:
    """The file's bytes, unpacked where its name ends in .gz. Raises BadData."""
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise BadData(f"{path} is missing; unpack the data set so that it is there") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"{path} cannot be read: {error}; fetch it again") from error
    if len(data) > LARGEST_FILE:
        raise BadData(f"{path} unpacks to more than {LARGEST_FILE} bytes; that is no data set")
    return data


def lines(path: Path) -> list[str]:
    """The lines of a text file. Raises BadData."""
    try:
        return read(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadData(f"{path} is not text: {error}") from error


def rows(path: Path, delimiter: str, columns: int) -> Iterator[list[str]]:
    """The rows of a table with so many columns at least. Raises BadData with the line."""
    for number, row in enumerate(csv.reader(lines(path), delimiter=delimiter), start=1):
        if len(row) < columns:
            raise BadData(f"{path} line {number} has {len(row)} fields; it must have {columns}")
        yield row


def whole(text: str, path: Path) -> int:
    """The whole number that this text is. Raises BadData."""
    try:
        return int(text)
    except ValueError:
        raise BadData(f"{path} has {text!r} where a whole number belongs") from None


def first_of(*candidates: Path) -> Path:
    """The first of these that exists; BadData naming the first where none does."""
    for path in candidates:
        if path.exists():
            return path
    raise BadData(f"{candidates[0]} is missing; unpack the data set so that it is there")


def files(folder: Path, *endings: str) -> list[Path]:
    """The files in a folder that have one of these endings, by name. Raises BadData for none."""
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in endings)
    if not found:
        raise BadData(f"{folder} has no {' or '.join(endings)} files; unpack the data set there")
    return found


def picture(path: Path) -> NDArray[np.uint8]:
    """The picture in a PPM, JPEG or PNG file, (height, width, 3). Raises BadData."""
    data = read(path)
    if data.startswith(b"P6"):
        return _ppm(data, path)
    try:
        return images.decode(data, max_pixels=LARGEST_PICTURE)
    except BadImage as error:
        raise BadData(f"{path}: {error}") from error


def grey(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey pictures (…, height, width) as (…, height, width, 3)."""
    return np.repeat(planes[..., np.newaxis], 3, axis=-1)


def fitted_region(mask: NDArray[np.bool_], frame: Frame) -> NDArray[np.int8]:
    """A mask of a picture as it lies on the picture fitted to `frame`: 1 inside, -1 outside."""
    there = images.fit(grey(mask.astype(np.uint8) * 255), frame)[..., 0] >= 128
    return np.where(there, INSIDE, OUTSIDE).astype(np.int8)


def _ppm(data: bytes, path: Path) -> NDArray[np.uint8]:
    """A binary PPM of 8 bits: width, height, 255, one white character, then the pixels."""
    header = PPM.match(data)
    if header is None:
        raise BadData(f"{path} begins like a PPM but is none; fetch it again")
    width, height = int(header["width"]), int(header["height"])
    size, at = width * height * 3, header.end()
    if not 0 < size <= 3 * LARGEST_PICTURE or len(data) - at < size:
        raise BadData(f"{path} is a PPM of {width}×{height} pixels with {len(data) - at} bytes")
    return np.frombuffer(data, np.uint8, size, at).reshape(height, width, 3).copy()
