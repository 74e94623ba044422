"""Measures of maps: by hand, by brute force, and by what must not change them."""

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.evaluation import substitutes
from models.evaluation.agreement import (
    centre,
    compare,
    cosine,
    distance,
    kendall,
    sensitivity,
    top_k_intersection,
)
from models.evaluation.curves import deletion, insertion
from models.evaluation.fidelity import Score, fidelity
from models.evaluation.scores import magnitude, ranking, shown
from models.evaluation.scoring import log_probability
from models.loading import Network

few = settings(max_examples=40)
maps = arrays(np.float64, (4, 4), elements=st.integers(0, 1000).map(lambda n: n / 8), unique=True)
PICTURE = np.random.Generator(np.random.Philox(key=6)).integers(0, 256, (2, 3, 3)).astype(np.uint8)


def linear(contributions: NDArray[np.float64]) -> Score:
    """A score that is a sum over pixels, log probability at most 0."""

    def score(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
        return (pictures[..., 0] * contributions).sum(axis=(1, 2)) / 1000 - 2

    return score


def test_magnitude_is_the_largest_absolute_channel() -> None:
    signed = np.array([[[1.0, -3.0, 2.0]], [[0.0, 0.5, -0.25]]])
    np.testing.assert_array_equal(magnitude(signed), [[3.0], [0.5]])


def test_shown_by_hand() -> None:
    scores = np.arange(21.0).reshape(3, 7)  # the 95th percentile of 0 … 20 is 19
    expected = np.minimum(scores, 19) / 19
    np.testing.assert_allclose(shown(scores), expected)
    np.testing.assert_array_equal(shown(np.full((2, 2), 7.0)), np.zeros((2, 2)))


@few
@given(maps, st.floats(0.01, 100), st.floats(-50, 50))
def test_shown_ignores_scale_and_offset(
    scores: NDArray[np.float64], times: float, more: float
) -> None:
    np.testing.assert_allclose(shown(times * scores + more), shown(scores), atol=1e-9)
    assert shown(scores).min() == 0 and shown(scores).max() == 1


def test_ranking_breaks_ties_to_the_lower_number() -> None:
    assert ranking(np.array([[1.0, 5.0], [5.0, 0.0]])).tolist() == [1, 2, 0, 3]


def test_top_k_intersection_by_hand() -> None:
    one, other = np.array([[9.0, 8, 7], [1, 2, 3]]), np.array([[9.0, 1, 8], [7, 2, 3]])
    assert [top_k_intersection(one, other, k) for k in (1, 2, 3, 6)] == [1, 1 / 2, 2 / 3, 1]
    for k in (0, 7):
        with pytest.raises(ValueError, match=rf"k is {k}; it must lie in 1\.\.6"):
            top_k_intersection(one, other, k)


def slow_kendall(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """τ-b pair by pair."""
    a, b = one.ravel(), other.ravel()
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i in range(len(a)) for j in range(i)]
    untied = math.sqrt(sum(s != 0 for s, _ in signs) * sum(t != 0 for _, t in signs))
    return sum(s * t for s, t in signs) / untied


@few
@given(maps, arrays(np.float64, (4, 4), elements=st.integers(0, 5).map(float)))
def test_kendall_is_the_count_of_pairs(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> None:
    if np.ptp(other):
        assert kendall(one, other) == pytest.approx(slow_kendall(one, other))
    assert kendall(one, np.exp(one / 100)) == pytest.approx(1)
    assert kendall(one, -one) == pytest.approx(-1)


def test_what_is_undefined_is_nan() -> None:
    zeros, some = np.zeros((2, 2)), np.arange(4.0).reshape(2, 2)
    assert math.isnan(kendall(zeros, some))
    assert math.isnan(cosine(zeros, some))
    picture = np.zeros((2, 2, 3), np.uint8)
    assert math.isnan(compare(some, some, picture, picture, 2).sensitivity)


@few
@given(maps, maps, st.floats(0.01, 100))
def test_cosine_is_an_angle(
    one: NDArray[np.float64], other: NDArray[np.float64], times: float
) -> None:
    assert cosine(one, times * one) == pytest.approx(1)
    assert cosine(one, other) == pytest.approx(cosine(other, times * one), abs=1e-12)
    assert cosine(np.array([[3.0, 4.0]]), np.array([[4.0, 3.0]])) == pytest.approx(24 / 25)


def test_centre_by_hand() -> None:
    assert centre(np.array([[0.0, 1], [0, 3]])) == (0.75, 1.0)
    assert centre(np.zeros((3, 5))) == (1.0, 2.0)


def test_sensitivity_by_hand() -> None:
    one, other = np.zeros((2, 2)), np.array([[3.0, 0], [0, 4]])
    assert sensitivity(one, other, 2.0) == 2.5
    clean, attacked = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    attacked[0, 0] = (51, 0, 0)
    assert distance(clean, attacked) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="the pictures must differ"):
        sensitivity(one, other, 0.0)


@few
@given(maps, maps)
def test_compare_says_what_each_says(one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    clean = np.zeros((4, 4, 3), np.uint8)
    attacked = clean + 8
    found = compare(one, other, clean, attacked, 5)
    assert found.moved == pytest.approx(8 / 255 * math.sqrt(48))
    assert found.sensitivity == sensitivity(shown(one), shown(other), found.moved)
    assert (found.top_k, found.kendall) == (top_k_intersection(one, other, 5), kendall(one, other))
    assert found.centre_shift == pytest.approx(math.dist(centre(one), centre(other)))
    same = compare(one, one, clean, attacked, 5)
    assert (same.top_k, same.sensitivity, same.centre_shift) == (1, 0, 0)


def test_fidelity_by_hand() -> None:
    """Log probability Σ w x: SF is −Σ w (E − mean E) x."""
    weights = np.array([[1.0, -2, 3], [0.5, 0, -1]])
    map_ = np.array([[1.0, 0, 0.5], [0.25, 1, 0]])
    expected = -((weights * PICTURE[..., 0]) * (map_ - map_.mean())).sum() / 1000
    assert fidelity(linear(weights), PICTURE, map_) == pytest.approx(expected)


def test_a_constant_map_has_fidelity_zero_and_a_better_one_less() -> None:
    score = linear(np.array([[1.0, -2, 3], [0.5, 0, -1]]))
    for level in (0.0, 0.3, 1.0):
        assert fidelity(score, PICTURE, np.full((2, 3), level)) == pytest.approx(0, abs=1e-6)
    helpful = np.array([[1.0, 0, 1], [1, 0, 0]])
    assert fidelity(score, PICTURE, helpful) < 0 < fidelity(score, PICTURE, 1 - helpful)


def test_fidelity_judges_the_map() -> None:
    score = linear(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"reaches from 0\.0 to 2\.0; it must lie in \[0, 1\]"):
        fidelity(score, PICTURE, np.linspace(0, 2, 6).reshape(2, 3))
    with pytest.raises(ValueError, match=r"the map is \(3, 2\); it must be \(2, 3\)"):
        fidelity(score, PICTURE, np.zeros((3, 2)))


def test_curves_by_hand() -> None:
    """Three pixels add 0.9, 0.6 and 0.3 to a log probability of −2; the substitute adds nothing."""
    picture = np.zeros((1, 3, 3), np.uint8)
    picture[0, :, 0] = (30, 20, 10)
    score = linear(np.full((1, 3), 30.0))
    nothing = np.zeros((1, 3, 3), np.float32)
    down = deletion(score, picture, np.array([0, 1, 2]), nothing, steps=3)
    np.testing.assert_allclose(np.log(down.probabilities), [-0.2, -1.1, -1.7, -2])
    up = insertion(score, picture, np.array([0, 1, 2]), nothing, steps=3)
    np.testing.assert_allclose(np.log(up.probabilities), [-2, -1.1, -0.5, -0.2])
    p, q, r, s = np.exp([-0.2, -1.1, -1.7, -2])
    assert down.area == pytest.approx((p / 2 + q + r + s / 2) / 3)


def test_the_perfect_ranking_of_a_sum_is_the_best_of_all() -> None:
    """All 720 rankings of six pixels, at every point of both curves, at several step counts."""
    weights = np.array([[1.0, -2, 3], [0.5, 0.1, -1]])
    score, substitute = linear(weights), substitutes.mean(PICTURE)
    lost = weights * (PICTURE - substitute)[..., 0]
    perfect = ranking(lost)
    for steps in (6, 4, 2):
        best = deletion(score, PICTURE, perfect, substitute, steps)
        most = insertion(score, PICTURE, perfect, substitute, steps)
        for other in permutations(range(6)):
            order = np.array(other)
            down = deletion(score, PICTURE, order, substitute, steps)
            up = insertion(score, PICTURE, order, substitute, steps)
            assert (best.probabilities <= down.probabilities * (1 + 1e-6)).all()
            assert (most.probabilities >= up.probabilities * (1 - 1e-6)).all()
            assert best.area <= down.area * (1 + 1e-6) and most.area >= up.area * (1 - 1e-6)


def test_curves_begin_and_end_at_the_two_pictures(tiny: Network, digit: NDArray[np.uint8]) -> None:
    score, substitute = log_probability(tiny, 3), substitutes.blurred(digit, 2.0)
    ends = np.exp(score(np.stack([digit.astype(np.float32), substitute])))
    order = np.random.Generator(np.random.Philox(key=2)).permutation(256)
    for curve, expected in (
        (deletion(score, digit, order, substitute), ends),
        (insertion(score, digit, order, substitute), ends[::-1]),
    ):
        assert len(curve.probabilities) == 29
        np.testing.assert_allclose(curve.probabilities[[0, -1]], expected, rtol=1e-6)
    # Deleting in the reverse order is inserting, walked backwards.
    down = deletion(score, digit, order[::-1], substitute, 16).probabilities
    up = insertion(score, digit, order, substitute, 16).probabilities
    np.testing.assert_allclose(down, up[::-1], rtol=1e-6)


def test_curves_judge_rankings_and_steps() -> None:
    score, substitute = linear(np.ones((2, 3))), substitutes.mean(PICTURE)
    with pytest.raises(ValueError, match="name each of the 6 pixels once"):
        deletion(score, PICTURE, np.array([0, 1, 2, 3, 4, 4]), substitute, 3)
    with pytest.raises(ValueError, match=r"steps is 7; it must lie in 1\.\.6"):
        insertion(score, PICTURE, np.arange(6), substitute, 7)


def test_substitutes() -> None:
    flat = substitutes.mean(PICTURE)
    assert flat.dtype == np.float32 and flat.shape == PICTURE.shape
    np.testing.assert_allclose(flat[1, 2], PICTURE.reshape(6, 3).mean(axis=0), rtol=1e-6)
    constant = np.full((9, 9, 3), 77, np.uint8)
    np.testing.assert_allclose(substitutes.blurred(constant, 2.0), 77, rtol=1e-6)
    spot = np.zeros((41, 41, 3), np.uint8)
    spot[20, 20, 1] = 255
    spread = substitutes.blurred(spot, 3.0)
    assert not spread[..., [0, 2]].any()
    assert spread.sum() == pytest.approx(255, rel=1e-3)
    offsets = (np.arange(41) - 20) ** 2
    assert (spread[..., 1].sum(axis=0) * offsets).sum() / 255 == pytest.approx(9, rel=0.02)


def test_log_probability_is_the_softmax_and_needs_no_company(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    pictures = np.repeat(digits, 4, axis=0).astype(np.float32)
    score = log_probability(tiny, 5)
    with torch.no_grad():
        expected = tiny(torch.from_numpy(pictures)).double().log_softmax(dim=1)[:, 5].numpy()
    np.testing.assert_allclose(score(pictures), expected, rtol=1e-4)
    np.testing.assert_array_equal(score(pictures)[7:8], score(pictures[7:8]))


def test_a_hopeless_class_has_a_finite_logarithm(tiny: Network) -> None:
    loud = np.zeros((1, 16, 16, 3), np.float32)
    loud[:, ::2] = 1e7
    values = [log_probability(tiny, target)(loud)[0] for target in range(10)]
    assert np.isfinite(values).all() and min(values) < -1000


@pytest.mark.parametrize("part", ["scores", "agreement", "fidelity", "curves", "substitutes"])
def test_arithmetic_needs_no_torch(part: str) -> None:
    program = f"import sys, models.evaluation.{part}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_measures_do_not_depend_on_a_map_s_units(tiny: Network, digit: NDArray[np.uint8]) -> None:
    """Fidelity of what is shown, and both areas, are the same for E and for 7·E."""
    scores = np.random.Generator(np.random.Philox(key=3)).uniform(size=(16, 16))
    score = log_probability(tiny, 3)
    substitute = substitutes.mean(digit)
    measures: list[Callable[[NDArray[np.float64]], float]] = [
        lambda e: fidelity(score, digit, shown(e)),
        lambda e: deletion(score, digit, ranking(e), substitute).area,
        lambda e: insertion(score, digit, ranking(e), substitute).area,
    ]
    for measure in measures:
        assert measure(scores) == pytest.approx(measure(7 * scores), rel=1e-5)
