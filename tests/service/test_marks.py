"""The marks around regions against another implementation of the same thing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from service.drawing import marks


@given(arrays(bool, (12, 17)), st.integers(0, 6))
def test_a_region_shrinks_from_its_own_edge_and_the_pictures(region, depth):
    expected = ndimage.minimum_filter(region, size=2 * depth + 1, mode="constant", cval=0)
    np.testing.assert_array_equal(marks._shrink(region, depth), expected)


def test_labels_that_do_not_fit_their_grid_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 2\) and \(3, 3\)"):
        marks.Cells(np.zeros((2, 2), dtype=np.int8), np.zeros((3, 3), dtype=bool))
