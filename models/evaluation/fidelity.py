"""Fidelity as DANCE measures it: does the picture seen through the map keep its class?"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Pictures (n, height, width, 3) on 0..255 -> natural logarithms of one class's probability, (n,).
Score = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def fidelity(score: Score, picture: NDArray[np.uint8], scores: NDArray[np.floating]) -> float:
    """SF = −log( F(E∘x) / F(Ē∘x) ) in nats, the lower the better; 0 for a constant map.

    F is the probability of the explained class, E the map `scores` (height, width) in [0, 1], E∘x
    the picture's values on 0..255 times the map, pixel by pixel in all channels, so that black is
    absence. Ē is the map that has the mean of E everywhere: what merely darkening the picture as
    much costs is subtracted out. `score` gives log F, so the ratio is a difference and nothing
    needs to be kept from zero. Raises ValueError for a map of another shape or outside [0, 1].

    Reference: Lu et al. (2021), arXiv:2002.00526, after Dabkowski & Gal (2017), arXiv:1705.07857.
    The bar over the second E is lost in the text we have; the prose names the mean.
    """
    if scores.shape != picture.shape[:2]:
        raise ValueError(f"the map is {scores.shape}; it must be {picture.shape[:2]}, the picture")
    if scores.min() < 0 or scores.max() > 1:
        rule = "it must lie in [0, 1]; models.evaluation.scores.shown scales any map"
        raise ValueError(f"the map reaches from {scores.min()} to {scores.max()}; {rule}")
    masked = picture * scores[:, :, None]
    darkened = picture * scores.mean(dtype=np.float64)
    seen, mean = score(np.stack([masked, darkened]).astype(np.float32))
    return float(mean - seen)
