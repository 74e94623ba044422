"""What an attack on a smoothed map climbs: the three aims of Ghorbani et al. (2019).

Each is a function of shares, the scores of noisy maps scaled to sum 1, (samples, features), and is
the larger the better the attack. Reference: arXiv:1710.10547, section 3.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from certify.plan import Plan

Aim = Callable[[Tensor], Tensor]


def top_k(plan: Plan, reported: tuple[int, ...]) -> Aim:
    """Share out of the reported features and into the others."""
    signs = torch.ones(plan.features)
    signs[list(reported)] = -1
    return lambda shares: (shares * signs).sum()


def target(plan: Plan, reported: tuple[int, ...]) -> Aim:
    """Share into one region: as many features as are reported, the last of the grid."""
    wanted = torch.zeros(plan.features)
    wanted[-len(reported) :] = 1
    return lambda shares: (shares * wanted).sum()


def mass_centre(plan: Plan, reported: tuple[int, ...]) -> Aim:
    """The centre of mass of the averaged map away from that of the reported features."""
    numbers = torch.arange(plan.features)
    places = torch.stack([numbers // plan.columns, numbers % plan.columns], dim=1).float()
    centre = places[list(reported)].mean(dim=0)
    return lambda shares: len(shares) * ((shares.mean(dim=0) @ places - centre) ** 2).sum()


AIMS = {"top_k": top_k, "target": target, "mass_centre": mass_centre}
