"""Folders of data sets in the official formats, made small."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat


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
