"""What becomes of the maps of one piece of work: rows and sums on the device, little of it copied.

A tally is given the samples of its piece batch by batch, on whichever queue they came through, and
reads nothing back until all queues are done. Every sum is of integers, or of exact multiples of one
unit, so that neither the order nor the queues matter.
"""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.evidence import VOTES_FEATURES, Evidence
from models.features import pool, rank, vote
from models.gpu.hardware import Hardware
from models.lanes import Piece
from models.tallies import UNIT, Result, units


class Tally(Protocol[Result]):
    """What samples of one piece said."""

    def take(self, queue: int, first: int, maps: Tensor, predicted: Tensor) -> None:
        """Take samples first, first + 1, … counted from the piece's start: magnitudes (n, height,
        width) and classes (n,) int32, on queue number `queue`."""

    def result(self) -> Result:
        """What all of them said; all queues must be done."""


class Sums:
    """A sum of (features,) tensors, kept for each queue apart: queues do not wait for others."""

    def __init__(self) -> None:
        self._by_queue: dict[int, Tensor] = {}

    def add(self, queue: int, part: Tensor) -> None:
        """Add on this queue; call it only there."""
        if queue in self._by_queue:
            self._by_queue[queue] += part
        else:
            self._by_queue[queue] = part

    def total(self, dtype: type[np.generic], features: int) -> NDArray[np.generic]:
        """The sum over all queues; they must be done."""
        total = np.zeros(features, dtype)
        for part in self._by_queue.values():
            total += part.cpu().numpy()
        return total


class Rows:
    """One row for each sample, copied to the host as it comes."""

    def __init__(self, hardware: Hardware, samples: int, width: int, dtype: torch.dtype) -> None:
        self._rows = hardware.host((samples, width), dtype)

    def take(self, first: int, rows: Tensor) -> None:
        """Put (n, width) rows from `first` on; call it on the queue that made them."""
        self._rows[first : first + len(rows)].copy_(rows, non_blocking=True)

    def all(self) -> NDArray[np.generic]:
        """Every row, (samples, width); all queues must be done."""
        # A copy, so that page-locked memory does not live as long as evidence does.
        return self._rows.numpy().copy()


class Votes:
    """Evidence of samples that vote: bits packed on the device, and their counts."""

    def __init__(self, piece: Piece, hardware: Hardware) -> None:
        self._piece, plan, samples = piece, piece.plan, piece.stop - piece.start
        self._counts, self._votes = Sums(), None
        self._predicted = Rows(hardware, samples, 1, torch.int32)
        if plan.features <= VOTES_FEATURES:
            self._votes = Rows(hardware, samples, -(-plan.features // 8), torch.uint8)

    def take(self, queue: int, first: int, maps: Tensor, predicted: Tensor) -> None:
        """See `Tally.take`."""
        recipe = self._piece.plan.recipe
        votes = vote(pool(maps, recipe.cell), recipe.votes)
        if self._votes is not None:
            self._votes.take(first, packed(votes))
        self._counts.add(queue, votes.sum(dim=0))
        self._predicted.take(first, predicted.unsqueeze(1))

    def result(self) -> Evidence:
        """As `Evidence.from_votes` makes it."""
        features = self._piece.plan.features
        return Evidence(
            ranges=_ranges(self._piece),
            features=features,
            votes=None if self._votes is None else self._votes.all().astype(np.uint8, copy=False),
            counts=self._counts.total(np.int64, features).astype(np.int64, copy=False),
            predictions=self._predicted.all()[:, 0].astype(np.int32, copy=False),
        )


class Points:
    """Evidence of samples that give points by rank: sums, and sums of squares."""

    def __init__(self, piece: Piece, hardware: Hardware) -> None:
        self._piece, samples = piece, piece.stop - piece.start
        self._points = torch.from_numpy(piece.plan.points.copy()).to(hardware.device)
        self._counts, self._squares = Sums(), Sums()
        self._predicted = Rows(hardware, samples, 1, torch.int32)

    def take(self, queue: int, first: int, maps: Tensor, predicted: Tensor) -> None:
        """See `Tally.take`."""
        points = self._points[rank(pool(maps, self._piece.plan.recipe.cell))]
        self._counts.add(queue, points.sum(dim=0))
        self._squares.add(queue, (points**2).sum(dim=0))
        self._predicted.take(first, predicted.unsqueeze(1))

    def result(self) -> Evidence:
        """As `Evidence.from_points` makes it."""
        features = self._piece.plan.features
        counts, squares = (
            each.total(np.int64, features).astype(np.int64, copy=False)
            for each in (self._counts, self._squares)
        )
        return Evidence(
            ranges=_ranges(self._piece),
            features=features,
            votes=None,
            counts=counts,
            predictions=self._predicted.all()[:, 0].astype(np.int32, copy=False),
            squares=squares,
        )


class Places:
    """Every feature's place in every sample, and the predictions."""

    def __init__(self, piece: Piece, hardware: Hardware) -> None:
        self._cell, samples = piece.plan.recipe.cell, piece.stop - piece.start
        self._places = Rows(hardware, samples, piece.plan.features, torch.int32)
        self._predicted = Rows(hardware, samples, 1, torch.int32)

    def take(self, queue: int, first: int, maps: Tensor, predicted: Tensor) -> None:
        """See `Tally.take`."""
        self._places.take(first, rank(pool(maps, self._cell)).to(torch.int32))
        self._predicted.take(first, predicted.unsqueeze(1))

    def result(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """As `Sampler.rank` gives them."""
        places, predicted = self._places.all(), self._predicted.all()[:, 0]
        return places.astype(np.int32, copy=False), predicted.astype(np.int32, copy=False)


class Scores:
    """The sum of scores, in exact multiples of UNIT."""

    def __init__(self, piece: Piece) -> None:
        self._plan, self._units = piece.plan, Sums()

    def take(self, queue: int, first: int, maps: Tensor, predicted: Tensor) -> None:
        """See `Tally.take`."""
        self._units.add(queue, units(pool(maps, self._plan.recipe.cell)))

    def result(self) -> NDArray[np.float64]:
        """As `Sampler.average` gives it."""
        total = self._units.total(np.float64, self._plan.features)
        return total.astype(np.float64, copy=False) * UNIT


def _ranges(piece: Piece) -> tuple[tuple[int, int], ...]:
    return ((piece.start, piece.stop),) if piece.start < piece.stop else ()


def packed(votes: Tensor) -> Tensor:
    """Return (n, features) booleans as (n, ⌈features / 8⌉) uint8, in numpy.packbits' order."""
    rows, features = votes.shape
    bits = torch.nn.functional.pad(votes.to(torch.uint8), (0, -features % 8)).reshape(rows, -1, 8)
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=votes.device)
    return (bits << shifts).sum(dim=2, dtype=torch.uint8)
