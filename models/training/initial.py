"""The weights a training run begins with: a function of its key and of the network's shape."""

import math

import torch
from torch import Tensor, nn

from models.training.draws import Draws, Purpose


def initialise(module: nn.Module, key: int) -> None:
    """Set every parameter and buffer, in place.

    Convolutions: normal of variance 2/(inputs of a value); linear layers: 1/inputs; biases 0; batch
    norms the identity.

    Raises ValueError for a layer of another kind that has parameters.

    Reference: He et al. (2015), arXiv:1502.01852.
    """
    for number, part in enumerate(module.modules()):
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Conv2d | nn.Linear):
            gain = 2.0 if isinstance(part, nn.Conv2d) else 1.0
            inputs = part.weight[0].numel()
            part.weight.data.copy_(math.sqrt(gain / inputs) * _normal(key, number, part.weight))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif list(part.parameters(recurse=False)):
            raise ValueError(f"layer is a {type(part).__name__}; no initial weights are known")


def _normal(key: int, number: int, like: Tensor) -> Tensor:
    draws = Draws(key, 0, 0, (number,))
    return draws.normal(Purpose.PARAMETERS, tuple(like.shape))[0].to(torch.float32)
