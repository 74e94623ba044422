"""ResNet-50 for photographs.

Source: He et al. (2016), arXiv:1512.03385, table 1, with the stride on the 3×3 convolution of a
block, as the PyTorch family of implementations has it.
"""

from torch import Tensor, nn

from models.architectures.layers import Mean, Sum, unit

WIDTHS, BLOCKS, WIDER = (64, 128, 256, 512), (3, 4, 6, 3), 4


class Bottleneck(nn.Module):
    """Narrow, filter, widen; added to the input, or to its projection where the shape changes."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = WIDER * width
        narrow, middle = unit(before, width, 1), unit(width, width, 3, stride)
        self.residual = nn.Sequential(
            *narrow, nn.ReLU(), *middle, nn.ReLU(), *unit(width, after, 1)
        )
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*unit(before, after, 1, stride))
        self.sum = Sum()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, before, h, w) to (n, 4·width, h/stride, w/stride)."""
        y: Tensor = self.act(self.sum(self.shortcut(x), self.residual(x)))
        return y


class Deep(nn.Module):
    """7×7 stem and pooling, four stages of bottlenecks, mean over the plane, linear classifier."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*unit(3, WIDTHS[0], 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        parts, before = [], WIDTHS[0]
        for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
            for index in range(blocks):
                parts.append(Bottleneck(before, width, 2 if stage and not index else 1))
                before = WIDER * width
        self.blocks = nn.Sequential(*parts)
        self.mean = Mean()
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for normalised images (n, 3, height, width)."""
        logits: Tensor = self.classifier(self.mean(self.blocks(self.stem(x))))
        return logits


def build(classes: int) -> Deep:
    """Return the network with untrained weights; 25.6 million parameters for 1000 classes."""
    return Deep(classes)


def rename(name: str) -> str:
    """Return the name unchanged: these weights are made here."""
    return name
