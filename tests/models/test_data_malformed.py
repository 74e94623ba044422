"""Files of data sets that are none: each is refused by what is wrong with it."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from models.data.dataset import BadData
from models.data.formats import FORMATS, load
from tests.models.data_folders import HEADER, MAKERS, make_sheets, values, write_idx


def spoil_pickled(folder: Path) -> None:
    (folder / "data_batch_1.bin").rename(folder / "data_batch_1")


def spoil_short(folder: Path) -> None:
    (folder / "data_batch_3.bin").write_bytes(b"\0" * 5000)


def spoil_label(folder: Path) -> None:
    (folder / "test_batch.bin").write_bytes(b"\x0b" + b"\0" * 3072)


def spoil_idx_magic(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x0d\3" + b"\0" * 12))


def spoil_idx_size(folder: Path) -> None:
    write_idx(folder / "train-images-idx3-ubyte", values(4, 28, 28), packed=True)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def spoil_idx_gzip(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])


def spoil_idx_count(folder: Path) -> None:
    write_idx(folder / "t10k-labels-idx1-ubyte", values(3), packed=True)


def spoil_table(folder: Path) -> None:
    (folder / "GT-final_test.csv").write_text("Filename,Width\n")


def spoil_columns(folder: Path) -> None:
    (folder / "GT-final_test.csv").write_text("a;b;c;d;e;f;g;h\n")


def spoil_number(folder: Path) -> None:
    (folder / "GT-final_test.csv").write_text(f"{HEADER}\n00000.ppm;50;30;5;5;44;x;16\n")


def spoil_ppm(folder: Path) -> None:
    path = folder / "Final_Test" / "Images" / "00000.ppm"
    path.write_bytes(path.read_bytes()[:1000])


def spoil_splits(folder: Path) -> None:
    (folder / "datasplits.mat").write_bytes(b"not a MATLAB file")


def spoil_mask(folder: Path) -> None:
    Image.fromarray(values(50, 80, 3)).save(folder / "trimaps" / "image_0001.png")


def spoil_wnid(folder: Path) -> None:
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn03\t1\t1\t2\t2\n")


def spoil_row(folder: Path) -> None:
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\n")


def spoil_folder(folder: Path) -> None:
    (folder / "test" / "sick" / "one.png").unlink()


def spoil_picture(folder: Path) -> None:
    (folder / "test" / "sick" / "one.png").write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("name", "spoil", "rule"),
    [
        ("cifar10", spoil_pickled, "the version for Python, a pickle, which could run code"),
        ("cifar10", spoil_short, "data_batch_3.bin has 5000 bytes; it must be records of 3073"),
        ("cifar10", spoil_label, r"cifar10 test labels reach from 11 to 11; they must lie in 0..9"),
        ("fashion-mnist", spoil_idx_magic, "begins 00 00 0d 03; it must begin 00 00 08 03"),
        ("fashion-mnist", spoil_idx_size, r"announces \(4, 28, 28\) and has 3135 bytes"),
        ("fashion-mnist", spoil_idx_gzip, "t10k-labels-idx1-ubyte.gz cannot be read"),
        ("fashion-mnist", spoil_idx_count, "t10k has 2 pictures and 3 labels"),
        ("gtsrb", spoil_table, "line 1 has 1 fields; it must have 8"),
        ("gtsrb", spoil_columns, r"has the columns \('a', 'b'"),
        ("gtsrb", spoil_number, "has 'x' where a whole number belongs"),
        ("gtsrb", spoil_ppm, "is a PPM of 50×30 pixels with"),
        ("flower17", spoil_splits, "must be a MATLAB file with trn1, val1 and tst1"),
        ("flower17", spoil_mask, r"its mask is \(50, 80\); it must be \(60, 80\), the picture"),
        ("tiny-imagenet", spoil_wnid, "has the class 'n03', which wnids.txt does not list"),
        ("tiny-imagenet", spoil_row, "line 1 has 2 fields; it must have 6"),
        ("folders", spoil_folder, "has no .jpg or .jpeg or .png or .ppm files"),
        ("folders", spoil_picture, "it must be a JPEG, PNG or WebP file"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_malformed_files_say_what_is_wrong(
    name: str, spoil: Callable[[Path], None], rule: str, tmp_path: Path
) -> None:
    MAKERS[name](tmp_path)
    spoil(tmp_path)
    with pytest.raises(BadData, match=rule):
        load(f"{name}:{tmp_path}")


def test_missing_files_are_named(tmp_path: Path) -> None:
    for name in FORMATS:
        with pytest.raises(BadData, match=r"is missing|must have the folders train and test"):
            load(f"{name}:{tmp_path}")


def test_a_sheet_of_another_width_is_refused(tmp_path: Path) -> None:
    make_sheets(tmp_path)
    Image.fromarray(values(16, 1000, 3)).save(tmp_path / "data_batch_2.png")
    with pytest.raises(BadData, match="is 1000 pixels wide; it must be 1024"):
        load(f"cifar10:{tmp_path}")
