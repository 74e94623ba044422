"""Controls are as many as the decoys and as far away, to the grey level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.decoys_arms import ARMS, bounded, scattered, sources

KEY = 0xFACE


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture with black and white in it, and decoys that change some of its pixels."""
    rng = np.random.Generator(np.random.Philox(key=draw(st.integers(0, 1 << 30))))
    picture = rng.choice([0, 1, 100, 250, 255], (12, 12, 3)).astype(np.uint8)
    change = rng.integers(-30, 31, (5, 12, 12, 3)) * (rng.random((5, 12, 12, 1)) < 0.3)
    return picture, np.clip(picture + change, 0, 255).astype(np.uint8)


def sizes(picture: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sorted changes of each."""
    return np.sort(np.abs(others.astype(np.int64) - picture).reshape(len(others), -1), axis=1)


@settings(max_examples=30)
@given(cases())
def test_controls_have_the_decoys_number_and_size(
    case: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> None:
    picture, decoys = case
    made = sources(picture, decoys, KEY, 0)
    own = sizes(picture, decoys)
    for name in ("bounded", "scattered", "constant"):
        assert made[name].shape == decoys.shape and made[name].dtype == np.uint8
    np.testing.assert_array_equal(sizes(picture, made["scattered"]), own)
    np.testing.assert_array_equal(sizes(picture, made["bounded"])[:, -1], own[:, -1])
    moved = (decoys != picture).any(axis=3)
    mean = np.rint(picture.mean(axis=(0, 1)))
    assert (made["constant"][moved] == mean).all()
    np.testing.assert_array_equal(
        made["constant"][~moved], np.broadcast_to(picture, decoys.shape)[~moved]
    )
    np.testing.assert_array_equal(made["plain"], picture[None])
    assert {arm.source for arm in ARMS} == set(made)


def test_noise_is_elsewhere_than_the_decoys_and_by_address() -> None:
    picture = np.full((32, 32, 3), 128, np.uint8)
    decoys = np.stack([picture, picture])
    decoys[:, :8] += 9
    for control in (bounded, scattered):
        one = control(picture, decoys, KEY, 1)
        np.testing.assert_array_equal(one, control(picture, decoys, KEY, 1))
        assert (one[0] != one[1]).any()
        assert (one != control(picture, decoys, KEY, 2)).any()
        np.testing.assert_array_equal(one[1:], control(picture, decoys, KEY, 1)[1:])
    where = (scattered(picture, decoys, KEY, 1) != picture).mean(axis=(0, 2, 3))
    assert where[:8].mean() == pytest.approx(0.25, abs=0.06)
    assert where[8:].mean() == pytest.approx(0.25, abs=0.03)
    signs = scattered(picture, decoys, KEY, 1).astype(int) - 128
    assert abs(signs.sum()) < 4 * 9 * np.sqrt((signs != 0).sum())
    levels = bounded(picture, decoys, KEY, 1).astype(int) - 128
    assert abs(levels.std() - np.sqrt((19**2 - 1) / 12)) < 0.2


def test_null_decoys_have_null_noise() -> None:
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    for made in sources(picture, picture[None], KEY, 0).values():
        np.testing.assert_array_equal(made, picture[None])


def test_changes_too_large_for_both_directions_are_refused() -> None:
    picture = np.full((1, 2, 2, 3), 127, np.uint8)
    decoys = picture.copy()
    decoys[0, 0, 0, 0] = 255
    with pytest.raises(ValueError, match="more than 127 grey levels"):
        scattered(picture[0], decoys, KEY, 0)
