"""From signed maps to scores of pixels, and from scores to what is shown and what is ranked."""

import numpy as np
from numpy.typing import NDArray

PERCENTILE = 95.0


def magnitude(signed: NDArray[np.floating]) -> NDArray[np.float64]:
    """The score of each pixel: the largest absolute value over the channels, the last axis."""
    return np.asarray(np.abs(signed, dtype=np.float64).max(axis=-1))


def shown(scores: NDArray[np.floating], percentile: float = PERCENTILE) -> NDArray[np.float64]:
    """Scores (height, width) cut at their `percentile` from above, then scaled linearly to [0, 1].

    Does not change when all scores are multiplied by one positive number or raised by one number.
    A constant map is shown as 0.

    Reference: Lu et al. (2021), DANCE, arXiv:2002.00526, who winsorise at the 95th percentile.
    """
    cut = np.minimum(scores, np.percentile(scores, percentile), dtype=np.float64)
    low, high = float(cut.min()), float(cut.max())
    return np.zeros_like(cut) if high == low else (cut - low) / (high - low)


def ranking(scores: NDArray[np.floating | np.signedinteger]) -> NDArray[np.int64]:
    """Pixel numbers, row by row, from the highest score to the lowest; ties to the lower number."""
    return np.argsort(-scores, axis=None, kind="stable")
