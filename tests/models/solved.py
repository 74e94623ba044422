"""Networks whose best attacks are known: attacks on plain maps must reach them."""

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.attacks.aims import Aim, Pixels, centre_away, corner, region, top_k
from models.attacks.maps import (
    gradient,
    magnitudes,
)
from models.attacks.plain import Victim
from models.evaluation.agreement import centre

KEY = 0x0123456789ABCDEF
GRID = Pixels(3, 3)
CLEAN = np.random.Generator(np.random.Philox(key=4)).integers(30, 220, (3, 3, 3)).astype(np.uint8)


class Quadratic(nn.Module):
    """logit 0 is Σ a x² / 2 with a > 0, logit 1 is −1: gradient a x."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, images: Tensor) -> Tensor:
        first = (self.weights * images**2).flatten(1).sum(dim=1) / 2
        return torch.stack([first, -torch.ones_like(first)], dim=1)


class Linear(nn.Module):
    """logit 0 is Σ w x, logit 1 is 0."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, images: Tensor) -> Tensor:
        first = (self.weights * images).flatten(1).sum(dim=1)
        return torch.stack([first, torch.zeros_like(first)], dim=1)


class Handmade:
    """As much of a `Network` as attacks use, around a module that takes pictures as they are."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.device = module, torch.device("cpu")

    def normalised(self, images: Tensor) -> Tensor:
        return images

    def __call__(self, images: Tensor) -> Tensor:
        return self.module(images)


def weights() -> Tensor:
    """One channel decides each pixel's maximum by far, so that the map is smooth."""
    grey = np.random.Generator(np.random.Philox(key=5)).uniform(0.5, 1.5, (3, 3))
    return torch.tensor(np.stack([grey, grey / 100, grey / 100], axis=2), dtype=torch.float32)


def quadratic() -> Victim:
    return Victim(Handmade(Quadratic(weights())), magnitudes(gradient))  # type: ignore[arg-type]


def scored(picture: NDArray[np.floating]) -> Tensor:
    values = (weights().double().numpy() * picture).max(axis=2).ravel()
    return torch.tensor(values / values.sum())[None]


def corners(bound: int, wanted: Aim) -> float:
    """The best of an aim over all 2⁹ corners of the ball: moves of the deciding channel."""
    best = -np.inf
    for signs in product((-1, 1), repeat=9):
        moved = CLEAN.astype(float)
        moved[:, :, 0] += bound * np.reshape(signs, (3, 3))
        best = max(best, float(wanted(scored(moved))))
    return best


def aims() -> dict[str, Aim]:
    clean = scored(CLEAN)[0].view(3, 3).numpy()
    return {
        "top_k": top_k(GRID, np.argsort(-clean, axis=None)[:4].tolist()),
        "target": region(GRID, corner(GRID, 2)),
        "mass_centre": centre_away(GRID, torch.tensor(centre(clean))),
    }
