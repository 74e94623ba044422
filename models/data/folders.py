"""A folder for each class: train/CLASS/FILE and test/CLASS/FILE, and masks of the same names.

Masks lie in a folder whose name ends in "_masks", or in "masks" inside: train/CLASS/STEM.png with
white where the thing is. That is how the chest X-rays with lung masks are packed.
"""

from collections.abc import Iterator
from pathlib import Path

from models.data.dataset import BadData, DataSet
from models.data.files import files, picture
from models.data.fitting import Entry, split

ENDINGS = (".jpg", ".jpeg", ".png", ".ppm")
SIDE = 64


def load(folder: Path, size: int = SIDE) -> DataSet:
    """The data set of these folders, classes in alphabetical order. Raises BadData."""
    train, test = folder / "train", folder / "test"
    if not (train.is_dir() and test.is_dir()):
        raise BadData(
            f"{folder} must have the folders train and test, each with one for each class"
        )
    classes = tuple(sorted(path.name for path in train.iterdir() if path.is_dir()))
    masks = _masks(folder)
    marked = masks is not None
    splits = [split(_entries(part, classes, masks), size, marked) for part in (train, test)]
    return DataSet(folder.name, classes, *splits)


def _masks(folder: Path) -> Path | None:
    for candidate in (folder / "masks", folder.with_name(f"{folder.name}_masks")):
        if candidate.is_dir():
            return candidate
    return None


def _entries(part: Path, classes: tuple[str, ...], masks: Path | None) -> Iterator[Entry]:
    for label, name in enumerate(classes):
        for path in files(part / name, *ENDINGS):
            marked = masks and masks / part.name / name / f"{path.stem}.png"
            has = marked is not None and marked.exists()
            mask = picture(marked)[..., 0] >= 128 if marked is not None and has else None
            yield Entry(path, label, mask=mask)
