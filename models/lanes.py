"""Which samples share a pass through the network: pieces of work dealt into full batches.

A sample's bits do not depend on its place in the batch or on its neighbours (docs/invariance.md),
so a batch may hold samples of several requests: other pictures, targets, noise, cells and votes,
and some may be kept as evidence and others as a sum of scores.
Loads no torch: whoever hands out work asks here what may go together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.plan import Plan

Company = tuple[str, str, str, int, str]
# What the samples of a piece say: evidence, or the sum of their scores, (features,).
Said = Evidence | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Samples start … stop - 1 of a plan about a picture, uint8 (height, width, channels).

    summed: whether the sum of their scores is asked for, and not their evidence.
    """

    plan: Plan
    image: NDArray[np.uint8]
    start: int
    stop: int
    summed: bool = False


@dataclass(frozen=True)
class Run:
    """Consecutive samples of the piece of this number, in the lanes of one batch from `lane` on."""

    piece: int
    samples: range
    lane: int

    @property
    def lanes(self) -> slice:
        """The lanes that it takes."""
        return slice(self.lane, self.lane + len(self.samples))


def company(plan: Plan) -> Company:
    """Return what plans must share to share a batch: all that a pass as a whole depends on."""
    recipe = plan.recipe
    return plan.model, plan.weights, recipe.attribution, recipe.lanes, recipe.precision


def batches(ranges: Sequence[range], lanes: int) -> Iterator[tuple[Run, ...]]:
    """Yield the runs of each batch: the ranges one after another, every batch but the last full."""
    runs: list[Run] = []
    used = 0
    for piece, left in enumerate(ranges):
        while left:
            runs.append(Run(piece, left[: lanes - used], used))
            left, used = left[lanes - used :], runs[-1].lanes.stop
            if used == lanes:
                yield tuple(runs)
                runs, used = [], 0
    if runs:
        yield tuple(runs)
