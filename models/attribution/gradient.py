"""The gradient of one class's logit with respect to the pixels."""

import torch
from torch import Tensor

from models.loading import Network


def gradient(network: Network, images: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """Return max over channels of |∂ logit_target / ∂ image| per pixel, and the logits.

    `images` is float32 (n, height, width, 3) on 0..255; maps are (n, height, width) in logits per
    grey level, logits (n, classes). The target is the same class for every image, whatever the
    network predicts there.

    Reference: Simonyan, Vedaldi, Zisserman (2013), arXiv:1312.6034.
    """
    pixels = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = network(pixels)
        (slope,) = torch.autograd.grad(logits[:, target].sum(), pixels)
    return slope.abs().amax(dim=3), logits.detach()
