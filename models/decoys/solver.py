"""The search for decoys: projected ascent with a penalty, of which only what holds is kept.

Every trial is an 8-bit picture, judged patch by patch; the best that kept the constraint stays.
Where the last trial of a patch broke it, shorter changes in the same direction are tried.

The paper's text does not give its solver; this is ours (docs/dance.md).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.decoys.constraint import Kept
from models.decoys.lattice import Board
from models.decoys.search import Search

# How the weight of the penalty, 1 at first, changes after a trial that broke or kept a constraint,
# and its limits. Both slopes are scaled to 1 in each patch, so these numbers have no unit.
TIGHTEN, RELAX = 2.0, 0.67
WEIGHTS = (1 / 16, 1024.0)
FIRST_STEP, LAST_STEP = 1 / 16, 1 / 64  # lengths, as shares of the cap
SHARES = 8  # of the last change that are tried: 7/8, 6/8, …, 1/8


@dataclass(frozen=True, eq=False)
class Solution:
    """The best change of each patch: grey levels (n, side, side, 3), whole numbers as float32.

    gains: Σ ((x̃ − x)·s)⁺ over each patch, (n, slots); 0 where no change was found. repaired: where
    the last trial of the ascent broke the constraint, so that another one is kept.
    """

    change: Tensor
    gains: Tensor
    repaired: Tensor

    def improved(self, board: Board, trial: Tensor, fits: Tensor) -> "Solution":
        """With the patches of `trial` that fit and gain more."""
        gains = board.total((trial * board.signs).clamp_min(0))
        better = fits & (gains > self.gains)
        taken = board.spread(better) * board.marks
        change = self.change + taken * (trial - self.change)
        return Solution(change, torch.where(better, gains, self.gains), self.repaired)


def solve(kept: Kept, pictures: Tensor, board: Board, search: Search) -> Solution:
    """The best change found for each patch of the board, for pictures (lanes, side, side, 3).

    What lies outside 0…255 already, under noise, moves no further out.
    """
    low = board.marks * (-pictures).clamp(-search.cap, 0)
    high = board.marks * (255 - pictures).clamp(0, search.cap)
    change = torch.zeros_like(low)
    nothing = change.new_zeros(len(low), board.slots)
    weights, found = nothing + 1, Solution(change, nothing, nothing.bool())
    for step in range(search.steps):
        trial = change.round()
        apart, slope = kept.pull(pictures + trial)
        fits = board.worst(apart) <= kept.limits[:, None]
        found = found.improved(board, trial, fits)
        weights = (weights * torch.where(fits, RELAX, TIGHTEN)).clamp(*WEIGHTS)
        ahead = (change * board.signs >= 0) * board.signs
        direction = _unit(board, ahead - board.spread(weights) * _unit(board, slope))
        change = (change + _length(step, search) * direction).clamp(low, high)
    return _shortened(kept, pictures, board, change, found)


def together(kept: Kept, pictures: Tensor, board: Board, solution: Solution) -> Tensor:
    """The changes of all patches at once, those undone that break the constraint in company.

    Patches of a lattice do not meet, so none should. Where the constraint still does not hold,
    nothing changes.
    """
    change, apart = solution.change, kept.distance(pictures + solution.change)
    broken = board.worst(apart) > kept.limits[:, None]
    if broken.any():
        change = torch.where(board.spread(broken) > 0, 0, change)
        apart = kept.distance(pictures + change)
    lost = apart.flatten(1).amax(1) > kept.limits
    return torch.where(lost[:, None, None, None], 0, change)


def _shortened(
    kept: Kept, pictures: Tensor, board: Board, change: Tensor, found: Solution
) -> Solution:
    """The last change and shares of it, where they are better than what was found before."""
    for share in range(SHARES, 0, -1):
        trial = (change * share / SHARES).round()
        fits = board.worst(kept.distance(pictures + trial)) <= kept.limits[:, None]
        found = found.improved(board, trial, fits)
        if share == SHARES:
            found = Solution(found.change, found.gains, ~fits)
    return found


def _unit(board: Board, slope: Tensor) -> Tensor:
    """The slope inside the patches, scaled to a largest size of 1 in each."""
    size = board.spread(board.largest(slope.abs())).clamp_min(1e-30)
    return slope * board.marks / size


def _length(step: int, search: Search) -> float:
    """From FIRST_STEP to LAST_STEP of the cap, in equal steps."""
    done = step / max(1, search.steps - 1)
    return search.cap * (FIRST_STEP + (LAST_STEP - FIRST_STEP) * done)
