"""Layers by name: the part of a network up to one, and what its values see of the picture.

A name is the path of a module, "blocks.2". Cards list the layers that can be named; up to each of
them a network applies its modules one after the other, in the order in which it holds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from models.architectures.layers import Sum

POINTWISE = (
    nn.BatchNorm2d,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.Sigmoid,
    nn.Softplus,
    Sum,
    nn.Tanh,
)


def front(module: nn.Module, layer: str) -> nn.Sequential:
    """The network up to and including a layer: the same modules, those behind it left out.

    Raises ValueError where no module has this path.
    """
    head, _, rest = layer.partition(".")
    before: list[nn.Module] = []
    for name, child in module.named_children():
        if name == head:
            return nn.Sequential(*before, front(child, rest) if rest else child)
        before.append(child)
    known = ", ".join(name for name, _ in module.named_children()) or "none"
    raise ValueError(f"layer is {layer!r}; it must be the path of a module, here one of {known}")


@dataclass(frozen=True)
class Field:
    """What the values of a layer see, in pixels along each side.

    Value u sees the `size` pixels from start + jump·u on.
    """

    size: int
    jump: int
    start: int


def field(front: nn.Module) -> Field | None:
    """What each value behind these modules sees; None where it may be the whole picture.

    size = 1 + Σ (kernel − 1)·dilation·jump before it, jump = Π stride. A sum of a block's input and
    output sees no more than the block, whose windows lie around their middle.
    """
    size, jump, start = 1, 1, 0
    for part in _parts(front):
        window = _window(part)
        if window is None:
            return None
        kernel, stride, before = window
        size, start, jump = size + (kernel - 1) * jump, start - before * jump, jump * stride
    return Field(size, jump, start)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    if not children:
        yield module
    for child in children:
        yield from _parts(child)


def _window(part: nn.Module) -> tuple[int, int, int] | None:
    """Kernel, stride and zeros before of one module, if it is square and local."""
    if isinstance(part, POINTWISE):
        return 1, 1, 0
    if isinstance(part, nn.ZeroPad2d):
        left, _, top, _ = part.padding
        return (1, 1, left) if left == top else None
    if isinstance(part, nn.Conv2d) and not isinstance(part.padding, str):
        sides = zip(part.kernel_size, part.stride, part.padding, part.dilation, strict=True)
        (kernel, stride, zeros, dilation), *others = set(sides)
        return None if others else ((kernel - 1) * dilation + 1, stride, zeros)
    if isinstance(part, nn.MaxPool2d | nn.AvgPool2d):
        whole = (part.kernel_size, part.stride, part.padding)
        return whole if all(isinstance(n, int) for n in whole) else None  # type: ignore[return-value]
    return None
