"""Copies of a network to which other rules of going backwards can be attached."""

import copy
from collections.abc import Callable

from torch import nn

from models.architectures.layers import Mean, Sum
from models.loading import Network

KINKS = (nn.ReLU, nn.ReLU6)
LINEAR = (nn.Conv2d, nn.Linear, nn.AvgPool2d, nn.ZeroPad2d, nn.Flatten, nn.Identity, Sum, Mean)

Swap = Callable[[nn.Module], nn.Module | None]


class Unsupported(ValueError):
    """This attribution says nothing about such a network."""


def twin(network: Network, swap: Swap) -> nn.Module:
    """A copy of the network's module in which `swap` has replaced what it returns another for.

    Raises Unsupported where a layer is neither linear nor a ReLU or ReLU6: rules for those would
    pass it over in silence.
    """
    made: nn.Module = copy.deepcopy(network.module)
    for path, layer in list(made.named_modules()):
        if not any(True for _ in layer.children()) and not isinstance(layer, (*KINKS, *LINEAR)):
            kinds = ", ".join(kind.__name__ for kind in (*KINKS, *LINEAR))
            raise Unsupported(
                f"layer {path} of {network.card.name} is a {type(layer).__name__}; rules for going "
                f"backwards are known for these kinds of layers only: {kinds}"
            )
        for name, child in layer.named_children():
            if (other := swap(child)) is not None:
                setattr(layer, name, other)
    return made.requires_grad_(False)
