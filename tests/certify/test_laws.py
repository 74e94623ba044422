"""The contract of every law, and the bounds over balls against shifts of our own choosing."""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.ball import NormBall
from certify.exact import ball, floor
from certify.noise import LAWS, Gaussian, GeneralizedNormal, Laplace, Law, draw, table
from certify.norms import from_euclidean, largest_radius

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "certificates.json").read_text())
EVERY = [Gaussian(0.25), Laplace(0.25), *(GeneralizedNormal(0.25, b) for b in (4, 6, 12, 20))]
ORDERS = [Fraction(101, 100), Fraction(3, 2), Fraction(5), Fraction(83)]
NORMS = ["1", "1.5", "2", "2.5", "4", "inf"]


def name(law: Law) -> str:
    return f"{law.name}-{law.shape}"


every_law = pytest.mark.parametrize("law", EVERY, ids=name)


def density(law: Law) -> Callable[[Any], Any]:
    """The density from its definition: ∝ exp(−|z/a|^b), with a so that the variance is scale²."""
    b = mpmath.mpf(law.shape)
    width = mpmath.mpf(repr(law.scale)) * mpmath.sqrt(mpmath.gamma(1 / b) / mpmath.gamma(3 / b))
    return lambda z: mpmath.exp(-(abs(z / width) ** b)) / (2 * width * mpmath.gamma(1 + 1 / b))


@every_law
def test_the_scale_is_the_standard_deviation(law: Law) -> None:
    f = density(law)
    with mpmath.workdps(20):
        assert mpmath.quad(f, [-mpmath.inf, 0, mpmath.inf]) == pytest.approx(1, abs=1e-9)
        variance = mpmath.quad(lambda z: z**2 * f(z), [-mpmath.inf, 0, mpmath.inf])
        assert variance == pytest.approx(law.scale**2, rel=1e-9)
    # And of the integers drawn: rounding adds 1/12.
    shares = np.array(table(law).shares, dtype=float) / 2.0**64
    values = table(law).first + np.arange(len(shares))
    assert (shares * values**2).sum() == pytest.approx((255 * law.scale) ** 2 + 1 / 12, rel=1e-9)


@every_law
def test_cumulative_is_the_integral_of_the_density(law: Law) -> None:
    f = density(law)
    with mpmath.workdps(25):
        for grey in (-150, -40, -1, 0, 3, 77):
            below = mpmath.mpf(1) / 2 + mpmath.quad(f, [0, mpmath.mpf(grey) / 255])
            assert float(law.cumulative(Fraction(grey))) == pytest.approx(float(below), abs=1e-12)


@every_law
@given(units=st.integers(1, 2**40 - 1))
@settings(max_examples=40)
def test_quantile_inverts_cumulative(law: Law, units: int) -> None:
    probability = Fraction(units, 2**40)
    there = law.quantile(probability)
    assert there.is_finite()
    middle = Fraction(floor(there * 2**90), 2**90)
    slack = Fraction(1, 2**70)
    assert law.cumulative((middle - slack) * 255) < ball(probability)
    assert law.cumulative((middle + slack) * 255) > ball(probability)


@every_law
def test_quantile_proves_nothing_at_the_ends(law: Law) -> None:
    assert not law.quantile(Fraction(0)).is_finite()
    assert not law.quantile(Fraction(1)).is_finite()
    assert abs(float(law.quantile(Fraction(1, 2)))) < 1e-30


@every_law
def test_shares_are_symmetric_and_complete(law: Law) -> None:
    shares, first = table(law).shares, table(law).first
    assert sum(shares) == 2**64
    assert first == -(len(shares) - 1) // 2
    assert all(abs(a - b) <= 1 for a, b in zip(shares, reversed(shares), strict=True))
    assert all(a <= b + 1 for a, b in pairwise(shares[: len(shares) // 2]))


@pytest.mark.parametrize("scale", [0.004, 4.0])
@pytest.mark.parametrize("kind", LAWS.values(), ids=LAWS)
def test_every_admissible_scale_fits_16_bits(kind: Any, scale: float) -> None:
    for shape in (kind.shapes[0], kind.shapes[-1]):
        law = kind.of(shape, scale)
        assert law.reach <= 32766  # −32768 means "take a full word"
        beyond = law.cumulative(Fraction(-2 * law.reach + 1, 2))
        assert beyond * arb(2) ** 64 < 0.5
        # Even at the widest, a picture's noise is this near to the exact law.
        assert (2 * law.reach + 2) * 150_528 / 2**64 < 1e-9


@every_law
def test_draws_follow_each_law(law: Law) -> None:
    """Chi-squared over fifty cells of about equal mass, fixed key, at one in a thousand."""
    law_table = table(law)
    drawn = np.concatenate([draw(law_table, 77, sample, 50_000) for sample in range(4)])
    cumulative = np.cumsum(np.array(law_table.shares, dtype=float) / 2.0**64)
    cell = np.minimum((cumulative * 50).astype(int), 49)
    mass = np.bincount(cell, weights=np.diff(cumulative, prepend=0.0), minlength=50)
    observed = np.bincount(cell[drawn - law_table.first], minlength=50)
    statistic = float(((observed - mass * drawn.size) ** 2 / (mass * drawn.size)).sum())
    assert statistic < 85.4  # 0.999 quantile at 49 degrees of freedom


@pytest.mark.parametrize("case", GOLDEN["laplace"] + GOLDEN["generalized_normal"])
def test_golden_divergences(case: dict[str, Any]) -> None:
    shape = case.get("shape", 1)
    kind = {1: "laplace", 2: "gaussian"}.get(shape, "generalized_normal")
    law = LAWS[kind].of(shape, case["scale"])
    order, shift = (Fraction(repr(case[key])) for key in ("order", "shift"))
    found, golden = law.divergence(order, shift), float(case["divergence"])
    if golden > 1e6:  # where no claim is ever in reach, nothing is claimed
        assert not found.is_finite()
        assert not law.over_ball(order, shift, NormBall("2", 1)) < arb(10) ** 12
        return
    assert float(found) == pytest.approx(golden, rel=1e-11)
    for norm in NORMS:
        over = float(law.over_ball(order, shift, NormBall(norm, 1)).upper())
        assert golden * (1 - 1e-11) <= over <= golden * 1.04


@pytest.mark.parametrize("law", EVERY[:4], ids=name)
@pytest.mark.parametrize("order", [Fraction(11, 10), Fraction(3)])
def test_divergence_is_the_integral(law: Law, order: Fraction) -> None:
    """Quadrature of the definition, order by order; shifts from tiny to a scale."""
    f, high = density(law), float(order)
    for shift in (Fraction(1, 1000), Fraction(3, 100)):
        t, ends = float(shift), [-1.2, -0.5, 0, float(shift), 0.5, 1.2]
        if law.shape <= 2:
            ends = [-8, *ends, 8]
        with mpmath.workdps(20):
            total = mpmath.quad(lambda z: f(z) ** high * f(z - t) ** (1 - high), ends)  # noqa: B023
            expected = float(mpmath.log(total) / (high - 1))
        assert float(law.divergence(order, shift)) == pytest.approx(expected, rel=1e-7, abs=1e-13)


@every_law
def test_order_one_is_the_limit(law: Law) -> None:
    for shift in (Fraction(1, 100), Fraction(1, 10)):
        limit = law.divergence(1 + Fraction(1, 10**7), shift)
        assert float(law.divergence(Fraction(1), shift)) == pytest.approx(float(limit), rel=1e-5)
        assert law.divergence(Fraction(1), shift) <= limit


@every_law
def test_divergence_grows_with_order_and_shift(law: Law) -> None:
    shifts = [Fraction(s, 1000) for s in (0, 1, 4, 9)]
    for order in ORDERS[:3]:
        values = [law.divergence(order, shift) for shift in shifts]
        assert abs(float(values[0])) < 1e-25
        assert all(a < b for a, b in pairwise(values))
        assert float(law.divergence(order, -shifts[2])) == float(values[2])
    for shift in shifts[1:4]:
        assert all(a < b for a, b in pairwise(law.divergence(o, shift) for o in ORDERS[:3]))


@every_law
@pytest.mark.parametrize("order", ORDERS)
def test_alike_shifts_add_up(law: Law, order: Fraction) -> None:
    """Independent entries: over the ℓ∞ ball n entries have n times the divergence of one."""
    radius = Fraction(1, 10_000)
    single = float(law.divergence(order, radius))
    for entries in (1, 7, 150_528):
        over = float(law.over_ball(order, radius, NormBall("inf", entries)).upper())
        assert entries * single * (1 - 1e-9) <= over <= entries * single * 1.03


@every_law
@given(data=st.data())
@settings(max_examples=60)
def test_no_shift_in_the_ball_exceeds_the_bound(law: Law, data: st.DataObject) -> None:
    order, norm = data.draw(st.sampled_from(ORDERS[:3])), data.draw(st.sampled_from(NORMS))
    sizes = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=6).filter(any))
    shift = [Fraction(size, 1000) for size in sizes]
    power = math.inf if norm == "inf" else float(norm)
    radius = Fraction(float(np.linalg.norm(np.array(sizes) / 1000, power)) * (1 + 1e-12))
    total = sum((law.divergence(order, t) for t in shift), arb(0))
    over = law.over_ball(order, radius, NormBall(norm, len(sizes)))
    if total.is_finite():
        assert total.lower() <= over.upper()


@every_law
@pytest.mark.parametrize("norm", ["1", "2", "4", "inf"])
def test_the_bound_is_nearly_attained(law: Law, norm: str) -> None:
    """By one entry or by all alike, or by some number in between."""
    entries, order = 1000, Fraction(3, 2)
    power = math.inf if norm == "inf" else float(norm)
    reached = largest_radius(law, order, NormBall(norm, entries), arb("0.5"))
    best, radius = 0.0, reached / 1e7
    for number in {round(x) for x in np.geomspace(1, entries, 25)}:
        t = Fraction(radius * number ** (-1 / power))
        best = max(best, number * float(law.divergence(order, t)))
    assert best <= 0.5
    assert best >= 0.5 / (1.35 if norm == "4" and law.name == "generalized_normal" else 1.12)


@every_law
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("order", ORDERS[:3])
def test_the_largest_radius_is_the_largest(law: Law, norm: str, order: Fraction) -> None:
    around, divergence = NormBall(norm, 3072), arb("0.3")
    units = largest_radius(law, order, around, divergence)
    assert units > 0
    assert law.over_ball(order, Fraction(units, 10**7), around) < divergence
    assert not law.over_ball(order, Fraction(units + 1, 10**7), around) < divergence


@every_law
@pytest.mark.parametrize("divergence", [arb.nan(), arb(0), arb(-1), arb.pos_inf(), arb(0, 1)])
def test_what_is_no_positive_number_reaches_nowhere(law: Law, divergence: arb) -> None:
    assert largest_radius(law, Fraction(2), NormBall("2", 10), divergence) == 0


@every_law
def test_shifts_out_of_reach_prove_nothing(law: Law) -> None:
    over = law.over_ball(Fraction(821), Fraction(1000), NormBall("4", 150_528))
    assert not over < 10**6


@pytest.mark.parametrize("shape", [0, 1, 2, 3, 5, 22])
def test_a_shape_out_of_bounds_is_refused_by_name(shape: int) -> None:
    with pytest.raises(ValueError, match=r"shape is .*; it must be an even number from 4 to 20"):
        GeneralizedNormal(0.25, shape)


@pytest.mark.parametrize(
    "norm", ["0.5", "0", "", "02", "2.0", "1e3", "nan", "-1", "1001", "oo", "٢"]
)
def test_a_norm_has_one_spelling(norm: str) -> None:
    with pytest.raises(ValueError, match=r'norm is .*; it must be "inf" or a decimal'):
        NormBall(norm, 1)


@given(
    norm=st.sampled_from(["1", "1.25", "2", "3", "9.5", "inf"]),
    entries=st.integers(1, 50),
    power=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**32),
)
def test_stretch_is_the_largest_ratio_of_norms(
    norm: str, entries: int, power: int, seed: int
) -> None:
    vector = np.random.Generator(np.random.Philox(key=seed)).normal(size=entries)
    d = math.inf if norm == "inf" else float(norm)
    most = float(NormBall(norm, entries).stretch(power))
    assert np.linalg.norm(vector, power) <= most * np.linalg.norm(vector, d) * (1 + 1e-12)
    alike, single = np.ones(entries), np.eye(entries)[0]
    ratios = [np.linalg.norm(v, power) / np.linalg.norm(v, d) for v in (alike, single)]
    assert max(ratios) == pytest.approx(most)


def test_euclidean_radii_shrink_by_the_stretch_only() -> None:
    assert from_euclidean([0, 5, 10**6], NormBall("1.5", 10**6)) == [0, 5, 10**6]
    assert from_euclidean([0, 999, 10**6], NormBall("inf", 10**6)) == [0, 0, 999]
