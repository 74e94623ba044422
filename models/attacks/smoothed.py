"""Projected gradient ascent against a smoothed map, within an ℓ2 ball of 8-bit pictures.

Climbs one of `models.attacks.aims`, averaged over noise, on a smooth twin of the network and of its
base map (`models.attacks.soft_maps`). What comes out is an admissible perturbed picture: 8-bit,
within the radius.

Reference: Ghorbani, Abid & Zou (2019), arXiv:1710.10547, with gradients averaged over noise as in
expectation over transformation.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.noise import GREY_LEVELS, draw, table
from certify.plan import Plan
from models.attacks.aims import Aim
from models.attacks.soft_maps import SoftMap, soft_map
from models.features import pool
from models.loading import Network

# Noise of attacks comes from sample numbers no certificate reaches, so attack and proof share none.
FIRST_SAMPLE = 1 << 40


@dataclass(frozen=True)
class Attack:
    """How hard to try. sharpness: of the twin; samples: noise draws averaged for each step."""

    steps: int = 30
    samples: int = 64
    sharpness: float = 20.0


def attack(
    network: Network,
    plan: Plan,
    picture: NDArray[np.uint8],
    aim: Aim,
    radius: float,
    strength: Attack,
    restart: int = 0,
) -> NDArray[np.uint8]:
    """A picture within ℓ2 `radius` of `picture` whose smoothed map serves `aim`.

    radius: [0, 1] intensity. Restart 0 begins at `picture`, others at a random point of the ball's
    surface. Takes normalised steps of 2.5·radius/steps, stays in the ball and in 0…255, and ends at
    the farthest whole grey levels along its way that do. Raises ValueError for a base attribution
    that is not in SOFT_MAPS.
    """
    soft = soft_map(network, plan.recipe.attribution, plan.target, strength.sharpness)
    clean = torch.from_numpy(picture).float()
    first = restart * strength.steps * strength.samples
    ball = radius * GREY_LEVELS
    change = _inside(clean, _noise(plan, first, 1)[0], ball) if restart else torch.zeros_like(clean)
    for step in range(strength.steps):
        noise = _noise(plan, first + step * strength.samples, strength.samples)
        slope = _slope(soft, plan.recipe.cell, clean + change + noise, aim)
        length = 2.5 * ball / strength.steps
        change = _inside(clean, change + length * slope / slope.norm().clamp_min(1e-30), ball)
    return (clean + _whole(clean, change, ball)).to(torch.uint8).numpy()


def _inside(clean: Tensor, change: Tensor, ball: float) -> Tensor:
    """The change, cut to pictures of 0…255 and then to the ball."""
    boxed: Tensor = (clean + change).clamp(0, 255) - clean
    shrink: Tensor = ball / boxed.norm().clamp_min(1e-30)
    return boxed * shrink.clamp_max(1)


def _whole(clean: Tensor, change: Tensor, ball: float) -> Tensor:
    """The change stretched as far as it stays in the ball once it is rounded and cut to 0…255.

    Just rounded, a change that is below one grey level everywhere would be none.
    """

    def rounded(stretch: float) -> Tensor:
        return (clean + (change * stretch).round()).clamp(0, 255) - clean

    low, high = 0.0, (ball + 1) / max(float(change.abs().max()), 1e-30)
    for _ in range(40):
        middle = (low + high) / 2
        fits = float(rounded(middle).double().square().sum()) <= ball**2
        low, high = (middle, high) if fits else (low, middle)
    return rounded(low)


def _noise(plan: Plan, first: int, samples: int) -> Tensor:
    law_table, key = table(plan.recipe.noise), int(plan.key, 16)
    numbers = range(FIRST_SAMPLE + first, FIRST_SAMPLE + first + samples)
    drawn = np.stack([draw(law_table, key, number, plan.entries) for number in numbers])
    shape = (samples, plan.height, plan.width, plan.channels)
    return torch.from_numpy(drawn.reshape(shape)).float()


def _slope(soft: SoftMap, cell: int, noisy: Tensor, aim: Aim) -> Tensor:
    """The ascent direction in picture space: the aim's gradient, averaged over the noise."""
    pixels = noisy.requires_grad_()
    with torch.enable_grad():
        scores = pool(soft(pixels), cell)
        shares = scores / scores.sum(dim=1, keepdim=True).clamp_min(1e-30)
        (ascent,) = torch.autograd.grad(aim(shares), pixels)
    return ascent.mean(dim=0)
