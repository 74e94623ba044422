"""Attacks on plain maps: rules are kept, every base and aggregation is climbed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.attacks.aims import Pixels, top_k
from models.attacks.maps import (
    BASES,
    aggregated,
    climbable,
    gradient,
    magnitudes,
)
from models.attacks.plain import FIRST_SPACE, Strength, Victim, _random_start, attack
from models.attribution.bases import ATTRIBUTIONS
from models.evaluation.agreement import compare
from models.evaluation.robustness import AIMS, Attacks, aim, attacked, robustness, scores
from models.loading import Network
from tests.models.solved import (
    CLEAN,
    KEY,
    aims,
    quadratic,
)


@settings(max_examples=25)
@given(st.integers(0, 1 << 20), st.integers(1, 40), st.floats(0.1, 60), st.sampled_from(AIMS))
def test_what_is_returned_is_within_the_bound(
    seed: int, bound: int, length: float, name: str
) -> None:
    """Also at black and white, for steps of any length."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    clean = rng.choice([0, 1, 2, 128, 250, 254, 255], (3, 3, 3)).astype(np.uint8)
    clean[0, 0] = 9
    attacks = Attacks(k=3, bound=bound, side=1, strength=Strength(3, length, 2))
    (found,) = attacked(quadratic(), clean[None], [0], attacks, seed)[name]
    assert found.picture.dtype == np.uint8
    assert np.abs(found.picture.astype(int) - clean).max() <= bound
    assert found.value >= found.clean


def victim_of(tiny: Network) -> Victim:
    return Victim(tiny, magnitudes(gradient))


@pytest.mark.parametrize("name", AIMS)
def test_attacks_keep_the_bound_and_the_prediction_and_gain(
    name: str, tiny: Network, digits: NDArray[np.uint8]
) -> None:
    attacks = Attacks(k=25, bound=8, strength=Strength(12, 1.5, 2))
    found = attacked(victim_of(tiny), digits[:4], range(4), attacks, KEY)[name]
    there = np.stack([one.picture for one in found])
    assert there.dtype == np.uint8
    assert np.abs(there.astype(int) - digits[:4]).max() <= 8
    before, after = (
        tiny(torch.from_numpy(p).float()).argmax(dim=1).tolist() for p in (digits[:4], there)
    )
    assert before == after
    assert all(one.value > one.clean for one in found)


@pytest.mark.parametrize("name", AIMS)
def test_the_value_is_that_of_the_picture_returned(
    name: str, tiny: Network, digits: NDArray[np.uint8]
) -> None:
    attacks = Attacks(k=25, strength=Strength(6, 2.0, 1))
    victim = victim_of(tiny)
    (found,) = attacked(victim, digits[3:4], [3], attacks, KEY)[name]
    clean, there = (
        scores(tiny, victim.scores, p[None], [3])[0] for p in (digits[3], found.picture)
    )
    wanted = aim(name, clean, attacks)
    for map_, value in ((clean, found.clean), (there, found.value)):
        shares = torch.tensor(map_.ravel() / map_.sum())[None]
        assert float(wanted(shares)) == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_restarts_never_worsen(tiny: Network, digits: NDArray[np.uint8]) -> None:
    values = []
    for restarts in (1, 2, 4):
        attacks = Attacks(k=25, strength=Strength(6, 2.0, restarts))
        found = attacked(victim_of(tiny), digits[:3], range(3), attacks, KEY)["top_k"]
        values.append([one.value for one in found])
    assert all(a <= b <= c for a, b, c in zip(*values, strict=True))
    assert values[0] != values[2]


def test_attacks_are_a_function_of_key_and_number(tiny: Network, digits: NDArray[np.uint8]) -> None:
    attacks = Attacks(k=25, strength=Strength(4, 2.0, 2))

    def run(key: int, numbers: list[int]) -> NDArray[np.uint8]:
        found = attacked(victim_of(tiny), digits[3:5], [3, 4], attacks, key, numbers)["target"]
        return np.stack([one.picture for one in found])

    np.testing.assert_array_equal(run(KEY, [0, 1]), run(KEY, [0, 1]))
    starts = [_random_start((1, 16, 16, 3), k, [n], 1, 8) for k, n in ((KEY, 0), (KEY, 1), (9, 0))]
    assert not torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])
    assert FIRST_SPACE > 1  # spaces 0 and 1 are the noise of samples


def test_random_starts_fill_the_ball_evenly() -> None:
    start = _random_start((1, 64, 64, 3), KEY, [0], 1, 2)
    counts = torch.bincount((start + 2).flatten(), minlength=5)
    assert len(counts) == 5
    expected = 64 * 64 * 3 / 5
    assert float(((counts - expected) ** 2 / expected).sum()) < 18.5  # χ² of 4 at 0.001


def test_robustness_compares_the_maps_before_and_after(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    victim, attacks = victim_of(tiny), Attacks(k=25, strength=Strength(5, 2.0, 1))
    compared = robustness(victim, digits[3:5], [3, 4], attacks, KEY)
    for name, found in attacked(victim, digits[3:5], [3, 4], attacks, KEY).items():
        for one, agreement, clean, target in zip(
            found, compared[name], digits[3:5], (3, 4), strict=True
        ):
            before, after = scores(
                tiny, victim.scores, np.stack([clean, one.picture]), [target] * 2
            )
            expected = compare(before, after, clean, one.picture, 25)
            assert agreement.top_k == expected.top_k
            assert agreement.kendall == pytest.approx(expected.kendall, abs=1e-3)
            assert agreement.moved == expected.moved


def test_the_attack_does_more_than_noise_within_the_same_bound(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    victim, attacks = victim_of(tiny), Attacks(k=25, strength=Strength(20, 1.0, 2))
    ours = robustness(victim, digits, range(10), attacks, KEY)["top_k"]
    before = scores(tiny, victim.scores, digits, range(10))
    noise = _random_start(digits.shape, KEY, range(100, 110), 1, 8).numpy()
    noisy = np.clip(digits + noise, 0, 255).astype(np.uint8)
    after = scores(tiny, victim.scores, noisy, range(10))
    chance = [
        np.isin(np.argsort(-a, axis=None)[:25], np.argsort(-b, axis=None)[:25]).mean()
        for a, b in zip(before, after, strict=True)
    ]
    assert np.mean([one.top_k for one in ours]) < np.mean(chance) - 0.05


def test_bounds_and_strengths_are_judged() -> None:
    with pytest.raises(ValueError, match=r"bound is 0; .* 1\.\.255"):
        attack(quadratic(), CLEAN[None], [0], [aims()["top_k"]], 0, Strength(), KEY)
    for field in ("steps", "length", "restarts", "sharpness"):
        with pytest.raises(ValueError, match=f"{field} is 0; it must be positive"):
            replace(Strength(), **{field: 0})
    with pytest.raises(ValueError, match="aim 'nowhere' is unknown; known are top_k"):
        aim("nowhere", np.ones((3, 3)), Attacks(k=2))


@pytest.mark.parametrize("name", BASES)
def test_climbable_maps_are_the_attributions(
    name: str, tiny: Network, digits: NDArray[np.uint8]
) -> None:
    images = torch.from_numpy(digits).float()
    with torch.no_grad():
        ours = climbable(name, tiny)(tiny, images, torch.full((10,), 3))
    theirs = ATTRIBUTIONS[name](tiny, images, 3)
    assert float(theirs.abs().max()) > 0
    torch.testing.assert_close(ours, theirs)


def test_other_bases_are_named(tiny: Network) -> None:
    with pytest.raises(ValueError, match="base 'rise' cannot be climbed; known are gradient"):
        climbable("rise", tiny)


@pytest.mark.parametrize("name", BASES[1:])
def test_attacks_climb_every_base(name: str, tiny: Network, digits: NDArray[np.uint8]) -> None:
    victim = Victim(tiny, magnitudes(climbable(name, tiny)))
    attacks = Attacks(k=25, strength=Strength(6, 2.0, 1))
    for found in attacked(victim, digits[3:4], [3], attacks, KEY).values():
        assert found[0].value > found[0].clean


@pytest.mark.parametrize("how", ["range", "mean", "deviation"])
def test_aggregation_is_over_the_offset_pictures(
    how: str, tiny: Network, digits: NDArray[np.uint8]
) -> None:
    images, targets = torch.from_numpy(digits[:2]).float(), torch.tensor([3, 5])
    offsets = _random_start((4, 16, 16, 3), KEY, range(4), 1, 20).float()
    with torch.no_grad():
        got = aggregated(gradient, offsets, how)(tiny, images, targets)
    shifted = [(images + offset).clamp(0, 255) for offset in offsets]
    each = np.stack([gradient(tiny, moved, targets).detach().numpy() for moved in shifted])
    expected = {"range": np.ptp, "mean": np.mean, "deviation": np.std}[how](each, axis=0)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-3, atol=1e-5)


def test_unknown_aggregations_are_named() -> None:
    with pytest.raises(ValueError, match="aggregation 'median' is unknown; known are range, mean"):
        aggregated(gradient, torch.zeros(1, 3, 3, 3), "median")


def test_a_slope_through_every_aggregation_is_finite(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    """Also where all maps agree: the background of a digit is black in each."""
    offsets = torch.zeros(3, 16, 16, 3)
    for how in ("range", "mean", "deviation"):
        victim = Victim(tiny, magnitudes(aggregated(gradient, offsets, how)))
        wanted = top_k(Pixels(16, 16), range(25))
        attack(victim, digits[:1], [0], [wanted], 8, Strength(1), KEY)
