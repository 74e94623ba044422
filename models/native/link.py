"""One step of a chain as native code, there and back."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.native import matrices
from models.native.compiling import available
from models.native.convolving import Shape
from models.native.kernel import PRECISIONS, kernel
from models.native.windows import Side, Sides
from models.steps import Step, instructed, turned

# What oneDNN calls the kinks, and what they are called here.
ENDINGS = {"none": "none", "relu": "relu", "hardtanh": "relu6"}


class Link:
    """A step whose kernel lies as native code wants it."""

    def __init__(self, step: Step, shape: Shape) -> None:
        self.step, groups = step, step.around[3]
        self.held = held(step.weight)
        weight = step.weight.detach()[:, :, step.empty :, step.empty :]
        self._taps = weight.shape[2:]
        self.ahead = kernel(weight, step.bias, groups, shape, self.held)
        self.back = kernel(turned(weight, groups), None, groups, shape, self.held)
        self.ending = ENDINGS[step.kink.name]
        # Whether there is a kink at all; what becomes of slopes that are led back to it; bytes of
        # its bits for each pixel.
        self.kinked = self.ending != "none"
        self.masking = "masked" if self.kinked else "none"
        self.bytes = -(-self.ahead.width // 8) if self.kinked else 0

    def sides(self, plane: tuple[int, int]) -> Sides:
        """The sides of planes of this height and width.

        Raises ValueError where they are smaller than the kernel.
        """
        high, wide = self._sides(plane)
        return high, wide

    def _sides(self, plane: tuple[int, int]) -> Iterator[Side]:
        (zeros, strides, spreads, _), empty = self.step.around, self.step.empty
        about = zip(plane, self._taps, zeros, strides, spreads, strict=True)
        for size, taps, around, stride, spread in about:
            outs = (size + 2 * around - spread * (taps + empty - 1) - 1) // stride + 1
            if outs < 1:
                raise ValueError(f"a side is {size} pixels; the kernel needs more, zeros included")
            yield Side(size, outs, taps, stride, around - spread * empty, spread)


def fits(layer: nn.Conv2d) -> bool:
    """Whether native code computes it: channels all together, or each alone and by eights."""
    outs, ins = layer.weight.shape[:2]
    alone = ins == 1 and outs == layer.groups and outs % 8 == 0
    return suits(layer.weight) and (layer.groups == 1 or alone)


def suits(weight: Tensor) -> bool:
    """Whether native code is the way for such weights here: where the processor has instructions
    for bfloat16 and none for its matrices, oneDNN is quicker."""
    if not available() or weight.dtype not in PRECISIONS:
        return False
    return not instructed(weight) or held(weight) == torch.bfloat16


def held(weight: Tensor) -> torch.dtype:
    """In which values lie in memory between steps of such weights, and come in and go out."""
    halved = weight.dtype == torch.bfloat16 and matrices.available()
    return torch.bfloat16 if halved else torch.float32
