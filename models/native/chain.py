"""Convolutions and kinks one after another as native code, as PyTorch sees them.

A few pictures go through the whole chain before the next do, so that what lies between stays in the
caches. Of it only one bit a value is kept for the way back: whether the kink's slope was 1.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.native.compiling import usual
from models.native.convolving import Shape
from models.native.link import Link
from models.native.way import Way
from models.steps import Chain, Step


class NativeChain(Chain):
    """A chain whose steps are native code. Raises ValueError where they differ in type."""

    def __init__(self, steps: Sequence[Step], shape: Shape | None = None) -> None:
        super().__init__(steps)
        types = {step.weight.dtype for step in steps}
        if len(types) > 1:
            raise ValueError(f"steps are of {types}; what lies between them must be of one type")
        self._links = [Link(step, shape or usual()) for step in steps]
        self._ways: dict[tuple[int, int], Way] = {}

    def forward(self, x: Tensor) -> Tensor:
        """See `Chain.forward`. Raises ValueError for what the first step cannot take: native code
        would read whatever lies there."""
        first = self._links[0]
        given = (x.device.type, x.dtype, x.dim(), *x.shape[1:2])
        wanted = ("cpu", first.step.weight.dtype, 4, first.ahead.depth)
        if given != wanted:
            raise ValueError(f"pictures are {given}; device, type, sides, channels: {wanted}")
        plane = x.shape[2], x.shape[3]
        if plane not in self._ways:
            self._ways[plane] = Way(self._links, plane)
        y: Tensor = _Through.apply(x, self._ways[plane])  # type: ignore[no-untyped-call]
        return y


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, way: Way) -> Tensor:
        dtype, x = x.dtype, x.to(way.held).contiguous(memory_format=torch.channels_last)
        y = _pictures(way, len(x), way.links[-1].ahead.width, way.plane)
        bits = torch.empty(len(x) * way.starts[-1], dtype=torch.uint8, device="cpu")
        arrays = x, y, bits, way.room()
        way.ahead(len(x))(*(each.data_ptr() for each in arrays))
        ctx.way, ctx.bits, ctx.plane = way, bits, x.shape[2:]
        return y.to(dtype)

    @staticmethod
    def backward(ctx: Any, *behind: Tensor) -> tuple[Tensor, None]:
        (slopes,), way = behind, ctx.way
        if torch.is_grad_enabled():
            return _slowly(way, slopes, ctx.bits, ctx.plane), None
        dtype, slopes = slopes.dtype, slopes.to(way.held)
        slopes = slopes.contiguous(memory_format=torch.channels_last)
        found = _pictures(way, len(slopes), way.links[0].back.width, ctx.plane)
        arrays = found, slopes, ctx.bits, way.room()
        way.back(len(slopes))(*(each.data_ptr() for each in arrays))
        return found.to(dtype), None


def _pictures(way: Way, many: int, channels: int, plane: Sequence[int]) -> Tensor:
    shape = many, channels, *plane
    lay = torch.channels_last
    return torch.empty(shape, dtype=way.held, device="cpu", memory_format=lay)


def _slowly(way: Way, slopes: Tensor, bits: Tensor, plane: Sequence[int]) -> Tensor:
    """The slopes in the first step's input, by operations that PyTorch can differentiate."""
    shapes = [plane, *((high.outs, wide.outs) for high, wide in way.sides)]
    for number in reversed(range(len(way.links))):
        link = way.links[number]
        if link.kinked:
            slopes = torch.where(way.steep(bits, number, len(slopes)), slopes, 0)
        shape = (len(slopes), link.back.width, *shapes[number])
        slopes = link.step.slopes(slopes, torch.Size(shape))
    return slopes
