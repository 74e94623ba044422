"""Grad-CAM at the layer that the model card names."""

from torch import Tensor

from models.attribution.targets import Target, of_target
from models.loading import Network
from models.planes import planes
from models.sums import added, enlarged, mean_of_plane


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
    weights = mean_of_plane(seen.slopes)[:, :, None, None]
    small = added(weights * seen.values, 1).relu()
    return enlarged(small, (images.shape[1], images.shape[2])), seen.logits
