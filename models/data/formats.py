"""Data sets by format: `digits:examples/digits` is a format and a folder. A literal dict."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from models.data import cifar, digits, flowers, folders, gtsrb, idx, tiny_imagenet
from models.data.dataset import BadData, DataSet

# Pictures of one size, as published.
FIXED: Mapping[str, Callable[[Path], DataSet]] = MappingProxyType(
    {
        "cifar10": cifar.ten,
        "cifar100": cifar.hundred,
        "digits": digits.load,
        "fashion-mnist": idx.fashion,
        "mnist": idx.mnist,
    }
)
# Pictures of any size, brought to one.
FITTED: Mapping[str, Callable[[Path, int], DataSet]] = MappingProxyType(
    {
        "flower17": flowers.load,
        "folders": folders.load,
        "gtsrb": gtsrb.load,
        "tiny-imagenet": tiny_imagenet.load,
    }
)
SIDES: Mapping[str, int] = MappingProxyType(
    {
        "flower17": flowers.SIDE,
        "folders": folders.SIDE,
        "gtsrb": gtsrb.SIDE,
        "tiny-imagenet": tiny_imagenet.SIDE,
    }
)
FORMATS = tuple(sorted((*FIXED, *FITTED)))
SMALLEST = 16  # pixels, the smallest picture that the service takes


def load(where: str) -> DataSet:
    """The data set at FORMAT:FOLDER, or FORMAT:FOLDER@SIDE where pictures are brought to a size.

    Raises BadData with what is wrong and what to do.
    """
    name, colon, rest = where.partition(":")
    if name not in FORMATS or not colon:
        known = ", ".join(FORMATS)
        raise BadData(f"data is {where!r}; it must be FORMAT:FOLDER, with a format of {known}")
    folder, at, side = rest.rpartition("@") if _has_side(rest) else (rest, "", "")
    if not Path(folder).is_dir():
        raise BadData(f"data folder {folder!r} is not there")
    if name in FITTED:
        return FITTED[name](Path(folder), _side(side) if at else SIDES[name])
    if at:
        raise BadData(f"data is {where!r}; pictures of {name} have one size, leave @{side} out")
    return FIXED[name](Path(folder))


def _has_side(rest: str) -> bool:
    return rest.rpartition("@")[2].isdigit() and "@" in rest


def _side(text: str) -> int:
    if int(text) < SMALLEST:
        raise BadData(f"side is {text}; it must be at least {SMALLEST} pixels")
    return int(text)
