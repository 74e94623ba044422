"""One convolution as native code sees it, in one direction: its kernel panel by panel."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from models.native.compiling import function
from models.native.convolving import Shape
from models.native.tiles import LEAST
from models.native.windows import Sides, windows

# Addresses of pictures, outputs and bits.
Call = Callable[[int, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel and where it reads.

    kind: dense or depthwise. packed: as `models.native.convolving` wants it. depth, width: values
    of a pixel that comes in, and of one that goes out. taps: of the kernel.
    """

    kind: str
    packed: Tensor
    bias: Tensor
    depth: int
    width: int
    taps: int
    shape: Shape

    def call(self, ending: str, pictures: int, sides: Sides) -> Call:
        """Return what computes so many pictures (high, wide, depth), which lie whole in memory.

        The call keeps no tensor alive that it is given the address of.
        """
        found = windows(pictures, sides, self.depth)
        return partial(
            function(self.kind, ending, self.shape),
            *found.addresses,
            self.packed.data_ptr(),
            self.bias.data_ptr(),
            self.depth,
            self.width,
            self.taps,
        )


def kernel(weight: Tensor, bias: Tensor | None, groups: int, shape: Shape) -> Kernel:
    """Return the kernel of weights (outs, ins / groups, high, wide), groups 1 or as many as ins."""
    outs, ins, high, wide = weight.shape
    rows = weight.detach().permute(2, 3, 1, 0).reshape(high * wide, ins, outs)
    missing = (0, -outs % LEAST)
    about = torch.zeros(outs) if bias is None else bias.detach()
    rows, about = (nn.functional.pad(each, missing).contiguous() for each in (rows, about))
    if groups == 1:
        return Kernel("dense", _panels(rows, outs, shape), about, ins, outs, high * wide, shape)
    return Kernel("depthwise", rows, about, outs, outs, high * wide, shape)


def _panels(rows: Tensor, outs: int, shape: Shape) -> Tensor:
    """The kernel (taps, ins, outs and what is missing) by panels, each (taps, ins, its outs)."""
    parts, start = [], 0
    for width in shape.panels:
        end = outs if width > LEAST else rows.shape[2]
        stop = start + (end - start) // width * width
        parts += [rows[:, :, at : at + width].flatten() for at in range(start, stop, width)]
        start = stop
    return torch.cat(parts)
