"""One convolution as native code sees it, in one direction: its kernel panel by panel."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.native.compiling import function
from models.native.convolving import Shape
from models.native.tiles import LEAST, Task
from models.native.windows import Sides, Windows, windows

PRECISIONS = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel and where it reads.

    product: dense or depthwise. precision: of what comes out. packed: as `models.native.convolving`
    wants it. depth, width: values of a pixel that comes in, and of one that goes out. taps: of the
    kernel.
    """

    product: str
    precision: str
    packed: Tensor
    bias: Tensor
    depth: int
    width: int
    taps: int
    shape: Shape

    def call(self, ending: str, pictures: int, sides: Sides) -> "Call":
        """Return what computes so many pictures (high, wide, depth), which lie whole in memory."""
        return Call(self, windows(pictures, sides, self.depth), ending)


class Call:
    """A kernel over windows, both of which it keeps in memory: native code knows addresses only."""

    def __init__(self, kernel: Kernel, windows: Windows, ending: str) -> None:
        self._kept = kernel, windows
        self._function = function(Task(kernel.product, ending, kernel.precision), kernel.shape)
        places = kernel.packed.data_ptr(), kernel.bias.data_ptr()
        self._given = *windows.addresses, *places, kernel.depth, kernel.width, kernel.taps

    def __call__(self, x: int, y: int, bits: int) -> None:
        """Compute, from the addresses of pictures, outputs and bits, which must stay there."""
        self._function(*self._given, x, y, bits)


def kernel(weight: Tensor, bias: Tensor | None, groups: int, shape: Shape) -> Kernel:
    """Return the kernel of weights (outs, ins / groups, high, wide), groups 1 or as many as ins.

    What it computes has the weights' precision.
    """
    outs, ins, high, wide = weight.shape
    rows = weight.detach().float().permute(2, 3, 1, 0).reshape(high * wide, ins, outs)
    missing = (0, -outs % LEAST)
    about = rows.new_zeros(outs) if bias is None else bias.detach().float()
    rows, about = (nn.functional.pad(each, missing).contiguous() for each in (rows, about))
    dense = groups == 1
    return Kernel(
        product="dense" if dense else "depthwise",
        precision=PRECISIONS[weight.dtype],
        packed=_panels(rows, outs, shape) if dense else rows,
        bias=about,
        depth=ins if dense else outs,
        width=outs,
        taps=high * wide,
        shape=shape,
    )


def _panels(rows: Tensor, outs: int, shape: Shape) -> Tensor:
    """The kernel (taps, ins, outs and what is missing) by panels, each (taps, ins, its outs)."""
    parts, start = [], 0
    for width in shape.panels:
        end = outs if width > LEAST else rows.shape[2]
        stop = start + (end - start) // width * width
        parts += [rows[:, :, at : at + width].flatten() for at in range(start, stop, width)]
        start = stop
    return torch.cat(parts)
