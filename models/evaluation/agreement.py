"""How much two maps agree: one of a picture, the other of the same picture after an attack.

All take maps of equal shape. What is undefined is nan: rank correlation with a constant map, an
angle to a map of zeros.

Reference: Ghorbani, Abid & Zou (2019), arXiv:1710.10547, for top-k intersection and centre; Chen et
al. (2019), arXiv:1905.09957, for Kendall's rank correlation; Alvarez-Melis & Jaakkola (2018),
arXiv:1806.07538, for sensitivity.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from models.evaluation.scores import ranking, shown

Map = NDArray[np.floating]
GREY_LEVELS = 255


@dataclass(frozen=True)
class Agreement:
    """Everything below at once. moved: ℓ2 distance of the pictures in [0, 1] intensity."""

    top_k: float
    kendall: float
    cosine: float
    centre_shift: float
    sensitivity: float
    moved: float


def compare(
    before: Map, after: Map, clean: NDArray[np.uint8], attacked: NDArray[np.uint8], k: int
) -> Agreement:
    """How the scores `after`, of the attacked picture, agree with those `before`, of the clean one.

    Sensitivity is that of the maps as shown (`models.evaluation.scores.shown`); it is nan where the
    attack found nothing, that is, where both pictures are the same.
    """
    moved = distance(clean, attacked)
    return Agreement(
        top_k_intersection(before, after, k),
        kendall(before, after),
        cosine(before, after),
        float(np.linalg.norm(np.subtract(centre(before), centre(after)))),
        sensitivity(shown(before), shown(after), moved) if moved else math.nan,
        moved,
    )


def top_k_intersection(one: Map, other: Map, k: int) -> float:
    """The fraction of the k highest pixels of `one` that are among the k highest of `other`.

    In [0, 1]; ties go to the pixel of lower number. Raises ValueError unless 1 ≤ k ≤ pixels.
    """
    if not 1 <= k <= one.size:
        raise ValueError(f"k is {k}; it must lie in 1..{one.size}, the number of pixels")
    return len(np.intersect1d(ranking(one)[:k], ranking(other)[:k])) / k


def kendall(one: Map, other: Map) -> float:
    """Kendall's rank correlation τ-b of all pixels, in [−1, 1]; pairs tied in a map are left out.

    1 for any increasing function of a map without ties.
    """
    return float(kendalltau(one, other, method="asymptotic").statistic)


def cosine(one: Map, other: Map) -> float:
    """The cosine of the angle between the maps as vectors: Σ one·other / (‖one‖₂ ‖other‖₂)."""
    a, b = np.ravel(one).astype(np.float64), np.ravel(other).astype(np.float64)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else math.nan


def centre(scores: Map) -> tuple[float, float]:
    """Row and column of the centre of mass, in pixels. The middle for a map of zeros."""
    total = float(scores.sum(dtype=np.float64))
    rows, columns = scores.sum(axis=1, dtype=np.float64), scores.sum(axis=0, dtype=np.float64)
    if not total:
        return (len(rows) - 1) / 2, (len(columns) - 1) / 2
    return (
        float(rows @ np.arange(len(rows))) / total,
        float(columns @ np.arange(len(columns))) / total,
    )


def sensitivity(one: Map, other: Map, moved: float) -> float:
    """‖one − other‖₂ / moved: how far the map moves for each unit that the picture moves.

    `moved`: ℓ2 distance of the pictures in [0, 1] intensity, positive. Lower is better. It depends
    on the scale of the maps, so compare maps that are scaled alike. Raises ValueError for no
    distance.
    """
    if not moved > 0:
        raise ValueError(f"moved is {moved}; the pictures must differ for a ratio to exist")
    return float(np.linalg.norm(np.subtract(one, other, dtype=np.float64))) / moved


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """ℓ2 distance of two 8-bit pictures in [0, 1] intensity."""
    return float(np.linalg.norm(np.subtract(one, other, dtype=np.float64))) / GREY_LEVELS
