"""The gradient of one class's logit with respect to the pixels."""

import torch
from torch import Tensor

from models.loading import Network


def gradient(network: Network, images: Tensor, target: int) -> Tensor:
    """Return ∂ logit_target / ∂ images, (n, height, width, 3), in logits per grey level.

    `images` is float32 (n, height, width, 3) on 0..255. The target is the same class for every
    image, whatever the network predicts there.

    Reference: Simonyan, Vedaldi, Zisserman (2013), arXiv:1312.6034.
    """
    return gradient_and_logits(network, images, target)[0]


def gradient_and_logits(network: Network, images: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """Return the maps of `gradient` and the logits (n, classes), from one pass."""
    pixels = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = network(pixels)
        (slope,) = torch.autograd.grad(logits[:, target].sum(), pixels)
    return slope, logits.detach()
