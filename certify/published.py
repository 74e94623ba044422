"""Formulas as printed in the papers, in floats, for comparison tables only: never issued.

The names say whose they are; the docstrings say where they are wrong.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri
from scipy.stats import binom


def liu_divergence(order: float, masses: Sequence[float], k: int, swaps: int) -> float:
    """ε of Liu et al. (2021): all of S, the ranks k − swaps + 1 … k + swaps, moves to one level.

        ε = −ln( 2·swaps·[ mean over S of m^(1 − order) ]^(1/(1 − order)) + Σ outside S of m )

    Too large for swaps ≥ 2: members of S that are already on the right side of the level need not
    move. `masses` sum to 1; infinite where S is all of it and one of S has none. Reference:
    arXiv:2107.01561, top-k robustness theorem.
    """
    ranked = -np.sort(-np.asarray(masses, dtype=float))
    moved = ranked[k - swaps : k + swaps]
    exponent = 1 - order
    with np.errstate(divide="ignore"):
        mean = np.exp((logsumexp(exponent * np.log(moved)) - np.log(len(moved))) / exponent)
        return float(-np.log(max(len(moved) * mean + 1 - moved.sum(), 0.0)))


def liu_radius(scale: float, masses: Sequence[float], k: int, swaps: int) -> float:
    """scale·√(2ε/order) at the best order of 1.01 … 821, plugging estimates in as if exact."""
    orders = 1 + np.geomspace(0.01, 820, 60)
    found = [max(liu_divergence(float(o), masses, k, swaps), 0.0) for o in orders]
    return float(scale * np.sqrt(np.max(2 * np.asarray(found) / orders)))


def levine_radii(
    scale: float, counts: NDArray[np.int64], samples: int, k: int, failure_probability: float
) -> list[float]:
    """Radii of Levine et al. (2019) for at least k, k − 1, … 1 of the top k, from Hoeffding bounds.

    One error for all features, √(ln(2·features/failure)/(2·samples)). Rank i is paired with rank
    2k − i + 1; the number of pairs that keep their order is a lower bound of the overlap. Sound,
    and weaker than counting with exact bounds. Reference: arXiv:1905.12105, section 4 and code.
    """
    error = np.sqrt(np.log(2 * len(counts) / failure_probability) / (2 * samples))
    ranked = -np.sort(-counts) / samples
    inside, outside = ranked[:k][::-1], ranked[k : 2 * k]
    size = min(len(inside), len(outside))
    gaps = ndtri(np.maximum(inside[:size] - error, 0)) - ndtri(
        np.minimum(outside[:size] + error, 1)
    )
    # Pairs are met from the cut outwards; what no pair covers is kept at any radius.
    radii = np.sort(np.maximum(np.nan_to_num(scale / 2 * gaps, nan=0.0, neginf=0.0), 0))
    return [float(radius) for radius in radii]


def anani_labels(
    votes: NDArray[np.bool_], threshold: float, failure_probability: float
) -> NDArray[np.int8]:
    """Labels of Anani et al. (2025): +1, −1, or 0 to abstain, for each feature.

    The first tenth of the samples picks each feature's majority; the rest tests, by a one-sided
    binomial test with Bonferroni's correction, that its probability exceeds `threshold`. A label
    then holds within scale·Φ⁻¹(threshold). Reference: arXiv:2506.15499 and code.
    """
    picking = max(len(votes) // 10, 1)
    majority = votes[:picking].mean(axis=0) > 0.5
    testing = votes[picking:]
    agreeing = np.where(majority, testing.sum(axis=0), (~testing).sum(axis=0))
    p_values = binom.sf(agreeing - 1, len(testing), threshold)
    certified = p_values <= failure_probability / votes.shape[1]
    return np.where(certified, np.where(majority, 1, -1), 0).astype(np.int8)
