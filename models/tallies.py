"""What becomes of the scores of one piece of work: evidence, or their sum.

A tally is given the samples of its piece in order, as many at a time as one batch held of them, and
what it says in the end does not depend on how they were dealt. So pieces of either kind can share
batches: a pass yields scores and logits, and only what is kept of them differs.
"""

from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.evidence import Evidence
from certify.gathering import Gathering
from models.features import rank, vote
from models.lanes import Piece, Said

# Averaged scores are rounded to multiples of this: sums of them below 2^53 units are exact in
# float64, so that they add up to the same number in any order and any split.
UNIT = 2.0**-40
# Votes of this many bytes, one for each feature and sample, wait to be packed.
WAITING_BYTES = 1 << 24

Result = TypeVar("Result", covariant=True)


class Tally(Protocol[Result]):
    """What samples of one piece said."""

    def add(self, scores: Tensor, logits: Tensor) -> None:
        """Take the next samples: scores (n, features) and logits (n, classes)."""

    def result(self) -> Result:
        """What all of them said."""


def tally(piece: Piece) -> Tally[Said]:
    """Return the tally of what the piece asks for."""
    return Total(piece) if piece.summed else Ballots(piece)


class Ballots:
    """Evidence: votes, or points by rank, and predictions.

    Rows wait until they are worth packing: eight to a byte, or, of many features, as counts alone.
    They wait in room of their own: small arrays kept from each batch would lie between the large
    ones of the next, and memory would grow with the samples.
    """

    def __init__(self, piece: Piece) -> None:
        plan = self._plan = piece.plan
        kind = np.dtype(np.bool_ if plan.votes_only else np.int32)
        most = max(plan.recipe.lanes, WAITING_BYTES // (plan.features * kind.itemsize))
        room = min(piece.stop - piece.start, most)
        self._at, self._held = piece.start, 0
        self._rows = np.empty((room, plan.features), kind)
        self._predictions = np.empty(room, np.int32)
        self._packed = Gathering(Evidence.empty(plan.features, plan.votes_only))

    def add(self, scores: Tensor, logits: Tensor) -> None:
        """See `Tally.add`."""
        if self._held + len(scores) > len(self._rows):
            self._pack()
        votes, votes_only = self._plan.recipe.votes, self._plan.votes_only
        here = slice(self._held, self._held + len(scores))
        self._rows[here] = vote(scores, votes).cpu().numpy() if votes_only else places(scores)
        self._predictions[here] = predicted(logits)
        self._held = here.stop

    def result(self) -> Evidence:
        """The evidence of all samples."""
        if self._held:
            self._pack()
        return self._packed.whole()

    def _pack(self) -> None:
        # Evidence keeps its predictions as they are given.
        rows, predictions = self._rows[: self._held], self._predictions[: self._held].copy()
        if self._plan.votes_only:
            part = Evidence.from_votes(self._at, rows, predictions)
        else:
            part = Evidence.from_points(self._at, self._plan.points[rows], predictions)
        self._packed.add(part)
        self._at += self._held
        self._held = 0


class Total:
    """The sum of scores, each rounded to a multiple of UNIT before it is added."""

    def __init__(self, piece: Piece) -> None:
        self._units = np.zeros(piece.plan.features)

    def add(self, scores: Tensor, logits: Tensor) -> None:
        """See `Tally.add`."""
        self._units += units(scores).cpu().numpy()

    def result(self) -> NDArray[np.float64]:
        """The sum over all samples, (features,)."""
        return self._units * UNIT


def units(scores: Tensor) -> Tensor:
    """Return the sum of (n, features) scores in whole units of UNIT, (features,) float64."""
    return (scores.double() / UNIT).round().sum(dim=0)


def places(scores: Tensor) -> NDArray[np.int32]:
    """Return every feature's place, (n, features), 0 for the highest score."""
    found: NDArray[np.int32] = rank(scores).to(torch.int32).cpu().numpy()
    return found


def predicted(logits: Tensor) -> NDArray[np.int32]:
    """Return the class of the largest logit of each sample, (n,)."""
    classes: NDArray[np.int32] = logits.argmax(dim=1).to(torch.int32).cpu().numpy()
    return classes
