"""The integer law: exact shares, exact sampling, and what a scale may be."""

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.ball import EUCLIDEAN
from certify.exact import ball
from certify.noise import LAWS, LEFTOVER, Gaussian, Table, draw, drawn, table
from certify.norms import largest_radius
from certify.randomness import Words, words

SCALES = [0.004, 0.02, 0.1, 0.25, 0.3, 1.0]


@pytest.mark.parametrize("scale", SCALES)
def test_shares_are_the_rounded_normal_law(scale: float) -> None:
    law_table = table(Gaussian(scale))
    assert sum(law_table.shares) == 2**64
    exact_scale = Fraction(repr(scale))
    with mpmath.workdps(60):
        grey = mpmath.mpf(255 * exact_scale.numerator) / exact_scale.denominator
        for index in range(0, len(law_table.shares), max(len(law_table.shares) // 97, 1)):
            value = law_table.first + index
            upper = mpmath.ncdf((value + mpmath.mpf(0.5)) / grey)
            exact = (upper - mpmath.ncdf((value - mpmath.mpf(0.5)) / grey)) * 2**64
            assert abs(law_table.shares[index] - exact) <= 1


@pytest.mark.parametrize("scale", SCALES)
def test_nothing_worth_a_share_lies_beyond_the_table(scale: float) -> None:
    law_table = table(Gaussian(scale))
    with mpmath.workdps(60):
        beyond = mpmath.ncdf((law_table.first - mpmath.mpf(0.5)) / (mpmath.mpf(scale) * 255))
        assert beyond * 2**64 < 0.5


def drawn_law(law_table: Table) -> list[Fraction]:
    """The probability of each value under `draw`, from its slots and thresholds, exactly."""
    size = len(law_table.shares)
    slots = np.bincount(
        law_table.slots[law_table.slots != LEFTOVER] - law_table.first, minlength=size
    )
    ends = [0, *law_table.residual.tolist(), 2**64]
    left = Fraction(int((law_table.slots == LEFTOVER).sum()), 2**16)
    residual = [Fraction(b - a, 2**64) for a, b in pairwise(ends)]
    return [Fraction(int(n), 2**16) + left * r for n, r in zip(slots, residual, strict=True)]


@pytest.mark.parametrize("scale", SCALES)
def test_the_drawn_law_is_within_its_stated_distance(scale: float) -> None:
    law_table = table(Gaussian(scale))
    drawn = drawn_law(law_table)
    assert sum(drawn) == 1
    shares = [Fraction(share, 2**64) for share in law_table.shares]
    apart = sum(abs(a - b) for a, b in zip(drawn, shares, strict=True)) / 2
    # The shares themselves are up to (values + 1)/2 units from the exact rounded law.
    rounding = Fraction(len(shares) + 1, 2**65)
    assert apart + rounding <= law_table.distance(1)


def test_at_imagenet_size_the_distance_is_negligible() -> None:
    assert table(Gaussian(0.3)).distance(224 * 224 * 3) < Fraction(2, 10**11)


@settings(max_examples=25)
@given(
    key=st.integers(0, 2**128 - 1),
    sample=st.integers(0, 10**6),
    entry=st.integers(0, 2000),
    more=st.integers(0, 50),
)
def test_an_entry_depends_on_its_address_only(key: int, sample: int, entry: int, more: int) -> None:
    law_table = table(Gaussian(0.02))
    value = int(draw(law_table, key, sample, entry + 1 + more)[entry])
    word = int(words(key, sample, 0, entry // 4 + 1)[-1])
    slot = int(law_table.slots[word >> 16 * (entry % 4) & 0xFFFF])
    if slot == LEFTOVER:
        full = int(words(key, sample, 1, entry + 1)[-1])
        slot = law_table.first + sum(full >= int(end) for end in law_table.residual)
    assert value == slot


@given(
    key=st.integers(0, 2**128 - 1),
    samples=st.lists(st.integers(0, 2**64 - 1), max_size=5),
    entries=st.integers(1, 3000),
)
def test_rows_drawn_together_are_those_drawn_alone(
    key: int, samples: list[int], entries: int
) -> None:
    law_table = table(Gaussian(0.25))
    rows = drawn(law_table, Words(key), samples, entries)
    assert rows.shape == (len(samples), entries)
    for row, sample in zip(rows, samples, strict=True):
        np.testing.assert_array_equal(row, draw(law_table, key, sample, entries))


def test_a_leftover_takes_the_full_word_of_its_own_address() -> None:
    """Every entry is one, and the thresholds are the words themselves: none may be off by one."""
    full = [words(7, sample, 1, 9) for sample in (3, 2**63)]
    ends = np.sort(np.concatenate(full))
    all_left = Table(-4, (), np.full(1 << 16, LEFTOVER, np.int16), ends)
    wanted = [[-4 + sum(int(end) <= int(word) for end in ends) for word in row] for row in full]
    assert drawn(all_left, Words(7), (3, 2**63), 9).tolist() == wanted


def test_draws_follow_the_law() -> None:
    """Chi-squared over fifty cells of about equal mass, fixed key, at one in a thousand."""
    law_table = table(Gaussian(0.1))
    drawn = np.concatenate([draw(law_table, 2024, sample, 100_000) for sample in range(4)])
    cumulative = np.cumsum(np.array(law_table.shares, dtype=float) / 2**64)
    cell = np.minimum((cumulative * 50).astype(int), 49)
    expected = (
        np.bincount(cell, weights=np.diff(cumulative, prepend=0.0), minlength=50) * drawn.size
    )
    observed = np.bincount(cell[drawn - law_table.first], minlength=50)
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert statistic < 85.4  # 0.999 quantile at 49 degrees of freedom


def test_leftovers_are_drawn_too() -> None:
    law_table = table(Gaussian(0.3))
    tail = draw(law_table, 7, 0, 400_000)
    rare = [i for i, share in enumerate(law_table.shares) if share < 2**48]
    seen = int(np.isin(tail - law_table.first, rare).sum())
    expected = tail.size * sum(law_table.shares[i] for i in rare) / 2**64
    assert expected > 100
    assert abs(seen - expected) < 4 * math.sqrt(expected)


@pytest.mark.parametrize("scale", [0.0, -0.1, 0.0039, 4.01, math.inf, math.nan, 1e300])
def test_a_scale_out_of_bounds_is_refused_by_name(scale: float) -> None:
    with pytest.raises(ValueError, match=r"scale is .*; it must lie between 0\.004"):
        Gaussian(scale)


def test_divergence_is_the_closed_form_and_inverts() -> None:
    law = Gaussian(0.25)
    assert float(law.divergence(Fraction(3), Fraction(1, 10))) == pytest.approx(3 * 0.01 / 0.125)
    there = largest_radius(law, Fraction(3), EUCLIDEAN, ball(Fraction(24, 100)))
    assert there == 999_999  # strictly below 0.1


def test_laws_are_found_by_their_own_names() -> None:
    assert all(law.name == name for name, law in LAWS.items())
