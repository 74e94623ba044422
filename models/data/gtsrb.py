"""German traffic signs with their boxes, in the official folders and tables.

Source: Stallkamp et al. (2012), doi:10.1016/j.neunet.2012.02.016.
"""

from collections.abc import Iterator
from pathlib import Path

from models.data.dataset import BadData, DataSet
from models.data.files import first_of, rows, whole
from models.data.fitting import Entry, split

CLASSES, SIDE = 43, 32
COLUMNS = ("Filename", "Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId")


def load(folder: Path, size: int = SIDE) -> DataSet:
    """GTSRB from Final_Training/Images/000NN/GT-000NN.csv and Final_Test/Images. Raises BadData.

    The table of the test set is GT-final_test.csv, which is published apart from the pictures.
    """
    home = first_of(folder / "Final_Training", folder / "GTSRB" / "Final_Training").parent
    train = home / "Final_Training" / "Images"
    tables = [train / f"{n:05}" / f"GT-{n:05}.csv" for n in range(CLASSES)]
    test = home / "Final_Test" / "Images"
    truth = first_of(test / "GT-final_test.csv", home / "GT-final_test.csv")
    return DataSet(
        "gtsrb",
        tuple(f"sign {number}" for number in range(CLASSES)),
        split((entry for table in tables for entry in _entries(table, table.parent)), size, True),
        split(_entries(truth, test), size, True),
    )


def _entries(table: Path, pictures: Path) -> Iterator[Entry]:
    found = rows(table, ";", len(COLUMNS))
    header = tuple(next(found, []))[: len(COLUMNS)]
    if header != COLUMNS:
        raise BadData(f"{table} has the columns {header}; they must be {COLUMNS}")
    for name, _, _, *corners, label in (row[: len(COLUMNS)] for row in found):
        left, top, right, bottom = (whole(corner, table) for corner in corners)
        yield Entry(pictures / Path(name).name, whole(label, table), (left, top, right, bottom))
