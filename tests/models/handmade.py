"""Networks small enough to compute by hand."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from models.loading import Network

MEAN = (120.0, 100.0, 90.0)
STD = (60.0, 50.0, 40.0)
Handmade = Callable[[nn.Module], Network]


def around(tiny: Network) -> Handmade:
    """Makes a network around any module, with a mean and a deviation of its own."""

    def make(module: nn.Module) -> Network:
        made = copy(tiny)
        made.module = made.merged = module.eval().requires_grad_(False)
        made.card = replace(tiny.card, mean=MEAN, std=STD, cam_layer="0")
        made._mean, made._std = torch.tensor(MEAN), torch.tensor(STD)
        return made

    return make


def pictures() -> Tensor:
    """Two, of 8×8 pixels."""
    drawn = np.random.Generator(np.random.Philox(3)).integers(0, 256, (2, 8, 8, 3))
    return torch.from_numpy(drawn).float()


def random(*shape: int, key: int = 1) -> Tensor:
    return torch.from_numpy(np.random.Generator(np.random.Philox(key)).normal(size=shape)).float()


def fill(module: nn.Module, key: int = 5) -> nn.Module:
    """Every parameter drawn anew."""
    for number, parameter in enumerate(module.parameters()):
        parameter.data = random(*parameter.shape, key=key + number) / 3
    return module
