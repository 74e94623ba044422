"""The 1797 digits that come with scikit-learn: small real data for tests and first steps.

Source: test set of the UCI "Optical Recognition of Handwritten Digits", Alpaydin & Kaynak (1998).
"""

from pathlib import Path

import numpy as np

from models.data.dataset import BadData, DataSet, Split
from models.data.files import grey, rows, whole

SIDE, LEVELS, HELD_OUT = 8, 16, 5


def load(folder: Path) -> DataSet:
    """The digits in folder/digits.csv.gz, 16×16; every fifth is for testing.

    Each of 8×8 pixels in 17 grey levels becomes 2×2 pixels in 256, as for the model digits-tiny.
    Raises BadData.
    """
    path = folder / "digits.csv.gz"
    table = [[whole(field, path) for field in row] for row in rows(path, ",", SIDE * SIDE + 1)]
    if not table or {len(row) for row in table} != {SIDE * SIDE + 1}:
        raise BadData(f"{path} must have {SIDE * SIDE} values and a class in each line")
    numbers = np.array(table, np.int64)
    values, labels = numbers[:, :-1], numbers[:, -1]
    if values.min() < 0 or values.max() > LEVELS:
        raise BadData(f"{path} has values beyond 0..{LEVELS}")
    small = np.rint(values.reshape(-1, SIDE, SIDE) * (255 / LEVELS)).astype(np.uint8)
    pictures = grey(small.repeat(2, axis=1).repeat(2, axis=2))
    held_out = np.arange(len(labels)) % HELD_OUT == 0
    train, test = (Split(pictures[chosen], labels[chosen]) for chosen in (~held_out, held_out))
    return DataSet("digits", tuple("0123456789"), train, test)
