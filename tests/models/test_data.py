"""Data sets from folders made here in the official formats."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.data.dataset import BadData, DataSet, Split
from models.data.files import picture
from models.data.formats import FORMATS, load
from tests.models.data_folders import MAKERS, make_folders, make_sheets, save_ppm, values
from tests.models.short_runs import DIGITS


def made(name: str, folder: Path) -> DataSet:
    MAKERS[name](folder)
    return load(f"{name}:{folder}")


def test_every_format_but_digits_is_made_here() -> None:
    assert sorted((*MAKERS, "digits")) == list(FORMATS)


@pytest.mark.parametrize(
    ("name", "classes", "counts", "side"),
    [
        ("cifar10", 10, (10, 2), 32),
        ("cifar100", 100, (3, 3), 32),
        ("fashion-mnist", 10, (4, 2), 28),
        ("mnist", 10, (4, 2), 28),
        ("gtsrb", 43, (43, 1), 32),
        ("flower17", 17, (2, 1), 128),
        ("tiny-imagenet", 2, (2, 1), 64),
        ("folders", 2, (2, 2), 64),
    ],
)
def test_format_is_read(
    name: str, classes: int, counts: tuple[int, int], side: int, tmp_path: Path
) -> None:
    data = made(name, tmp_path)
    assert (len(data.classes), (len(data.train), len(data.test)), data.side) == (
        classes,
        counts,
        side,
    )


def test_digits_are_those_that_digits_tiny_was_trained_on(digits: NDArray[np.uint8]) -> None:
    data = load(DIGITS)
    assert (len(data.train), len(data.test)) == (1437, 360)
    held_out = {
        each.tobytes(): label
        for each, label in zip(data.test.pictures, data.test.labels, strict=True)
    }
    assert [held_out[each.tobytes()] for each in digits] == list(range(10))


def test_idx_pictures_are_grey_in_three_channels(tmp_path: Path) -> None:
    data = made("fashion-mnist", tmp_path)
    assert (data.train.pictures == values(4, 28, 28)[..., None]).all()
    assert data.train.labels.tolist() == [0, 1, 2, 3]


def test_cifar_planes_become_channels(tmp_path: Path) -> None:
    data = made("cifar10", tmp_path)
    first = values(2, 3073)[0, 1:].reshape(3, 32, 32)
    assert (data.train.pictures[0] == first.transpose(1, 2, 0)).all()
    assert data.train.labels.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert made_hundred_labels(tmp_path) == [7, 8, 99]


def made_hundred_labels(tmp_path: Path) -> list[int]:
    folder = tmp_path / "hundred"
    folder.mkdir()
    labels: list[int] = made("cifar100", folder).train.labels.tolist()
    return labels


def test_cifar_sheets_hold_one_picture_a_row(tmp_path: Path) -> None:
    make_sheets(tmp_path)
    data = load(f"cifar10:{tmp_path}")
    assert (len(data.train), len(data.test)) == (80, 16)
    assert (data.test.pictures[3] == values(16, 1024, 3)[3].reshape(32, 32, 3)).all()
    assert data.test.pictures.flags.writeable


def test_boxes_move_with_their_pictures(tmp_path: Path) -> None:
    data = made("gtsrb", tmp_path)
    regions = data.train.regions
    assert regions is not None
    assert (regions[:, :, :16] == 1).all() and (regions[:, :, 16:] == -1).all()
    # 50×30: the centre 30×30 keeps columns 10..39, of which the box has all, and rows 5..24 of 30.
    assert data.test.regions is not None
    rows = (data.test.regions[0] == 1).all(axis=1)
    assert rows.sum() == pytest.approx(20 / 30 * 32, abs=1)


def test_masks_are_marked_and_pictures_without_one_are_not(tmp_path: Path) -> None:
    data = made("flower17", tmp_path)
    assert data.train.labels.tolist() == [0, 1] and data.test.labels.tolist() == [16]
    assert data.train.regions is not None
    flower, unmarked = data.train.regions
    # 80×60: the centre 60×60 begins at column 10, so the flower ends at 30 of 60.
    assert (flower[:, :62] == 1).all() and (flower[:, 66:] == -1).all()
    assert not unmarked.any()


def test_folders_find_masks_inside_and_beside(tmp_path: Path) -> None:
    inside = tmp_path / "xrays"
    inside.mkdir()
    data = made("folders", inside)
    assert data.classes == ("sick", "well") and data.train.regions is not None
    assert not data.train.regions[0].any()
    assert (data.train.regions[1][:31] == 1).all() and (data.train.regions[1][33:] == -1).all()
    (inside / "masks").rename(tmp_path / "xrays_masks")
    beside = load(f"folders:{inside}")
    assert beside.digest == data.digest


def test_size_may_be_asked_where_pictures_are_fitted(tmp_path: Path) -> None:
    make_folders(tmp_path)
    assert load(f"folders:{tmp_path}@32").side == 32
    with pytest.raises(BadData, match="side is 8; it must be at least 16 pixels"):
        load(f"folders:{tmp_path}@8")
    with pytest.raises(BadData, match="pictures of digits have one size, leave @32 out"):
        load(f"{DIGITS}@32")


def test_digest_changes_with_every_part() -> None:
    pictures, labels = values(2, 16, 16, 3), np.array([0, 1])
    split = Split(pictures, labels)

    def digest(train: Split) -> str:
        return DataSet("x", ("a", "b"), train, split).digest

    regions = np.zeros((2, 16, 16), np.int8)
    variants = [split, Split(pictures + 1, labels), Split(pictures, 1 - labels)]
    variants.append(Split(pictures, labels, regions))
    assert len({digest(each) for each in variants}) == 4
    assert digest(split) == digest(Split(pictures.copy(), labels.copy()))


@pytest.mark.parametrize(
    ("where", "rule"),
    [
        (
            "imagenet:/tmp",
            "data is 'imagenet:/tmp'; it must be FORMAT:FOLDER, with a format of cif",
        ),
        ("digits", "data is 'digits'; it must be FORMAT:FOLDER"),
        ("digits:nowhere", "data folder 'nowhere' is not there"),
    ],
)
def test_unknown_data_is_refused(where: str, rule: str) -> None:
    with pytest.raises(BadData, match=rule):
        load(where)


def test_ppm_is_read_as_pillow_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.ppm"
    save_ppm(path, 5, 7)
    assert (picture(path) == np.array(Image.open(path))).all()
