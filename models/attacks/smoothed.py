"""Projected gradient ascent against a smoothed map, within an ℓ2 ball of 8-bit pictures.

Pushes score out of the reported features and into those outside, averaged over noise, on a smooth
twin of the network. What comes out is an admissible perturbed picture: 8-bit, within the radius.

Reference: the top-k attack of Ghorbani, Abid & Zou (2019), arXiv:1710.10547, with gradients
averaged over noise as in expectation over transformation.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.noise import GREY_LEVELS, draw, table
from certify.plan import Plan
from models.attacks.twin import smooth_twin
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
    reported: tuple[int, ...],
    radius: float,
    strength: Attack,
) -> NDArray[np.uint8]:
    """A picture within ℓ2 `radius` of `picture` whose smoothed map holds little of `reported`.

    radius: [0, 1] intensity. Starts at `picture`, takes normalised steps of 2.5·radius/steps, stays
    in the ball and in 0…255, and rounds towards `picture` at the end.
    """
    twin, signs = smooth_twin(network.module, strength.sharpness), _signs(plan, reported)
    clean = torch.from_numpy(picture).float()
    ball, change = radius * GREY_LEVELS, torch.zeros_like(clean)
    for step in range(strength.steps):
        noise = _noise(plan, step * strength.samples, strength.samples)
        slope = _slope(network, twin, plan, clean + change + noise, signs)
        change = change + 2.5 * ball / strength.steps * slope / slope.norm().clamp_min(1e-30)
        change = (clean + change).clamp(0, 255) - clean
        change = change * (ball / change.norm().clamp_min(1e-30)).clamp_max(1)
    return (clean + change.trunc()).to(torch.uint8).numpy()


def _signs(plan: Plan, reported: tuple[int, ...]) -> Tensor:
    signs = torch.ones(plan.features)
    signs[list(reported)] = -1
    return signs


def _noise(plan: Plan, first: int, samples: int) -> Tensor:
    law_table, key = table(plan.recipe.noise), int(plan.key, 16)
    numbers = range(FIRST_SAMPLE + first, FIRST_SAMPLE + first + samples)
    drawn = np.stack([draw(law_table, key, number, plan.entries) for number in numbers])
    shape = (samples, plan.height, plan.width, plan.channels)
    return torch.from_numpy(drawn.reshape(shape)).float()


def _slope(
    network: Network, twin: torch.nn.Module, plan: Plan, noisy: Tensor, signs: Tensor
) -> Tensor:
    """The ascent direction in picture space: the objective's gradient, averaged over the noise."""
    pixels = noisy.requires_grad_()
    with torch.enable_grad():
        logits = twin(network.normalised(pixels))
        (slope,) = torch.autograd.grad(logits[:, plan.target].sum(), pixels, create_graph=True)
        scores = pool(slope.abs().amax(dim=3), plan.recipe.cell)
        shares = scores / scores.sum(dim=1, keepdim=True).clamp_min(1e-30)
        (ascent,) = torch.autograd.grad((shares * signs).sum(), pixels)
    return ascent.mean(dim=0)
