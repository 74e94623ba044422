"""What a launch is told: whose noise on which picture for each lane, and the tables of the laws.

All of it lies in tensors on the device and none in a launch's arguments, so that lanes of one
launch may differ in key, sample, picture and law.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.noise import Law, table
from models.noise import WORD, signed

FIELDS = 5  # of a lane: key's low word, key's high word, sample, picture, law


def told(key: int, samples: range, picture: int = 0, law: int = 0) -> NDArray[np.int64]:
    """Return one row (FIELDS,) for each sample: number `picture` of `Pictures`, `law` of `Laws`.

    key: 128 bits. samples: consecutive, below 2^63.
    """
    rows = np.empty((len(samples), FIELDS), np.int64)
    rows[:] = signed(key & WORD), signed(key >> 64), 0, picture, law
    rows[:, 2] = np.arange(len(samples)) + samples.start
    return rows


def padded(rows: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """Return `lanes` rows: those there are, then the first again.

    Raises ValueError for none, or more than `lanes`.
    """
    if not 1 <= len(rows) <= lanes:
        raise ValueError(f"lanes are {len(rows)}; they must be 1 to {lanes}")
    return np.concatenate([rows, rows[:1].repeat(lanes - len(rows), axis=0)])


@dataclass(frozen=True, eq=False)
class Pictures:
    """Clean pictures and how the network normalises them.

    values: (pictures, entries) uint8, height·width·channels in C order. mean, std: (channels,)
    float32.
    """

    values: Tensor
    mean: Tensor
    std: Tensor


@dataclass(frozen=True, eq=False)
class Laws:
    """Tables of `certify.noise`, one below the other.

    slots: (laws, 65 536) int16. residual: (laws, longest) int64 with the bits of the thresholds,
    shorter ones filled up. spans: (laws, 2) int64, first value and number of thresholds.
    """

    slots: Tensor
    residual: Tensor
    spans: Tensor


@lru_cache(maxsize=8)
def laws_on(device: torch.device, laws: Sequence[Law]) -> Laws:
    """The tables of a tuple of laws on a device, in this order."""
    tables = [table(law) for law in laws]
    longest = max([1, *(len(each.residual) for each in tables)])
    residual = np.zeros((len(tables), longest), np.uint64)
    for row, each in zip(residual, tables, strict=True):
        row[: len(each.residual)] = each.residual
    spans = np.array([(each.first, len(each.residual)) for each in tables], np.int64)
    slots = np.stack([each.slots for each in tables])
    parts = (slots, residual.view(np.int64), spans)
    return Laws(*(torch.from_numpy(part).to(device) for part in parts))
