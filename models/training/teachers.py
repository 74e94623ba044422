"""Saliency maps by a frozen teacher, as SAT wants them: of each picture's predicted class.

Constants are those of the authors' released code (shared notes, section 3.1).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from models.attacks.maps import gradient
from models.attribution.guided import guided_backprop
from models.loading import Network
from models.planes import planes
from models.training.draws import Draws, Purpose

SMOOTH_DRAWS, SMOOTH_SHARE = 10, 0.15

# Teacher, pictures (n, height, width, 3) on 0..255, draws -> maps that broadcast to the pictures.
Teaching = Callable[[Network, Tensor, Draws], Tensor]


def signs_of_guided(teacher: Network, pictures: Tensor, draws: Draws) -> Tensor:
    """The sign of guided backpropagation, in {-1, 0, 1}, (n, height, width, 3).

    Reference: Springenberg et al. (2015), arXiv:1412.6806.
    """
    predicted, made = _predicted(teacher, pictures), torch.zeros_like(pictures)
    for target in sorted(set(predicted.tolist())):
        chosen = predicted == target
        made[chosen] = guided_backprop(teacher, pictures[chosen], target)
    return made.sign()


def smoothgrad(teacher: Network, pictures: Tensor, draws: Draws) -> Tensor:
    """SmoothGrad over 10 draws of 0.15 times the picture's range, scaled to [0, 1] each.

    (n, height, width, 3). Noise is a function of the draws' key, epoch and samples.

    Reference: Smilkov et al. (2017), arXiv:1706.03825.
    """
    targets, total = _predicted(teacher, pictures), torch.zeros_like(pictures)
    ranges = pictures.amax(dim=(1, 2, 3)) - pictures.amin(dim=(1, 2, 3))
    scales = SMOOTH_SHARE * ranges.view(-1, 1, 1, 1)
    for time in range(SMOOTH_DRAWS):
        noise = draws.normal(Purpose.TEACHER, tuple(pictures.shape[1:]), time).to(pictures)
        with torch.no_grad():
            total += gradient(teacher, pictures + scales * noise, targets)
    return scaled(total)


def grad_cam_plus_plus(teacher: Network, pictures: Tensor, draws: Draws) -> Tensor:
    """Grad-CAM++ at the card's `cam_layer`, enlarged, scaled to [0, 1], (n, height, width, 1).

    max(0, Σ_c w_c A_c) with w_c = Σ a·max(0, g) over the plane, a = g² / (2 g² + g³ Σ A), g the
    slope of the predicted class's logit in A. Raises Unsupported where the card names no layer.

    Reference: Chattopadhay et al. (2018), arXiv:1710.11063, equations 10 and 19.
    """
    seen = planes(teacher, pictures, lambda logits: logits.amax(dim=1), "grad_cam_plus_plus")
    steep, total = seen.slopes, seen.values.sum(dim=(2, 3), keepdim=True)
    below = 2 * steep**2 + steep**3 * total
    shares = torch.where(below != 0, steep**2 / torch.where(below != 0, below, 1), 0)
    weights = (shares * steep.relu()).sum(dim=(2, 3), keepdim=True)
    small = (weights * seen.values).sum(dim=1, keepdim=True).relu()
    large = interpolate(small, tuple(pictures.shape[1:3]), mode="bilinear")
    return scaled(large.permute(0, 2, 3, 1))


def scaled(maps: Tensor) -> Tensor:
    """Each map moved and stretched to reach from 0 to 1; a constant one becomes 0."""
    low = maps.amin(dim=(1, 2, 3), keepdim=True)
    high = maps.amax(dim=(1, 2, 3), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)


def _predicted(teacher: Network, pictures: Tensor) -> Tensor:
    with torch.no_grad():
        return teacher(pictures).argmax(dim=1)


TEACHINGS: Mapping[str, Teaching] = MappingProxyType(
    {
        "guided_backprop": signs_of_guided,
        "grad_cam_plus_plus": grad_cam_plus_plus,
        "smoothgrad": smoothgrad,
    }
)
