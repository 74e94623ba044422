"""Tiny-ImageNet-200 with its boxes, in the official folders.

Source: Le & Yang (2015), "Tiny ImageNet visual recognition challenge".
"""

from collections.abc import Iterator
from pathlib import Path

from models.data.dataset import BadData, DataSet
from models.data.files import first_of, lines, rows, whole
from models.data.fitting import Entry, split

SIDE = 64


def load(folder: Path, size: int = SIDE) -> DataSet:
    """Tiny-ImageNet; its validation set is the test set here, whose labels are public.

    Reads wnids.txt, words.txt, train/WNID/WNID_boxes.txt and val/val_annotations.txt. Raises
    BadData.
    """
    home = first_of(folder / "wnids.txt", folder / "tiny-imagenet-200" / "wnids.txt").parent
    names = [line for line in lines(home / "wnids.txt") if line]
    words = {row[0]: row[1].split(",")[0] for row in rows(home / "words.txt", "\t", 2)}
    if missing := [name for name in names if name not in words]:
        raise BadData(f"{home / 'words.txt'} has no words for {', '.join(missing[:5])}")
    return DataSet(
        "tiny-imagenet",
        tuple(f"{words[name]} ({name})" for name in names),
        split(_train(home / "train", names), size, True),
        split(_val(home / "val", names), size, True),
    )


def _train(folder: Path, names: list[str]) -> Iterator[Entry]:
    for label, name in enumerate(names):
        table = folder / name / f"{name}_boxes.txt"
        for file, *corners in rows(table, "\t", 5):
            yield _entry(folder / name / "images" / Path(file).name, label, corners, table)


def _val(folder: Path, names: list[str]) -> Iterator[Entry]:
    labels, table = (
        {name: number for number, name in enumerate(names)},
        folder / "val_annotations.txt",
    )
    for file, name, *corners in rows(table, "\t", 6):
        if name not in labels:
            raise BadData(f"{table} has the class {name!r}, which wnids.txt does not list")
        yield _entry(folder / "images" / Path(file).name, labels[name], corners, table)


def _entry(path: Path, label: int, corners: list[str], table: Path) -> Entry:
    left, top, right, bottom = (whole(corner, table) for corner in corners[:4])
    return Entry(path, label, (left, top, right, bottom))
