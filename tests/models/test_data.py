"""Data sets from folders made here in the official formats, and files that are none."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from models.data.dataset import BadData, DataSet, Split
from models.data.files import picture
from models.data.formats import FORMATS, load

ROOT = Path(__file__).parents[2]
DIGITS = f"digits:{ROOT / 'examples' / 'digits'}"


def values(*shape: int) -> NDArray[np.uint8]:
    """Bytes that differ from place to place."""
    return (np.arange(int(np.prod(shape))) * 7 % 251).astype(np.uint8).reshape(shape)


def write_idx(path: Path, array: NDArray[np.uint8], packed: bool) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    data = header + array.tobytes()
    if packed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)


def make_idx(folder: Path, packed: bool = True) -> None:
    for part, count in (("train", 4), ("t10k", 2)):
        write_idx(folder / f"{part}-images-idx3-ubyte", values(count, 28, 28), packed)
        write_idx(folder / f"{part}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8), packed)


def make_cifar10(folder: Path) -> None:
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    for number in range(1, 7):
        name = f"data_batch_{number}.bin" if number < 6 else "test_batch.bin"
        records = values(2, 3073)
        records[:, 0] = (number, number + 1)
        (folder / name).write_bytes(records.tobytes())


def make_cifar100(folder: Path) -> None:
    (folder / "fine_label_names.txt").write_text("\n".join(f"fine {n}" for n in range(100)))
    for part in ("train", "test"):
        records = values(3, 3074)
        records[:, 0], records[:, 1] = 19, (7, 8, 99)
        (folder / f"{part}.bin").write_bytes(records.tobytes())


def make_sheets(folder: Path) -> None:
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        Image.fromarray(values(16, 1024, 3)).save(folder / f"{name}.png")
    (folder / "train_lables.json").write_text(json.dumps([n % 10 for n in range(80)]))
    (folder / "test_lables.json").write_text(json.dumps([n % 10 for n in range(16)]))


def save_ppm(path: Path, height: int, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = f"P6\n# made for a test\n{width} {height}\n255\n".encode()
    path.write_bytes(header + values(height, width, 3).tobytes())


HEADER = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"


def make_gtsrb(folder: Path) -> None:
    train, test = folder / "Final_Training" / "Images", folder / "Final_Test" / "Images"
    for number in range(43):
        home = train / f"{number:05}"
        save_ppm(home / "00000_00000.ppm", 40, 40)
        row = f"00000_00000.ppm;40;40;0;0;19;39;{number}"
        (home / f"GT-{number:05}.csv").write_text(f"{HEADER}\n{row}\n")
    save_ppm(test / "00000.ppm", 30, 50)
    (folder / "GT-final_test.csv").write_text(f"{HEADER}\n00000.ppm;50;30;5;5;44;24;16\n")


def make_flowers(folder: Path) -> None:
    (folder / "jpg").mkdir()
    (folder / "trimaps").mkdir()
    for number in (1, 81, 1360):
        Image.fromarray(values(60, 80, 3)).save(folder / "jpg" / f"image_{number:04}.jpg")
    trimap = np.zeros((60, 80, 3), np.uint8)
    trimap[:, :, 2] = 128
    trimap[:, :40] = (128, 0, 0)
    Image.fromarray(trimap).save(folder / "trimaps" / "image_0001.png")
    splits = {"trn1": [[1]], "val1": [[81]], "tst1": [[1360]]}
    savemat(folder / "datasplits.mat", {name: np.array(v) for name, v in splits.items()})


def make_tiny_imagenet(folder: Path) -> None:
    (folder / "wnids.txt").write_text("n01\nn02\n")
    (folder / "words.txt").write_text("n00\tnothing\nn01\tgoldfish, Carassius\nn02\tfrog\n")
    for name in ("n01", "n02"):
        home = folder / "train" / name
        (home / "images").mkdir(parents=True)
        Image.fromarray(values(64, 64, 3)).save(home / "images" / f"{name}_0.JPEG")
        (home / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t31\t63\n")
    (folder / "val" / "images").mkdir(parents=True)
    Image.fromarray(values(64, 64)).save(folder / "val" / "images" / "val_0.JPEG")
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\t16\t16\t47\t47\n")


def make_folders(folder: Path) -> None:
    for part in ("train", "test"):
        for name in ("sick", "well"):
            home = folder / part / name
            home.mkdir(parents=True)
            Image.fromarray(values(40, 60)).save(home / "one.png")
    masks = folder / "masks" / "train" / "well"
    masks.mkdir(parents=True)
    mask = np.zeros((40, 60), np.uint8)
    mask[:20] = 255
    Image.fromarray(mask).save(masks / "one.png")


MAKERS: dict[str, Callable[[Path], None]] = {
    "cifar10": make_cifar10,
    "cifar100": make_cifar100,
    "fashion-mnist": make_idx,
    "mnist": lambda folder: make_idx(folder, packed=False),
    "gtsrb": make_gtsrb,
    "flower17": make_flowers,
    "tiny-imagenet": make_tiny_imagenet,
    "folders": make_folders,
}


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


def test_ppm_is_read_as_pillow_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.ppm"
    save_ppm(path, 5, 7)
    assert (picture(path) == np.array(Image.open(path))).all()
