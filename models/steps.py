"""Frozen convolutions, each with the kink behind it as one step of the processor, there and back.

oneDNN applies the kink to values that it has not yet written, and goes back through a convolution
of stride 1 as a convolution with the turned kernel. Layer by layer, PyTorch writes every plane of
values twice on the way there, copies it once more for the way back, and with one thread and fewer
than 16 pictures leaves 1×1 convolutions to slower code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from llvmlite import binding
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.nn.grad import conv2d_input

# What LLVM calls instructions for bfloat16: vectors and matrices of x86, and those of ARM.
BFLOAT16 = ("avx512bf16", "amx-bf16", "bf16")


@dataclass(frozen=True)
class Kink:
    """A function of one value, constant or of slope 1 in each of its pieces.

    name, scalars: what oneDNN calls it. back: slopes behind it and values behind it → slopes before
    it; 0 where the piece is constant. `into` is the same, written into a third tensor, which may be
    the first.
    """

    name: str
    scalars: tuple[float, ...]
    back: Callable[[Tensor, Tensor], Tensor]
    into: Callable[[Tensor, Tensor, Tensor], Tensor]


_relu, _cap = torch.ops.aten.threshold_backward, torch.ops.aten.hardtanh_backward
NONE = Kink("none", (), lambda slopes, _: slopes, lambda slopes, _, into: into.copy_(slopes))
KINKS = {
    nn.ReLU: Kink(
        "relu",
        (),
        lambda slopes, y: _relu(slopes, y, 0),
        lambda slopes, y, into: _relu.grad_input(slopes, y, 0, grad_input=into),
    ),
    nn.ReLU6: Kink(
        "hardtanh",
        (0.0, 6.0),
        lambda slopes, y: _cap(slopes, y, 0, 6),
        lambda slopes, y, into: _cap.grad_input(slopes, y, 0, 6, grad_input=into),
    ),
}


def plain(layer: nn.Conv2d) -> bool:
    """Whether it is a convolution as steps know it: what lies around a picture is zeros."""
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def can(layer: nn.Conv2d) -> bool:
    """Whether oneDNN computes steps of this convolution here."""
    # The operation is PyTorch's own, made for its compiler, and might go.
    known = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    if not known or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    known_type = layer.weight.dtype == torch.float32 or instructed(layer.weight)
    return plain(layer) and known_type


def instructed(weight: Tensor) -> bool:
    """Whether weights are bfloat16 and oneDNN has the processor's own instructions for it. It also
    makes do with others, and is then slower than in float32 by far."""
    features = binding.get_host_cpu_features()
    own = any(features.get(each) for each in BFLOAT16)
    known = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.bfloat16 and own and known


class Step(nn.Module):
    """kink(layer(x)) of a convolution that takes no gradient itself.

    empty: rows and columns that its kernel begins with which hold nothing but zeros put there so
    that it reaches no further; whoever can leaves them out.

    In bfloat16 it goes back through a strided depthwise convolution in float32 and rounds: for
    these oneDNN has quick code in float32 only.
    """

    back: Tensor

    def __init__(self, layer: nn.Conv2d, kink: Kink = NONE, empty: int = 0) -> None:
        super().__init__()
        self.weight, self.bias, self.kink, self.empty = layer.weight, layer.bias, kink, empty
        zeros, spread = [int(side) for side in layer.padding], list(layer.dilation)
        self.around = (zeros, list(layer.stride), spread, layer.groups)
        sides = zip(layer.kernel_size, zeros, spread, strict=True)
        self.zeros = [wide * (kernel - 1) - before for kernel, before, wide in sides]
        self.turns = max(layer.stride) == 1 and min(self.zeros) >= 0
        ahead = self.weight.detach()
        strided = ahead.float() if layer.groups > 1 else ahead
        back = turned(ahead, layer.groups) if self.turns else strided
        self.register_buffer("back", back, persistent=False)

    def ahead(self, x: Tensor) -> Tensor:
        """Return kink(layer(x)), (n, channels, h, w)."""
        return _convolve(x, self.weight, self.bias, self.around, self.kink)

    def slopes(self, behind: Tensor, shape: torch.Size) -> Tensor:
        """Return the slopes in an input of this shape, from those behind the convolution."""
        zeros, stride, spread, groups = self.around
        if not self.turns:
            # In bfloat16 PyTorch's own way back of this way back gives wrong numbers.
            back = self.back.float() if torch.is_grad_enabled() else self.back
            slopes = behind.to(back.dtype)
            found: Tensor = conv2d_input(shape, back, slopes, stride, zeros, spread, groups)  # type: ignore[no-untyped-call]
            return found.to(behind.dtype)
        # Whoever differentiates once more needs operations that PyTorch knows how to.
        if torch.is_grad_enabled():
            return conv2d(behind, self.back, None, 1, self.zeros, spread, groups)
        return _convolve(behind, self.back, None, (self.zeros, [1, 1], spread, groups), NONE)


class Chain(nn.Module):
    """Steps one after another, of which the last alone is seen from outside."""

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last step's values; their input gradient can itself be differentiated."""
        y: Tensor = _Chain.apply(x, self.steps)  # type: ignore[no-untyped-call]
        return y


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: Sequence[Step]) -> Tensor:
        ctx.steps, ctx.shapes, kept = steps, [], []
        for step in steps:
            ctx.shapes.append(x.shape)
            x = step.ahead(x)
            kept.append(None if step.kink is NONE else x)
        ctx.save_for_backward(*kept)
        return x

    @staticmethod
    def backward(ctx: Any, *behind: Tensor) -> tuple[Tensor, None]:
        (slopes,), ours = behind, False
        parts = zip(ctx.steps, ctx.saved_tensors, ctx.shapes, strict=True)
        for step, values, shape in reversed(list(parts)):
            # Slopes that were made here are nobody else's, unless they will be differentiated.
            if ours and not torch.is_grad_enabled():
                slopes = step.kink.into(slopes, values, slopes)
            else:
                slopes = step.kink.back(slopes, values)
            slopes, ours = step.slopes(slopes, shape), True
        return slopes, None


def turned(weight: Tensor, groups: int) -> Tensor:
    """Return the kernel that leads a convolution of stride 1 back: turned by half a circle, outputs
    for inputs."""
    outs, ins, *sides = weight.shape
    apart = weight.flip(2, 3).view(groups, outs // groups, ins, *sides)
    kernel = apart.transpose(1, 2).reshape(groups * ins, outs // groups, *sides)
    return kernel.contiguous(memory_format=torch.channels_last)


Around = tuple[list[int], list[int], list[int], int]


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, around: Around, kink: Kink) -> Tensor:
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, *around, kink.name, list(kink.scalars), ""
    )
    return y
