"""Votes as a network under noise might cast them, of any size, without a network.

A feature's score in a sample is a profile of bumps, plus common causes that move whole regions,
plus noise of its own: votes for neighbours go together. So many different rows of votes are made;
which of them a sample casts is drawn too. All of it is drawn at addresses, so that any block of
samples can be made again alone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from certify.plan import Plan, Recipe
from certify.randomness import words

KEY = 0xAFFD0000000000000000000000000004
CAUSES, BUMPS = 6, 5
# How far each part of a score reaches; all together stay below 2^15.
PROFILE, COMMON, OWN = 2400.0, 2200.0, 2400.0
INDEX_BITS = 16
ROWS = 4096


@dataclass(frozen=True)
class Voters:
    """Samples that vote for a quarter of the side² features each; `agreeing` per mille of them are
    given class 0, the others class 1."""

    side: int
    agreeing: int = 930

    @property
    def features(self) -> int:
        """Cells of the square grid."""
        return self.side**2

    @property
    def plan(self) -> Plan:
        """A plan that such samples may be of: a picture of side² pixels, one for each feature."""
        recipe = Recipe("gaussian", 2, 0.25, "gradient", 1, self.features // 4, 8, "float32")
        digest = "0" * 64
        return Plan("synthetic", digest, digest, self.side, self.side, 3, 0, recipe, f"{KEY:032x}")

    def votes(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Who votes for what in samples start, …, stop − 1: booleans (samples, features)."""
        packed = np.stack([self._row(self.row_of(sample)) for sample in range(start, stop)])
        return np.unpackbits(packed, axis=1, count=self.features).astype(bool)

    def row_of(self, sample: int) -> int:
        """Which of the ROWS different rows of votes the sample casts."""
        return int(words(KEY, sample, 2, 1)[0] % np.uint64(ROWS))

    def _row(self, number: int) -> NDArray[np.uint8]:
        if number not in self._rows:
            (keys,), last = (
                self.keys(range(number, number + 1)),
                self.features - self.plan.recipe.votes,
            )
            self._rows[number] = np.packbits(keys >= np.partition(keys, last)[last])
        return self._rows[number]

    @cached_property
    def _rows(self) -> dict[int, NDArray[np.uint8]]:
        """What was made already, packed."""
        return {}

    def keys(self, rows: range) -> NDArray[np.int32]:
        """Scores and, in the last 16 bits, what breaks ties: the lower feature goes first.

        (rows, features); no two of a row are equal, the larger is voted for.
        """
        own = np.stack([words(KEY, row, 0, self.features // 4) for row in rows])
        scores = np.stack([_normal(row) for row in rows]) @ self._patterns
        scores += self._profile
        scores += own.view(np.uint16) * np.float32(OWN / (1 << 15))
        keys = scores.astype(np.int32)
        keys <<= INDEX_BITS
        keys -= np.arange(self.features, dtype=np.int32)
        return keys

    def predictions(self, start: int, stop: int) -> NDArray[np.int32]:
        """The classes that those samples were given."""
        drawn = [int(words(KEY, sample, 5, 1)[0]) % 1000 for sample in range(start, stop)]
        return (np.array(drawn) >= self.agreeing).astype(np.int32)

    @cached_property
    def _places(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        down, across = np.mgrid[: self.side, : self.side] / self.side
        return down.ravel().astype(np.float32), across.ravel().astype(np.float32)

    @cached_property
    def _profile(self) -> NDArray[np.float32]:
        down, across = self._places
        bumps = np.zeros(self.features, np.float32)
        for row, column, width in _uniform(3, 3 * BUMPS).reshape(BUMPS, 3):
            distance = (down - row) ** 2 + (across - column) ** 2
            bumps += np.exp(-distance / (0.02 + 0.08 * width) ** 2 / 2)
        return PROFILE * bumps

    @cached_property
    def _patterns(self) -> NDArray[np.float32]:
        """(CAUSES, features): slow waves over the grid."""
        down, across = self._places
        waves = [
            np.cos(2 * np.pi * (4 * row * down + 4 * column * across + phase))
            for row, column, phase in _uniform(4, 3 * CAUSES).reshape(CAUSES, 3)
        ]
        return np.float32(COMMON / np.sqrt(CAUSES)) * np.array(waves, np.float32)


def _uniform(space: int, count: int) -> NDArray[np.float32]:
    return (words(KEY, 0, space, count) / 2.0**64).astype(np.float32)


def _normal(row: int) -> NDArray[np.float32]:
    drawn = ndtri((words(KEY, row, 1, CAUSES) + np.uint64(1)) / 2.0**64)
    return np.asarray(drawn, np.float32)
