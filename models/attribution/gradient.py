"""The gradient of one class's logit with respect to the pixels."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.attribution.targets import Target, of_target
from models.loading import Network


def gradient(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return ∂ logit_target / ∂ images, (n, height, width, 3), in logits per grey level.

    `images` is float32 (n, height, width, 3) on 0..255. The target is a class, or one for
    each image, whatever the network predicts there.

    Reference: Simonyan, Vedaldi, Zisserman (2013), arXiv:1312.6034.
    """
    return gradient_of(network, images, target)[0]


def input_x_gradient(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the maps of `input_x_gradient_and_logits`."""
    return input_x_gradient_and_logits(network, images, target)[0]


def input_x_gradient_and_logits(
    network: Network, images: Tensor, target: Target
) -> tuple[Tensor, Tensor]:
    """Return (x − x₀) · ∂ logit_target / ∂ x, (n, height, width, 3) in logits, and the logits.

    x₀ is the card's mean colour, so the input is the one that the network's first layer sees.

    Reference: Shrikumar et al. (2016), arXiv:1605.01713.
    """
    slopes, logits = gradient_of(network, images, target)
    return (images - images.new_tensor(network.card.mean)) * slopes, logits


def gradient_of(
    function: Callable[[Tensor], Tensor], images: Tensor, target: Target
) -> tuple[Tensor, Tensor]:
    """Return ∂ (the logit of each image's target) / ∂ images, and all logits, from one pass.

    `function` maps n images to logits (n, classes), each row from its own image alone.
    """
    pixels = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = function(pixels)
        (slope,) = torch.autograd.grad(of_target(logits, target).sum(), pixels)
    return slope, logits.detach()
