"""The ball of changes a claim is about: which ℓ_d norm, and over how many entries."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from flint import arb

from certify.exact import ball
from certify.fields import require

INFINITY = "inf"
LARGEST_NORM = 1000
MOST_ENTRIES = 1 << 28
NORM_RULE = f'be "{INFINITY}" or a decimal from 1 to {LARGEST_NORM} with no more than 4 places'


def is_norm(text: str) -> bool:
    """Whether `text` names a norm, in the one way it may be written: "1", "2.5", "inf"."""
    if text == INFINITY:
        return True
    plain = re.fullmatch(r"[1-9][0-9]{0,3}(\.[0-9]{0,3}[1-9])?", text, re.ASCII) is not None
    return plain and Fraction(text) <= LARGEST_NORM


@dataclass(frozen=True)
class NormBall:
    """Changes t of `entries` values with ‖t‖_d at most a radius; `norm` is d as text.

    Raises ValueError if `norm` is not a decimal from 1 on or "inf".
    """

    norm: str
    entries: int

    def __post_init__(self) -> None:
        require(is_norm(self.norm), "norm", self.norm, NORM_RULE)
        fits = 1 <= self.entries <= MOST_ENTRIES
        require(fits, "entries", self.entries, f"lie in 1..{MOST_ENTRIES}")

    @cached_property
    def power(self) -> Fraction | None:
        """d of the ℓ_d norm; None for ℓ∞."""
        return None if self.norm == INFINITY else Fraction(self.norm)

    def within(self, power: int) -> bool:
        """Whether ‖t‖_power ≤ ‖t‖_d for every t: d is at most `power`."""
        return self.power is not None and self.power <= power

    def stretch(self, power: int) -> arb:
        """max ‖t‖_power over ‖t‖_d ≤ 1: entries^max(0, 1/power − 1/d).

        Equal entries attain it for d above `power`, a single one up to there (Hölder).
        """
        return arb(1) if self.within(power) else _stretch(self, power)

    @cached_property
    def reciprocal(self) -> Fraction:
        """1/d, 0 for ℓ∞."""
        return Fraction(0) if self.power is None else 1 / self.power

    @cached_property
    def share(self) -> arb:
        """Size of each entry of the all-equal t with ‖t‖_d = 1: entries^(−1/d)."""
        return ball(self.entries) ** ball(-self.reciprocal)


@lru_cache(maxsize=1 << 10)
def _stretch(changes: NormBall, power: int) -> arb:
    return ball(changes.entries) ** ball(Fraction(1, power) - changes.reciprocal)


# The ball of every plan at once: a norm's factors grow with the entries, so what is proven for this
# one holds for a smaller picture too. Gaussian noise loses nothing by it.
EUCLIDEAN = NormBall("2", MOST_ENTRIES)
