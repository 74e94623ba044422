"""From the maps of many decoys to one map: their range, and what it is compared with. No torch."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]


def value_range(maps: Maps) -> NDArray[np.float64]:
    """max − min over the first axis: Z of the paper, for signed maps."""
    return np.asarray(maps.max(axis=0).astype(np.float64) - maps.min(axis=0))


def mean(maps: Maps) -> NDArray[np.float64]:
    """The mean over the first axis, added in order of size: the order of maps is no matter."""
    return np.asarray(np.sort(maps, axis=0).mean(axis=0, dtype=np.float64))


def deviation(maps: Maps) -> NDArray[np.float64]:
    """The standard deviation over the first axis, in the same order."""
    return np.asarray(np.sort(maps, axis=0).std(axis=0, dtype=np.float64))


AGGREGATIONS: Mapping[str, Callable[[Maps], NDArray[np.float64]]] = MappingProxyType(
    {"range": value_range, "mean": mean, "deviation": deviation}
)


def presented(aggregated: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map (height, width) in [0, 1] as the paper shows it, from (height, width, 3).

    The absolute value's maximum over channels, cut at its 95th percentile and divided by it. Where
    that is 0 nothing is cut, and a map that is 0 everywhere stays so.
    """
    flat = np.abs(aggregated).max(axis=2)
    top = np.percentile(flat, 95) or flat.max() or 1.0
    return np.asarray(np.minimum(flat / top, 1))
