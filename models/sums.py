"""Sums and enlargements whose bits depend on their values alone.

Libraries add up in orders that follow the instructions of the machine. Here halves are added to
each other, one value to one value, until one is left: an order that is the same everywhere.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor


def added(values: Tensor, dim: int) -> Tensor:
    """Return the sum along a dimension, which goes.

    Where the number of values is odd, the last waits until the others are one; of several that
    wait, the first to wait comes first.
    """
    left: list[Tensor] = []
    while (size := values.shape[dim]) > 1:
        half = size // 2
        if size % 2:
            left.append(values.select(dim, size - 1))
        values = values.narrow(dim, 0, half) + values.narrow(dim, half, half)
    total = values.select(dim, 0)
    for rest in left:
        total = total + rest
    return total


def mean_of_plane(values: Tensor) -> Tensor:
    """Return the mean over height and width of (n, channels, h, w), (n, channels)."""
    mean: Tensor = _Mean.apply(values)  # type: ignore[no-untyped-call]
    return mean


class _Mean(torch.autograd.Function):
    """Every pixel has the same slope; autograd would find it by going back through all halves."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.shape, pixels = values.shape, values.flatten(2)
        return added(pixels, 2) / pixels.shape[2]

    @staticmethod
    def backward(ctx: Any, *behind: Tensor) -> Tensor:
        (slopes,), (*_, high, wide) = behind, ctx.shape
        each: Tensor = slopes / (high * wide)
        return each[:, :, None, None].expand(ctx.shape)


def enlarged(planes: Tensor, sides: tuple[int, int]) -> Tensor:
    """Return planes (n, h, w) enlarged bilinearly to the sides, as by torch's interpolate with
    pixels as squares; what is nowhere negative stays so."""
    for dim, size in zip((1, 2), sides, strict=True):
        lower, upper, share = _between(planes.shape[dim], size, planes.device)
        shape = [-1 if each == dim else 1 for each in range(3)]
        share = share.view(shape)
        near, far = planes.index_select(dim, lower), planes.index_select(dim, upper)
        planes = near * (1 - share) + far * share
    return planes


@lru_cache(maxsize=64)
def _between(few: int, many: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each of many places: the two of few that it lies between, and the share of the upper."""
    places = np.maximum((np.arange(many) + 0.5) * few / many - 0.5, 0)
    lower = places.astype(np.int64)
    upper = np.minimum(lower + 1, few - 1)
    share = (places - lower).astype(np.float32)
    # What is kept here must serve gradients too, whoever asks first.
    with torch.inference_mode(False):
        first, second, third = (torch.from_numpy(each) for each in (lower, upper, share))
        return first.to(device), second.to(device), third.to(device)
