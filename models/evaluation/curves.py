"""Deletion and insertion: how fast the class goes, or comes, with the pixels a map ranks highest.

Reference: Petsiuk, Das & Saenko (2018), RISE, arXiv:1806.07421.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.fidelity import Score

STEPS = 28


@dataclass(frozen=True)
class Curve:
    """Probability of the class, (steps + 1,), after equal fractions 0 … 1 of the pixels."""

    probabilities: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve over the fraction of pixels, by trapezes; in [0, 1]."""
        return float(np.trapezoid(self.probabilities, dx=1 / (len(self.probabilities) - 1)))


def deletion(
    score: Score,
    picture: NDArray[np.uint8],
    ranking: NDArray[np.int64],
    substitute: NDArray[np.float32],
    steps: int = STEPS,
) -> Curve:
    """The class's probability while pixels go over to `substitute`, highest rank first.

    A low area is good. ranking: every pixel's number once, as `models.evaluation.scores.ranking`
    gives it. Where the score is a sum of what each pixel contributes, ranking by the contribution
    that is lost makes every point of the curve as low as any ranking can.
    """
    return _walk(score, picture.astype(np.float32), substitute, ranking, steps)


def insertion(
    score: Score,
    picture: NDArray[np.uint8],
    ranking: NDArray[np.int64],
    substitute: NDArray[np.float32],
    steps: int = STEPS,
) -> Curve:
    """The class's probability while pixels come from the picture into `substitute`.

    A high area is good; otherwise as `deletion`.
    """
    return _walk(score, substitute, picture.astype(np.float32), ranking, steps)


def _walk(
    score: Score,
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    ranking: NDArray[np.int64],
    steps: int,
) -> Curve:
    pixels = start.shape[0] * start.shape[1]
    if not np.array_equal(np.sort(ranking), np.arange(pixels)):
        raise ValueError(f"the ranking must name each of the {pixels} pixels once")
    if not 1 <= steps <= pixels:
        raise ValueError(f"steps is {steps}; it must lie in 1..{pixels}, the number of pixels")
    place = np.empty(pixels, np.int64)
    place[ranking] = np.arange(pixels)
    taken = np.rint(np.arange(steps + 1) * (pixels / steps))
    done = (place < taken[:, None]).reshape(steps + 1, *start.shape[:2], 1)
    return Curve(np.exp(score(np.where(done, end, start))))
