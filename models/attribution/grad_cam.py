"""Grad-CAM, by Captum at the layer that the model card names."""

import torch
from torch import Tensor

from models.attribution.twins import Unsupported
from models.loading import Network


def grad_cam(network: Network, images: Tensor, target: int) -> Tensor:
    """Return max(0, Σ_c mean over the plane of (∂ logit_target / ∂ A_c) · A_c), (n, height, width).

    A is the output of the card's `cam_layer`; the map is enlarged bilinearly. Nowhere negative.
    Raises Unsupported where the card names no layer.

    Reference: Selvaraju et al. (2017), arXiv:1610.02391.
    """
    # Captum takes seconds to import and brings matplotlib.
    from captum.attr import LayerGradCam

    name = network.card.cam_layer
    if name is None:
        rule = "its card must name the layer of Grad-CAM as cam_layer"
        raise Unsupported(f"grad_cam on {network.card.name}: {rule}")
    layer = network.module.get_submodule(name)
    normalised = network.normalised(images.detach()).requires_grad_()
    cam = LayerGradCam(network.module, layer)
    small: Tensor = cam.attribute(normalised, target, relu_attributions=True)
    sides = images.shape[1:3]
    large = torch.nn.functional.interpolate(small.detach(), sides, mode="bilinear")
    return large[:, 0]
