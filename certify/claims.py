"""Claims about the top k, and the boundary that every route examines.

A claim fails at a perturbed picture if there are `swaps` reported features and as many others with
every one of the former at or below every one of the latter. Each route refutes that for the
smallest bounds inside and the largest outside, which is the adversary's best choice.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from certify.confidence import Bounds, Units
from certify.fields import require


@dataclass(frozen=True, eq=False)
class Boundary:
    """The reported features, and the bounds a violation would have to cross.

    reported: feature indices, most votes first, ties to the lower index. inside: lower bounds of
    the reported, ascending. outside: upper bounds of the others, descending. Units of 2^-40.
    """

    reported: tuple[int, ...]
    inside: Units
    outside: Units

    @property
    def largest_swaps(self) -> int:
        """The most features that can leave the reported set: there must be others to take over."""
        return min(len(self.inside), len(self.outside))


def boundary(counts: NDArray[np.int64], bounds: Bounds, k: int) -> Boundary:
    """Report the k features of most votes. Raises ValueError unless 1 ≤ k < features."""
    require(1 <= k < len(counts), "k", k, f"lie in 1..{len(counts) - 1}, below the features")
    order = np.argsort(-counts, kind="stable")
    inside, outside = np.sort(bounds.lower[order[:k]]), -np.sort(-bounds.upper[order[k:]])
    return Boundary(tuple(order[:k].tolist()), inside, outside)


def swaps_for(overlap: Fraction, k: int) -> int:
    """The fewest swaps that break |reported ∩ top k| ≥ overlap·k: ⌊(1 − overlap)k⌋ + 1.

    `overlap` is exact, because (1 − 0.8)·5 in binary lands under 1. Raises ValueError unless
    0 < overlap ≤ 1.
    """
    require(0 < overlap <= 1, "overlap", str(overlap), "lie above 0 and be at most 1")
    return int((1 - overlap) * k) + 1


def at_least(k: int, swaps: int) -> int:
    """How many reported features stay in the top k if `swaps` swaps are refuted: k − swaps + 1."""
    return k - swaps + 1
