"""Maps an attack can climb: differentiable twice, for a batch with a target for each picture.

The same formulas as in `models.attribution`, written so that a slope of the map itself exists where
gradients are recorded. Under `torch.no_grad()` they cost what an attribution costs.

Reference: Ghorbani, Abid & Zou (2019), arXiv:1710.10547.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from certify.noise import Gaussian, draw, table
from models.attribution.methods import DRAW_SCALE, DRAWS, KEY, STEPS
from models.loading import Network

# Images (n, height, width, 3) on 0..255 -> logits (n, classes).
Logits = Callable[[Tensor], Tensor]
# Logits, images and targets (n,) -> maps (n, height, width, 3).
Signed = Callable[[Logits, Tensor, Tensor], Tensor]
# The same -> scores (n, height, width), never negative.
Scores = Callable[[Logits, Tensor, Tensor], Tensor]

AGGREGATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "range": lambda maps: maps.amax(dim=0) - maps.amin(dim=0),
    "mean": lambda maps: maps.mean(dim=0),
    # Clamped: where all maps agree, the slope of a root would be infinite.
    "deviation": lambda maps: maps.var(dim=0, correction=0).clamp_min(1e-30).sqrt(),
}


def gradient(logits: Logits, images: Tensor, targets: Tensor) -> Tensor:
    """∂ logit_target / ∂ image for each image, signed, (n, height, width, 3)."""
    deep = torch.is_grad_enabled()
    pixels = images if deep and images.requires_grad else images.detach().requires_grad_()
    with torch.enable_grad():
        chosen = logits(pixels).gather(1, targets.unsqueeze(1)).sum()
        (slope,) = torch.autograd.grad(chosen, pixels, create_graph=deep)
    return slope


def integrated(plain: Tensor, steps: int) -> Signed:
    """Integrated gradients from the picture `plain`, which broadcasts, at the middles of the steps.

    (x − x₀) · mean of gradient at x₀ + (i + ½)/steps · (x − x₀), i < steps.

    Reference: Sundararajan, Taly & Yan (2017), arXiv:1703.01365.
    """

    def attribute(logits: Logits, images: Tensor, targets: Tensor) -> Tensor:
        way = images - plain
        points = (plain + (step + 0.5) / steps * way for step in range(steps))
        slopes = (gradient(logits, point, targets) for point in points)
        return way * (sum(slopes, torch.zeros_like(images)) / steps)

    return attribute


def smoothed(noise: Tensor) -> Signed:
    """SmoothGrad over the given noise (m, height, width, 3), the same for every picture.

    Reference: Smilkov et al. (2017), arXiv:1706.03825.
    """

    def attribute(logits: Logits, images: Tensor, targets: Tensor) -> Tensor:
        slopes = (gradient(logits, images + drawn, targets) for drawn in noise)
        return sum(slopes, torch.zeros_like(images)) / len(noise)

    return attribute


def aggregated(base: Signed, offsets: Tensor, how: str) -> Signed:
    """Over m offset pictures: the range, mean or standard deviation of their signed base maps.

    offsets: (m, height, width, 3) in grey levels, held fixed while the picture moves; an offset
    picture is cut to 0…255. With "range" this is the aggregation of DANCE. Raises ValueError for a
    name that is not in AGGREGATIONS.
    """
    if how not in AGGREGATIONS:
        raise ValueError(f"aggregation {how!r} is unknown; known are {', '.join(AGGREGATIONS)}")

    def attribute(logits: Logits, images: Tensor, targets: Tensor) -> Tensor:
        many = (images.unsqueeze(0) + offsets.unsqueeze(1)).clamp(0, 255)
        maps = base(logits, many.flatten(0, 1), targets.repeat(len(offsets)))
        return AGGREGATIONS[how](maps.view(many.shape))

    return attribute


BASES = ("gradient", "smoothgrad", "integrated_gradients")


def climbable(base: str, network: Network) -> Signed:
    """The base attribution of this name, as `models.attribution` defines it, in a form to climb.

    Raises ValueError for a name that is not in BASES.
    """
    if base == "gradient":
        return gradient
    if base == "integrated_gradients":
        return integrated(torch.tensor(network.card.mean, device=network.device), STEPS)
    if base == "smoothgrad":
        side = network.card.size
        law, entries = table(Gaussian(DRAW_SCALE)), side * side * 3
        noise = np.stack([draw(law, KEY, number, entries) for number in range(DRAWS)])
        made = torch.from_numpy(noise.reshape(DRAWS, side, side, 3))
        return smoothed(made.to(network.device, torch.float32))
    raise ValueError(f"base {base!r} cannot be climbed; known are {', '.join(BASES)}")


def magnitudes(signed: Signed) -> Scores:
    """The score of each pixel: the largest absolute value over channels, (n, height, width)."""
    return lambda logits, images, targets: signed(logits, images, targets).abs().amax(dim=3)
