"""The distinct ones of many numbers, so that what is costly is computed once for each."""

import numpy as np
from numpy.typing import NDArray

# A table of all numbers up to the largest costs less than sorting if it is not much longer.
_TABLE = 4


def distinct(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those that occur, ascending, and for each of `numbers`, none negative, its place there."""
    most = int(numbers.max(initial=0))
    if most > _TABLE * numbers.size:
        values, places = np.unique(numbers, return_inverse=True)
        return values, places.reshape(numbers.shape)
    occurs = np.zeros(most + 1, dtype=bool)
    occurs[numbers] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[numbers]
