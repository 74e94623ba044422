"""SmoothGrad: the gradient averaged over further noise, the same noise for every picture."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from certify.noise import Gaussian, draw, table
from models.attribution.gradient import gradient
from models.attribution.methods import DRAW_SCALE, DRAWS, KEY
from models.loading import Network


def smoothgrad(network: Network, images: Tensor, target: int) -> Tensor:
    """Return the mean of ∂ logit_target / ∂ x at x + δ₀ … x + δ₇, (n, height, width, 3).

    δᵢ is Gaussian noise of scale 0.1 in whole grey levels, a fixed array for each i; pictures
    under it are not clipped.

    Reference: Smilkov et al. (2017), arXiv:1706.03825.
    """
    return _mean(network, images, target, lambda slope: slope)


def _mean(network: Network, images: Tensor, target: int, of: Callable[[Tensor], Tensor]) -> Tensor:
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
