"""The new split of the chest X-rays: nothing lost, and no mask that tells the class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.chests import HEALTHY, ILL, split
from models.data.formats import load

COUNT = 6


def grey(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20), level, np.uint8)).save(path)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """As in the package: masks of some healthy test pictures only."""
    for number in range(COUNT):
        name = f"IM-{number:02}"
        grey(tmp_path / "pneumonia" / "test" / HEALTHY / f"{name}.jpeg", 10 * number)
        grey(tmp_path / "pneumonia" / "test" / ILL / f"person{number}.jpeg", 100 + 10 * number)
        # Each mask is of another area, by which it is known again.
        mask = np.zeros((20, 20), np.uint8)
        mask[: 3 + 2 * number] = 255
        path = tmp_path / "pneumonia_masks" / "test" / HEALTHY / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    grey(tmp_path / "pneumonia" / "test" / HEALTHY / "unmarked.jpeg", 250)
    return tmp_path


def test_each_class_has_the_same_masks(package: Path, tmp_path: Path) -> None:
    assert split(package, tmp_path / "chests") == 2 * COUNT
    data = load(f"folders:{tmp_path / 'chests'}@20")
    assert (data.name, data.classes) == ("chests", (HEALTHY, ILL))
    assert (len(data.train), len(data.test)) == (8, 4)
    for part in (data.train, data.test):
        assert part.regions is not None
        inside = (part.regions == 1).sum(axis=(1, 2))
        assert (np.abs(part.regions) == 1).all(), "every picture is marked"
        healthy, ill = (sorted(inside[part.labels == label].tolist()) for label in (0, 1))
        assert healthy == ill and len(set(healthy)) == len(healthy)


def test_a_mask_without_its_picture_is_said(package: Path, tmp_path: Path) -> None:
    (package / "pneumonia" / "test" / HEALTHY / "IM-03.jpeg").unlink()
    with pytest.raises(FileNotFoundError, match=r"IM-03\.jpeg is missing, though it has a mask"):
        split(package, tmp_path / "chests")
