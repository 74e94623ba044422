"""Score vectors: what a feature gets for its place in a noisy map.

The feature of rank j gets points s_j, whole numbers that never rise with j. Divided by the points
of the first rank they lie in [0, 1] (all that per-feature arguments need); divided by the sum of
all they are a point of the simplex (what the Rényi and simplex routes need). So a sample's map is
the same whatever the attribution's size, and only order matters.

vote     1 for the first `votes` ranks, 0 beyond: top-k sparsification (Levine et al. 2019).
linear   votes + 1 − j for the first `votes` ranks, 0 beyond; votes = features − 1 is linear rank.
sigmoid  ⌊1000/(1 + exp(8(j − votes)/votes)) + ½⌋: flat on the first ranks, half at rank `votes`,
         then falling to 0. A reconstruction: the scoring vectors of Liu et al. (2021),
         arXiv:2107.01561, are known to us by their shape only.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify.exact import nearest_integer
from certify.fields import require

VOTE = "vote"
_SIGMOID_TOP, _SIGMOID_STEEPNESS = 1000, 8

Points = NDArray[np.int64]


def points(score: str, votes: int, features: int) -> Points:
    """s_1 … s_features. Raises ValueError unless 1 ≤ votes < features and the name is known."""
    require(score in SCORES, "score", score, f"be one of {', '.join(SCORES)}")
    require(1 <= votes < features, "votes", votes, f"lie in 1..{features - 1}, below the features")
    return SCORES[score](votes, features)


def weight(score: str, votes: int, features: int) -> Fraction:
    """Σ s_j / s_1: what all features of a sample get together, `votes` for a vote."""
    if score == VOTE:
        return Fraction(votes)
    given = points(score, votes, features)
    return Fraction(int(given.sum()), int(given[0]))


def _vote(votes: int, features: int) -> Points:
    return (np.arange(features) < votes).astype(np.int64)


def _linear(votes: int, features: int) -> Points:
    return np.maximum(votes - np.arange(features, dtype=np.int64), 0)


@lru_cache(maxsize=8)
def _sigmoid(votes: int, features: int) -> Points:
    given = np.zeros(features, dtype=np.int64)
    for place in range(features):
        steep = arb(_SIGMOID_STEEPNESS * (place + 1 - votes)) / votes
        given[place] = nearest_integer(_SIGMOID_TOP / (1 + steep.exp()))
        if not given[place]:
            break
    given.flags.writeable = False
    return given


SCORES: Mapping[str, Callable[[int, int], Points]] = MappingProxyType(
    {VOTE: _vote, "linear": _linear, "sigmoid": _sigmoid}
)
