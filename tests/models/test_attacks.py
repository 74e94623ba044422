"""Attacks: inside a certified radius no claim breaks; far outside the same attack breaks it.

The second half matters as much as the first: an attack that cannot break anything tests nothing.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from certify.certificate import Certificate, certify
from certify.noise import draw, table
from certify.plan import Plan, Question
from models import images
from models.attacks.aims import AIMS, top_k
from models.attacks.smoothed import Attack, attack
from models.attacks.soft_maps import soft_map
from models.attacks.twin import smooth_twin
from models.attribution.grad_cam import grad_cam
from models.features import pool
from models.loading import Network
from models.sampling import Sampler

SAMPLES = 2000
STRENGTH = Attack(steps=12, samples=32)


def certified(sampler: Sampler, plan: Plan, picture: NDArray[np.uint8]) -> Certificate:
    question = Question(16, SAMPLES, 0.001, "anytime", "2")
    return certify(plan, sampler.draw(plan, picture, 0, SAMPLES), question)


def observed(sampler: Sampler, plan: Plan, attacked: NDArray[np.uint8], reported: set[int]) -> int:
    """How many of the reported are in the top k of the smoothed map at the attacked picture."""
    there = replace(plan, image=images.digest(attacked), key="f" * 32)
    counts = sampler.draw(there, attacked, 0, SAMPLES).counts
    return len(reported & set(np.argsort(-counts, kind="stable")[: len(reported)].tolist()))


@pytest.mark.parametrize("aim", sorted(AIMS))
@pytest.mark.parametrize("number", [0, 3, 8])
def test_no_attack_inside_the_radius_breaks_a_claim(
    number: int, aim: str, tiny: Network, sampler: Sampler, plan: Plan, digits: NDArray[np.uint8]
) -> None:
    picture = digits[number]
    aimed = replace(plan, image=images.digest(picture), target=number)
    found = certified(sampler, aimed, picture)
    aimed_at = AIMS[aim](aimed, found.reported)
    for restart, at_least in enumerate((12, 8, 4)):
        radius = found.radius_for(at_least)
        assert radius > 0
        attacked = attack(tiny, aimed, picture, aimed_at, radius, STRENGTH, restart)
        moved = np.linalg.norm(attacked.astype(float) - picture) / 255
        assert 0.5 * radius <= moved <= radius
        assert observed(sampler, aimed, attacked, set(found.reported)) >= at_least


@pytest.mark.parametrize("aim", sorted(AIMS))
def test_the_same_attack_breaks_claims_far_outside(
    aim: str, tiny: Network, sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    found = certified(sampler, plan, digit)
    at_least = 12
    radius = 30 * found.radius_for(at_least)
    aimed_at = AIMS[aim](plan, found.reported)
    attacked = attack(tiny, plan, digit, aimed_at, radius, STRENGTH)
    assert observed(sampler, plan, attacked, set(found.reported)) < at_least


def test_the_attack_does_more_than_noise_of_its_size(
    tiny: Network, sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    found = certified(sampler, plan, digit)
    attacked = attack(tiny, plan, digit, top_k(plan, found.reported), 1.5, STRENGTH)
    size = np.linalg.norm(attacked.astype(float) - digit)
    rng = np.random.Generator(np.random.Philox(key=1))
    chance = rng.normal(size=digit.shape)
    moved = np.clip(digit + chance / np.linalg.norm(chance) * size, 0, 255).round().astype(np.uint8)
    reported = set(found.reported)
    assert observed(sampler, plan, attacked, reported) < observed(sampler, plan, moved, reported)


def test_a_change_that_is_thin_everywhere_uses_its_ball(
    tiny: Network, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    """Rounded as it is, such a change is none: of 768 values each would move by 0.2 grey levels."""
    radius = 0.02
    attacked = attack(tiny, plan, digit, AIMS["target"](plan, range(4)), radius, STRENGTH)
    moved = np.linalg.norm(attacked.astype(float) - digit) / 255
    assert 0.9 * radius <= moved <= radius


def test_the_attack_is_reproducible(tiny: Network, plan: Plan, digit: NDArray[np.uint8]) -> None:
    aim = top_k(plan, (1, 2, 3))
    one, again, other = (attack(tiny, plan, digit, aim, 0.3, STRENGTH, n) for n in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("aim", sorted(AIMS))
def test_an_aim_grows_with_what_it_wants(aim: str, plan: Plan) -> None:
    """Votes on the reported serve no aim; votes on the last features, far from them, serve each."""
    reported = tuple(range(16))
    shares = torch.zeros(2, plan.features)
    shares[0, :16], shares[1, -16:] = 1 / 16, 1 / 16
    measured = AIMS[aim](plan, reported)
    assert measured(shares[1:]) > measured(shares[:1])


def test_the_twin_approaches_the_network(tiny: Network, digit: NDArray[np.uint8]) -> None:
    pixels = tiny.normalised(torch.from_numpy(digit[None]).float())
    exact = tiny.module(pixels)
    errors = [float((smooth_twin(tiny.module, s)(pixels) - exact).norm()) for s in (5, 50, 500)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01 * float(exact.norm())


def test_the_twin_of_relu6_is_capped_and_smooth() -> None:
    twin = smooth_twin(nn.Sequential(nn.ReLU6()), 50.0)
    x = torch.tensor([-3.0, 0.0, 3.0, 6.0, 9.0])
    torch.testing.assert_close(twin(x), x.clamp(0, 6), atol=0.02, rtol=0)
    slope = torch.func.grad(lambda v: twin(v).sum())(torch.tensor([0.0, 6.0]))
    torch.testing.assert_close(slope, torch.tensor([0.5, 0.5]), atol=1e-3, rtol=0)


class Planes(nn.Module):
    """Four planes of a picture, and two logits of their means."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.planes = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU6())
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.planes(x).mean(dim=(2, 3)))
        return logits


def with_planes(as_network: Callable[[nn.Module, int], Network]) -> Network:
    network = as_network(Planes(), 16)
    network.card = replace(network.card, cam_layer="planes")
    return network


def test_a_soft_grad_cam_has_the_order_of_the_real_one(
    as_network: Callable[[nn.Module, int], Network], digits: NDArray[np.uint8]
) -> None:
    network, pixels = with_planes(as_network), torch.from_numpy(digits).float()
    soft = soft_map(network, "grad_cam", 0, 1e4)(pixels.requires_grad_()).detach().flatten(1)
    real = grad_cam(network, pixels.detach(), 0).flatten(1)
    assert soft.shape == real.shape and real.max() > 0
    for mine, theirs in zip(soft, real, strict=True):
        mine, theirs = mine[theirs > 0], theirs[theirs > 0]
        assert (mine.argsort() == theirs.argsort()).float().mean() > 0.9


def test_an_attack_climbs_grad_cam(
    plan: Plan, as_network: Callable[[nn.Module, int], Network], digit: NDArray[np.uint8]
) -> None:
    network = with_planes(as_network)
    there = replace(plan, target=0, recipe=replace(plan.recipe, attribution="grad_cam"))
    aim, law_table = top_k(there, range(16)), table(plan.recipe.noise)

    def value(picture: NDArray[np.uint8]) -> float:
        noise = np.stack([draw(law_table, 1, n, plan.entries) for n in range(64)])
        noisy = torch.from_numpy(picture + noise.reshape(64, 16, 16, 3)).float()
        scores = pool(grad_cam(network, noisy, 0), plan.recipe.cell)
        return float(aim(scores / scores.sum(dim=1, keepdim=True).clamp_min(1e-30)))

    attacked = attack(network, there, digit, aim, 1.5, STRENGTH)
    assert np.linalg.norm(attacked.astype(float) - digit) / 255 <= 1.5
    assert value(attacked) > value(digit) + 1


def test_other_base_maps_and_networks_without_planes_are_named(tiny: Network, plan: Plan) -> None:
    with pytest.raises(ValueError, match="'rise' cannot be climbed; known are gradient, grad_cam"):
        soft_map(tiny, "rise", 0, 20.0)
    with pytest.raises(ValueError, match="digits-tiny names no layer of Grad-CAM"):
        soft_map(tiny, "grad_cam", 0, 20.0)
