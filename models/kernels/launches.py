"""What a launch is told: whose noise on which picture for each lane, and the tables of the laws.

All of it lies in tensors on the device and none in a launch's arguments, so that lanes of one
launch may differ in key, sample, picture and law.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.noise import Table
from models.noise import WORD, signed

FIELDS = 5  # of a lane: key's low word, key's high word, sample, picture, law


@dataclass(frozen=True)
class Lane:
    """One noisy picture: number `picture` of `Pictures` under law number `law` of `Laws`.

    key: 128 bits. sample: below 2^63.
    """

    key: int
    sample: int
    picture: int = 0
    law: int = 0


def packed(lanes: Sequence[Lane], count: int) -> NDArray[np.int64]:
    """Return the lanes as rows (count, FIELDS); missing ones repeat the first.

    Raises ValueError for no lanes, or more than `count`.
    """
    if not 1 <= len(lanes) <= count:
        raise ValueError(f"lanes are {len(lanes)}; they must be 1 to {count}")
    rows = [
        (signed(each.key & WORD), signed(each.key >> 64), each.sample, each.picture, each.law)
        for each in lanes
    ]
    return np.array(rows + rows[:1] * (count - len(rows)), np.int64)


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

    @classmethod
    def of(cls, tables: Sequence[Table], device: torch.device) -> Self:
        """The tables on a device, in this order."""
        longest = max([1, *(len(each.residual) for each in tables)])
        residual = np.zeros((len(tables), longest), np.uint64)
        for row, each in zip(residual, tables, strict=True):
            row[: len(each.residual)] = each.residual
        spans = np.array([(each.first, len(each.residual)) for each in tables], np.int64)
        slots = np.stack([each.slots for each in tables])
        parts = (slots, residual.view(np.int64), spans)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))
