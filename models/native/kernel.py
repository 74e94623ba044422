"""One convolution as native code sees it, in one direction: its kernel panel by panel."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from llvmlite import ir
from torch import Tensor, nn

from models.native import matrices
from models.native.compiling import Function
from models.native.convolving import Shape, convolution, given
from models.native.tiles import LEAST, Task
from models.native.walking import Call, tabled
from models.native.windows import HEIGHTS, Sides, windows

PRECISIONS = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel and where it reads.

    product: dense, depthwise or matrix. precision: of what comes out. held: in which pictures and
    outputs lie. packed: as `models.native.convolving` wants it. depth, width: values of a pixel
    that comes in, and of one that goes out. taps: of the kernel.
    """

    product: str
    precision: str
    held: torch.dtype
    packed: Tensor
    bias: Tensor
    depth: int
    width: int
    taps: int
    shape: Shape

    @property
    def together(self) -> int | None:
        """How many input channels go together as matrices, if they do."""
        return matrices.chunk(self.depth) if self.product == "matrix" else None

    def task(self, ending: str) -> Task:
        """What is computed, with this ending."""
        return Task(self.product, ending, self.precision, PRECISIONS[self.held])

    def call(self, ending: str, pictures: int, sides: Sides) -> Call:
        """Return what computes so many pictures (high, wide, depth), which lie whole in memory."""
        together, weight = self.together, self.depth * self.held.itemsize
        tile = HEIGHTS[0] if together is None else matrices.PIXELS[0]
        of_matrices: tuple[int, ...] = ()
        if together is not None:
            of_matrices = together, matrices.settings(together).ctypes.data
        places = windows(pictures, sides, weight, tile)
        own = self.width, self.taps, self.packed.data_ptr(), self.bias.data_ptr(), self.depth
        made = function(self.task(ending), self.shape)
        return Call(made, (*places.addresses, *own, *of_matrices), kept=(self, places))


@cache
def function(task: Task, shape: Shape) -> Function:
    """Return the function of this task, by table. The first time takes up to a second."""
    module = ir.Module("convolutions")
    convolution(module, task, shape)
    return tabled(module, task.name, given(task))


def kernel(
    weight: Tensor, bias: Tensor | None, groups: int, shape: Shape, held: torch.dtype
) -> Kernel:
    """Return the kernel of weights (outs, ins / groups, high, wide), groups 1 or as many as ins.

    What it computes has the weights' precision. Where values are held in bfloat16 they are
    multiplied as matrices, if there are enough channels.
    """
    outs, ins, high, wide = weight.shape
    rows = weight.detach().float().permute(2, 3, 1, 0).reshape(high * wide, ins, outs)
    about = rows.new_zeros(outs) if bias is None else bias.detach().float()
    missing, product = -outs % LEAST, _product(groups, ins, held)
    rows, beyond = nn.functional.pad(rows, (0, missing)).contiguous(), missing
    if product != "depthwise":
        rows = _panels(rows, outs, shape, _pairs if product == "matrix" else torch.flatten)
    if product == "matrix":
        # Of the narrowest panel, registers take in what lies behind it too.
        rows, beyond = nn.functional.pad(rows, (0, 2 * matrices.SIDE)), missing + matrices.SIDE
    return Kernel(
        product=product,
        precision=PRECISIONS[weight.dtype],
        held=held,
        packed=rows,
        bias=nn.functional.pad(about, (0, beyond)),
        depth=outs if groups > 1 else ins,
        width=outs,
        taps=high * wide,
        shape=shape,
    )


def _product(groups: int, ins: int, held: torch.dtype) -> str:
    if groups > 1:
        return "depthwise"
    matrix = held == torch.bfloat16 and matrices.chunk(ins) is not None
    return "matrix" if matrix else "dense"


def _panels(rows: Tensor, outs: int, shape: Shape, laid: Callable[[Tensor], Tensor]) -> Tensor:
    """The kernel (taps, ins, outs and zeros) by panels, each (taps, ins, its outs), laid out."""
    parts, start = [], 0
    for width in shape.panels:
        end = outs if width > LEAST else rows.shape[2]
        stop = start + (end - start) // width * width
        parts += [laid(rows[:, :, at : at + width]) for at in range(start, stop, width)]
        start = stop
    return torch.cat(parts)


def _pairs(panel: Tensor) -> Tensor:
    """A panel as matrices take it in: input channels by twos."""
    taps, ins, _ = panel.shape
    return panel.to(torch.bfloat16).view(taps, ins // 2, 2, -1).transpose(2, 3).flatten()
