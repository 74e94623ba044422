"""The Rényi route against golden values, brute force, every violating map we can think of, and
hostile numbers."""

import json
import math
from collections import Counter
from fractions import Fraction
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from certify.claims import Boundary
from certify.confidence import ONE
from certify.curve import DENSE_SWAPS
from certify.noise import Gaussian
from certify.published import liu_divergence, liu_radius
from certify.renyi import ORDERS, Dual, divergence, power_means, radii, sharpen

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "certificates.json").read_text())


def bound(order: Fraction, forward: bool, inside: Any, outside: Any) -> float:
    """The route's bound at one order, with the threshold it would choose."""
    inside, outside = Counter(map(Fraction, inside)), Counter(map(Fraction, outside))
    exponent = np.array([float(1 - order if forward else order)])
    guess = Dual(order, forward, Fraction(float(power_means(exponent, inside, outside)[0])))
    found = divergence(sharpen(guess, inside, outside), inside, outside, 1)
    return float(found) if found.is_finite() else -math.inf


def renyi(order: float, q: NDArray[np.float64], m: NDArray[np.float64]) -> float:
    """D_order(q‖m) of two probability vectors, by its definition; not finite where it overflows."""
    with np.errstate(all="ignore"):
        return float(np.log(np.sum(q**order * m ** (1 - order))) / (order - 1))


@pytest.mark.parametrize("case", GOLDEN["renyi_topk"])
def test_golden_minima_in_both_directions(case: dict[str, Any]) -> None:
    masses = [Fraction(repr(mass)) for mass in case["weights"]]
    k, swaps, order = case["k"], case["swaps"], Fraction(repr(case["order"]))
    inside, outside = masses[k - swaps : k], masses[k : k + swaps]
    for forward, name in ((True, "exact_forward"), (False, "exact_backward")):
        found = bound(order, forward, inside, outside)
        assert found == pytest.approx(float(case[name]), rel=1e-10)
        assert found <= float(case[name]) + 1e-14


@pytest.mark.parametrize("case", GOLDEN["renyi_topk"])
def test_golden_published_formula(case: dict[str, Any]) -> None:
    found = liu_divergence(case["order"], case["weights"], case["k"], case["swaps"])
    assert found == pytest.approx(float(case["published"]), rel=1e-9)


def test_the_published_formula_over_certifies() -> None:
    """The specification's smallest check: 0.154257 is claimed, 0.152080 suffices to break it."""
    masses = [0.5, 0.3, 0.172, 0.01, 0.009, 0.009]
    published = liu_divergence(1.5, masses, k=4, swaps=2)
    inside, outside = [Fraction("0.172"), Fraction("0.01")], [Fraction("0.009")] * 2
    ours = bound(Fraction(3, 2), True, inside, outside)
    assert published == pytest.approx(0.154257, abs=1e-6)
    assert ours == pytest.approx(0.152080, abs=1e-6)
    # And a violating map at that distance exists: the clamp at the power mean.
    t = power_means(np.array([-0.5]), Counter(inside), Counter(outside))[0]
    clamp = np.array([0.5, 0.3, min(0.172, t), min(0.01, t), max(0.009, t), max(0.009, t)])
    violating = clamp / clamp.sum()
    assert renyi(1.5, violating, np.array(masses)) == pytest.approx(ours, rel=1e-6)


def brute_force(
    order: float, masses: NDArray[np.float64], k: int, swaps: int, forward: bool
) -> float:
    """min D over maps with some A inside at or below some B outside, by optimisation."""
    best = math.inf
    for a in combinations(range(k), swaps):
        for b in combinations(range(k, len(masses)), swaps):
            best = min(best, _least(order, masses, a, b, forward))
    return best


def _least(order: float, masses: NDArray[np.float64], a: Any, b: Any, forward: bool) -> float:
    size = len(masses)
    pairs = [{"type": "ineq", "fun": lambda z, i=i, j=j: z[j] - z[i]} for i in a for j in b]
    total = {"type": "eq", "fun": lambda z: z.sum() - 1}

    def objective(q: NDArray[np.float64]) -> float:
        return renyi(order, q, masses) if forward else renyi(order, masses, q)

    start = masses.copy()
    start[[*a, *b]] = start[[*a, *b]].mean()
    found = minimize(
        objective,
        start,
        method="SLSQP",
        bounds=[(1e-9, 1)] * size,
        constraints=[*pairs, total],
        options={"maxiter": 400, "ftol": 1e-13},
    )
    return float(found.fun) if found.success else math.inf


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("k", "swaps"), [(1, 1), (2, 2), (3, 2)])
def test_brute_force_on_five_features(seed: int, k: int, swaps: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    masses = -np.sort(-rng.dirichlet(np.full(5, 0.8)))
    masses = np.maximum(masses, 1e-3) / np.maximum(masses, 1e-3).sum()
    inside, outside = masses[k - swaps : k], masses[k : k + swaps]
    for order in (1.2, 2.0, 6.0):
        for forward in (True, False):
            exact = brute_force(order, masses, k, swaps, forward)
            ours = bound(Fraction(repr(order)), forward, inside, outside)
            assert ours == pytest.approx(exact, rel=2e-4, abs=1e-7)


@settings(max_examples=200)
@given(data=st.data())
def test_no_violating_map_is_nearer(data: st.DataObject) -> None:
    """Weak duality itself: whatever the threshold, no violating map undercuts the bound."""
    size, mass = data.draw(st.integers(2, 7)), st.floats(1e-4, 1.0)
    masses = np.array(data.draw(st.lists(mass, min_size=size, max_size=size)))
    other = np.array(data.draw(st.lists(mass, min_size=size, max_size=size)))
    masses, other = -np.sort(-masses / masses.sum()), other / other.sum()
    k = data.draw(st.integers(1, size - 1))
    swaps = data.draw(st.integers(1, min(k, size - k)))
    level = np.median(other[k - swaps : k + swaps])
    other[k - swaps : k] = np.minimum(other[k - swaps : k], level)
    other[k : k + swaps] = np.maximum(other[k : k + swaps], level)
    other /= other.sum()
    order = data.draw(st.sampled_from(ORDERS[::7]))
    threshold = Fraction(data.draw(st.floats(1e-4, 1.0)))
    exact = [
        Counter(Fraction(float(v)) for v in side)
        for side in (masses[k - swaps : k], masses[k : k + swaps])
    ]
    for forward in (True, False):
        found = divergence(Dual(order, forward, threshold), exact[0], exact[1], 1)
        actual = renyi(float(order), *((other, masses) if forward else (masses, other)))
        assume(math.isfinite(actual))
        if found.is_finite():
            assert float(found) <= actual + 1e-9 * max(1.0, abs(actual))


def test_one_pair_is_li_et_al() -> None:
    """k = swaps = 1: −ln(1 − p1 − p2 + 2[½(p1^(1−order) + p2^(1−order))]^(1/(1−order)))."""
    for p1, p2, order in [(0.6, 0.4, 1.5), (0.5, 0.2, 3.0), (0.9, 0.05, 1.1)]:
        mean = (0.5 * (p1 ** (1 - order) + p2 ** (1 - order))) ** (1 / (1 - order))
        expected = -math.log(1 - p1 - p2 + 2 * mean)
        found = bound(Fraction(repr(order)), True, [Fraction(repr(p1))], [Fraction(repr(p2))])
        assert found == pytest.approx(expected, rel=1e-11)


def test_order_one_is_the_geometric_mean_limit() -> None:
    p1, p2 = 0.6, 0.3
    expected = -math.log(1 - p1 - p2 + 2 * math.sqrt(p1 * p2))
    found = bound(Fraction(1000001, 1000000), True, [Fraction("0.6")], [Fraction("0.3")])
    assert found == pytest.approx(expected, rel=1e-5)


def boundary_of(inside: list[float], outside: list[float]) -> Boundary:
    units = [np.array([int(v * ONE) for v in side], dtype=np.int64) for side in (inside, outside)]
    return Boundary(tuple(range(len(inside))), np.sort(units[0]), -np.sort(-units[1]))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_wider_bounds_never_prove_more(data: st.DataObject) -> None:
    probability = st.floats(0.0, 1.0)
    size = data.draw(st.integers(1, 6))
    inside = data.draw(st.lists(probability, min_size=size, max_size=size))
    outside = data.draw(st.lists(probability, min_size=size, max_size=size))
    loss = data.draw(st.floats(0.0, 0.2))
    wider_in, wider_out = [max(v - loss, 0) for v in inside], [min(v + loss, 1) for v in outside]
    law = Gaussian(0.5)
    narrow = radii(boundary_of(inside, outside), size, law)
    wide = radii(boundary_of(wider_in, wider_out), size, law)
    assert all(w <= n for w, n in zip(wide, narrow, strict=True))


HOSTILE = [0.0, 2.0**-40, 1e-12, 1e-9, 0.5, 0.5 + 2.0**-40, 1 - 2.0**-40, 1.0]


@pytest.mark.parametrize("inside", HOSTILE)
@pytest.mark.parametrize("outside", HOSTILE)
def test_hostile_bounds_prove_nothing_that_is_false(inside: float, outside: float) -> None:
    """One pair: whatever Rényi proves is below what Neyman–Pearson allows for that pair."""
    from scipy.stats import norm

    law = Gaussian(0.5)
    found = radii(boundary_of([inside] * 2, [outside] * 2), 2, law)[0] / 1e7
    if inside <= outside:
        assert found == 0
    else:
        limit = law.scale / 2 * (norm.ppf(inside) - norm.ppf(outside))
        assert 0 <= found <= limit


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_bounds_that_are_a_violation_themselves_are_proven_apart_by_no_order(
    data: st.DataObject,
) -> None:
    """They are not even examined; here is every order and any threshold that might have been."""
    units = st.integers(1, ONE)
    level, size = data.draw(units), data.draw(st.integers(1, 5))
    inside = data.draw(st.lists(st.integers(1, level), min_size=size, max_size=size))
    outside = data.draw(st.lists(st.integers(level, ONE), min_size=size, max_size=size))
    sides = [Counter(Fraction(value, ONE) for value in side) for side in (inside, outside)]
    threshold = Fraction(data.draw(units), data.draw(units))
    for order, forward in product(ORDERS, (True, False)):
        found = divergence(Dual(order, forward, threshold), *sides, size)
        assert not (found.is_finite() and found > 0)
    given_ = [[value / ONE for value in side] for side in (inside, outside)]
    assert radii(boundary_of(*given_), size, Gaussian(0.5))[-1] == 0


@pytest.mark.parametrize("order", [Fraction(10**9 + 1, 10**9), Fraction(10**6), Fraction(10**9)])
def test_extreme_orders_never_overflow_into_a_proof(order: Fraction) -> None:
    inside, outside = {Fraction(1, 2): 1}, {Fraction(1, 2**40): 1}
    for forward in (True, False):
        for threshold in (Fraction(1, 2**60), Fraction(1, 1000), Fraction(1, 3), Fraction(1)):
            found = divergence(Dual(order, forward, threshold), inside, outside, 1)
            if found.is_finite():
                # A violating map needs q ≤ t on one and ≥ t on the other of two masses.
                q = np.array([0.25, 0.25, 0.5])
                m = np.array([0.5, 2.0**-40, 0.5 - 2.0**-40])
                first, second = (q, m) if forward else (m, q)
                ceiling = math.log(max(first / second))  # D_∞ bounds every order
                assert float(found) <= ceiling + 1e-12


def test_many_swaps_are_examined_on_a_grid_and_stay_monotone() -> None:
    size = 3 * DENSE_SWAPS
    spread = np.linspace(0.2, 0.9, size)
    found = radii(boundary_of(spread.tolist(), (spread / 4).tolist()), size, Gaussian(0.25))
    assert len(found) == size
    assert all(a <= b for a, b in pairwise(found))
    assert found[-1] > found[size // 2] > 0


def test_the_published_radius_exceeds_the_sound_one_for_some_map() -> None:
    masses = [0.5, 0.3, 0.172, 0.01, 0.009, 0.009]
    sound = radii(boundary_of([0.172, 0.01], [0.009, 0.009]), 1, Gaussian(1.0))[1] / 1e7
    assert liu_radius(1.0, masses, k=4, swaps=2) > sound * 0.9
