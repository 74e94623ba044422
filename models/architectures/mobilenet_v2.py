"""MobileNetV2 at width 1.

Source: Sandler et al. (2018), arXiv:1801.04381, table 2, with the symmetric padding of the PyTorch
family of implementations, whose weights we load.
"""

import re

from models.architectures.inverted import InvertedResidual, Stage, Style

STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1),
    Stage(expansion=6, channels=24, blocks=2, stride=2),
    Stage(expansion=6, channels=32, blocks=3, stride=2),
    Stage(expansion=6, channels=64, blocks=4, stride=2),
    Stage(expansion=6, channels=96, blocks=3, stride=1),
    Stage(expansion=6, channels=160, blocks=3, stride=2),
    Stage(expansion=6, channels=320, blocks=1, stride=1),
)
PARTS = {"0": "conv", "1": "norm"}


def build(classes: int) -> InvertedResidual:
    """Return the network with untrained weights."""
    return InvertedResidual(STAGES, Style(symmetric, epsilon=1e-5), classes)


def symmetric(kernel: int, stride: int) -> tuple[int, int]:
    """Return (kernel - 1) / 2 zeros on both sides, whatever the stride."""
    return (kernel - 1) // 2, (kernel - 1) // 2


def rename(name: str) -> str:
    """Return our name for a parameter of the published checkpoint, or "" where it has none.

    There, features 0 and 18 are stem and head. A block with expansion holds two units and then a
    bare convolution and norm (conv.0, conv.1, conv.2, conv.3); the first block lacks one unit.
    """
    if name.startswith("classifier.1."):
        return name.replace("classifier.1.", "classifier.")
    if outer := re.fullmatch(r"features\.(0|18)\.([01])\.(\w+)", name):
        part, index, leaf = {"0": "stem", "18": "head"}[outer[1]], outer[2], outer[3]
        return f"{part}.{PARTS[index]}.{leaf}"
    if inner := re.fullmatch(r"features\.(\d+)\.conv\.([\d.]+)\.(\w+)", name):
        return f"blocks.{int(inner[1]) - 1}.{_inside(inner[1], inner[2])}.{inner[3]}"
    return ""


def _inside(feature: str, place: str) -> str:
    order = ("depthwise", "project") if feature == "1" else ("expand", "depthwise", "project")
    unit, _, index = place.partition(".")
    if index:
        return f"{order[int(unit)]}.{PARTS[index]}"
    bare = int(unit) - (len(order) - 1)
    return f"project.{PARTS[str(bare)]}"
