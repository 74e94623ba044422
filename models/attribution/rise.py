"""RISE: the mean probability over random masks that show a pixel."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from certify.randomness import words
from models.attribution.methods import GRID, KEY, MASKS
from models.attribution.targets import Target, of_target
from models.loading import Network

SPACE = 2  # of addresses under the key; integer noise has 0 and 1


def rise(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return Σ_m p(x₀ + m·(x − x₀)) · m / Σ_m m per pixel, (n, height, width), never negative.

    p is the target's probability, x₀ the card's mean colour, m one of 128 masks: a grid of 7×7
    fair bits, enlarged bilinearly and cut out at a random shift. The masks are the same for every
    picture. The paper divides by the expected Σ m; the real one keeps a pixel that happens to be
    shown often from looking important.

    Reference: Petsiuk, Das, Saenko (2018), arXiv:1806.07421.
    """
    plain = images.new_tensor(network.card.mean)
    way, drawn = images - plain, masks(images.shape[1], images.device)
    total = images.new_zeros(images.shape[:3])
    with torch.no_grad():
        for mask in drawn:
            shares = network(plain + mask[:, :, None] * way).softmax(dim=1)
            total = total + of_target(shares, target)[:, None, None] * mask
    return total / drawn.sum(dim=0)


@lru_cache(maxsize=2)
def masks(side: int, device: torch.device) -> Tensor:
    """The masks for pictures of this side, (masks, side, side) float32 in [0, 1].

    Made on the CPU, so that they are the same bits for every device.
    """
    return torch.stack([_mask(number, side) for number in range(MASKS)]).to(device)


def _mask(number: int, side: int) -> Tensor:
    bits, shifts = (int(word) for word in words(KEY, number, SPACE, 2))
    cell = -(-side // GRID)
    grid = torch.tensor([bits >> place & 1 for place in range(GRID * GRID)], dtype=torch.float32)
    whole = (GRID + 1) * cell
    large = interpolate(grid.view(1, 1, GRID, GRID), (whole, whole), mode="bilinear")[0, 0]
    top, left = shifts % cell, (shifts >> 32) % cell
    return large[top : top + side, left : left + side]
