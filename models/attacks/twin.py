"""A smooth twin of a network: the same weights, every kink rounded.

The gradient of a piecewise linear network has no slope of its own to follow, so attacks on
gradient maps climb a twin with softplus for ReLU and are judged on the network itself.

Reference: Ghorbani, Abid & Zou (2019), arXiv:1710.10547, section 3; Dombrowski et al. (2019),
arXiv:1906.07983.
"""

import copy

from torch import Tensor, nn
from torch.nn.functional import softplus


class SmoothCap(nn.Module):
    """ReLU6 with both kinks rounded: softplus(x) − softplus(x − 6)."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return softplus(x, self.sharpness) - softplus(x - 6, self.sharpness)


def smooth_twin(module: nn.Module, sharpness: float) -> nn.Module:
    """A copy of `module` with each ReLU and ReLU6 smooth; larger `sharpness` is nearer to it."""
    twin = copy.deepcopy(module)
    for parent in list(twin.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(parent, name, SmoothCap(sharpness))
            elif isinstance(child, nn.ReLU):
                setattr(parent, name, nn.Softplus(sharpness))
    return twin.requires_grad_(False).eval()
