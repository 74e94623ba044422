"""The continued fraction of binomial tails (`certify.binomial`) for many counts at once, in floats.

Addition, subtraction, multiplication and division of floats are the nearest floats to the exact
results (IEEE 754), so that the next float on either side encloses them. After every operation the
lower end goes one down and the upper one up: interval arithmetic, as rigorous as balls, 53 bits
wide, and some tens of times as fast. Where it is too wide to decide, balls do.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Convergence at five standard deviations from the mean takes some twenty levels.
DEPTH = 24
# Up to here products of two counts are exact in floats.
MOST_TRIALS = 1 << 26


def ratios(successes: Floats, trials: int, probabilities: Floats) -> tuple[Floats, Floats]:
    """Numbers not above and not below R of each count ≥ 1 at its probability p in (0, 1).

    p and 1 − p must both be floats exactly, as multiples of 2^-40 are, and trials no more than
    MOST_TRIALS. The upper number is infinite where the fraction, cut off at DEPTH, does not tell.
    """
    odds = probabilities / (1 - probabilities)
    least, most = _down(odds), _up(odds)
    with np.errstate(divide="ignore"):
        rises = _rises(successes, trials, DEPTH)
        low, high = np.zeros_like(odds), _up(1 / _down(1 + _down(least * _down(rises))))
        for m in range(DEPTH - 1, -1, -1):
            # Beyond the last success D is 0, whatever follows.
            falls = np.maximum(trials - successes - m, 0) * (successes + m)
            falls = falls / ((successes + 2 * m) * (successes + 2 * m + 1))
            below = np.maximum(_down(1 - _up(_up(most * _up(falls)) * high)), 0)
            above = np.minimum(_up(1 - np.maximum(_down(_down(least * _down(falls)) * low), 0)), 1)
            if m:
                rises = _rises(successes, trials, m)
                low = _down(1 / _up(1 + _up(_up(most * _up(rises)) / below)))
                high = _up(1 / _down(1 + _down(_down(least * _down(rises)) / above)))
        return _down(1 / above), _up(1 / below)


def _rises(successes: Floats, trials: int, m: int) -> Floats:
    """E_m over the odds, to the nearest float."""
    return m * (trials + m) / ((successes + 2 * m - 1) * (successes + 2 * m))


def _down(numbers: Floats) -> Floats:
    return np.nextafter(numbers, -np.inf)


def _up(numbers: Floats) -> Floats:
    return np.nextafter(numbers, np.inf)
