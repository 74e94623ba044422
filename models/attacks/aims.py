"""What an attack on a map climbs: the three aims of Ghorbani et al. (2019).

Each is a function of shares, the scores of maps scaled to sum 1, (samples, features), and is the
larger the better the attack. Reference: arXiv:1710.10547, section 3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Aim = Callable[[Tensor], Tensor]


class Grid(Protocol):
    """Features in rows of `columns`; every Plan is one."""

    @property
    def features(self) -> int:
        """How many features there are."""

    @property
    def columns(self) -> int:
        """How many are in a row."""


@dataclass(frozen=True)
class Pixels:
    """The grid of a plain map: every pixel is a feature."""

    rows: int
    columns: int

    @property
    def features(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns


def top_k(grid: Grid, reported: Sequence[int]) -> Aim:
    """Share out of the reported features and into the others."""
    signs = torch.ones(grid.features)
    signs[list(reported)] = -1
    return lambda shares: (shares * signs.to(shares)).sum()


def target(grid: Grid, reported: Sequence[int]) -> Aim:
    """Share into one region: as many features as are reported, the last of the grid."""
    return region(grid, range(grid.features - len(reported), grid.features))


def region(grid: Grid, wanted: Sequence[int]) -> Aim:
    """Share into the wanted features."""
    marks = torch.zeros(grid.features)
    marks[list(wanted)] = 1
    return lambda shares: (shares * marks.to(shares)).sum()


def corner(grid: Grid, side: int) -> tuple[int, ...]:
    """The features of the square of this side at the bottom right: where DANCE's authors aim."""
    rows = grid.features // grid.columns
    squares = torch.arange(grid.features).view(rows, grid.columns)[-side:, -side:]
    return tuple(squares.flatten().tolist())


def mass_centre(grid: Grid, reported: Sequence[int]) -> Aim:
    """The centre of mass of the averaged map away from that of the reported features."""
    return centre_away(grid, places(grid)[list(reported)].mean(dim=0))


def centre_away(grid: Grid, centre: Tensor) -> Aim:
    """The centre of mass of the averaged map away from `centre`, (row, column): squared distance.

    Times the number of samples, so that each sample's slope has the weight it has in other aims.
    """
    where = places(grid)

    def aim(shares: Tensor) -> Tensor:
        away = shares.mean(dim=0) @ where.to(shares) - centre.to(shares)
        return len(shares) * (away**2).sum()

    return aim


def places(grid: Grid) -> Tensor:
    """Row and column of every feature, (features, 2)."""
    numbers = torch.arange(grid.features)
    return torch.stack([numbers // grid.columns, numbers % grid.columns], dim=1).float()


AIMS = {"top_k": top_k, "target": target, "mass_centre": mass_centre}
