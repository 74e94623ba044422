"""The layer behind the last planes as native code."""

from torch import Tensor, nn

from models.native.chain import NativeChain
from models.steps import Step


class NativeLinear(nn.Module):
    """A linear layer over the same weights: a convolution of planes of one pixel."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        made = nn.Conv2d(layer.in_features, layer.out_features, 1, device="meta")
        made.weight = nn.Parameter(layer.weight.detach()[:, :, None, None], False)
        made.bias = layer.bias
        self.chain = NativeChain([Step(made)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, features) to (…, outputs)."""
        y: Tensor = self.chain(x.reshape(-1, x.shape[-1], 1, 1))
        return y.reshape(*x.shape[:-1], y.shape[1])
