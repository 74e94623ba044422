"""Integrated gradients: the gradient averaged on the way from a plain picture."""

from torch import Tensor

from models.attribution.gradient import gradient
from models.attribution.methods import STEPS
from models.attribution.targets import Target
from models.loading import Network


def integrated_gradients(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return (x − x₀) · mean of ∂ logit_target / ∂ x at x₀ + (i + ½)/16 · (x − x₀), i < 16.

    x₀ has the card's mean colour everywhere, a normalised picture of zeros. Maps are (n, height,
    width, 3) in logits; they sum to logit(x) − logit(x₀), up to the error of the midpoint rule.
    On digits that error is small; on networks for photographs, whose gradient turns within a
    hundredth of the way, 16 steps leave much of it (docs/attributions.md).

    Reference: Sundararajan, Taly, Yan (2017), arXiv:1703.01365.
    """
    return integrated(network, images, target, STEPS)


def integrated(network: Network, images: Tensor, target: Target, steps: int) -> Tensor:
    """Return the maps of `integrated_gradients` by another number of steps.

    Each pass has as many pictures as `images`.
    """
    plain = images.new_tensor(network.card.mean)
    way, total = images - plain, images.new_zeros(images.shape)
    for step in range(steps):
        total = total + gradient(network, plain + (step + 0.5) / steps * way, target)
    return way * (total / steps)
