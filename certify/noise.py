"""Integer noise laws: a law's table of 2^64 equal shares, and draws from the table.

Noise is drawn as integers in grey levels, δ = round(ε) for ε of the continuous law. The picture is
integer too, so x + δ = round(x + ε) is a function of the continuous mechanism's output alone: every
bound proven for the continuous law holds for what the network really saw, exactly, in floating
point (Voráček & Hein, ICLR 2023, arXiv:2207.07209, show what happens otherwise).

A draw needs 16 bits for more than 99 % of entries and a full word for the rest (Marsaglia, Tsang &
Wang, Journal of Statistical Software 11(3), 2004); see `table` for how close the drawn law is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certify.exact import nearest_integer
from certify.laws.gaussian import Gaussian
from certify.laws.generalized_normal import GeneralizedNormal
from certify.laws.laplace import Laplace
from certify.laws.law import GREY_LEVELS, LARGEST_SCALE, SMALLEST_SCALE, Law, LawType
from certify.randomness import Words, scattered

__all__ = [
    "GREY_LEVELS",
    "LARGEST_SCALE",
    "LAWS",
    "LEFTOVER",
    "SMALLEST_SCALE",
    "Gaussian",
    "GeneralizedNormal",
    "Laplace",
    "Law",
    "Table",
    "draw",
    "drawn",
    "table",
]

SHARES_BITS = 64
SLOT_BITS = 16
SLOTS = 1 << SLOT_BITS
LEFTOVER = -(1 << 15)


LAWS: Mapping[str, LawType] = MappingProxyType(
    {kind.name: kind for kind in (Gaussian, Laplace, GeneralizedNormal)}
)


@dataclass(frozen=True, eq=False)
class Table:
    """An integer law in 2^64 equal shares, laid out for drawing.

    `slots` maps 16 random bits to a value or to LEFTOVER; a leftover entry takes a full word w and
    the value first + #{thresholds ≤ w} of `residual`. `shares` holds the exact integer law.
    """

    first: int
    shares: tuple[int, ...]
    slots: NDArray[np.int16]
    residual: NDArray[np.uint64]

    def distance(self, entries: int) -> Fraction:
        """Upper bound on the total variation between `entries` draws and the exact rounded law.

        Each share and each residual threshold is rounded by at most one unit of 2^-64, so an entry
        contributes at most half of (values + 1) units twice; the folded tails are below one unit.
        """
        return Fraction(entries * (len(self.shares) + 1), 1 << SHARES_BITS)


@lru_cache(maxsize=32)
def table(law: Law) -> Table:
    """The table of round(ε), ε of `law` in grey levels.

    P(δ = j) = F(j + ½) − F(j − ½), evaluated in ball arithmetic and rounded to shares that sum to
    exactly 2^64; what lies beyond `law.reach` rounds to no share at all.
    """
    first, bounds = _bounds(law)
    shares = tuple(b - a for a, b in pairwise(bounds))
    whole = [share >> (SHARES_BITS - SLOT_BITS) for share in shares]
    slots = np.full(SLOTS, LEFTOVER, dtype=np.int16)
    values = np.arange(first, first + len(shares), dtype=np.int16)
    slots[: sum(whole)] = np.repeat(values, whole)
    return Table(first, shares, slots, _residual(shares, whole))


def _bounds(law: Law) -> tuple[int, list[int]]:
    """The first value, and the shares at or below each value: 0, round(2^64·F(j + ½)) …, 2^64."""
    first, unit = -law.reach, arb(1 << SHARES_BITS)
    inner = [
        nearest_integer(law.cumulative(Fraction(2 * j + 1, 2)) * unit)
        for j in range(first, law.reach)
    ]
    return first, [0, *inner, 1 << SHARES_BITS]


def _residual(shares: tuple[int, ...], whole: list[int]) -> NDArray[np.uint64]:
    """Thresholds in 2^64 of the law of what the 16-bit slots leave over."""
    slot = 1 << (SHARES_BITS - SLOT_BITS)
    left = [share - slot * slots for share, slots in zip(shares, whole, strict=True)]
    total, running, thresholds = sum(left), 0, []
    for share in left[:-1]:
        running += share
        # Half-up rounding of an exact rational; the last threshold would be 2^64 and is implied.
        thresholds.append(min(((running << (SHARES_BITS + 1)) // total + 1) >> 1, (1 << 64) - 1))
    return np.array(thresholds, dtype=np.uint64)


def draw(law_table: Table, key: int, sample: int, entries: int) -> NDArray[np.int16]:
    """The noise of one sample, in grey levels, one value for each of `entries` entries.

    Entry e takes bits 16·(e mod 4) … of word e // 4 of space 0 as its slot; a leftover entry takes
    word e of space 1. Nothing but (key, sample, entry) decides a value.
    """
    row: NDArray[np.int16] = drawn(law_table, Words(key), [sample], entries)[0]
    return row


def drawn(
    law_table: Table, words: Words, samples: Sequence[int], entries: int
) -> NDArray[np.int16]:
    """What `draw` returns for the key of these words, one row for each sample."""
    values = np.empty((len(samples), entries), np.int16)
    for row, sample in zip(values, samples, strict=True):
        quarters = words.first(sample, 0, -(-entries // 4)).astype("<u8", copy=False).view("<u2")
        # Every 16 bits are a slot; "raise", the default, would take the row through a buffer.
        law_table.slots.take(quarters[:entries], out=row, mode="wrap")
    # Few of each: together, since numpy's calls cost more than the work in them.
    flat = values.reshape(-1)
    left = np.flatnonzero(flat == LEFTOVER)
    rows, places = np.divmod(left, entries)
    full = scattered(words.key, np.asarray(samples, np.uint64)[rows], 1, places)
    flat[left] = law_table.first + np.searchsorted(law_table.residual, full, side="right")
    return values
