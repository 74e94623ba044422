"""Convolutions of low precision that go backwards quickly where they skip pixels.

For the input gradient of a strided convolution that filters each channel by itself, oneDNN has
quick code in float32 only: in bfloat16 four such layers took two fifths of a whole pass of
EfficientNet-Lite0 (measured). Those that mix channels are quicker in bfloat16.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_input


class Strided(nn.Module):
    """A strided depthwise convolution whose input gradient is computed in float32 and rounded."""

    weight: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("weight", layer.weight.float())

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution returns."""
        y: Tensor = _Backwards.apply(x, self.layer, self.weight)  # type: ignore[no-untyped-call]
        return y


class _Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d, weight: Tensor) -> Tensor:
        ctx.shape, ctx.layer, ctx.weight = x.shape, layer, weight
        y: Tensor = layer._conv_forward(x, layer.weight, layer.bias)
        return y

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        layer, (slope,) = ctx.layer, slopes
        around = (layer.stride, layer.padding, layer.dilation, layer.groups)
        wide = slope.float()
        found: Tensor = conv2d_input(ctx.shape, ctx.weight, wide, *around)  # type: ignore[no-untyped-call]
        return found.to(slope.dtype), None, None


def quicken(module: nn.Module) -> nn.Module:
    """Make every strided convolution of several groups Strided, in place; return the module."""
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Conv2d) and max(child.stride) > 1 < child.groups:
                setattr(part, name, Strided(child))
    return module
