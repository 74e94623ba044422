"""Residual networks: the family of ResNet, whose blocks are added to their input.

Source: He et al. (2016), arXiv:1512.03385. The members differ in stem, block and number of blocks.
"""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from models.architectures.layers import Mean, Sum, unit

WIDTHS = (64, 128, 256, 512)


class Residual(nn.Module):
    """Layers, added to the input, or to its projection where the shape changes."""

    def __init__(self, layers: Iterable[nn.Module], before: int, after: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(*layers)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*unit(before, after, 1, stride))
        self.sum = Sum()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, before, h, w) to (n, after, h/stride, w/stride)."""
        y: Tensor = self.act(self.sum(self.shortcut(x), self.residual(x)))
        return y


# Makes a block from the channels that come in, its width and its stride.
Make = Callable[[int, int, int], Residual]


class ResNet(nn.Module):
    """Stem, stages of so many blocks, mean over the plane, linear classifier.

    Every stage but the first halves the plane. A block of width w leaves wider·w channels.
    """

    def __init__(
        self,
        classes: int,
        stem: Iterable[nn.Module],
        block: Make,
        blocks: Sequence[int],
        wider: int,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem)
        parts, before = [], WIDTHS[0]
        for stage, (width, count) in enumerate(zip(WIDTHS, blocks, strict=True)):
            for index in range(count):
                parts.append(block(before, width, 2 if stage and not index else 1))
                before = wider * width
        self.blocks = nn.Sequential(*parts)
        self.mean = Mean()
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for normalised images (n, 3, height, width)."""
        logits: Tensor = self.classifier(self.mean(self.blocks(self.stem(x))))
        return logits
