"""Formulas as printed in the papers, in floats, for comparison tables only: never issued.

The names say whose they are; the docstrings say where they are wrong.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp


def liu_divergence(order: float, masses: Sequence[float], k: int, swaps: int) -> float:
    """ε of Liu et al. (2021): all of S, the ranks k − swaps + 1 … k + swaps, moves to one level.

        ε = −ln( 2·swaps·[ mean over S of m^(1 − order) ]^(1/(1 − order)) + Σ outside S of m )

    Too large for swaps ≥ 2: members of S that are already on the right side of the level need not
    move. `masses` sum to 1. Reference: arXiv:2107.01561, top-k robustness theorem.
    """
    ranked = -np.sort(-np.asarray(masses, dtype=float))
    moved = ranked[k - swaps : k + swaps]
    exponent = 1 - order
    mean = np.exp((logsumexp(exponent * np.log(moved)) - np.log(len(moved))) / exponent)
    return float(-np.log(len(moved) * mean + 1 - moved.sum()))


def liu_radius(scale: float, masses: Sequence[float], k: int, swaps: int) -> float:
    """scale·√(2ε/order) at the best order of 1.01 … 821, plugging estimates in as if exact."""
    orders = 1 + np.geomspace(0.01, 820, 60)
    found = [max(liu_divergence(float(o), masses, k, swaps), 0.0) for o in orders]
    return float(scale * np.sqrt(np.max(2 * np.asarray(found) / orders)))
