"""Pooling and voting against slow references."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.features import pool, rank, vote

# Few distinct values, so that most rows have ties around the last vote.
SCORES = st.integers(1, 12).flatmap(
    lambda features: arrays(
        np.float32, (3, features), elements=st.sampled_from([0.0, 1e-45, 0.5, 1.0, 3.4e38])
    )
)


def slow_vote(scores: np.ndarray, votes: int) -> np.ndarray:
    result = np.zeros(scores.shape, bool)
    for row, values in zip(result, scores, strict=True):
        row[sorted(range(len(values)), key=lambda i: (-values[i], i))[:votes]] = True
    return result


@given(scores=SCORES, data=st.data())
def test_vote_is_the_head_of_a_stable_sort(scores: np.ndarray, data: st.DataObject) -> None:
    votes = data.draw(st.integers(1, scores.shape[1]))
    found = vote(torch.from_numpy(scores), votes).numpy()
    np.testing.assert_array_equal(found, slow_vote(scores, votes))


@given(scores=SCORES)
def test_the_first_places_are_the_votes(scores: np.ndarray) -> None:
    places = rank(torch.from_numpy(scores)).numpy()
    for votes in range(1, scores.shape[1] + 1):
        np.testing.assert_array_equal(places < votes, slow_vote(scores, votes))


def test_vote_on_many_features_without_ties() -> None:
    scores = np.random.Generator(np.random.Philox(1)).random((4, 784)).astype(np.float32)
    found = vote(torch.from_numpy(scores), 78).numpy()
    np.testing.assert_array_equal(found, slow_vote(scores, 78))


@pytest.mark.parametrize("votes", [0, -1, 5])
def test_vote_refuses_impossible_numbers(votes: int) -> None:
    with pytest.raises(ValueError, match=f"votes is {votes}; .* 4 features"):
        vote(torch.zeros(1, 4), votes)


@pytest.mark.parametrize("cell", [1, 2, 3, 6])
def test_pool_is_the_mean_of_cells_row_by_row(cell: int) -> None:
    maps = np.random.Generator(np.random.Philox(2)).random((2, 6, 12)).astype(np.float32)
    slow = [
        [
            m[r : r + cell, c : c + cell].mean()
            for r in range(0, 6, cell)
            for c in range(0, 12, cell)
        ]
        for m in maps
    ]
    np.testing.assert_allclose(pool(torch.from_numpy(maps), cell).numpy(), slow, rtol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_cell_with_a_score_that_is_not_finite_scores_zero(bad: float) -> None:
    maps = torch.ones(1, 4, 4)
    maps[0, 1, 2] = bad
    assert pool(maps, 2).tolist() == [[1.0, 0.0, 1.0, 1.0]]
    assert vote(pool(maps, 2), 3).tolist() == [[True, False, True, True]]


def test_all_scores_not_finite_vote_for_the_first_features() -> None:
    assert vote(pool(torch.full((1, 4, 4), torch.nan), 2), 2).tolist() == [
        [True, True, False, False]
    ]


@pytest.mark.parametrize("cell", [0, -2, 3, 8])
def test_pool_refuses_cells_that_do_not_divide(cell: int) -> None:
    with pytest.raises(ValueError, match=f"cell is {cell}; it must divide"):
        pool(torch.zeros(1, 4, 6), cell)
