"""Tails of the binomial law against a level, decided in balls at a cost that hardly grows with n.

With θ = p/(1 − p) the tail from s on is its first term times R = 2F1(1, s − n; s + 1; −θ), of which
Gauss's continued fraction is

    R = 1/(1 − D_0·G_1),    G_m = 1/(1 + E_m·F_m),    F_m = 1/(1 − D_m·G_(m+1)),
    D_m = θ(n − s − m)(s + m) / ((s + 2m)(s + 2m + 1)),    E_m = θm(n + m) / ((s + 2m − 1)(s + 2m)).

It ends, as D_(n−s) = 0, and every F_m is a ratio of positive sums, so F_m ≥ 1 and 0 < G_m ≤ 1 since
D and E are not negative. Cut off at depth M, 0 ≤ G_M ≤ 1/(1 + E_M), and bounds on every G and F
follow upwards. Some tens of levels suffice five standard deviations from the mean. Nearer to it
more are needed, up to √n, and the series is summed instead.

For many counts at once the same is done in floats rounded outward (`certify.ratios`), and in balls
where these do not decide.

Reference: Gauss (1813); NIST Handbook, 15.7.5.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify.ratios import MOST_TRIALS, ratios

_DEPTHS = (16, 64, 256)


def tails_at_most(
    successes: NDArray[np.int64], trials: int, level: arb, near: NDArray[np.float64]
) -> Iterator[Callable[[arb], bool]]:
    """`tail_at_most` of each count, quickest from `near` on: a float in (0, 1) for each of them.

    Of p and of 1 − p, p in `near`, both must be floats exactly, as of multiples of 2^-40.
    """
    if trials > MOST_TRIALS:
        yield from (tail_at_most(count, trials, level) for count in successes.tolist())
        return
    lows, highs = ratios(successes.astype(np.float64), trials, near)
    for count, p, low, high in zip(
        successes.tolist(), near.tolist(), lows.tolist(), highs.tolist(), strict=True
    ):
        yield tail_at_most(count, trials, level, (arb(p), arb(low).union(arb(high))))


def tail_at_most(
    successes: int, trials: int, level: arb, known: tuple[arb, arb] | None = None
) -> Callable[[arb], bool]:
    """A test of a ball p: P(Binomial(trials, p) ≥ successes) ≤ level for certain; successes ≥ 1.

    known: some p and a ball around R there, if there is one.
    """
    test = _TailAtMost(successes, trials, level)
    if known:
        test.learn(known[0], test.first(known[0]) * known[1])
    return test


class _TailAtMost:
    """The test, which remembers the last tail it computed: near it few operations decide."""

    def __init__(self, successes: int, trials: int, level: arb) -> None:
        self._successes, self._rest, self._level = successes, trials - successes, level
        self._ways = _log_factorial(trials) - _log_factorial(successes) - _log_factorial(self._rest)
        self._seen: tuple[arb, arb] | None = None

    def __call__(self, p: arb) -> bool:
        if self._seen and not (tail := self._near(*self._seen, p)).overlaps(self._level):
            return bool(tail <= self._level)
        term, odds, rest = self.first(p), p / (1 - p), self._rest
        for depth in _DEPTHS:
            trials = self._successes + rest
            least, most = between(self._successes, trials, odds, min(depth, rest + 1))
            tail = term * least.union(most)
            if not tail.overlaps(self._level):
                self.learn(p, tail)
                return bool(tail <= self._level)
        return bool(term * (-odds).hypgeom_2f1(1, -rest, self._successes + 1) <= self._level)

    def first(self, p: arb) -> arb:
        """The tail's first term, P(Binomial(trials, p) = successes)."""
        return (self._ways + self._successes * p.log() + self._rest * (1 - p).log()).exp()

    def learn(self, p: arb, tail: arb) -> None:
        """`tail` is a ball around the tail at p."""
        self._seen = p, tail

    def _near(self, at: arb, tail: arb, p: arb) -> arb:
        """By the mean value theorem; the tail's derivative is successes/p times its first term."""
        if p == at:
            return tail
        between_both = p.union(at)
        return tail + (p - at) * self._successes * self.first(between_both) / between_both


@lru_cache(maxsize=1 << 15)
def _log_factorial(number: int) -> arb:
    return arb(number + 1).lgamma()


def between(successes: int, trials: int, odds: arb, depth: int) -> tuple[arb, arb]:
    """Balls around numbers not above and not below R; the latter not finite if depth is too low."""
    s, rest = successes, trials - successes
    end = odds * (depth * (trials + depth)) / ((s + 2 * depth - 1) * (s + 2 * depth))
    low, high = arb(0), 1 / (1 + end)  # around G
    for m in range(depth - 1, -1, -1):
        falls = odds * ((rest - m) * (s + m)) / ((s + 2 * m) * (s + 2 * m + 1))
        least, most = 1 - falls * high, 1 - falls * low  # around 1/F, which lies in (0, 1]
        least, most = least if least > 0 else arb(0), most if most > 0 else arb(1)
        if m:
            rises = odds * (m * (trials + m)) / ((s + 2 * m - 1) * (s + 2 * m))
            low, high = 1 / (1 + rises / least) if least else arb(0), 1 / (1 + rises / most)
    return 1 / most, 1 / least
