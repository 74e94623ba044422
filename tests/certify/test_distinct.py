"""The distinct numbers and their places are those that sorting finds, by table or not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.distinct import distinct


@settings(max_examples=50)
@given(numbers=st.lists(st.integers(0, 1 << 40) | st.integers(0, 30), max_size=60))
def test_they_are_what_sorting_finds(numbers: list[int]) -> None:
    given = np.array(numbers, dtype=np.int64)
    values, places = distinct(given)
    np.testing.assert_array_equal(values, np.unique(given))
    np.testing.assert_array_equal(values[places], given)


@pytest.mark.parametrize("largest", [5, 10**6])
def test_places_have_the_shape_of_the_numbers(largest: int) -> None:
    given = np.array([[3, 1, largest], [1, 1, 0]])
    values, places = distinct(given)
    assert places.shape == given.shape
    np.testing.assert_array_equal(values[places], given)
