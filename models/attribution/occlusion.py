"""Occlusion: how much the logit falls when a square is covered, by Captum."""

from torch import Tensor

from models.attribution.methods import WINDOWS
from models.attribution.targets import Target
from models.loading import Network


def occlusion(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return logit(x) − logit(x with a square covered), mean over the squares on a pixel.

    Squares of a quarter of the side lie an eighth of it apart, 7×7 of them, and are filled with
    the card's mean colour. Maps are (n, height, width) in logits.

    Reference: Zeiler & Fergus (2014), arXiv:1311.2901.
    """
    # Captum takes seconds to import and brings matplotlib.
    from captum.attr import Occlusion

    stride = images.shape[1] // (WINDOWS + 1)
    maps: Tensor = Occlusion(network).attribute(
        images,
        sliding_window_shapes=(2 * stride, 2 * stride, 3),
        strides=(stride, stride, 3),
        baselines=images.new_tensor(network.card.mean).expand_as(images),
        target=target,
    )
    return maps[..., 0]
