"""Trade-offs against Neyman–Pearson on grids: the least mean any test can be left with."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from certify.ball import NormBall
from certify.claims import Boundary
from certify.confidence import ONE
from certify.noise import Gaussian, GeneralizedNormal, Laplace, Law
from certify.orders import ORDERS
from certify.per_feature import class_radius, label_radii, radii, radius
from certify.tradeoff import Proof, crossing_radius, divergence, gap_radius, meeting_radius

EVERY = [Gaussian(0.25), Laplace(0.25), GeneralizedNormal(0.25, 4), GeneralizedNormal(0.25, 12)]
every_law = pytest.mark.parametrize("law", EVERY, ids=lambda law: f"{law.name}-{law.shape}")
others = pytest.mark.parametrize("law", EVERY[1:], ids=lambda law: f"{law.name}-{law.shape}")
LINE = NormBall("1", 1)


def log_density(law: Law, z: NDArray[np.float64]) -> NDArray[np.float64]:
    b = law.shape
    width = law.scale * math.sqrt(math.gamma(1 / b) / math.gamma(3 / b))
    return -(np.abs(z / width) ** b) - math.log(2 * width * math.gamma(1 + 1 / b))


def least_mean(law: Law, mean: float, shift: list[float], points: int) -> float:
    """Neyman–Pearson on a grid: the least Q(test) of a test with P(test) = mean, Q shifted P."""
    edge = (10 if law.shape == 1 else 5) * law.scale
    z, step = np.linspace(-edge, edge, points, retstep=True)
    p, ratio = np.ones(1), np.zeros(1)
    for t in shift:
        p = np.multiply.outer(p, np.exp(log_density(law, z)) * step).ravel()
        change = log_density(law, z - t) - log_density(law, z)
        ratio = np.add.outer(ratio, np.minimum(change, 300)).ravel()
    order = np.argsort(ratio)
    taken = np.clip(mean - (np.cumsum(p[order]) - p[order]), 0, p[order])
    return float((taken * np.exp(ratio[order])).sum())


@every_law
@pytest.mark.parametrize("mean", [0.05, 0.3, 0.5, 0.7, 0.95, 0.995])
@pytest.mark.parametrize("shift", [0.01, 0.1, 0.3])
def test_one_entry_is_exactly_neyman_pearson(law: Law, mean: float, shift: float) -> None:
    level = least_mean(law, mean, [shift], 40_001)
    if 1e-6 < level < mean:
        found = gap_radius(law, LINE, Fraction(level), Fraction(mean), share=1) / 1e7
        assert found == pytest.approx(shift, rel=5e-3, abs=1e-4)


@others
@pytest.mark.parametrize("mean", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("parts", [(0.5, 0.5), (0.8, 0.2)])
def test_in_l1_one_entry_is_the_worst(law: Law, mean: float, parts: tuple[float, float]) -> None:
    """Spreading a shift of ℓ1 size 0.12 over two entries leaves the test a larger mean."""
    spread = least_mean(law, mean, [0.12 * part for part in parts], 600)
    single = least_mean(law, mean, [0.12], 40_001)
    assert spread >= single - 2e-3


@others
@pytest.mark.parametrize("norm", ["1.5", "2", "4", "inf"])
@pytest.mark.parametrize(("mean", "level"), [(0.9, 0.5), (0.97, 0.7), (0.6, 0.35)])
def test_in_other_norms_no_shift_of_two_entries_crosses(
    law: Law, norm: str, mean: float, level: float
) -> None:
    ball, power = NormBall(norm, 2), math.inf if norm == "inf" else float(norm)
    pair = Fraction(mean), Fraction(level)
    found = max(crossing_radius(law, ball, *pair), gap_radius(law, ball, *reversed(pair), share=1))
    left = []
    for angle in np.linspace(0, np.pi / 4, 3):
        way = np.array([np.cos(angle), np.sin(angle)])
        way *= found / 1e7 / np.linalg.norm(way, power)
        left.append(least_mean(law, mean, way.tolist(), 300))
    assert min(left) >= level - 3e-3
    # And it is not far from crossing: at twice the radius some shift does.
    alike = 2 * found / 1e7 * float(ball.share)
    single = 2 * found / 1e7
    assert min(least_mean(law, mean, t, 300) for t in ([alike, alike], [single])) < level


@others
@pytest.mark.parametrize("entries", [1, 2])
def test_divergences_never_beat_the_exact_link(law: Law, entries: int) -> None:
    """Population values, ℓ1: the link is exact, so what divergences prove is below it."""
    ball = NormBall("1", entries)
    for mean, level in [(0.9, 0.5), (0.99, 0.2), (0.55, 0.5), (0.3, 0.1)]:
        pair = Fraction(mean), Fraction(level)
        assert crossing_radius(law, ball, *pair) > 0
        assert crossing_radius(law, ball, *pair) <= gap_radius(law, ball, *reversed(pair), share=1)
        assert meeting_radius(law, ball, *reversed(pair)) <= gap_radius(
            law, ball, *reversed(pair), share=2
        )


@others
def test_dense_changes_need_divergences(law: Law) -> None:
    """Over many entries the link pays √n in ℓ2; divergences do not, and come near the Gaussian."""
    ball = NormBall("2", 150_528)
    linked = gap_radius(law, ball, Fraction(1, 10), Fraction(9, 10), share=2)
    met = meeting_radius(law, ball, Fraction(1, 10), Fraction(9, 10))
    gaussian = gap_radius(Gaussian(0.25), ball, Fraction(1, 10), Fraction(9, 10), share=2)
    assert met > 50 * linked
    assert 0.2 * gaussian < met < gaussian
    assert radius(pair(0.9, 0.1), 1, law, ball) == met


def pair(inside: float, outside: float) -> Boundary:
    return Boundary((0,), np.array([int(inside * ONE)]), np.array([int(outside * ONE)]))


@every_law
@pytest.mark.parametrize("norm", ["1", "2", "3.5", "inf"])
def test_labels_are_odd_and_grow_with_the_bound(law: Law, norm: str) -> None:
    ball = NormBall(norm, 768)
    lowers = [int(h * ONE) for h in (0.4, 0.51, 0.6, 0.8, 0.9, 0.99, 0.9999)]
    up = label_radii(lowers, [ONE] * 7, law, ball)
    down = label_radii([0] * 7, [ONE - low for low in lowers], law, ball)
    assert up == [-r for r in down]
    assert up == sorted(up)
    assert up[0] == 0
    assert up[3] > 0
    assert [class_radius(low, law, ball) for low in lowers[2:]] == up[2:]


@every_law
def test_many_labels_are_sound_and_monotone(law: Law) -> None:
    """Where only some bounds are tried, the others take what a weaker bound proves."""
    ball = NormBall("2", 3072)
    lowers = np.linspace(0.5001, 0.9999, 700)
    units = [int(h * ONE) for h in lowers]
    found = label_radii(units, [ONE] * 700, law, ball)
    assert found == sorted(found)
    for at in (0, 111, 350, 500, 698):
        assert found[at] <= class_radius(units[at], law, ball)


@every_law
@pytest.mark.parametrize("norm", ["1", "2", "inf"])
@pytest.mark.parametrize("inside", [0, 1, ONE // 2, ONE])
@pytest.mark.parametrize("outside", [0, ONE // 3, ONE - 1, ONE])
def test_hostile_bounds_never_prove_what_is_false(
    law: Law, norm: str, inside: int, outside: int
) -> None:
    boundary = Boundary((0,), np.array([inside]), np.array([outside]))
    found = radii(boundary, law, NormBall(norm, 12))[0]
    assert found >= 0
    if inside <= outside:
        assert found == 0
    if 0 < outside < inside < ONE:
        # One entry: nothing beyond the exact link of a single entry can be true in any norm.
        assert found <= gap_radius(law, LINE, Fraction(outside, ONE), Fraction(inside, ONE), 2) + 1


@given(
    order=st.sampled_from(ORDERS[::5]),
    mean=st.integers(1, 2**20 - 1),
    level=st.integers(1, 2**20 - 1),
    forward=st.booleans(),
)
@settings(max_examples=60)
def test_divergence_of_coins_is_its_definition(
    order: Fraction, mean: int, level: int, forward: bool
) -> None:
    p, q = mean / 2**20, level / 2**20
    first, second = (q, p) if forward else (p, q)
    a = float(order)
    expected = np.logaddexp(
        a * math.log(first) + (1 - a) * math.log(second),
        a * math.log1p(-first) + (1 - a) * math.log1p(-second),
    ) / (a - 1)
    found = divergence(Proof(order, forward), Fraction(mean, 2**20), Fraction(level, 2**20))
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_certain_coin_is_infinitely_far_or_at_finite_distance() -> None:
    certain = Proof(Fraction(2), forward=False), Fraction(1), Fraction(1, 2)
    assert float(divergence(*certain)) == pytest.approx(math.log(2))
    assert not divergence(Proof(Fraction(2), forward=True), Fraction(1), Fraction(1, 2)).is_finite()


def test_l1_teng_et_al() -> None:
    """Laplace, top two of p and 1 − p: width·max(ln(p/(1−p))/2, −ln(2(1−p))), Teng et al. (2020).

    Our class radius uses p alone, as if the rest were one class: −width·ln(2(1 − p)).
    """
    law, p = Laplace(0.25), 0.9
    found = class_radius(int(p * ONE), law, NormBall("1", 100)) / 1e7
    assert found == pytest.approx(-0.25 / math.sqrt(2) * math.log(2 * (1 - p)), abs=2e-7)
