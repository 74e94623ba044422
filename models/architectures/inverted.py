"""Inverted residual networks: the family of MobileNetV2 and EfficientNet-Lite, evaluation only.

Source: Sandler et al. (2018), MobileNetV2, arXiv:1801.04381. The two members differ in the table of
blocks, in how borders are padded and in the constant of the batch norms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from models.architectures.layers import Mean, Sum

Padding = Callable[[int, int], tuple[int, int]]  # kernel, stride -> zeros before, zeros after


@dataclass(frozen=True)
class Stage:
    """Blocks that share a width: the first has this stride, the others stride 1."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int = 3


@dataclass(frozen=True)
class Style:
    """What the members of the family do differently."""

    padding: Padding
    epsilon: float  # added to the variance in batch norm


class Unit(nn.Sequential):
    """Convolution, batch norm and, unless `linear`, ReLU6.

    Zeros go into the convolution itself where both borders get as many, else into a layer before.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        style: Style,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        before, after = style.padding(kernel, stride)
        if before != after:
            self.add_module("pad", nn.ZeroPad2d((before, after, before, after)))
        inside = before if before == after else 0
        convolution = nn.Conv2d(*channels, kernel, stride, inside, groups=groups, bias=False)
        self.add_module("conv", convolution)
        self.add_module("norm", nn.BatchNorm2d(channels[1], eps=style.epsilon))
        if not linear:
            self.add_module("act", nn.ReLU6(inplace=True))


class Block(nn.Module):
    """Expand, filter each channel, project; add the input where shapes allow."""

    # Applied one after another; nothing else sees what is between them.
    line = ("expand", "depthwise", "project")

    def __init__(self, channels: tuple[int, int], stage: Stage, stride: int, style: Style) -> None:
        super().__init__()
        wide = channels[0] * stage.expansion
        self.expand = nn.Identity() if stage.expansion == 1 else Unit((channels[0], wide), style)
        self.depthwise = Unit((wide, wide), style, kernel=stage.kernel, stride=stride, groups=wide)
        self.project = Unit((wide, channels[1]), style, linear=True)
        self.sum = Sum() if stride == 1 and channels[0] == channels[1] else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels[0], h, w) to (n, channels[1], h/stride, w/stride)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return y if self.sum is None else self.sum(x, y)


class InvertedResidual(nn.Module):
    """Stem, stages of blocks, head, mean over the plane, linear classifier: images to logits."""

    def __init__(self, stages: Sequence[Stage], style: Style, classes: int) -> None:
        super().__init__()
        self.stem = Unit((3, 32), style, kernel=3, stride=2)
        blocks, width = [], 32
        for stage in stages:
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                blocks.append(Block((width, stage.channels), stage, stride, style))
                width = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = Unit((width, 1280), style)
        self.mean = Mean()
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for normalised images (n, 3, height, width)."""
        logits: Tensor = self.classifier(self.mean(self.head(self.blocks(self.stem(x)))))
        return logits
