"""Evidence: what the samples of a plan said, addressed by sample range and merged in any order.

Merging is associative and commutative, so the same evidence comes out whatever the batch size, the
number of workers, the order, a crash or a restart.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from certify.fields import require

# Above this many features only counts are kept: a packed row no longer pays for itself.
VOTES_FEATURES = 4096
# Unpacked votes are eight times their size, as floats thirty-two times: never all at once.
BLOCK = 4096

Range = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Votes and predictions of the samples in `ranges`.

    ranges: disjoint, ascending, not touching, each [start, stop). votes: packed bits, one row per
    sample in ascending order, numpy.packbits order; None above VOTES_FEATURES features, and where
    samples give points. counts: how many samples voted for each feature, or the points they gave
    it. predictions: the class the network gave each noisy picture, in ascending order of samples.
    squares: sums of the squares of the points, None where samples vote.
    """

    ranges: tuple[Range, ...]
    features: int
    votes: NDArray[np.uint8] | None
    counts: NDArray[np.int64]
    predictions: NDArray[np.int32]
    squares: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in self.ranges) and all(
            left[1] < right[0] for left, right in pairwise(self.ranges)
        )
        require(ascending, "ranges", self.ranges, "be ascending, non-empty and apart")
        shape = None if self.votes is None else self.votes.shape
        kept = self.features <= VOTES_FEATURES and self.squares is None
        rows = (self.samples, -(-self.features // 8)) if kept else None
        require(shape == rows, "shape of votes", shape, f"be {rows}")
        require(self.counts.shape == (self.features,), "shape of counts", self.counts.shape, "fit")
        if self.squares is not None:
            fits = self.squares.shape == self.counts.shape
            require(fits, "shape of squares", self.squares.shape, "fit")
        fits = self.predictions.shape == (self.samples,)
        require(fits, "shape of predictions", self.predictions.shape, f"be ({self.samples},)")

    @classmethod
    def empty(cls, features: int, votes_only: bool = True) -> Self:
        """Evidence of no samples, of votes or of points."""
        nothing, nobody = np.zeros((0, features), np.int64), np.zeros(0, np.int32)
        if votes_only:
            return cls.from_votes(0, nothing.astype(bool), nobody)
        return cls.from_points(0, nothing, nobody)

    @classmethod
    def from_votes(
        cls, start: int, votes: NDArray[np.bool_], predictions: NDArray[np.int32]
    ) -> Self:
        """Evidence of samples start, start + 1, …: one row of `votes` and one prediction each."""
        samples, features = votes.shape
        return cls(
            ranges=((start, start + samples),) if samples else (),
            features=features,
            votes=np.packbits(votes, axis=1) if features <= VOTES_FEATURES else None,
            counts=votes.sum(axis=0, dtype=np.int64),
            predictions=np.asarray(predictions, dtype=np.int32),
        )

    @classmethod
    def from_points(
        cls, start: int, points: NDArray[np.int64], predictions: NDArray[np.int32]
    ) -> Self:
        """Evidence of samples start, start + 1, …: one row of `points` and one prediction each."""
        samples, features = points.shape
        return cls(
            ranges=((start, start + samples),) if samples else (),
            features=features,
            votes=None,
            counts=points.sum(axis=0),
            predictions=np.asarray(predictions, dtype=np.int32),
            squares=(points**2).sum(axis=0),
        )

    @property
    def samples(self) -> int:
        """Number of samples in evidence."""
        return sum(stop - start for start, stop in self.ranges)

    def rows(self) -> Iterator[NDArray[np.uint8]]:
        """The votes as zeros and ones, (samples, features), in blocks of BLOCK samples; none if
        single votes are not kept."""
        if self.votes is not None:
            for start in range(0, len(self.votes), BLOCK):
                packed = self.votes[start : start + BLOCK]
                yield np.unpackbits(packed, axis=1, count=self.features)

    def merge(self, other: Self) -> Self:
        """Both evidences as one. Raises ValueError if they share a sample or differ in features."""
        self.require_alike(other)
        order = _order(self, other)
        votes, squares = None, None
        if self.votes is not None and other.votes is not None:
            votes = np.concatenate([self.votes, other.votes])[order]
        if self.squares is not None and other.squares is not None:
            squares = self.squares + other.squares
        return type(self)(
            ranges=union(self.ranges, other.ranges),
            features=self.features,
            votes=votes,
            counts=self.counts + other.counts,
            predictions=np.concatenate([self.predictions, other.predictions])[order],
            squares=squares,
        )

    def require_alike(self, other: Self) -> None:
        """Raise ValueError unless both have the same features, and are of votes or of points."""
        require(self.features == other.features, "features", other.features, f"be {self.features}")
        alike = (self.squares is None) == (other.squares is None)
        require(alike, "evidence of votes and of points", "both", "not be merged")

    def digest(self) -> str:
        """SHA-256 over ranges, features, votes, counts, predictions and squares, as written in
        docs/certificate.md."""
        ends = [end for pair in self.ranges for end in pair]
        header = np.array([self.features, *ends], dtype="<i8")
        parts: list[NDArray[np.generic]] = [header]
        parts += [self.counts.astype("<i8"), self.predictions.astype("<i4")]
        if self.votes is not None:
            parts.append(self.votes)
        if self.squares is not None:
            parts.append(self.squares.astype("<i8"))
        digest = hashlib.sha256(np.array([part.nbytes for part in parts], dtype="<i8").tobytes())
        for part in parts:
            # Where it lies, not copied: votes may be most of the memory.
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


def _order(one: Evidence, other: Evidence) -> NDArray[np.int64] | slice:
    """What brings the rows of both, one after the other, into ascending order of samples."""
    if not one.ranges or not other.ranges or one.ranges[-1][1] <= other.ranges[0][0]:
        return slice(None)
    return np.argsort(np.concatenate([_indices(one), _indices(other)]), kind="stable")


def _indices(evidence: Evidence) -> NDArray[np.int64]:
    spans = [np.arange(start, stop, dtype=np.int64) for start, stop in evidence.ranges]
    return np.concatenate([np.zeros(0, dtype=np.int64), *spans])


def union(one: tuple[Range, ...], other: tuple[Range, ...]) -> tuple[Range, ...]:
    """The ranges of both, as in evidence. Raises ValueError if they share a sample."""
    joined: list[Range] = []
    for start, stop in sorted(one + other):
        if not joined or start > joined[-1][1]:
            joined.append((start, stop))
            continue
        require(start == joined[-1][1], "sample range", (start, stop), "not be merged twice")
        joined[-1] = (joined[-1][0], stop)
    return tuple(joined)
