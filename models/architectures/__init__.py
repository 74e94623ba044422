"""The networks we can build, by the name a model card gives: a literal dict, never an import."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from models.architectures import bottleneck, efficientnet_lite, mobilenet_v2, resnet, small, tiny


@dataclass(frozen=True)
class Architecture:
    """How to build a network and what a published checkpoint calls its parameters."""

    build: Callable[[int], nn.Module]
    rename: Callable[[str], str]


ARCHITECTURES: Mapping[str, Architecture] = {
    "efficientnet-lite0": Architecture(efficientnet_lite.build, efficientnet_lite.rename),
    "mobilenet-v2": Architecture(mobilenet_v2.build, mobilenet_v2.rename),
    "resnet10": Architecture(resnet.ten, resnet.rename),
    "resnet18": Architecture(resnet.eighteen, resnet.rename),
    "resnet50": Architecture(bottleneck.build, bottleneck.rename),
    "slim": Architecture(small.slim, small.rename),
    "small": Architecture(small.build, small.rename),
    "tiny": Architecture(tiny.build, tiny.rename),
}
