"""Evidence merges like sets of samples: in any order, from any split, never twice."""

from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.evidence import VOTES_FEATURES, Evidence
from certify.gathering import Gathering, gathered

RNG = np.random.default_rng(5)
VOTES = RNG.random((40, 13)) < 0.3
CLASSES = RNG.integers(0, 9, 40).astype(np.int32)
WHOLE = Evidence.from_votes(0, VOTES, CLASSES)


def piece(start: int, stop: int) -> Evidence:
    return Evidence.from_votes(start, VOTES[start:stop], CLASSES[start:stop])


@given(cuts=st.sets(st.integers(1, 39)), order=st.randoms(use_true_random=False))
def test_any_split_merged_in_any_order_is_the_whole(cuts: set[int], order: object) -> None:
    ends = [0, *sorted(cuts), 40]
    pieces = [piece(a, b) for a, b in pairwise(ends)]
    order.shuffle(pieces)  # type: ignore[attr-defined]
    for merged in (
        reduce(Evidence.merge, pieces, Evidence.empty(13)),
        gathered(pieces[0], pieces[1:]),
    ):
        assert merged.digest() == WHOLE.digest()
        assert merged.ranges == ((0, 40),)
        np.testing.assert_array_equal(merged.votes, np.packbits(VOTES, axis=1))
        np.testing.assert_array_equal(merged.counts, VOTES.sum(axis=0))


@given(a=st.integers(0, 10), b=st.integers(11, 20), c=st.integers(21, 30))
def test_merging_is_associative_with_gaps(a: int, b: int, c: int) -> None:
    first, second, third = piece(a, 11), piece(b, 21), piece(c, 40)
    left, right = first.merge(second).merge(third), first.merge(second.merge(third))
    assert left.digest() == right.digest()
    assert left.samples == (11 - a) + (21 - b) + (40 - c)


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, 4), (9, 12), (0, 40)])
def test_a_sample_is_never_counted_twice(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match=r"sample range is .* not be merged twice"):
        piece(0, 10).merge(piece(start, stop))


def test_features_must_agree() -> None:
    with pytest.raises(ValueError, match="features is 12; it must be 13"):
        WHOLE.merge(Evidence.empty(12))


def test_many_features_keep_counts_only() -> None:
    votes = np.zeros((3, VOTES_FEATURES + 1), bool)
    votes[1, 7] = True
    evidence = Evidence.from_votes(0, votes, np.zeros(3, np.int32))
    assert evidence.votes is None
    assert evidence.counts[7] == 1
    other = Evidence.from_votes(3, votes, np.zeros(3, np.int32))
    assert evidence.merge(other).counts[7] == 2


def test_the_digest_sees_every_part() -> None:
    moved = Evidence.from_votes(1, VOTES, CLASSES)
    flipped = VOTES.copy()
    flipped[3, 3] ^= True
    voted = Evidence.from_votes(0, flipped, CLASSES)
    predicted = Evidence.from_votes(0, VOTES, CLASSES + 1)
    digests = {e.digest() for e in (WHOLE, moved, voted, predicted)}
    assert len(digests) == 4


def test_rows_come_in_blocks_that_are_the_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certify.evidence.BLOCK", 16)
    blocks = list(WHOLE.rows())
    assert [len(block) for block in blocks] == [16, 16, 8]
    np.testing.assert_array_equal(np.concatenate(blocks), VOTES)
    assert not list(Evidence.from_votes(0, np.zeros((1, 5000), bool), CLASSES[:1]).rows())


def test_gathering_can_be_looked_at_and_gone_on_with() -> None:
    gathering = Gathering(Evidence.empty(13))
    for start, stop in [(5, 9), (0, 5), (20, 21), (9, 20), (21, 40)]:
        gathering.add(piece(start, stop))
        assert gathering.samples == gathering.whole().samples
        assert gathering.ranges == gathering.whole().ranges
    assert gathering.whole().digest() == WHOLE.digest()


def test_gathering_refuses_what_merging_refuses_and_is_none_the_worse() -> None:
    gathering = Gathering(piece(0, 10))
    with pytest.raises(ValueError, match=r"sample range is .* not be merged twice"):
        gathering.add(piece(9, 12))
    with pytest.raises(ValueError, match="features is 12; it must be 13"):
        gathering.add(Evidence.empty(12))
    with pytest.raises(ValueError, match="votes and of points is 'both'"):
        gathering.add(Evidence.empty(13, votes_only=False))
    gathering.add(piece(10, 40))
    assert gathering.whole().digest() == WHOLE.digest()


def test_gathering_copies_each_sample_a_few_times_however_many_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied, merge = [], Evidence.merge

    def counted(one: Evidence, other: Evidence) -> Evidence:
        copied.append(one.samples + other.samples)
        return merge(one, other)

    monkeypatch.setattr(Evidence, "merge", counted)
    votes, classes = np.zeros((2, 3), bool), np.zeros(2, np.int32)
    parts = [Evidence.from_votes(2 * at, votes, classes) for at in range(1024)]
    gathered(parts[0], parts[1:])
    assert sum(copied) <= 2048 * 10
    copied.clear()
    reduce(Evidence.merge, parts)
    assert sum(copied) > 2048 * 500
