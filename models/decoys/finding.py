"""From a picture to its decoys, each checked as it is returned.

A decoy is checked where it counts: as 8-bit picture, after everything was done to it, in a pass of
`lanes` pictures like any other. What breaks its constraint is undone until it holds; at worst the
decoy is the picture itself, a null decoy, and counted as such.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.decoys.constraint import Kept
from models.decoys.lattice import SIGNS, Board, Lattice
from models.decoys.records import Records
from models.decoys.search import Search
from models.decoys.solver import Solution, solve, together
from models.loading import Network


@dataclass(frozen=True, eq=False)
class Decoys:
    """At most `lanes` decoys: uint8 (n, side, side, 3), and what is known of each."""

    pictures: NDArray[np.uint8]
    records: Records


class Finder:
    """Looks for the decoys of one picture, group by group.

    A group is one lattice and one sign. It holds one decoy in scheme "lattice", one for each of its
    patches in scheme "patches". What is found for a group depends on nothing but the network, the
    picture and the search: not on the range asked for, nor on any random number.
    """

    def __init__(self, network: Network, picture: NDArray[np.uint8], search: Search) -> None:
        side = network.card.size
        if picture.dtype != np.uint8 or picture.shape != (side, side, 3):
            given = f"{picture.dtype} {picture.shape}"
            raise ValueError(f"picture is {given}; it must be uint8 {(side, side, 3)}")
        self.search = search
        clean = torch.from_numpy(picture).to(network.device, torch.float32)
        self._clean = clean.repeat(network.card.lanes, 1, 1, 1)
        self.kept = Kept(network, search, self._clean)
        self.lattice = Lattice.of(side, search, self.kept.field)

    @property
    def deviation(self) -> float:
        """Standard deviation of F(x), in the layer's units."""
        return float(self.kept.deviations[0])

    @property
    def limit(self) -> float:
        """The largest distance allowed: tolerance times the deviation."""
        return float(self.kept.limits[0])

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return self.lattice.groups

    @property
    def count(self) -> int:
        """How many decoys there are: one for each group, or two for each patch."""
        together = self.search.scheme == "lattice"
        return self.groups if together else len(SIGNS) * self.lattice.patches

    def find(self, start: int = 0, stop: int | None = None) -> Iterator[Decoys]:
        """The decoys of groups start … stop − 1, all by default, at most `lanes` at a time."""
        end = self.groups if stop is None else stop
        if not 0 <= start <= end <= self.groups:
            raise ValueError(f"groups are {start}…{end}; they must lie in 0…{self.groups}")
        for first in range(start, end, self.kept.lanes):
            groups = range(first, min(first + self.kept.lanes, end))
            board = self._board(groups)
            solution = solve(self.kept, self._clean, board, self.search)
            if self.search.scheme == "lattice":
                yield self._together(groups, board, solution)
            else:
                for row, group in enumerate(groups):
                    yield from self._singly(row, group, board, solution)

    def _board(self, groups: range) -> Board:
        """The groups, and the last one again for lanes without a group."""
        filled = [*groups, *[groups[-1]] * (self.kept.lanes - len(groups))]
        plane, device = self.kept.plane, self._clean.device
        return Board(self.lattice, filled, self.kept.field, plane, device)

    def _together(self, groups: range, board: Board, solution: Solution) -> Decoys:
        """One decoy of all its patches for each group."""
        change = together(self.kept, self._clean, board, solution)
        moved = board.largest(change.abs()) > 0
        patches = [[slot for slot, _ in self.lattice.members(group)] for group in groups]
        return self._checked(
            torch.tensor(list(groups)),
            change[: len(groups)],
            [int(solution.repaired[row, slots].sum()) for row, slots in enumerate(patches)],
            moved.sum(1).tolist()[: len(groups)],
        )

    def _singly(self, row: int, group: int, board: Board, solution: Solution) -> Iterator[Decoys]:
        """One decoy for each patch of a group."""
        members, lanes = self.lattice.members(group), self.kept.lanes
        for first in range(0, len(members), lanes):
            slots, patches = zip(*members[first : first + lanes], strict=True)
            change = torch.where(board.only(row, slots), solution.change[row], 0)
            numbers = len(SIGNS) * torch.tensor(patches) + group % len(SIGNS)
            repaired = solution.repaired[row, list(slots)].int().tolist()
            moved = (solution.gains[row, list(slots)] > 0).int().tolist()
            yield self._checked(numbers, change, repaired, moved)

    def _checked(
        self, numbers: Tensor, change: Tensor, repaired: list[int], patches: list[int]
    ) -> Decoys:
        """The decoys with these changes, those that break the constraint made null."""
        apart = self._reached(change)
        breaks = (apart > self.limit)[:, None, None, None]
        change = torch.where(breaks, 0, change)
        size = change.abs().flatten(1)
        signs = torch.tensor(SIGNS, device=change.device)[numbers % len(SIGNS)]
        gains = (change * signs[:, None, None, None]).clamp_min(0).flatten(1)
        fine = ~breaks.flatten().cpu().numpy()
        records = Records(
            numbers=numbers.numpy(),
            patches=np.where(fine, patches, 0),
            repaired=np.asarray(repaired),
            gains=_whole(gains.sum(1)),
            l1=_whole(size.sum(1)),
            linf=_whole(size.amax(1)),
            distances=np.where(fine, apart.cpu().numpy(), 0.0),
        )
        return Decoys((self._clean[: len(change)] + change).to(torch.uint8).cpu().numpy(), records)

    def _reached(self, change: Tensor) -> Tensor:
        """max |F(x̃) − F(x)| of at most `lanes` changes, each in a full pass."""
        images = self._clean.clone()
        images[: len(change)] += change
        return self.kept.distance(images).flatten(1).amax(1)[: len(change)]


def _whole(sizes: Tensor) -> NDArray[np.int64]:
    return sizes.long().cpu().numpy()
