"""Residual networks for small pictures: ResNet-10 and ResNet-18 with a stem that keeps the size.

Source: He et al. (2016), arXiv:1512.03385, with a 3×3 stem of stride 1 and no pooling, as is usual
for CIFAR.
"""

from functools import partial

from torch import Tensor, nn

from models.architectures.layers import Mean, Sum, unit

CHANNELS = (64, 128, 256, 512)


class Residual(nn.Module):
    """Two 3×3 convolutions, added to the input, or to its projection where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        first, second = unit(before, after, 3, stride), unit(after, after, 3)
        self.residual = nn.Sequential(*first, nn.ReLU(), *second)
        same = before == after and stride == 1
        projection = () if same else unit(before, after, 1, stride)
        self.shortcut = nn.Sequential(*projection) if projection else nn.Identity()
        self.sum = Sum()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, before, h, w) to (n, after, h/stride, w/stride)."""
        y: Tensor = self.act(self.sum(self.shortcut(x), self.residual(x)))
        return y


class ResNet(nn.Module):
    """Stem, four stages of so many blocks, mean over the plane, linear classifier."""

    def __init__(self, classes: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*unit(3, CHANNELS[0], 3), nn.ReLU())
        parts, before = [], CHANNELS[0]
        for stage, after in enumerate(CHANNELS):
            for index in range(blocks):
                parts.append(Residual(before, after, 2 if stage and not index else 1))
                before = after
        self.blocks = nn.Sequential(*parts)
        self.mean = Mean()
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for normalised images (n, 3, height, width)."""
        logits: Tensor = self.classifier(self.mean(self.blocks(self.stem(x))))
        return logits


ten = partial(ResNet, blocks=1)
eighteen = partial(ResNet, blocks=2)


def rename(name: str) -> str:
    """Return the name unchanged: these weights are made here."""
    return name
