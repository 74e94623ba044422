"""From a picture to its decoys, each checked as it is returned.

A decoy is checked where it counts: as 8-bit picture, after everything was done to it, in a pass as
wide as any other. What breaks its constraint is undone until it holds; at worst the
decoy is the picture itself, a null decoy, and counted as such.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.decoys.constraint import Kept
from models.decoys.lattice import SIGNS, Board, Lattice
from models.decoys.records import Records
from models.decoys.search import Search
from models.decoys.solver import solve, together
from models.loading import Network

# Of all pictures in one pass of a search. Early layers are large: two pictures of 224×224 in a pass
# take two thirds of the time of eight (measured on EfficientNet-Lite0).
PIXELS = 1 << 17


@dataclass(frozen=True, eq=False)
class Decoys:
    """A few decoys: uint8 (n, side, side, 3), and what is known of each."""

    pictures: NDArray[np.uint8]
    records: Records

    @classmethod
    def merged(cls, parts: Sequence["Decoys"]) -> "Decoys":
        """All of these, one at least, by number."""
        numbers = np.concatenate([part.records.numbers for part in parts])
        pictures = np.concatenate([part.pictures for part in parts])
        return cls(pictures[np.argsort(numbers)], Records.merged(part.records for part in parts))


@dataclass(frozen=True)
class _Case:
    """One decoy: its row in a batch of groups, its number, the slots of its patches."""

    row: int
    number: int
    slots: list[int]


@dataclass(frozen=True, eq=False)
class _Solved:
    """What the search found for a batch of groups."""

    groups: range
    board: Board
    change: Tensor
    repaired: Tensor


class Finder:
    """Looks for the decoys of one picture, a few groups at a time.

    A group is one lattice and one sign. It holds one decoy in scheme "lattice", one for each of its
    patches in scheme "patches". Decoys come group by group. What is found depends on nothing but
    the network, the picture and the search: not on the range asked for, nor on any random number.
    The groups solved last are remembered, so that ranges may be asked for bit by bit.
    """

    def __init__(self, network: Network, picture: NDArray[np.uint8], search: Search) -> None:
        side = network.card.size
        if picture.dtype != np.uint8 or picture.shape != (side, side, 3):
            given = f"{picture.dtype} {picture.shape}"
            raise ValueError(f"picture is {given}; it must be uint8 {(side, side, 3)}")
        self.search = search
        self.lanes = min(network.card.lanes, max(1, PIXELS // side**2))
        clean = torch.from_numpy(picture).to(network.device, torch.float32)
        self._clean = clean.repeat(self.lanes, 1, 1, 1)
        self.kept = Kept(network, search, self._clean)
        self.lattice = Lattice.of(side, search, self.kept.field)
        self._last: _Solved | None = None

    @property
    def deviation(self) -> float:
        """Standard deviation of F(x), in the layer's units."""
        return float(self.kept.deviations[0])

    @property
    def limit(self) -> float:
        """The largest distance allowed: tolerance times the deviation."""
        return float(self.kept.limits[0])

    @property
    def count(self) -> int:
        """How many decoys there are: one for each group, or two for each patch."""
        together = self.search.scheme == "lattice"
        return self.lattice.groups if together else len(SIGNS) * self.lattice.patches

    def find(self, start: int = 0, stop: int | None = None) -> Iterator[Decoys]:
        """The decoys from number `start` of their order on, before `stop`; at most `lanes` at a
        time, and all by default."""
        end = self.count if stop is None else stop
        if not 0 <= start <= end <= self.count:
            raise ValueError(f"decoys are {start}…{end}; they must lie in 0…{self.count}")
        passed = 0
        for first in range(0, self.lattice.groups, self.lanes):
            groups = range(first, min(first + self.lanes, self.lattice.groups))
            cases = [case for row, group in enumerate(groups) for case in self._cases(row, group)]
            wanted = cases[max(start - passed, 0) : max(end - passed, 0)]
            passed += len(cases)
            for place in range(0, len(wanted), self.lanes):
                yield self._checked(self._solved(groups), wanted[place : place + self.lanes])

    def _cases(self, row: int, group: int) -> list[_Case]:
        """The decoys that the group in this row of a batch holds."""
        members = self.lattice.members(group)
        if self.search.scheme == "lattice":
            return [_Case(row, group, [slot for slot, _ in members])]
        sign = group % len(SIGNS)
        return [_Case(row, len(SIGNS) * patch + sign, [slot]) for slot, patch in members]

    def _solved(self, groups: range) -> _Solved:
        """The groups' changes, all patches at once; the last lanes may hold a group again."""
        if self._last is None or self._last.groups != groups:
            filled = [*groups, *[groups[-1]] * (self.lanes - len(groups))]
            kept, clean = self.kept, self._clean
            board = Board(self.lattice, filled, kept.field, kept.plane, clean.device)
            solution = solve(kept, clean, board, self.search)
            change = together(kept, clean, board, solution)
            self._last = _Solved(groups, board, change, solution.repaired)
        return self._last

    def _checked(self, solved: _Solved, cases: list[_Case]) -> Decoys:
        """These decoys, those that break the constraint made null."""
        rows = [case.row for case in cases]
        here = solved.board.rows(rows)
        change = solved.change[rows] * here.only([case.slots for case in cases])
        apart = self._reached(change)
        change = torch.where((apart > self.limit)[:, None, None, None], 0, change)
        size = change.abs()
        moved = here.largest(size) > 0
        records = Records(
            numbers=np.array([case.number for case in cases]),
            patches=np.array([int(moved[n, c.slots].sum()) for n, c in enumerate(cases)]),
            repaired=np.array([int(solved.repaired[c.row, c.slots].sum()) for c in cases]),
            gains=_totals((change * here.signs).clamp_min(0)),
            l1=_totals(size),
            linf=size.flatten(1).amax(1).long().cpu().numpy(),
            distances=np.where((apart > self.limit).cpu(), 0.0, apart.cpu().numpy()),
        )
        return Decoys((self._clean[: len(cases)] + change).to(torch.uint8).cpu().numpy(), records)

    def _reached(self, change: Tensor) -> Tensor:
        """max |F(x̃) − F(x)| of at most `lanes` changes, each in a full pass."""
        images = self._clean.clone()
        images[: len(change)] += change
        return self.kept.distance(images).flatten(1).amax(1)[: len(change)]


def _totals(sizes: Tensor) -> NDArray[np.int64]:
    """Sums of whole numbers, picture by picture; in float32 large ones would be rounded."""
    return sizes.flatten(1).sum(1, dtype=torch.float64).long().cpu().numpy()
