"""Grad-CAM at the layer that the model card names."""

import torch
from torch import Tensor

from models.attribution.targets import Target, of_target
from models.loading import Network
from models.planes import planes


def grad_cam(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the maps of `grad_cam_and_logits`."""
    return grad_cam_and_logits(network, images, target)[0]


def grad_cam_and_logits(network: Network, images: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Return max(0, Σ_c mean over the plane of (∂ logit_target / ∂ A_c) · A_c) and the logits.

    A is the output of the card's `cam_layer`; maps are (n, height, width), enlarged bilinearly,
    nowhere negative. Raises Unsupported where the card names no layer.

    Reference: Selvaraju et al. (2017), arXiv:1610.02391.
    """
    seen = planes(network, images, lambda logits: of_target(logits, target), "grad_cam")
    weights = seen.slopes.mean(dim=(2, 3), keepdim=True)
    small = (weights * seen.values).sum(dim=1, keepdim=True).relu()
    sides = images.shape[1:3]
    large = torch.nn.functional.interpolate(small, sides, mode="bilinear")
    return large[:, 0], seen.logits
