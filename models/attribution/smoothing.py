"""SmoothGrad: the gradient averaged over further noise, the same noise for every picture."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from certify.noise import Gaussian, draw, table
from models.attribution.gradient import gradient
from models.attribution.methods import DRAW_SCALE, DRAWS, FULL, KEY, TOP
from models.attribution.targets import Target
from models.features import magnitude, vote
from models.loading import Network


def smoothgrad(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the mean of ∂ logit_target / ∂ x at x + δ₀ … x + δ₇, (n, height, width, 3).

    δᵢ is Gaussian noise of scale 0.1 in whole grey levels, a fixed array for each i; pictures
    under it are not clipped.

    Reference: Smilkov et al. (2017), arXiv:1706.03825.
    """
    return _mean(network, images, target, lambda slope: slope)


def squared_smoothgrad(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the mean of the squares of what `smoothgrad` averages, (n, height, width, 3).

    Reference: Hooker et al. (2019), arXiv:1806.10758.
    """
    return _mean(network, images, target, torch.square)


def sparsified_smoothgrad(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return how often a pixel is among the top tenth of its noisy map, (n, height, width).

    The maps are those that `smoothgrad` averages, their largest magnitude over channels.

    Reference: Levine, Singla, Feizi (2019), arXiv:1905.12105.
    """
    return _mean(network, images, target, sparsified)


def relaxed_smoothgrad(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the mean of noisy maps in which the top hundredth of the pixels count 1 each.

    Other pixels of the top tenth count in proportion to the least of the top hundredth, all others
    0. The "relaxed sparsified SmoothGrad" of the reference; (n, height, width).

    Reference: Levine, Singla, Feizi (2019), arXiv:1905.12105.
    """
    return _mean(network, images, target, relaxed)


def sparsified(slopes: Tensor) -> Tensor:
    """Return 1 for the top tenth of the pixels of each map and 0 for the others.

    `slopes` is (n, height, width, 3); a tenth is rounded down, to 1 at least, and among equal
    pixels the first go first.
    """
    flat = magnitude(slopes).flatten(1)
    return vote(flat, _count(TOP, flat)).to(flat.dtype).view(slopes.shape[:3])


def relaxed(slopes: Tensor) -> Tensor:
    """Return min(1, magnitude / least of the top hundredth) in the top tenth, else 0."""
    flat = magnitude(slopes).flatten(1)
    full = flat.topk(_count(FULL, flat), dim=1).values[:, -1:]
    shares = (flat / full.clamp_min(torch.finfo(flat.dtype).tiny)).clamp(max=1)
    return shares.view(slopes.shape[:3]) * sparsified(slopes)


def _count(share: float, flat: Tensor) -> int:
    return max(1, int(share * flat.shape[1]))


def _mean(
    network: Network, images: Tensor, target: Target, of: Callable[[Tensor], Tensor]
) -> Tensor:
    """The mean over the noise of a function of the gradient. Passes are as wide as `images`."""
    noise = _noise(tuple(images.shape[1:]), images.device)
    total = of(gradient(network, images + noise[0], target))
    for each in noise[1:]:
        total = total + of(gradient(network, images + each, target))
    return total / DRAWS


@lru_cache(maxsize=8)
def _noise(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """δ, (draws, *shape) int16 in grey levels."""
    law, entries = table(Gaussian(DRAW_SCALE)), int(np.prod(shape))
    drawn = [draw(law, KEY, number, entries).reshape(shape) for number in range(DRAWS)]
    return torch.from_numpy(np.stack(drawn)).to(device)
