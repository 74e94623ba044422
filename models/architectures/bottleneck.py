"""ResNet-50 for photographs.

Source: He et al. (2016), arXiv:1512.03385, table 1, with the stride on the 3×3 convolution of a
block, as the PyTorch family of implementations has it.
"""

from torch import nn

from models.architectures.layers import unit
from models.architectures.residual import WIDTHS, Residual, ResNet

BLOCKS, WIDER = (3, 4, 6, 3), 4


def bottleneck(before: int, width: int, stride: int) -> Residual:
    """Narrow, filter, widen."""
    after = WIDER * width
    narrow, middle, wide = (
        unit(before, width, 1),
        unit(width, width, 3, stride),
        unit(width, after, 1),
    )
    layers = (*narrow, nn.ReLU(), *middle, nn.ReLU(), *wide)
    return Residual(layers, before, after, stride)


def build(classes: int) -> ResNet:
    """Return the network with untrained weights; 25.6 million parameters for 1000 classes."""
    stem = (*unit(3, WIDTHS[0], 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return ResNet(classes, stem, bottleneck, BLOCKS, WIDER)


def rename(name: str) -> str:
    """Return the name unchanged: these weights are made here."""
    return name
