"""What stands between the last planes and the logits, as native code: mean and linear layer."""

import torch
from torch import Tensor, nn

from models.native.chain import NativeChain
from models.native.link import fits
from models.steps import Chain, Step


class NativeMean(nn.Module):
    """The mean over the plane: its pixels added one after another, and one division."""

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[torch.Size, Chain] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, channels)."""
        seen = x.shape[1:]
        if seen not in self._sums:
            layer = _ones(*seen)
            kind = NativeChain if fits(layer) else Chain
            self._sums[seen] = kind([Step(layer)])
        total: Tensor = self._sums[seen](x)
        return total.flatten(1) / (seen[1] * seen[2])


class NativeLinear(nn.Module):
    """A linear layer over the same weights: a convolution of planes of one pixel."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        made = nn.Conv2d(layer.in_features, layer.out_features, 1, device="meta")
        made.weight = nn.Parameter(layer.weight.detach()[:, :, None, None], False)
        made.bias = layer.bias
        self.chain = NativeChain([Step(made)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, features) to (n, outputs)."""
        y: Tensor = self.chain(x[:, :, None, None])
        return y.flatten(1)


def _ones(channels: int, high: int, wide: int) -> nn.Conv2d:
    """The convolution that adds up each channel's plane; one channel is all of them together."""
    made = nn.Conv2d(channels, channels, (high, wide), groups=channels, bias=False, device="meta")
    made.weight = nn.Parameter(torch.ones(channels, 1, high, wide), False)
    return made
