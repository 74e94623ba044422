"""Residual networks for small pictures: ResNet-10 and ResNet-18 with a stem that keeps the size.

Source: He et al. (2016), arXiv:1512.03385, with a 3×3 stem of stride 1 and no pooling, as is usual
for CIFAR.
"""

from functools import partial

from torch import nn

from models.architectures.layers import unit
from models.architectures.residual import WIDTHS, Residual, ResNet


def plain(before: int, width: int, stride: int) -> Residual:
    """Two 3×3 convolutions."""
    first, second = unit(before, width, 3, stride), unit(width, width, 3)
    return Residual((*first, nn.ReLU(), *second), before, width, stride)


def build(classes: int, blocks: int) -> ResNet:
    """Return the network with so many blocks in each stage and untrained weights."""
    stem = (*unit(3, WIDTHS[0], 3), nn.ReLU())
    return ResNet(classes, stem, plain, [blocks] * len(WIDTHS), wider=1)


ten = partial(build, blocks=1)
eighteen = partial(build, blocks=2)


def rename(name: str) -> str:
    """Return the name unchanged: these weights are made here."""
    return name
