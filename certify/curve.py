"""Radii along the number of swaps: which are examined, and what follows for the rest."""

from collections.abc import Callable, Mapping
from itertools import accumulate

import numpy as np

# More swaps than this are examined on a grid; one between takes the proof of fewer swaps.
DENSE_SWAPS = 128


def radii(radius: Callable[[int], int], largest_swaps: int) -> list[int]:
    """For swaps = 1 … largest_swaps what `radius(swaps)` proves, in its unit.

    Refuting s swaps refutes s + 1, since a violation with more contains one with fewer: so radii
    never fall, and a number of swaps that is not examined takes the last one before it.
    """
    return all_at_once(lambda chosen: [radius(swaps) for swaps in chosen], largest_swaps)


def all_at_once(proofs: Callable[[list[int]], list[int]], largest_swaps: int) -> list[int]:
    """As `radii`, where `proofs` says of all numbers of swaps that are examined at once."""
    chosen = examined(largest_swaps)
    return filled(dict(zip(chosen, proofs(chosen), strict=True)), largest_swaps)


def filled(examined: Mapping[int, int], largest_swaps: int) -> list[int]:
    """The whole of a curve of which some numbers of swaps were examined."""
    proven = [examined.get(swaps, 0) for swaps in range(1, largest_swaps + 1)]
    return list(accumulate(proven, max))


def examined(largest_swaps: int) -> list[int]:
    """All swaps if they are few, else about DENSE_SWAPS of them, evenly in their logarithm."""
    if largest_swaps <= DENSE_SWAPS:
        return list(range(1, largest_swaps + 1))
    grid = np.geomspace(1, largest_swaps, DENSE_SWAPS)
    return sorted(set(grid.round().astype(int).tolist()))
