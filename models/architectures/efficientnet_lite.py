"""EfficientNet-Lite0: EfficientNet-B0 with ReLU6 and without squeeze-and-excitation.

Source: Tan & Le (2019), EfficientNet, arXiv:1905.11946, in the "lite" variant its authors published
in 2020. Borders are padded as TensorFlow's SAME does for even sizes: of an odd number of zeros the
extra one goes behind, which happens at every stride of 2.
"""

import re

from models.architectures.inverted import InvertedResidual, Stage, Style

STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1),
    Stage(expansion=6, channels=24, blocks=2, stride=2),
    Stage(expansion=6, channels=40, blocks=2, stride=2, kernel=5),
    Stage(expansion=6, channels=80, blocks=3, stride=2),
    Stage(expansion=6, channels=112, blocks=3, stride=1, kernel=5),
    Stage(expansion=6, channels=192, blocks=4, stride=2, kernel=5),
    Stage(expansion=6, channels=320, blocks=1, stride=1),
)
# Names in the published checkpoint -> ours. In blocks, _bn0 to _bn2 follow the convolutions.
NAMES = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.(\d+)\._(expand|depthwise|project)_conv\.", r"blocks.\1.\2.conv."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
)


def build(classes: int) -> InvertedResidual:
    """Return the network with untrained weights; inputs must have sides divisible by 32."""
    return InvertedResidual(STAGES, Style(same, epsilon=1e-3), classes)


def same(kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an even side for an output of side / stride."""
    zeros = max(kernel - stride, 0)
    return zeros // 2, zeros - zeros // 2


def rename(name: str) -> str:
    """Return our name for a parameter of the published checkpoint, or "" where it has none."""
    for pattern, ours in NAMES:
        if re.search(pattern, name):
            return re.sub(pattern, ours, name)
    return ""
