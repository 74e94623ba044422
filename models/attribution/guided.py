"""Guided backpropagation, by Captum on a twin in which every ReLU6 is a ReLU and a cap.

Captum finds nn.ReLU alone, and would answer the plain gradient for a network of ReLU6.
"""

import warnings
from functools import lru_cache

from torch import Tensor, nn

from models.attribution.targets import Target
from models.attribution.twins import twin
from models.loading import Network


class Cap(nn.Module):
    """min(x, 6): what ReLU6 is after ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return x.clamp(max=6)


def guided_backprop(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the gradient of the target's logit that passes a ReLU only where it is positive.

    Maps are (n, height, width, 3) in logits per grey level. Raises Unsupported for networks with
    other kinks than ReLU and ReLU6.

    Reference: Springenberg et al. (2015), arXiv:1412.6806.
    """
    # Captum takes seconds to import and brings matplotlib.
    from captum.attr import GuidedBackprop

    normalised = network.normalised(images.detach()).requires_grad_()
    with warnings.catch_warnings():
        # Captum says at each call that it sets hooks, which is what it was called for.
        warnings.filterwarnings("ignore", "Setting backward hooks", UserWarning)
        slopes: Tensor = GuidedBackprop(_rectified(network)).attribute(normalised, target)
    return slopes.detach().permute(0, 2, 3, 1) / images.new_tensor(network.card.std)


@lru_cache(maxsize=8)
def _rectified(network: Network) -> nn.Module:
    return twin(network, _kink)


def _kink(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.ReLU6):
        return nn.Sequential(nn.ReLU(), Cap())
    return nn.ReLU() if isinstance(layer, nn.ReLU) else None
